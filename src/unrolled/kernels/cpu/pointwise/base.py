"""The description of a cell for the shared recurrent loop."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.row import StepRow


class At(NamedTuple):
    """The states around a step in the backward pass; cell states are zero for a cell without them."""

    hidden_before: Number
    cell_before: Number
    cell: Number
    own: Sequence[Number]  # the unit's own numbers, as `Pointwise.own_numbers` orders them


class Back(NamedTuple):
    """The results of the backward pass of one step."""

    sums: list[Number]
    hidden: Number | None = None  # of the previous state; None: it acts only through the product
    cell: Number | None = None
    own: Sequence[Number] = ()


class Pointwise(NamedTuple):
    """A cell's arithmetic between its products, for one vector of units.

    Each unit has `slots` values. The input product fills the first ones, the recurrent product adds to the last ones;
    where they overlap, the results are added.

    Args:
        slots: number of values of a unit.
        input_gates: block of weight_ih of slots 0, 1, ...
        recurrent_gates: block of weight_hh of each of the last slots; empty without a recurrent product.
        has_cell: whether there is a cell state besides the hidden state.
        forward: from the slots' sums, the previous hidden and cell state, and the unit's own numbers: the values to
            keep in the slots for the backward pass, the next hidden state and the next cell state (None without one).
        backward: from the kept values, the states around, and the gradients of the hidden and the cell state.
        num_own: number of extra numbers of each unit.
        own_numbers: returns these numbers, (H,) each, from the cell's weights by name.
        projected: the output is a product of weight_hr (P, H) with the hidden state, and the cell reads only the
            output; that product and its gradients are float32 even if the others are in pairs.
        new_cell: from the kept values and the previous cell state to the next one before zoneout, as `forward` computes
            it; used by the backward pass with zoneout.
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
    """A cell's arithmetic on a whole row, for cells whose units depend on each other, as in a normalisation.

    The biases of the products are not in the sums; where the cell has some, they are among the units' own numbers.

    Args:
        slots, input_gates, recurrent_gates, has_cell, num_own, own_numbers: as in `Pointwise`; the two products fill
            different slots.
        forward: writes one row's next states, and keeps in the slots and the tail what the backward pass needs.
        backward: turns the slots of both products into the gradients of their sums, `d_hidden` into the gradient of
            the hidden state before beyond what the product gives it, `d_cell` into that of the cell state before.
    """

    slots: int
    input_gates: tuple[int, ...]
    recurrent_gates: tuple[int, ...]
    has_cell: bool
    forward: Callable[[StepRow], None]
    backward: Callable[[StepRow], None]
    num_own: int
    own_numbers: Callable[[Mapping[str, Tensor]], list[Tensor]]


def has_projection(cell: Pointwise | Rowwise) -> bool:
    """Return whether outputs are projections of the units."""
    return isinstance(cell, Pointwise) and cell.projected
