"""Machine code that packs weights in the order in which tiles read them, and unpacks their gradients.

A *slot* row (group, panel, slot, lane) belongs to row `gates[slot] * H + unit` of a weight in torch's order, where
`unit = (group * panels + panel) * width + lane`; lanes beyond the last unit are zeros. Element by element, a move costs
less than the few tensor operations that would do the same.
"""

import ctypes
from collections.abc import Callable, Sequence
from enum import IntEnum, auto
from functools import cache
from typing import Any

from llvmlite import ir

from unrolled.kernels.cpu import compiler
from unrolled.kernels.cpu.emit import Code, Number, Pointer
from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.pairs import store_narrow
from unrolled.kernels.cpu.pool import Kernel


class MoveKind(IntEnum):
    """The kinds of moves."""

    units = 0  # to (groups, columns, panels, slots, width)
    add_units = auto()  # the same, added to what is there
    depth = auto()  # to column tiles, each (slot rows, tile), end to end
    back = auto()  # from the layout of `units` to torch's order
    add_back = auto()


class Move(IntEnum):
    """Indices of the arguments; sizes in float32 values, the rest addresses."""

    kind = 0
    weight = auto()  # in torch's order
    row_step = auto()
    column_step = auto()
    gates = auto()
    num_gates = auto()
    hidden_size = auto()
    columns = auto()
    groups = auto()
    panels = auto()
    packed = auto()
    slots = auto()  # units and back: of a panel, of which the gates fill some
    first_slot = auto()
    padded_columns = auto()  # depth: zeros from `columns` on
    tile = auto()  # depth: columns of a tile; remaining columns are in tiles as wide as a vector


_NAMES = [name.name for name in Move]
_ARGUMENTS = ctypes.c_int64 * len(Move)


def move(machine: Machine, pairs: bool = False, **given: int) -> None:
    """Run one move; `given` by the names of `Move`; arguments that its kind does not use may be left out."""
    arguments = _ARGUMENTS(*[given.get(name, 0) for name in _NAMES])
    _kernel(machine, pairs).run(ctypes.addressof(arguments))


@cache
def _kernel(machine: Machine, pairs: bool) -> Kernel:
    name = f"moves{'-bfloat16' if pairs else ''}"
    return compiler.load(name, machine, lambda module: write_moves(module, machine, pairs))


def write_moves(module: ir.Module, machine: Machine, pairs: bool) -> None:
    """Write the function `kernel`.

    Args:
        module: where to.
        machine: the processor.
        pairs: the packed side is bfloat16, two neighbouring terms of a product in a word.
    """
    writers: dict[MoveKind, Callable[[Code, dict[Move, Number]], None]] = {
        MoveKind.units: lambda code, a: _units(code, a, pairs, add=False),
        MoveKind.depth: lambda code, a: _depth(code, a, pairs),
    }
    if not pairs:  # biases and gradients are float32
        writers[MoveKind.add_units] = lambda code, a: _units(code, a, pairs, add=True)
        writers[MoveKind.back] = lambda code, a: _back(code, a, add=False)
        writers[MoveKind.add_back] = lambda code, a: _back(code, a, add=True)
    code = Code(module, machine, "kernel", 1, internal=False)
    given = code.pointer(code.arguments[0])
    arguments = {name: given.entry(int(name)) for name in Move}
    for kind, write in writers.items():
        with code.when(arguments[Move.kind].compare("==", int(kind))):
            write(code, arguments)
    code.done()


def _units(code: Code, a: dict[Move, Number], pairs: bool, add: bool) -> None:
    terms = 2 if pairs else 1
    words = (a[Move.columns] + (terms - 1)) // terms

    def block(weight: Pointer, place: Pointer, step: Number) -> None:
        rows = [(weight + a[Move.row_step] * lane).vector() for lane in range(code.machine.width)]
        for column, values in enumerate(transposed(code, rows)):
            into = place + step * column
            into.store(into.vector() + values if add else values)

    def row(inside: Number, weight: Pointer, lane: Number, slot_row: Number, start: Number) -> None:
        place, step = _packed_at(code, a, slot_row, words)
        place = place + lane
        with code.when(inside):
            with code.loop(start, a[Move.columns]) as column:
                value = (weight + column.index * a[Move.column_step]).single()
                word = column.index // terms
                into = place + word * step
                if pairs:
                    store_narrow(value, into.halfword(column.index - word * terms))
                else:
                    into.store(into.single() + value if add else value)
            if pairs:  # the unused half of the last word
                with code.loop(a[Move.columns], words * terms):
                    store_narrow(code.single(0.0), (place + (words - 1) * step).halfword(1))
        if not add:
            with code.when(inside.negated()), code.loop(0, words) as word:
                (place + word.index * step).store(code.single(0.0))

    _slot_rows(code, a, row, None if pairs else block)


