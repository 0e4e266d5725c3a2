"""Encoders: the part of a model that a decoder attends to. Each maps a batch to places and one summary vector."""

from typing import Protocol

import torch
from torch import Tensor, nn

from unrolled.arrangements.base import SequenceLayer
from unrolled.batch import Batch
from unrolled.nn.inputs import InputLayer
from unrolled.nn.vision import ConvNet
from unrolled.ragged import Ragged


class Encoder(Protocol):
    """An encoder: maps a batch to places (N, memory_size) ragged and summaries (B, summary_size)."""

    memory_size: int
    summary_size: int
    ordered: bool  # whether its places have an order that a text may follow

    def __call__(self, batch: Batch) -> tuple[Ragged, Tensor]: ...


class RecurrentEncoder(nn.Module):
    """An encoder that reads a batch's sources step by step; its summary is its output at the last and the first step.

    Args:
        inputs: the input layer of the sources.
        layers: a Stack, usually bidirectional.
        dropout: share of the places' values set to zero in training.
    """

    ordered = True

    def __init__(self, inputs: InputLayer, layers: SequenceLayer, dropout: float = 0.0) -> None:
        super().__init__()
        self.inputs, self.layers = inputs, layers
        self.dropout = nn.Dropout(dropout)
        self.memory_size = layers.output_size
        self.summary_size = 2 * layers.output_size

    def forward(self, batch: Batch) -> tuple[Ragged, Tensor]:
        """Return places (N, memory_size) ragged, and summaries (B, summary_size)."""
        sources = {name: value for name, value in batch.sources.items() if name in self.inputs.names}
        outputs, _ = self.layers(self.inputs(Batch(sources)), want_state=False)
        ends = torch.cat([outputs.last(), outputs.slice(0, 1).last()], 1)  # (B, 2 * memory_size)
        return outputs.map(self.dropout), ends


class PictureEncoder(nn.Module):
    """An encoder of one picture per sequence: the places of a convolutional network's last map, and its pooled vector.

    Each place also has a learnt position vector, as a convolution alone does not know positions.

    Args:
        name: name of the picture in `batch.statics`, (B, C, S, S) bytes.
        net: the convolutional network.
        dropout: share of the places' values set to zero in training.
    """

    ordered = False

    def __init__(self, name: str, net: ConvNet, dropout: float = 0.0) -> None:
        super().__init__()
        self.name, self.net = name, net
        self.grid = net.grid
        self.memory_size = self.summary_size = net.size
        self.where = nn.Parameter(0.1 * torch.randn(net.grid[0] * net.grid[1], net.size))  # (P, D)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> tuple[Ragged, Tensor]:
        """Return places (B * P, D) ragged, and pooled vectors (B, D)."""
        seen = self.net(batch.statics[self.name])
        places = self.dropout(seen.places + self.where)  # (B, P, D)
        rows, count = places.shape[:2]
        return Ragged(places.flatten(0, 1), torch.full((rows,), count)), self.dropout(seen.pooled)


class FeatureEncoder(nn.Module):
    """An encoder of precomputed vectors of places of a picture: one per sequence, or a map of them.

    Args:
        name: name in `batch.sources` for maps, (N, F) ragged; in `batch.statics` for single vectors, (B, F).
        input_size: numbers per vector, F.
        size: width of a place, D.
        dropout: share of the places' values set to zero in training.
    """

    ordered = False

    def __init__(self, name: str, input_size: int, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.name = name
        self.linear = nn.Linear(input_size, size)
        self.memory_size = self.summary_size = size
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> tuple[Ragged, Tensor]:
        """Return places (N, D) ragged, and their means (B, D)."""
        given = batch.sources.get(self.name)
        if not isinstance(given, Ragged):
            vectors = batch.statics[self.name]
            given = Ragged(vectors, torch.ones(len(vectors), dtype=torch.int64))
        places = given.map(lambda values: self.dropout(self.linear(values).tanh()))  # (N, D)
        sums = places.values.new_zeros(places.batch_size, self.memory_size)
        sums = sums.index_add(0, places.sequence_ids, places.values)
        return places, sums / places.lengths.clamp(min=1)[:, None].to(sums)
