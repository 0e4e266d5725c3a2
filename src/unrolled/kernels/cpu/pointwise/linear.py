"""Linear recurrence: one slot, the drive; own numbers: the kept share a, and the scale of the drive."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from unrolled.cells.linear_recurrence import kept_and_taken
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise


def forward(
    sums: Sequence[Number], hidden: Number, cell: Number, own: Sequence[Number]
) -> tuple[list[Number], Number, None]:
    """Compute `cells.linear_recurrence.LinearRecurrenceCell.step` after the product."""
    return [sums[0]], own[0] * hidden + own[1] * sums[0], None


def backward(kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number) -> Back:
    """Compute the derivative of `forward`."""
    return Back(
        [d_hidden * at.own[1]], hidden=d_hidden * at.own[0], own=[d_hidden * at.hidden_before, d_hidden * kept[0]]
    )


def own_numbers(weights: Mapping[str, Tensor]) -> list[Tensor]:
    """Return a and sqrt(1 - a^2), as the cell computes them."""
    return [*kept_and_taken(weights["decay"])]


LINEAR = Pointwise(1, (0,), (), has_cell=False, forward=forward, backward=backward, num_own=2, own_numbers=own_numbers)
