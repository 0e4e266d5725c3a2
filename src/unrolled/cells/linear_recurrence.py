"""The linear recurrence: every unit forgets at its own rate, without any nonlinearity."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from unrolled.cells.base import Cell
from unrolled.shapes import HiddenState, StepInputs, StepOutputs

LEAST = 1e-30  # added to 1 - a^2: if that is 0 in float32, the root would have no gradient
SLOWEST, FASTEST = 0.999, 0.9  # limits of the share of its state that a fresh unit keeps: memories of 1000 to 10 steps


class LinearRecurrenceState(NamedTuple):
    """The state of a linear recurrence."""

    hidden: HiddenState


class LinearRecurrenceCell(Cell):
    """Diagonal linear recurrence with real factors: the real-valued variant of the linear recurrent unit.

        a   = exp(-softplus(decay))                                   in (0, 1), one per unit, learnt
        h_t = a * h_{t-1} + sqrt(1 - a^2) * (U x_t + b)

    However slowly a unit forgets, the root gives h the variance of its drive, if the drives of different steps are
    uncorrelated. The paper's unit has complex factors, exp(-exp(nu) + i theta), and reads out a real part; here theta
    is 0, softplus replaces the inner exp, and the layers around the recurrence are separate. A fresh unit draws a^2
    uniformly from 0.9^2 to 0.999^2. There is no `weight_hh` and no `bias_hh`, and all steps of a sequence can be
    computed in parallel.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter.

    Source: A. Orvieto et al., "Resurrecting Recurrent Neural Networks for Long Sequences", ICML 2023, sections 3.2
    (diagonal, and how it starts), 3.3 (the exponential) and 3.4 (the root).

    Example:
        >>> import torch
        >>> from unrolled.cells.linear_recurrence import LinearRecurrenceCell
        >>> cell = LinearRecurrenceCell(3, 4)
        >>> output, state = cell.step(torch.zeros(2, 3), cell.initial_state(2))
        >>> [name for name, _ in cell.named_parameters()]
        ['weight_ih', 'bias_ih', 'decay']
    """

    state_type = LinearRecurrenceState
    gates = 1
    decay: nn.Parameter

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes: no recurrent weights but one number per unit."""
        size = self.hidden_size
        return {"weight_ih": (size, self.input_size), "bias_ih": (size,), "decay": (size,)}

    def reset_parameters(self) -> None:
        """Draw fresh weights, and the rate at which each unit forgets."""
        super().reset_parameters()
        with torch.no_grad():
            pace = self.decay.uniform_(FASTEST**2, SLOWEST**2).log().div(-2)  # (H,) -log a
            self.decay.copy_(pace.expm1().log())  # the inverse of softplus

    def step(self, inputs: StepInputs, state: LinearRecurrenceState) -> tuple[StepOutputs, LinearRecurrenceState]:
        """Make one time step: (B, F) and a state to (B, H) and the next state."""
        share, scale = kept_and_taken(self.decay)  # (H,) each
        hidden = share * state.hidden + scale * linear(inputs, self.weight_ih, self.bias_ih)  # (B, H)
        return hidden, LinearRecurrenceState(hidden)


def kept_and_taken(decay: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factors of every unit's state, a, and of its drive, sqrt(1 - a^2), from its `decay`: (H,) each."""
    pace = softplus(decay)  # -log a
    # exact if a is close to 1, unlike 1 - a^2
    return (-pace).exp(), (LEAST - (-2 * pace).expm1()).sqrt()
