"""The simple recurrent network of Elman; the read-out y = V s is a separate layer."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from unrolled.cells.base import Cell
from unrolled.errors import unknown
from unrolled.shapes import HiddenState, StepInputs, StepOutputs

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}


class ElmanState(NamedTuple):
    """The state of an Elman cell."""

    hidden: HiddenState


class ElmanCell(Cell):
    """Elman's cell: `s_t = tanh(W s_{t-1} + U x_t + b)`.

    In torch's names U is `weight_ih`, W is `weight_hh`, and b is `bias_ih + bias_hh`.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        activation: "tanh" or "relu".
        learn_initial_state: make the state before the first step a parameter.

    Source: J. L. Elman, "Finding Structure in Time", Cognitive Science 14 (1990), section "Networks".

    Example:
        >>> import torch
        >>> from unrolled.cells.elman import ElmanCell
        >>> cell = ElmanCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> output.shape, state.hidden is output
        (torch.Size([2, 4]), True)
    """

    state_type = ElmanState
    gates = 1
    squashings = ("state",)
    torch_layer = "RNN"
    can_drop = True

    def __init__(
        self, input_size: int, hidden_size: int, activation: str = "tanh", learn_initial_state: bool = False
    ) -> None:
        super().__init__(input_size, hidden_size, learn_initial_state)
        if activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        self.activation = activation

    def step(self, inputs: StepInputs, state: ElmanState) -> tuple[StepOutputs, ElmanState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        drive: Tensor = linear(inputs, self.weight_ih, self.bias_ih)  # (B, H)
        hidden = ACTIVATIONS[self.activation](drive + linear(state.hidden, self.weight_hh, self.bias_hh))  # (B, H)
        return hidden, ElmanState(hidden)

    @classmethod
    def _torch_arguments(cls, module: nn.Module) -> dict[str, Any]:
        return {"activation": module.nonlinearity}

    def _to_torch_arguments(self) -> dict[str, Any]:
        return {"nonlinearity": self.activation}
