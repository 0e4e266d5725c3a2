"""The LSTM with a projected output, so that many cells need few recurrent weights."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import linear

from unrolled.cells.base import Cell, gates_of
from unrolled.errors import OptionError, message
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class ProjectedLSTMState(NamedTuple):
    """The state of a projected LSTM: its output, (B, P), and its cell, (B, H)."""

    hidden: HiddenState
    cell: HiddenState


class ProjectedLSTMCell(Cell):
    """LSTM whose output is projected from H to P numbers before it is read or fed back.

        i, f, o = sigmoid(U x_t + W h_{t-1} + b)       store, forget, output
        g       = tanh(U x_t + W h_{t-1} + b)          candidate
        c_t     = f * c_{t-1} + i * g
        h_t     = R (o * tanh(c_t))                    P numbers

    W is `weight_hh` (4 * H, P) and R is `weight_hr` (P, H), as in `torch.nn.LSTM(proj_size=P)`, which computes the
    same; the paper's cell also has peepholes.
    The rows of every weight stack the gates in torch's order: i, f, g, o; the forget gate's bias starts at 1.

    Args:
        input_size: features of one step, F.
        hidden_size: cells, H.
        proj_size: width of the output, P, from 1 to H; None = half of H.
        learn_initial_state: make the state before the first step a parameter.

    Raises:
        OptionError: a size out of range.

    Source: H. Sak, A. Senior and F. Beaufays, "Long Short-Term Memory Based Recurrent Neural Network Architectures
    for Large Vocabulary Speech Recognition", arXiv 1402.1128 (2014), section 2.

    Example:
        >>> import torch
        >>> from unrolled.cells.projected_lstm import ProjectedLSTMCell
        >>> cell = ProjectedLSTMCell(3, 8, proj_size=2)
        >>> output, state = cell.step(torch.zeros(5, 3), cell.initial_state(5))
        >>> output.shape, state.cell.shape
        (torch.Size([5, 2]), torch.Size([5, 8]))
    """

    state_type = ProjectedLSTMState
    gates = 4
    squashings = ("forget", "store", "candidate", "output", "cell")
    can_drop = True
    weight_hr: nn.Parameter

    def __init__(
        self, input_size: int, hidden_size: int, proj_size: int | None = None, learn_initial_state: bool = False
    ) -> None:
        if proj_size is not None and not 1 <= proj_size <= hidden_size:
            raise OptionError(message("proj_size", expected=f"1 to {hidden_size} (hidden_size)", received=proj_size))
        self.proj_size = max(1, hidden_size // 2) if proj_size is None else proj_size  # the base needs it for shapes
        super().__init__(input_size, hidden_size, learn_initial_state)

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return torch's four shapes, and that of the projection."""
        return self._shared_shapes() | {"weight_hr": (self.proj_size, self.hidden_size)}

    @property
    def state_sizes(self) -> dict[str, int]:
        """Return the widths: P for the output, H for the cell."""
        return {"hidden": self.proj_size, "cell": self.hidden_size}

    @property
    def output_size(self) -> int:
        """Width of one step's output, P."""
        return self.proj_size

    def reset_parameters(self) -> None:
        """Draw fresh weights, with an orthogonal projection, and open the forget gate."""
        super().reset_parameters()
        with torch.no_grad():
            nn.init.orthogonal_(self.weight_hr)
            self.bias_ih[self.hidden_size : 2 * self.hidden_size] = 1.0

    def step(self, inputs: StepInputs, state: ProjectedLSTMState) -> tuple[StepOutputs, ProjectedLSTMState]:
        """Make one time step: (B, F) and a state to (B, P) and the next state."""
        drive = linear(inputs, self.weight_ih, self.bias_ih)  # (B, 4 * H)
        store, forget, candidate, output = gates_of(drive + linear(state.hidden, self.weight_hh, self.bias_hh), 4)
        cell = forget.sigmoid() * state.cell + store.sigmoid() * candidate.tanh()  # (B, H)
        hidden = linear(output.sigmoid() * cell.tanh(), self.weight_hr)  # (B, P)
        return hidden, ProjectedLSTMState(hidden, cell)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, proj_size={self.proj_size}"
