"""The nets that are compared: one recurrent layer and a linear read-out."""

from typing import Any

import torch
from torch import Tensor, nn

from lstm_paper.late import LateLayer
from lstm_paper.problem import Problem
from unrolled.arrangements.base import SequenceLayer
from unrolled.arrangements.many_to_many import ManyToMany
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.cells.base import Cell
from unrolled.cells.elman import ElmanCell, ElmanState
from unrolled.cells.gru import GRUCell
from unrolled.cells.lstm import LSTMCell
from unrolled.cells.registry import make_cell
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Recurrent
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged
from unrolled.shapes import Reset

ONE_STEP = "elman-1990"
CELLS = (ONE_STEP, "elman", "gru", "lstm")


class OneStepBack(nn.Module):
    """An Elman layer trained as in 1990: the state before each step is an input like any other, without a past.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.

    Source: J. L. Elman, "Finding Structure in Time", Cognitive Science 14 (1990), section "Networks".
    """

    causal = True
    backwards = range(0)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = ElmanCell(input_size, hidden_size)
        self.output_size = hidden_size

    def forward(
        self, inputs: Ragged, state: ElmanState | None = None, reset: Reset | None = None, want_state: bool = True
    ) -> tuple[Ragged, ElmanState]:
        """Whole sequences: (N, F) to (N, H), of which no gradient looks further back than its own step."""
        start = self.initial_state(inputs.batch_size) if state is None else state
        with torch.no_grad():
            hidden, final = unroll(self.cell, inputs, start, reset)
        before = hidden.values.roll(1, 0)  # (N, H)
        filled = inputs.lengths > 0
        before[inputs.offsets[:-1][filled]] = start.hidden[filled]
        outputs, _ = self.cell.step(inputs.values, ElmanState(before))
        return inputs.with_values(outputs), final

    def step(self, inputs: Tensor, state: ElmanState) -> tuple[Tensor, ElmanState]:
        """One time step: (B, F) to (B, H)."""
        return self.cell.step(inputs, state)

    def initial_state(self, batch_size: int) -> ElmanState:
        """Return the state before the first step."""
        return self.cell.initial_state(batch_size)


def remember_at_first(cell: Cell, lag: int) -> None:
    """Set the biases of the gates so that units start out with memories of all spans up to `lag` steps.

    Source: C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, section 2 (chrono
    initialisation).

    Args:
        cell: an LSTM or a GRU; others have no gates and stay as they are.
        lag: the longest span.
    """
    size = cell.hidden_size
    spans = torch.empty(size).uniform_(1, lag - 1).log()
    keeps = slice(size, 2 * size)  # the forget gate of an LSTM, the update gate of a GRU
    with torch.no_grad():
        if isinstance(cell, LSTMCell | GRUCell):
            cell.bias_ih[keeps] = spans
        if isinstance(cell, LSTMCell):
            cell.bias_ih[:size] = -spans  # what is kept for long is written rarely


def make_model(problem: Problem, cell: str) -> Any:
    """Return a fresh model for a problem, with the cell of that name in `CELLS`."""
    inputs = InputLayer({"x": problem.inputs})
    layers: SequenceLayer
    if cell == ONE_STEP:
        layers = OneStepBack(inputs.size, problem.hidden_size)
    else:
        recurrent = make_cell(cell, inputs.size, problem.hidden_size)
        remember_at_first(recurrent, problem.lag)
        layers = Recurrent(recurrent)
    if problem.late:
        layers = LateLayer(layers, inputs.size)
    arrangement = ManyToMany if problem.per_step else ManyToOne
    return arrangement(inputs, layers, problem.output)
