"""What the shared recurrent loop needs to know about a cell."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.row import Row


class At(NamedTuple):
    """A step's surroundings in the backward pass; the cells are zero where a cell has none."""

    hidden_before: Number
    cell_before: Number
    cell: Number
    own: Sequence[Number]  # the unit's own numbers, as `Pointwise.own_numbers` orders them


class Back(NamedTuple):
    """What the backward pass of one step answers."""

    sums: list[Number]
    hidden: Number | None = None  # of the state before; None: it acts only through the product
    cell: Number | None = None
    own: Sequence[Number] = ()


class Pointwise(NamedTuple):
    """A cell between its products, for one vector of units.

    Each unit has `slots` values side by side. The input product fills the first ones, the recurrent product adds
    to the last ones; where they overlap, the sums meet.

    Args:
        slots: values of a unit.
        input_gates: which block of weight_ih belongs to slots 0, 1, ...
        recurrent_gates: which block of weight_hh belongs to the last slots; none without a recurrent product.
        has_cell: a second state beside the hidden one.
        forward: from the slots' sums, the hidden and the cell state before, and the unit's own numbers: what to keep
            in the slots for the backward pass, the next hidden state and the next cell state (None without one).
        backward: from what was kept, the surroundings, and the gradients of the hidden and the cell state.
        num_own: numbers that each unit has beside its weights.
        own_numbers: these numbers, (H,) each, from the cell's weights by name.
        projected: what the cell shows is a product of weight_hr (P, H) with its hidden state, of which it sees no more;
            that product and its gradients are float32 also where the others are in pairs.
        new_cell: from what was kept and the cell state before to the next one, as `forward` computes it; where zoneout
            leaves another behind, the backward pass asks for it.
    """

    slots: int
    input_gates: tuple[int, ...]
    recurrent_gates: tuple[int, ...]
    has_cell: bool
    forward: Callable[[Sequence[Number], Number, Number, Sequence[Number]], tuple[list[Number], Number, Number | None]]
    backward: Callable[[Sequence[Number], At, Number, Number], Back]
    num_own: int = 0
    own_numbers: Callable[[Mapping[str, Tensor]], list[Tensor]] = lambda weights: []
    projected: bool = False
    new_cell: Callable[[Sequence[Number], Number], Number] | None = None


class Rowwise(NamedTuple):
    """A cell between its products whose units need each other, as a normalisation does: it sees a whole row.

    The biases of the products are not in the sums; where the cell has some, they are numbers of its units.

    Args:
        slots, input_gates, recurrent_gates, has_cell, num_own, own_numbers: as in `Pointwise`; the sums of the two
            products do not meet.
        forward: writes one row's next states, and leaves in the slots and the tail what the backward pass needs.
        backward: turns the slots of both products into the gradients of their sums, `d_hidden` into the gradient of
            the hidden state before beyond what the product gives it, `d_cell` into that of the cell state before.
    """

    slots: int
    input_gates: tuple[int, ...]
    recurrent_gates: tuple[int, ...]
    has_cell: bool
    forward: Callable[[Row], None]
    backward: Callable[[Row], None]
    num_own: int
    own_numbers: Callable[[Mapping[str, Tensor]], list[Tensor]]


def has_projection(cell: Pointwise | Rowwise) -> bool:
    """Whether a product stands between the units and what they show."""
    return isinstance(cell, Pointwise) and cell.projected
