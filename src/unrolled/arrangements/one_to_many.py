"""One-to-many: writes a sequence from a vector."""

from typing import Any

from torch import nn

from unrolled.arrangements.base import SequenceLayer
from unrolled.arrangements.many_to_many import NextStep
from unrolled.batch import Batch
from unrolled.errors import OptionError, message
from unrolled.nn.heads import Output
from unrolled.nn.inputs import InputLayer
from unrolled.nn.starting import state_from, state_size
from unrolled.ragged import Ragged


class OneToMany(NextStep):
    """A network that writes a sequence from a vector, which sets its first state; each step then predicts the next.

    The per-sequence columns are the vector. One learnt linear map gives every layer its starting state,
    squashed by tanh as hidden states are.

    Args:
        inputs: the input layer; per-step columns are the sequence written so far, per-sequence ones the vector.
        layers: a causal sequence layer that takes `inputs.size` features.
        output: the output that gives the raw numbers their meaning.
        dropout: share of the hidden values set to zero before the head in training.

    Raises:
        OptionError: an input layer without per-sequence columns.

    Source: A. Karpathy and L. Fei-Fei, "Deep Visual-Semantic Alignments", CVPR 2015, section 3.2.
    """

    def __init__(self, inputs: InputLayer, layers: SequenceLayer, output: Output, dropout: float = 0.0) -> None:
        if not inputs.static_size:
            raise OptionError(message("inputs", expected="at least one per-sequence column", received="none"))
        super().__init__(inputs, layers, output, dropout)
        self.start = nn.Linear(inputs.static_size, state_size(layers))

    def first_state(self, batch: Batch) -> Any:
        """Return the first state computed from the batch's vectors."""
        flat = self.start(self.inputs.static(batch)).tanh()  # (B, all states side by side)
        return state_from(flat, self.layers)

    def forward(self, batch: Batch, state: Any = None) -> tuple[Ragged, Any]:
        """Return raw answers (N, width) ragged, and the final state."""
        return super().forward(batch, self.first_state(batch) if state is None else state)

    def _joined(self, batch: Batch) -> Ragged:
        return self.inputs(batch)  # the vector is in the state already
