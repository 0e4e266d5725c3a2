"""One row of a step, unit by unit, for cells whose units depend on each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unrolled.kernels.cpu.emit import Code, Number, Pointer

TAIL = 16  # float32 values after the slots, for numbers of the whole row; a whole vector keeps rows aligned


@dataclass(frozen=True, eq=False)
class StepRow:
    """The places of one row of a step; the last four exist in the backward pass only.

    Args:
        code: where to write.
        num_slots: number of values of a unit.
        num_own: number of extra numbers of each unit.
        groups: number of vectors of units.
        hidden_size: number of units.
        slots: the slots of all units.
        before, after: the hidden state before and after the step.
        cell_before, cell: the cell state.
        own: the units' own numbers.
        d_after: gradient of the step's output.
        d_hidden, d_cell: gradients of the states: in for those after the step, out for those before it.
        d_own: gradients of the units' own numbers, to add to.
    """

    code: Code
    num_slots: int
    num_own: int
    groups: Number
    hidden_size: Number
    slots: Pointer
    before: Pointer
    after: Pointer
    cell_before: Pointer
    cell: Pointer
    own: Pointer
    d_after: Pointer
    d_hidden: Pointer
    d_cell: Pointer
    d_own: Pointer

    def each(self, body: "Callable[[Unit], Sequence[Number] | None]", sums: int = 0) -> list[Number]:
        """Visit every vector of units; return the totals over all units of the numbers that the body returns.

        Padding elements of a vector are ignored.
        """
        with self.code.loop(0, self.groups, carry=[self.code.number(0.0)] * sums) as loop:
            unit = Unit(self, loop.index)
            terms = body(unit) or ()
            loop.next = [total + unit.real(term) for total, term in zip(loop.carried, terms, strict=True)]
        return [self.code.total(total) for total in loop.carried]

    def count(self, slots: int = 1) -> Number:
        """Return the number of values in `slots` slots of all units, in every element of a vector."""
        return self.code.spread_integer(self.hidden_size * slots)

    def keep(self, place: int, number: Number) -> None:
        """Keep a number that is the same in every element for the backward pass."""
        self._tail(place).store(number.first())

    def kept(self, place: int) -> Number:
        """Load a kept number."""
        return self._tail(place).spread()

    def _tail(self, place: int) -> Pointer:
        return self.slots + self.groups * (self.num_slots * self.code.machine.width) + place


class Unit:
    """One vector of units of a row."""

    def __init__(self, row: StepRow, group: Number) -> None:
        width = row.code.machine.width
        self._row, self._width, self.first = row, width, group * width
        self._slots = row.slots + group * (row.num_slots * width)

    def slot(self, index: int) -> Pointer:
        """Return the place of one of the units' slots."""
        return self._slots + index * self._width

    def own(self, index: int) -> Number:
        """Load one of the units' own numbers."""
        return (self._row.own + self._own_place(index)).vector()

    def add_to_own(self, index: int, gradient: Number) -> None:
        """Add to the gradient of one of the units' own numbers."""
        place = self._row.d_own + self._own_place(index)
        place.store(place.vector() + gradient)

    def at(self, states: Pointer) -> Pointer:
        """Return the place of these units in a state."""
        return states + self.first

    def real(self, number: Number) -> Number:
        """Return the number with 0 for padding units."""
        code = self._row.code
        return code.choose(code.lanes_below(self._row.hidden_size - self.first), number, code.number(0.0))

    def _own_place(self, index: int) -> Number:
        return self.first * self._row.num_own + index * self._width
