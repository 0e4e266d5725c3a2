"""One row of a step, unit by unit, for cells whose units need each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unrolled.kernels.cpu.emit import Code, Number, Pointer

TAIL = 16  # float32 values behind the slots of a row, for what a row has one of; a whole vector keeps rows aligned


@dataclass(frozen=True, eq=False)
class Row:
    """Where one row of a step lies; the last four places are there in the backward pass only.

    Args:
        code: where to write.
        num_slots: values of a unit.
        num_own: numbers that each unit has beside its weights.
        groups: vectors of units.
        hidden_size: units.
        slots: the slots of all units.
        before, after: the hidden state before and after the step.
        cell_before, cell: the cell state.
        own: the units' own numbers.
        d_after: gradient of what the step showed.
        d_hidden, d_cell: of the states after the step in, of those before it out.
        d_own: gradients of the units' own numbers, to be added to.
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
        """Visit every vector of units; the totals over all units of the numbers that the body answers.

        Elements that only fill up a vector take no part, whatever the body has made of them.
        """
        with self.code.loop(0, self.groups, carry=[self.code.number(0.0)] * sums) as loop:
            unit = Unit(self, loop.index)
            terms = body(unit) or ()
            loop.next = [total + unit.real(term) for total, term in zip(loop.carried, terms, strict=True)]
        return [self.code.total(total) for total in loop.carried]

    def count(self, slots: int = 1) -> Number:
        """How many values so many slots of all units are, in every element of a vector."""
        return self.code.spread_integer(self.hidden_size * slots)

    def keep(self, place: int, number: Number) -> None:
        """Leave a number that is the same in every element for the backward pass."""
        self._tail(place).store(number.first())

    def kept(self, place: int) -> Number:
        """The number left there."""
        return self._tail(place).spread()

    def _tail(self, place: int) -> Pointer:
        return self.slots + self.groups * (self.num_slots * self.code.machine.width) + place


class Unit:
    """One vector of units of a row."""

    def __init__(self, row: Row, group: Number) -> None:
        width = row.code.machine.width
        self._row, self._width, self.first = row, width, group * width
        self._slots = row.slots + group * (row.num_slots * width)

    def slot(self, index: int) -> Pointer:
        """One of the units' slots."""
        return self._slots + index * self._width

    def own(self, index: int) -> Number:
        """One of the units' own numbers."""
        return (self._row.own + self._own_place(index)).vector()

    def add_to_own(self, index: int, gradient: Number) -> None:
        """Add to the gradient of one of the units' own numbers."""
        place = self._row.d_own + self._own_place(index)
        place.store(place.vector() + gradient)

    def at(self, states: Pointer) -> Pointer:
        """These units' part of a state."""
        return states + self.first

    def real(self, number: Number) -> Number:
        """The number, and 0 for those units that only fill up the vector."""
        code = self._row.code
        return code.choose(code.lanes_below(self._row.hidden_size - self.first), number, code.number(0.0))

    def _own_place(self, index: int) -> Number:
        return self.first * self._row.num_own + index * self._width
