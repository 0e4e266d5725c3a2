"""The GRU with layer normalisation of its two products."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear

from unrolled.cells.base import Cell, gates_of
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class LayerNormGRUState(NamedTuple):
    """The state of a layer-normalised GRU."""

    hidden: HiddenState


class LayerNormGRUCell(Cell):
    """GRU whose pre-activations are normalised to mean 0 and variance 1 in every row and step.

        r, z = sigmoid(LN(U x_t) + LN(W h_{t-1}))           reset, update
        n    = tanh(LN(U_n x_t) + r * LN(W_n h_{t-1}))
        h_t  = (1 - z) * n + z * h_{t-1}

    Each LN has a gain and a bias of its own: `LN(v) = gain * (v - mean(v)) / sqrt(var(v) + 1e-5) + bias`; r and z
    are normalised together, over 2 * H rows of a product, and n separately, over H. The gains are `norm_ih_gain` and
    `norm_hh_gain` (3 * H), the biases `bias_ih` and `bias_hh`. As in `GRU` the reset gate multiplies the recurrent
    product; the paper does the same, but exchanges z and 1 - z.
    The rows of every weight stack the gates in torch's order: r, z, n.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer Normalization", arXiv 1607.06450 (2016), supplementary
    material, equations 26 to 28.

    Example:
        >>> import torch
        >>> from unrolled.cells.layer_norm_gru import LayerNormGRUCell
        >>> cell = LayerNormGRUCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> output.shape
        torch.Size([2, 4])
    """

    state_type = LayerNormGRUState
    gates = 3
    squashings = ("reset and update", "candidate")
    can_drop = True
    norm_ih_gain: nn.Parameter
    norm_hh_gain: nn.Parameter

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return torch's four shapes, and those of the gains of the normalisation."""
        product = (3 * self.hidden_size,)
        return self._shared_shapes() | {"norm_ih_gain": product, "norm_hh_gain": product}

    def reset_parameters(self) -> None:
        """Draw fresh weights, and set the gains to 1."""
        super().reset_parameters()
        with torch.no_grad():
            self.norm_ih_gain.fill_(1.0)
            self.norm_hh_gain.fill_(1.0)

    def step(self, inputs: StepInputs, state: LayerNormGRUState) -> tuple[StepOutputs, LayerNormGRUState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        return self.step_reading(state.hidden, inputs, state)

    def step_reading(
        self, read: HiddenState, inputs: StepInputs, state: LayerNormGRUState
    ) -> tuple[StepOutputs, LayerNormGRUState]:
        """Make a step in which the recurrent product reads `read`; the update gate keeps the state itself."""
        input_gates, input_new = self._normalised(linear(inputs, self.weight_ih), self.norm_ih_gain, self.bias_ih)
        gates, new = self._normalised(linear(read, self.weight_hh), self.norm_hh_gain, self.bias_hh)
        reset, update = gates_of((input_gates + gates).sigmoid(), 2)  # (B, H) each
        candidate = (input_new + reset * new).tanh()  # (B, H)
        hidden = candidate + update * (state.hidden - candidate)  # (B, H)
        return hidden, LayerNormGRUState(hidden)

    def _normalised(self, product: Tensor, gain: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise the two gates (B, 2 * H) and the candidate (B, H) of a product (B, 3 * H) separately."""
        sizes = [2 * self.hidden_size, self.hidden_size]
        parts = zip(product.split(sizes, 1), gain.split(sizes), bias.split(sizes), strict=True)
        gates, new = (layer_norm(part, part.shape[1:], own_gain, own_bias) for part, own_gain, own_bias in parts)
        return gates, new
