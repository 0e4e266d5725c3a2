"""Addresses of a step's rows: the loop runs over sequences sorted by length, the user's tensors are not sorted.

The rows of a chunk are numbered in time-major order: all first steps, then all second steps of the sequences that
have one. Step t of the chunk's sequence q is row `offsets[t] + q` here, and row `firsts[q] + t` of the
user's inputs and outputs.
"""

from collections.abc import Callable

from unrolled.kernels.cpu.arguments import Argument, Given
from unrolled.kernels.cpu.emit import BYTES, Code, Number, Pointer

Address = Callable[[Number, Number], Number]  # from a step and one of its rows


def tables_of(code: Code, given: Given, count: int) -> list[Pointer]:
    """Divide the space for tables among `count` of them, each with an entry per row of the largest block."""
    room = given.size(Argument.table_rows) * 8
    return [code.pointer(given.address(Argument.table) + room * index) for index in range(count)]


def fill_addresses(code: Code, table: Pointer, begin: Number, end: Number, offsets: Pointer, address: Address) -> None:
    """Fill a table with the addresses of all rows of the steps from begin up to end."""
    origin = offsets.entry(begin)
    with code.loop(begin, end) as step:
        first = offsets.entry(step.index)
        with code.loop(0, offsets.entry(step.index + 1) - first) as row:
            table.set_entry(first - origin + row.index, address(step.index, row.index))


def user_row(base: Number, width: Number, firsts: Pointer) -> Address:
    """Return the address of a step's row in a user's tensor of this width."""
    return lambda step, row: base + (firsts.entry(row) + step) * width * BYTES


def user_key(code: Code, base: Number, firsts: Pointer) -> Address:
    """Return the 64-bit key of a step's row; a table of keys is filled like one of addresses."""
    row_at = user_row(base, code.integer(2), firsts)  # as wide as two float32 values
    return lambda step, row: code.pointer(row_at(step, row)).entry(0)


def before_row(code: Code, start: Number, width: Number, sequences: Pointer, outputs_row: Address) -> Address:
    """Return the address of the hidden state before a step: the initial one, or the previous step's output."""

    def address(step: Number, row: Number) -> Number:
        given = start + sequences.entry(row) * width * BYTES
        return code.choose(step.compare("==", 0), given, outputs_row(step - 1, row))

    return address


def cell_rows(code: Code, step: Number, offsets: Pointer, sequences: Number) -> tuple[Number, Number]:
    """Return the starts of the cells before and after a step; the first rows are those before the first step."""
    before = code.choose(step.compare("==", 0), code.integer(0), offsets.entry(step - 1) + sequences)
    return before, offsets.entry(step) + sequences


def copy_row(code: Code, source: Pointer, target: Pointer, width: Number) -> None:
    """Copy a row of whole vectors."""
    with code.loop(0, width, code.machine.width) as place:
        (target + place.index).store((source + place.index).vector())


def zero_rows(code: Code, table: Pointer, count: Number, width: Number) -> None:
    """Fill `count` rows of the table with zeros; their width is whole vectors."""
    with code.loop(0, count) as row, code.loop(0, width, code.machine.width) as place:
        (code.pointer(table.entry(row.index)) + place.index).store(code.number(0.0))


def tiled(code: Code, rows: Number, tile: int, call: Callable[[int, Number], None]) -> None:
    """Cover rows by tiles: as many full ones as fit, then one for the remaining rows."""
    with code.loop(0, rows - (tile - 1), tile) as loop:
        call(tile, loop.index)
    covered = rows // tile * tile
    left = rows - covered
    for few in range(1, tile):
        with code.when(left.compare("==", few)):
            call(few, covered)
