"""The LSTM with layer normalisation of its two products and of its cell."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import layer_norm, linear

from unrolled.cells.base import Cell, gates_of
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class LayerNormLSTMState(NamedTuple):
    """The state of a layer-normalised LSTM: its output, and its cell."""

    hidden: HiddenState
    cell: HiddenState


class LayerNormLSTMCell(Cell):
    """LSTM whose pre-activations and cell are normalised to mean 0 and variance 1 in every row and step.

        i, f, o = sigmoid(LN(U x_t) + LN(W h_{t-1}))       store, forget, output
        g       = tanh(LN(U x_t) + LN(W h_{t-1}))          candidate
        c_t     = f * c_{t-1} + i * g
        h_t     = o * tanh(LN(c_t))

    Each LN has a gain and a bias of its own: `LN(v) = gain * (v - mean(v)) / sqrt(var(v) + 1e-5) + bias`, with the
    mean and the variance over all 4 * H rows of a product, or over the H cells. The gains are `norm_ih_gain`,
    `norm_hh_gain` (4 * H) and `norm_cell_gain` (H), the biases `bias_ih`, `bias_hh` and `norm_cell_bias`. The paper's
    further bias b would only add to the first two. The cell is stored unnormalised; only its output is normalised.
    The rows of every weight stack the gates in torch's order: i, f, g, o; the forget gate's bias starts at 1.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer Normalization", arXiv 1607.06450 (2016), supplementary
    material, equations 20 to 22.

    Example:
        >>> import torch
        >>> from unrolled.cells.layer_norm_lstm import LayerNormLSTMCell
        >>> cell = LayerNormLSTMCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> state._fields
        ('hidden', 'cell')
    """

    state_type = LayerNormLSTMState
    gates = 4
    squashings = ("forget", "store", "candidate", "output", "cell")
    can_drop = True
    norm_ih_gain: nn.Parameter
    norm_hh_gain: nn.Parameter
    norm_cell_gain: nn.Parameter
    norm_cell_bias: nn.Parameter

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return torch's four shapes, and those of the gains and the bias of the normalisation."""
        product, cell = (4 * self.hidden_size,), (self.hidden_size,)
        gains = {"norm_ih_gain": product, "norm_hh_gain": product, "norm_cell_gain": cell, "norm_cell_bias": cell}
        return self._shared_shapes() | gains

    def reset_parameters(self) -> None:
        """Draw fresh weights, set the gains to 1, and open the forget gate."""
        super().reset_parameters()
        with torch.no_grad():
            for gain in (self.norm_ih_gain, self.norm_hh_gain, self.norm_cell_gain):
                gain.fill_(1.0)
            self.bias_ih[self.hidden_size : 2 * self.hidden_size] = 1.0

    def step(self, inputs: StepInputs, state: LayerNormLSTMState) -> tuple[StepOutputs, LayerNormLSTMState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        product, width = (4 * self.hidden_size,), (self.hidden_size,)
        drive = layer_norm(linear(inputs, self.weight_ih), product, self.norm_ih_gain, self.bias_ih)  # (B, 4 * H)
        kept = layer_norm(linear(state.hidden, self.weight_hh), product, self.norm_hh_gain, self.bias_hh)  # (B, 4 * H)
        store, forget, candidate, output = gates_of(drive + kept, 4)  # (B, H) each
        cell = forget.sigmoid() * state.cell + store.sigmoid() * candidate.tanh()  # (B, H)
        shown = layer_norm(cell, width, self.norm_cell_gain, self.norm_cell_bias)  # (B, H)
        hidden = output.sigmoid() * shown.tanh()  # (B, H)
        return hidden, LayerNormLSTMState(hidden, cell)
