"""The LSTM whose gates also read the cell."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import linear

from unrolled.cells.base import Cell, gates_of
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class PeepholeLSTMState(NamedTuple):
    """The state of a peephole LSTM: its output, and its cell."""

    hidden: HiddenState
    cell: HiddenState


class PeepholeLSTMCell(Cell):
    """LSTM with a weight from each cell to its own three gates, so that they can read a cell whose output is closed.

        i, f = sigmoid(U x_t + W h_{t-1} + b + p * c_{t-1})     store, forget
        g    = tanh(U x_t + W h_{t-1} + b)                      candidate
        c_t  = f * c_{t-1} + i * g
        o    = sigmoid(U x_t + W h_{t-1} + b + p * c_t)         output, which reads the new cell
        h_t  = o * tanh(c_t)

    The three p are `peephole_input`, `peephole_forget` and `peephole_output` (H). They start at 0, where the cell is
    an `LSTM`. The tanh of the cell is that of today's LSTM; the paper outputs the cell without it.
    The rows of every weight stack the gates in torch's order: i, f, g, o; the forget gate's bias starts at 1.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter.

    Source: F. A. Gers, N. N. Schraudolph and J. Schmidhuber, "Learning Precise Timing with LSTM Recurrent Networks",
    Journal of Machine Learning Research 3 (2002), section 2.

    Example:
        >>> import torch
        >>> from unrolled.cells.peephole_lstm import PeepholeLSTMCell
        >>> cell = PeepholeLSTMCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> cell.peephole_output.shape
        torch.Size([4])
    """

    state_type = PeepholeLSTMState
    gates = 4
    squashings = ("store", "forget", "candidate", "output", "cell")
    can_drop = True
    peephole_input: nn.Parameter
    peephole_forget: nn.Parameter
    peephole_output: nn.Parameter

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return torch's four shapes, and those of the three peepholes."""
        own = (self.hidden_size,)
        return self._shared_shapes() | {"peephole_input": own, "peephole_forget": own, "peephole_output": own}

    def reset_parameters(self) -> None:
        """Draw fresh weights, close the peepholes, and open the forget gate."""
        super().reset_parameters()
        with torch.no_grad():
            for peephole in (self.peephole_input, self.peephole_forget, self.peephole_output):
                peephole.zero_()
            self.bias_ih[self.hidden_size : 2 * self.hidden_size] = 1.0

    def step(self, inputs: StepInputs, state: PeepholeLSTMState) -> tuple[StepOutputs, PeepholeLSTMState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        drive = linear(inputs, self.weight_ih, self.bias_ih)  # (B, 4 * H)
        store, forget, candidate, output = gates_of(drive + linear(state.hidden, self.weight_hh, self.bias_hh), 4)
        store = (store + self.peephole_input * state.cell).sigmoid()  # (B, H)
        forget = (forget + self.peephole_forget * state.cell).sigmoid()  # (B, H)
        cell = forget * state.cell + store * candidate.tanh()  # (B, H)
        hidden = (output + self.peephole_output * cell).sigmoid() * cell.tanh()  # (B, H)
        return hidden, PeepholeLSTMState(hidden, cell)
