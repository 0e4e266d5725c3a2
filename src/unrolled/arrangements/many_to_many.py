"""Many-to-many, aligned: one answer per step."""

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.arrangements.base import Head, SequenceLayer
from unrolled.batch import Batch, LossSum
from unrolled.errors import UnsupportedError
from unrolled.nn.heads import Output
from unrolled.nn.inputs import InputLayer
from unrolled.ragged import Ragged


class ManyToMany(nn.Module):
    """A network with one answer per step of each sequence.

    Per-sequence columns are appended to every step's inputs.

    Args:
        inputs: the input layer; the sequence layer must take `inputs.size + inputs.static_size` features.
        layers: a Stack or another sequence layer.
        output: the output that gives the raw numbers their meaning.
        dropout: share of the hidden values set to zero before the head in training.
    """

    def __init__(self, inputs: InputLayer, layers: SequenceLayer, output: Output, dropout: float = 0.0) -> None:
        super().__init__()
        self.inputs = inputs
        self.layers = layers
        self.output = output
        self.head = Head(layers.output_size, output, dropout)

    def forward(self, batch: Batch, state: Any = None) -> tuple[Ragged, Any]:
        """Return raw answers (N, width) ragged, and the final state."""
        outputs, state = self.layers(self._joined(batch), state, batch.reset)
        return outputs.with_values(self.head(outputs.values)), state

    def _joined(self, batch: Batch) -> Ragged:
        inputs = self.inputs(batch)
        if not self.inputs.static_size:
            return inputs
        return inputs.with_values(torch.cat([inputs.values, self.inputs.static(batch)[inputs.sequence_ids]], 1))

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """Return the summed loss over steps."""
        raw, state = self(batch, state)
        assert isinstance(batch.targets, Ragged), "many-to-many targets are one row for each step"
        targets = batch.targets.values
        return LossSum(self.output.loss(raw.values, targets).sum(), self.output.count(targets), state)

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before the first step."""
        return self.layers.initial_state(batch_size)

    def step(self, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        """Read one more step in every row and return raw answers (B, width)."""
        output, state = self.layers.step(self._joined(batch).values, state)
        return self.head(output), state


class NextStep(ManyToMany):
    """Next-step prediction: many-to-many in which the target of a step is the input that follows it.

    Raises:
        UnsupportedError: a sequence layer that looks ahead, because it would read its own answers.
    """

    def __init__(self, inputs: InputLayer, layers: SequenceLayer, output: Output, dropout: float = 0.0) -> None:
        if not layers.causal:
            raise UnsupportedError(
                "next-step prediction needs a causal layer: a bidirectional one would read the answer; "
                "use bidirectional=False"
            )
        super().__init__(inputs, layers, output, dropout)
