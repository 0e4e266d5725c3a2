"""The minimal GRU: its gate reads the input only, so that the state passes through no product."""

from typing import NamedTuple

from torch.nn.functional import linear

from unrolled.cells.base import Cell, gates_of
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class MinGRUState(NamedTuple):
    """The state of a minimal GRU."""

    hidden: HiddenState


class MinGRUCell(Cell):
    """GRU without a reset gate, without tanh and without recurrent weights.

        z   = sigmoid(U x_t + b)               update
        n   = U_n x_t + b_n                    linear: of any size and sign
        h_t = (1 - z) * h_{t-1} + z * n

    Given the inputs, h_t is linear in h_{t-1}, so all steps of a sequence can be computed in parallel. There is no
    `weight_hh` and no `bias_hh`. The rows of every weight stack z, n; here z = 1 takes the new value, in `GRU` it
    keeps the old one.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter.

    Source: L. Feng, F. Tung, M. O. Ahmed, Y. Bengio and H. Hajimirsadeghi, "Were RNNs All We Needed?", arXiv
    2410.01201 (2024), section 3.1; the plain form, not the one in logarithms.

    Example:
        >>> import torch
        >>> from unrolled.cells.min_gru import MinGRUCell
        >>> cell = MinGRUCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> [name for name, _ in cell.named_parameters()]
        ['weight_ih', 'bias_ih']
    """

    state_type = MinGRUState
    gates = 2
    squashings = ("update",)

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes: no recurrent weights."""
        rows = 2 * self.hidden_size
        return {"weight_ih": (rows, self.input_size), "bias_ih": (rows,)}

    def step(self, inputs: StepInputs, state: MinGRUState) -> tuple[StepOutputs, MinGRUState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        update, candidate = gates_of(linear(inputs, self.weight_ih, self.bias_ih), 2)  # (B, H) each
        hidden = state.hidden + update.sigmoid() * (candidate - state.hidden)  # (B, H)
        return hidden, MinGRUState(hidden)