def _back(code: Code, a: dict[Move, Number], add: bool) -> None:
    def block(weight: Pointer, place: Pointer, step: Number) -> None:
        columns = [(place + step * column).vector() for column in range(code.machine.width)]
        for lane, values in enumerate(transposed(code, columns)):
            into = weight + a[Move.row_step] * lane
            into.store(into.vector() + values if add else values)

    def row(inside: Number, weight: Pointer, lane: Number, slot_row: Number, start: Number) -> None:
        place, step = _packed_at(code, a, slot_row, a[Move.columns])
        with code.when(inside), code.loop(start, a[Move.columns]) as column:
            value, into = (place + column.index * step + lane).single(), weight + column.index * a[Move.column_step]
            into.store(into.single() + value if add else value)

    _slot_rows(code, a, row, block)


def transposed(code: Code, rows: Sequence[Number]) -> list[Number]:
    """Transpose a square of vectors, by exchanging ever larger quarters."""
    rows, width = list(rows), len(rows)
    distance = 1
    while distance < width:
        for first in range(width):
            if not first & distance:
                pair = rows[first], rows[first + distance]
                low = [lane ^ distance | width if lane & distance else lane for lane in range(width)]
                high = [lane | width if lane & distance else lane | distance for lane in range(width)]
                rows[first], rows[first + distance] = code.shuffled(*pair, low), code.shuffled(*pair, high)
        distance *= 2
    return rows


def _packed_at(code: Code, a: dict[Move, Number], slot_row: Number, words: Number) -> tuple[Pointer, Number]:
    """Return the place of the first column of a slot row's first lane, and the distance to the next column."""
    width = code.machine.width
    panel_row, gate = slot_row // a[Move.num_gates], slot_row % a[Move.num_gates]
    group, panel = panel_row // a[Move.panels], panel_row % a[Move.panels]
    step = a[Move.panels] * a[Move.slots] * width
    within = (panel * a[Move.slots] + a[Move.first_slot] + gate) * width
    return code.pointer(a[Move.packed]) + group * words * step + within, step


def _depth(code: Code, a: dict[Move, Number], pairs: bool) -> None:
    width, terms = code.machine.width, 2 if pairs else 1
    rows = a[Move.groups] * a[Move.panels] * a[Move.num_gates] * width
    covered = a[Move.padded_columns] // a[Move.tile] * a[Move.tile]

    contiguous = a[Move.column_step].compare("==", 1)

    def row(inside: Number, weight: Pointer, lane: Number, slot_row: Number, _: Number) -> None:
        number = slot_row * width + lane
        parts = ((a[Move.tile], code.integer(0), covered), (code.integer(width), covered, a[Move.padded_columns]))
        for size, begin, end in parts:
            with code.loop(begin, end, size) as tile:
                place = code.pointer(a[Move.packed]) + tile.index * (rows // terms) + number // terms * size
                filled = code.choose(inside, (a[Move.columns] - tile.index).at_most(size), code.integer(0))
                whole = code.integer(0)
                if not pairs:
                    whole = code.choose(contiguous, filled // width * width, whole)
                    with code.loop(0, whole, width) as column:
                        (place + column.index).store((weight + tile.index + column.index).vector())
                with code.loop(whole, filled) as column:
                    value = (weight + (tile.index + column.index) * a[Move.column_step]).single()
                    write(place, number, column.index, value, size)
                with code.loop(filled, size) as column:
                    write(place, number, column.index, code.single(0.0), size)

    def write(place: Pointer, number: Number, column: Number, value: Number, size: Number) -> None:
        if pairs:
            store_narrow(value, (place + column).halfword(number % 2))
        else:
            (place + column).store(value)

    _slot_rows(code, a, row)


def _slot_rows(code: Code, a: dict[Move, Number], row: Any, block: Any = None) -> None:
    """Visit the rows of slots.

    Args:
        code: where to write.
        a: the arguments.
        row: called with: whether there is a unit, its row of the weight, its lane, its number without lanes, and the
            first column that is still to be moved.
        block: moves several columns of all lanes at once, where every lane has a unit and columns are adjacent; called
            with their places in the weight and among units, and the distance to the next column there.
    """
    gates, width = code.pointer(a[Move.gates]), code.machine.width
    with code.loop(0, a[Move.groups] * a[Move.panels] * a[Move.num_gates]) as slot_row:
        panel_row, gate = slot_row.index // a[Move.num_gates], slot_row.index % a[Move.num_gates]
        first, unit = gates.entry(gate) * a[Move.hidden_size], panel_row * width
        weight = code.pointer(a[Move.weight]) + (first + unit) * a[Move.row_step]
        start = code.integer(0)
        if block is not None:
            full = (unit + width).compare("<=", a[Move.hidden_size])
            start = code.choose(a[Move.column_step].compare("==", 1), a[Move.columns] // width * width, start)
            start = code.choose(full, start, code.integer(0))
            place, step = _packed_at(code, a, slot_row.index, a[Move.columns])
            with code.loop(0, start, width) as column:
                block(weight + column.index, place + column.index * step, step)
        with code.loop(0, width) as lane:
            inside = (unit + lane.index).compare("<", a[Move.hidden_size])
            row(inside, weight + lane.index * a[Move.row_step], lane.index, slot_row.index, start)
