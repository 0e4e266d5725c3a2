"""Encoders: what a decoder looks back at. Each reads a batch, and gives places and one vector for the whole."""

from typing import Protocol

import torch
from torch import Tensor, nn

from unrolled.arrangements.base import SequenceLayer
from unrolled.batch import Batch
from unrolled.nn.inputs import InputLayer
from unrolled.ragged import Ragged


class Encoder(Protocol):
    """Anything that turns what a batch holds into places (N, memory_size) ragged and summaries (B, summary_size)."""

    memory_size: int
    summary_size: int

    def __call__(self, batch: Batch) -> tuple[Ragged, Tensor]: ...


class RecurrentEncoder(nn.Module):
    """Reads a batch's sources step by step; its summary is what it says at the last and at the first step.

    Args:
        inputs: the input layer of the sources.
        layers: a Stack, usually bidirectional.
        dropout: share of the places' values zeroed in training.
    """

    def __init__(self, inputs: InputLayer, layers: SequenceLayer, dropout: float = 0.0) -> None:
        super().__init__()
        self.inputs, self.layers = inputs, layers
        self.dropout = nn.Dropout(dropout)
        self.memory_size = layers.output_size
        self.summary_size = 2 * layers.output_size

    def forward(self, batch: Batch) -> tuple[Ragged, Tensor]:
        """Places (N, memory_size) ragged, and summaries (B, summary_size)."""
        sources = {name: value for name, value in batch.sources.items() if name in self.inputs.names}
        outputs, _ = self.layers(self.inputs(Batch(sources)), want_state=False)
        ends = torch.cat([outputs.last(), outputs.slice(0, 1).last()], 1)  # (B, 2 * memory_size)
        return outputs.map(self.dropout), ends
