"""The minimal LSTM: its gates read the input only, so that the state passes through no product."""

from typing import NamedTuple

from torch.nn.functional import linear, logsigmoid

from unrolled.cells.base import Cell, gates_of
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class MinLSTMState(NamedTuple):
    """The state of a minimal LSTM; its cell is its output."""

    hidden: HiddenState


class MinLSTMCell(Cell):
    """LSTM without an output gate, without tanh and without recurrent weights; its two gates add up to 1.

        i, f = sigmoid(U x_t + b)                          store, forget
        g    = U_g x_t + b_g                               linear: of any size and sign
        h_t  = f / (f + i) * h_{t-1} + i / (f + i) * g

    Given the inputs, h_t is linear in h_{t-1}, so all steps of a sequence can be computed in parallel. There is no
    `weight_hh`, no `bias_hh` and no second field of the state. The rows of every weight stack i, f, g.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter.

    Source: L. Feng, F. Tung, M. O. Ahmed, Y. Bengio and H. Hajimirsadeghi, "Were RNNs All We Needed?", arXiv
    2410.01201 (2024), section 3.2; the plain form, not the one in logarithms.

    Example:
        >>> import torch
        >>> from unrolled.cells.min_lstm import MinLSTMCell
        >>> cell = MinLSTMCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> state.hidden is output
        True
    """

    state_type = MinLSTMState
    gates = 3
    squashings = ("keep",)

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes: no recurrent weights."""
        rows = 3 * self.hidden_size
        return {"weight_ih": (rows, self.input_size), "bias_ih": (rows,)}

    def step(self, inputs: StepInputs, state: MinLSTMState) -> tuple[StepOutputs, MinLSTMState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        store, forget, candidate = gates_of(linear(inputs, self.weight_ih, self.bias_ih), 3)  # (B, H) each
        # f / (f + i) without the quotient, which is 0 / 0 if both gates are closed
        keep = (logsigmoid(forget) - logsigmoid(store)).sigmoid()  # (B, H)
        hidden = candidate + keep * (state.hidden - candidate)  # (B, H)
        return hidden, MinLSTMState(hidden)
