"""What the shared recurrent loop needs to know about a cell."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from unrolled.kernels.cpu.emit import Number


class At(NamedTuple):
    """A step's surroundings in the backward pass; the cells are zero where a cell has none."""

    hidden_before: Number
    hidden: Number
    cell_before: Number
    cell: Number


class Pointwise(NamedTuple):
    """A cell between its products, for one vector of units.

    Each unit has `slots` values side by side. The input product fills the first ones, the recurrent product adds
    to the last ones; where they overlap, the sums meet.

    Args:
        slots: values of a unit.
        input_gates: which block of torch's weight_ih belongs to slots 0, 1, ...
        recurrent_gates: which block of weight_hh belongs to the last slots.
        has_cell: a second state beside the hidden one.
        forward: from the slots' sums, the hidden and the cell state before: what to keep in the slots for the backward
            pass, the next hidden state and the next cell state (None without one).
        backward: from what was kept, the surroundings, and the gradients of the hidden and the cell state: the
            gradients of the sums, and of the state before, hidden (None: it acts only through the product) and cell.
    """

    slots: int
    input_gates: tuple[int, ...]
    recurrent_gates: tuple[int, ...]
    has_cell: bool
    forward: Callable[[Sequence[Number], Number, Number], tuple[list[Number], Number, Number | None]]
    backward: Callable[[Sequence[Number], At, Number, Number], tuple[list[Number], Number | None, Number | None]]
