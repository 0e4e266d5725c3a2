"""The gated recurrent unit, with the reset gate applied after the recurrent product, as in torch and cuDNN."""

from typing import NamedTuple

from torch.nn.functional import linear

from unrolled.cells.base import Cell, gates_of
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class GRUState(NamedTuple):
    """The state of a GRU."""

    hidden: HiddenState


class GRUCell(Cell):
    """GRU; the reset gate multiplies the recurrent product, not the state before it.

        r, z = sigmoid(U x_t + b_ih + W h_{t-1} + b_hh)              reset, update
        n    = tanh(U_n x_t + b_ih_n + r * (W_n h_{t-1} + b_hh_n))
        h_t  = (1 - z) * n + z * h_{t-1}

    The paper's first version resets the state *before* the product, W_n (r * h); the variant here is the one
    torch, cuDNN and Keras (`reset_after=True`) compute, so weights can be exchanged with them.
    The rows of every weight stack the gates in torch's order: r, z, n.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter.

    Source: K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014, section 2.3.

    Example:
        >>> import torch
        >>> from unrolled.cells.gru import GRUCell
        >>> cell = GRUCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> output.shape
        torch.Size([2, 4])
    """

    state_type = GRUState
    gates = 3
    squashings = ("update", "reset", "candidate")
    torch_layer = "GRU"
    can_drop = True

    def step(self, inputs: StepInputs, state: GRUState) -> tuple[StepOutputs, GRUState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        return self.step_reading(state.hidden, inputs, state)

    def step_reading(self, read: HiddenState, inputs: StepInputs, state: GRUState) -> tuple[StepOutputs, GRUState]:
        """Make a step in which the recurrent product reads `read`; the update gate keeps the state itself."""
        input_reset, input_update, input_new = gates_of(linear(inputs, self.weight_ih, self.bias_ih), 3)  # (B, H) each
        reset, update, new = gates_of(linear(read, self.weight_hh, self.bias_hh), 3)  # (B, H) each
        update = (input_update + update).sigmoid()  # (B, H)
        candidate = (input_new + (input_reset + reset).sigmoid() * new).tanh()  # (B, H)
        hidden = candidate + update * (state.hidden - candidate)  # (B, H)
        return hidden, GRUState(hidden)
