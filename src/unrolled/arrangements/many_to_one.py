"""Many-to-one: one answer from a whole sequence."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unrolled.arrangements.base import Head, SequenceLayer
from unrolled.batch import Batch, LossSum
from unrolled.errors import UnsupportedError
from unrolled.nn.heads import Output
from unrolled.nn.inputs import InputLayer
from unrolled.nn.pooling import make_pooling
from unrolled.ragged import Ragged
from unrolled.state import choose_rows


class ManyToOneState(NamedTuple):
    """The state of a running answer: the sequence layer's state and the pooling's."""

    layers: Any
    pooled: Any


class ManyToOne(nn.Module):
    """A network with one answer per sequence, from its last state or a pooling over all of them.

    Per-sequence columns are appended to the pooled vector just before the head.

    Args:
        inputs: the input layer.
        layers: a Stack or another sequence layer.
        output: the output that gives the raw numbers their meaning.
        pooling: "last", "mean", "max", "attention", or "all" of them side by side.
        dropout: share of the pooled values set to zero in training.
        bptt_steps: in training, gradients flow back at most this many steps from the end; 0 = to the start. For causal
            layers only: a bidirectional one refuses to train with it.
    """

    def __init__(
        self,
        inputs: InputLayer,
        layers: SequenceLayer,
        output: Output,
        pooling: str = "last",
        dropout: float = 0.0,
        bptt_steps: int = 0,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.layers = layers
        self.output = output
        self.pooling = make_pooling(pooling, layers.output_size, layers.backwards)
        self.head = Head(self.pooling.output_size + inputs.static_size, output, dropout)  # type: ignore[operator]
        self.bptt_steps = bptt_steps

    def forward(self, batch: Batch, state: Any = None) -> tuple[Tensor, Any]:
        """Return raw answers (B, width), and None: only `step` gives running answers.

        Args:
            batch: whole sequences.
            state: the sequence layer's state before them.
        """
        if self.training and self.bptt_steps and not self.layers.causal:
            raise UnsupportedError(
                "bptt_steps looks back from the end, and a bidirectional layer also reads from there; use bptt_steps=0"
            )
        if self.training and self.bptt_steps and self.bptt_steps < max(batch.lengths.tolist(), default=0):
            outputs = self._truncated(batch, state)
        else:
            outputs, _ = self.layers(self.inputs(batch), state, batch.reset, want_state=False)
        pooled = self.pooling(outputs)  # (B, H)
        return self.head(torch.cat([pooled, self.inputs.static(batch)], 1)), None

    def _truncated(self, batch: Batch, state: Any) -> Ragged:
        """Return outputs whose gradient flows back at most `bptt_steps` steps from the end, with unchanged values."""
        split = (batch.lengths - self.bptt_steps).clamp(min=0)
        early, late = batch.slice_time(0, split), batch.slice_time(split, batch.lengths)
        start = self.layers.initial_state(batch.batch_size) if state is None else state
        with torch.no_grad():
            before, middle = self.layers(self.inputs(early), start, early.reset)
        # a sequence with no early steps keeps its start, and the gradient of it
        start = choose_rows(split > 0, middle, start)
        outputs, _ = self.layers(self.inputs(late), start, late.reset, want_state=False)
        rows = [row for pair in zip(before, outputs, strict=True) for row in pair]
        return Ragged(torch.cat(rows), batch.lengths)

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """Return the summed loss over sequences."""
        raw, _ = self(batch, state)
        assert isinstance(batch.targets, Tensor), "many-to-one targets are one row for each sequence"
        return LossSum(self.output.loss(raw, batch.targets).sum(), self.output.count(batch.targets))

    def initial_state(self, batch_size: int) -> ManyToOneState:
        """Return the state before the first step."""
        like = self.head.linear.weight
        return ManyToOneState(self.layers.initial_state(batch_size), self.pooling.initial_state(batch_size, like))  # type: ignore[operator]

    def step(self, batch: Batch, state: ManyToOneState) -> tuple[Tensor, ManyToOneState]:
        """Read one more step in every row and return the answer so far, (B, width)."""
        output, layers = self.layers.step(self.inputs(batch).values, state.layers)
        pooled, pool = self.pooling.step(output, state.pooled)  # type: ignore[operator]
        return self.head(torch.cat([pooled, self.inputs.static(batch)], 1)), ManyToOneState(layers, pool)
