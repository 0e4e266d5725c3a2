"""Long short-term memory: a cell with gates that decide what it forgets, stores and outputs."""

from typing import NamedTuple

import torch
from torch.nn.functional import linear

from unrolled.cells.base import Cell, gates_of
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class LSTMState(NamedTuple):
    """The state of an LSTM: its output, and its cell."""

    hidden: HiddenState
    cell: HiddenState


class LSTMCell(Cell):
    """LSTM with a forget gate whose bias starts at 1.

        i, f, o = sigmoid(U x_t + W h_{t-1} + b)       store, forget, output
        g       = tanh(U x_t + W h_{t-1} + b)          candidate
        c_t     = f * c_{t-1} + i * g
        h_t     = o * tanh(c_t)

    The rows of every weight stack the gates in torch's order: i, f, g, o.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter.

    Sources: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997), section 4;
    the forget gate: F. Gers et al., "Learning to Forget", Neural Computation 12 (2000), section 3;
    its bias of 1: R. Jozefowicz et al., "An Empirical Exploration of Recurrent Network Architectures", ICML 2015.

    Example:
        >>> import torch
        >>> from unrolled.cells.lstm import LSTMCell
        >>> cell = LSTMCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> state._fields
        ('hidden', 'cell')
    """

    state_type = LSTMState
    gates = 4
    squashings = ("forget", "store", "candidate", "output", "cell")
    torch_layer = "LSTM"
    can_drop = True

    def reset_parameters(self) -> None:
        """Draw fresh weights, and open the forget gate."""
        super().reset_parameters()
        with torch.no_grad():
            self.bias_ih[self.hidden_size : 2 * self.hidden_size] = 1.0

    def step(self, inputs: StepInputs, state: LSTMState) -> tuple[StepOutputs, LSTMState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        drive = linear(inputs, self.weight_ih, self.bias_ih)  # (B, 4 * H)
        store, forget, candidate, output = gates_of(drive + linear(state.hidden, self.weight_hh, self.bias_hh), 4)
        cell = forget.sigmoid() * state.cell + store.sigmoid() * candidate.tanh()  # (B, H)
        hidden = output.sigmoid() * cell.tanh()  # (B, H)
        return hidden, LSTMState(hidden, cell)
