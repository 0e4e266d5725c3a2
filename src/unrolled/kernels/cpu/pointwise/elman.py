"""Elman's cell: one slot; tanh or relu."""

from collections.abc import Callable, Sequence

from unrolled.kernels.cpu.activations import relu, tanh
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise


def elman(activation: Callable[[Number], Number], slope: Callable[[Number], Number]) -> Pointwise:
    """Make Elman's cell with an activation.

    Args:
        activation: from the sum to the hidden state.
        slope: its derivative, from the hidden state.
    """

    def forward(
        sums: Sequence[Number], hidden: Number, cell: Number, own: Sequence[Number]
    ) -> tuple[list[Number], Number, None]:
        """Compute `cells.elman.ElmanCell.step` between the products."""
        hidden = activation(sums[0])
        return [hidden], hidden, None

    def backward(kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number) -> Back:
        """Compute the derivative of `forward`."""
        return Back([d_hidden * slope(kept[0])])

    return Pointwise(1, (0,), (0,), has_cell=False, forward=forward, backward=backward)


def _relu_slope(hidden: Number) -> Number:
    """Return 1 where the unit is active, else 0."""
    code = hidden.code
    return code.choose(hidden.compare(">", 0.0), code.number(1.0), code.number(0.0))


ELMAN_TANH = elman(tanh, lambda hidden: 1 - hidden * hidden)
ELMAN_RELU = elman(relu, _relu_slope)
