"""Tiles of the forward pass: the inputs' product, and the recurrent product with a cell's arithmetic after it."""

from typing import NamedTuple

from llvmlite import ir

from unrolled.kernels.cpu.emit import Code, Number, Pointer
from unrolled.kernels.cpu.pairs import store_narrow
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.base import Pointwise, Rowwise
from unrolled.kernels.cpu.tile import by_rows
from unrolled.kernels.cpu.zoneout import Zoneout


class Advance(NamedTuple):
    """The arguments of a tile of the recurrent product; the last four are 0 without noise."""

    left: Number  # tables
    before: Number
    narrow: Number
    after: Number
    depth: Number
    weights: Number
    slots: Number
    row_width: Number
    cells: Number
    next_cells: Number
    padded: Number
    unit: Number
    hidden_size: Number
    own: Number
    keys: Number | int = 0
    unit_keys: Number | int = 0
    shared: Number | int = 0
    factors: Number | int = 0


def input_product(module: ir.Module, plan: Plan, rows: int) -> Code:
    """Write: slots = bias, plus the inputs' product where the cell has one."""
    code = Code(module, plan.machine, f"input_{rows}", 6)
    table, depth, weights, bias, place, row_width = code.arguments
    bias, place, vector = code.pointer(bias), code.pointer(place), plan.machine.width
    starts = [(bias + index * vector).vector() for index in range(plan.vectors)]
    left = [code.pointer(code.pointer(table).entry(row)) for row in range(rows)]
    begin = [starts[: plan.input_vectors] for _ in range(rows)]
    sums = by_rows(code, begin, left, code.pointer(weights), depth, pairs=plan.pairs)
    for row in range(rows):
        for index, number in enumerate([*sums[row], *starts[plan.input_vectors :]]):
            (place + row_width * row + index * vector).store(number)
    code.done()
    return code


class _Places(NamedTuple):
    """Where a tile's rows are; of `narrow` none where nothing is copied there."""

    before: list[Pointer]
    after: list[Pointer]
    narrow: list[Pointer]


def recurrent_product(module: ir.Module, plan: Plan, rows: int, keep: bool) -> Code:
    """Write: slots += the recurrent product; then a pointwise cell's arithmetic, while the sums are in registers."""
    code = Code(module, plan.machine, f"recurrent_{rows}", len(Advance._fields))
    given, vector = Advance(*code.arguments), plan.machine.width
    slots = code.pointer(given.slots)

    def rows_at(table: Number) -> list[Pointer]:
        return [code.pointer(code.pointer(table).entry(row)) for row in range(rows)]

    left, before, after = rows_at(given.left), rows_at(given.before), rows_at(given.after)
    places = _Places(before, after, rows_at(given.narrow) if plan.copies_hidden and not plan.projected else [])
    sums: list[list[Number]] = [
        [
            (slots + given.row_width * row + index * vector).vector()
            for index in range(plan.recurrent_start, plan.vectors)
        ]
        for row in range(rows)
    ]
    if plan.recurrent_vectors:
        sums = by_rows(code, sums, left, code.pointer(given.weights), given.depth, pairs=plan.pairs)
    for row in range(rows):
        if isinstance(plan.cell, Rowwise):
            for index, number in enumerate(sums[row], plan.recurrent_start):
                (slots + given.row_width * row + index * vector).store(number)
        else:
            _finish_row(code, plan, plan.cell, given, places, row, sums[row], keep)
    code.done()
    return code


def _finish_row(
    code: Code, plan: Plan, cell: Pointwise, given: Advance, places: _Places, row: int, sums: list[Number], keep: bool
) -> None:
    """Write a pointwise cell's arithmetic for one row, panel by panel."""
    vector = plan.machine.width
    slots_at, of_row = code.pointer(given.slots) + given.row_width * row, given.padded * row
    slots = [*((slots_at + index * vector).vector() for index in range(plan.recurrent_start)), *sums]
    for panel in range(plan.panels):
        at = given.unit + panel * vector
        hidden_before = (places.before[row] + at).vector()
        old = (code.pointer(given.cells) + of_row + panel * vector).vector() if cell.has_cell else code.number(0.0)
        numbers = [
            (code.pointer(given.own) + (panel * cell.num_own + index) * vector).vector()
            for index in range(cell.num_own)
        ]
        own = slots[panel * cell.slots : (panel + 1) * cell.slots]
        kept, hidden, new = cell.forward(own, hidden_before, old, numbers)
        if plan.zones:
            key, units, shared = (
                code.pointer(code.integer(word)) for word in (given.keys, given.unit_keys, given.shared)
            )
            zoneout = Zoneout(code, key.entry(row), units, given.padded, shared)
            hidden, new = zoneout.forward(at, hidden_before, hidden, old, new)
        if places.narrow or plan.projected:  # products read these units up to a whole word or vector
            hidden = code.choose(code.lanes_below(given.hidden_size - at), hidden, code.number(0.0))
        (places.after[row] + at).store(hidden)
        if places.narrow:
            read = hidden
            if plan.drops:
                read = hidden * (code.pointer(code.integer(given.factors)) + of_row + panel * vector).vector()
            _store_read(plan, read, places.narrow[row], at)
        if new is not None:
            (code.pointer(given.next_cells) + of_row + panel * vector).store(new)
        if keep:
            for index, number in enumerate(kept):
                (slots_at + (panel * cell.slots + index) * vector).store(number)


def _store_read(plan: Plan, hidden: Number, row: Pointer, unit: Number) -> None:
    """Write hidden units into the row that the next step's product reads."""
    if plan.pairs:
        store_narrow(hidden, row + unit // 2)
    else:
        (row + unit).store(hidden)
