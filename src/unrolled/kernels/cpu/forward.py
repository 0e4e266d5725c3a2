"""The forward pass of one chunk of sequences, in training (everything is kept) and inference (only the state)."""

from enum import IntEnum, auto

from llvmlite import ir

from unrolled.kernels.cpu.emit import Code, Number, Pointer
from unrolled.kernels.cpu.pairs import store_narrow
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.base import Rowwise
from unrolled.kernels.cpu.products import Back
from unrolled.kernels.cpu.row import Row
from unrolled.kernels.cpu.rows import (
    before_row,
    cell_rows,
    copy_row,
    fill_addresses,
    tiled,
    user_key,
    user_row,
    zero_rows,
)
from unrolled.kernels.cpu.tile import by_rows
from unrolled.kernels.cpu.zoneout import Zoneout


class Forward(IntEnum):
    """Indices of the arguments; sizes in float32 values, the rest addresses."""

    blocks = 0  # steps at which each block begins, then the last step
    num_blocks = auto()
    offsets = auto()  # see `rows`
    firsts = auto()
    table = auto()  # space for six addresses and a key per row of a block
    table_rows = auto()
    groups = auto()
    input_terms = auto()  # of the input product, see `Plan.terms`
    input_stride = auto()
    recurrent_terms = auto()
    left_stride = auto()
    hidden_size = auto()
    padded_size = auto()  # values of a row of units
    shown_size = auto()  # values of a row of outputs: the same, except with a projection
    inputs = auto()  # (N, input_stride)
    outputs = auto()  # (N, shown_size)
    sequences = auto()  # (C,) indices of the chunk's sequences among all B
    lengths = auto()  # (C,)
    hidden = auto()  # (B, shown_size) before the first step
    left = auto()  # (N, left_stride) input of the recurrent product: `outputs`, or a copy in bfloat16 or with dropout
    left_hidden = auto()  # (B, left_stride), likewise
    gates = auto()  # (rows, groups, slots), all rows in training, one block's in inference
    cells = auto()  # training: (C + rows, padded_size), the first C before the first step; inference: (C, ...)
    num_sequences = auto()  # C
    first_cells = auto()  # (B, padded_size) before the first step; address 0 where `cells` has them already
    last_hidden = auto()  # (B, shown_size) after each sequence's last step; address 0 if not wanted
    last_cells = auto()  # (B, padded_size), likewise
    bias = auto()  # (groups, slots)
    input_weights = auto()  # (groups, input_size, input slots)
    recurrent_weights = auto()  # (groups, hidden_size, recurrent slots); address 0 without a recurrent product
    own = auto()  # (groups * panels, own numbers, width)
    raw = auto()  # hidden states before a projection, (rows, padded_size), as many rows as gates
    projection = auto()  # (columns of outputs / tile, padded_size, tile)
    row_keys = auto()  # (N,) of 64 bits, see `draws`; address 0 without such noise, likewise the next ones
    unit_keys = auto()  # (fields of the state, padded_size)
    shared = auto()
    factors = auto()  # (C, padded_size)


def write_forward(module: ir.Module, plan: Plan, keep: bool) -> None:
    """Write the function `kernel`.

    Args:
        module: where to.
        plan: the cell's layout.
        keep: for training: keep in the slots and cells the values that the backward pass needs.
    """
    machine, width = plan.machine, plan.machine.width
    input_tile, recurrent_tile = machine.tile_rows(plan.input_vectors), machine.tile_rows(plan.recurrent_vectors)
    drive = {rows: _input_product(module, plan, rows) for rows in range(1, input_tile + 1)}
    advance = {rows: _recurrent_product(module, plan, rows, keep) for rows in range(1, recurrent_tile + 1)}

    projection = Back(module, plan.unpaired, "project", plan.units, plan.units) if plan.projected else None
    settle = _row(module, plan, plan.cell) if isinstance(plan.cell, Rowwise) else None

    code = Code(module, machine, "kernel", 1, internal=False)
    given = code.pointer(code.arguments[0])
    a = {name: given.entry(int(name)) for name in Forward}
    at = {name: code.pointer(value) for name, value in a.items()}
    blocks, offsets, firsts = at[Forward.blocks], at[Forward.offsets], at[Forward.firsts]
    groups, padded, sequences = a[Forward.groups], a[Forward.padded_size], a[Forward.num_sequences]
    row_width = groups * plan.width + plan.tail
    room = a[Forward.table_rows] * 8
    inputs_at, before_at, after_at, left_at, narrow_at, shown_at, keys_at = (
        code.pointer(a[Forward.table] + room * index) for index in range(7)
    )
    shown = a[Forward.shown_size]
    chosen = at[Forward.sequences]
    outputs_row = user_row(a[Forward.outputs], shown, firsts)
    addresses = [
        (inputs_at, user_row(a[Forward.inputs], a[Forward.input_stride], firsts)),
        (before_at, before_row(code, a[Forward.hidden], shown, chosen, outputs_row)),
        (shown_at if plan.projected else after_at, outputs_row),
    ]
    if plan.zones:
        addresses.append((keys_at, user_key(code, a[Forward.row_keys], firsts)))
    if plan.copies_hidden:
        narrow_row = user_row(a[Forward.left], a[Forward.left_stride], firsts)
        before = before_row(code, a[Forward.left_hidden], a[Forward.left_stride], chosen, narrow_row)
        addresses += [(left_at, before), (narrow_at, narrow_row)]
    else:
        left_at = before_at

    if plan.cell.has_cell:
        with code.when(a[Forward.first_cells].compare("!=", 0)), code.loop(0, sequences) as row:
            source = at[Forward.first_cells] + chosen.entry(row.index) * padded
            copy_row(code, source, at[Forward.cells] + row.index * padded, padded)

    with code.loop(0, a[Forward.num_blocks]) as block:
        begin, end = blocks.entry(block.index), blocks.entry(block.index + 1)
        origin = offsets.entry(begin)
        for table, address in addresses:
            fill_addresses(code, table, begin, end, offsets, address)
        first_kept = origin if keep else code.integer(0)
        gates, raw = at[Forward.gates] + first_kept * row_width, at[Forward.raw] + first_kept * padded
        if projection is not None:
            with code.loop(0, offsets.entry(end) - origin) as row:
                after_at.set_entry(row.index, (raw + row.index * padded).address)

        with code.loop(0, groups) as group:
            depth = a[Forward.input_terms]
            weights = at[Forward.input_weights] + group.index * depth * (plan.input_vectors * width)
            bias = at[Forward.bias] + group.index * plan.width
            place = gates + group.index * plan.width

            def project(rows: int, first: Number) -> None:
                rows_at, into = inputs_at.address + first * 8, place + first * row_width
                code.call(drive[rows], rows_at, depth, weights.address, bias.address, into.address, row_width)

            tiled(code, offsets.entry(end) - origin, input_tile, project)

        with code.loop(begin, end) as step:
            count = offsets.entry(step.index + 1) - offsets.entry(step.index)
            local = offsets.entry(step.index) - origin
            earlier, later = code.integer(0), code.integer(0)
            if keep:
                earlier, later = cell_rows(code, step.index, offsets, sequences)
            with code.loop(0, groups) as group:
                depth, unit = a[Forward.recurrent_terms], group.index * plan.units
                weights = at[Forward.recurrent_weights] + group.index * depth * (plan.recurrent_vectors * width)
                place = gates + local * row_width + group.index * plan.width

                def advance_rows(rows: int, first: Number) -> None:
                    cells = [at[Forward.cells] + (row + first) * padded + unit for row in (earlier, later)]
                    noise = []
                    if plan.zones:
                        noise += [keys_at.address + (local + first) * 8, a[Forward.unit_keys], a[Forward.shared]]
                    if plan.drops:
                        noise.append((at[Forward.factors] + first * padded + unit).address)
                    code.call(
                        advance[rows],
                        left_at.address + (local + first) * 8,
                        before_at.address + (local + first) * 8,
                        narrow_at.address + (local + first) * 8,
                        after_at.address + (local + first) * 8,
                        depth,
                        weights.address,
                        (place + first * row_width).address,
                        row_width,
                        *(cell.address for cell in cells),
                        padded,
                        unit,
                        a[Forward.hidden_size],
                        (at[Forward.own] + unit * plan.cell.num_own).address,
                        *noise,
                    )

                tiled(code, count, recurrent_tile, advance_rows)
            if projection is not None:
                into = code.pointer(shown_at.address + local * 8)
                zero_rows(code, into, count, shown)
                left = raw + local * padded
                projection.emit(code, count, left, padded, at[Forward.projection], groups, into, shown)
                if plan.copies_hidden:
                    _narrow_shown(code, count, into, narrow_at, local, shown)
            if settle is not None:
                with code.loop(0, count) as row:
                    code.call(
                        settle,
                        before_at.entry(local + row.index),
                        narrow_at.entry(local + row.index) if plan.copies_hidden else 0,
                        after_at.entry(local + row.index),
                        (gates + (local + row.index) * row_width).address,
                        *((at[Forward.cells] + (first + row.index) * padded).address for first in (earlier, later)),
                        groups,
                        a[Forward.hidden_size],
                        a[Forward.own],
                    )

    with code.when(a[Forward.last_hidden].compare("!=", 0)), code.loop(0, sequences) as row:
        step, sequence = at[Forward.lengths].entry(row.index) - 1, chosen.entry(row.index)
        source = code.pointer(outputs_row(step, row.index))
        copy_row(code, source, at[Forward.last_hidden] + sequence * shown, shown)
        if plan.cell.has_cell:
            last = row.index + (cell_rows(code, step, offsets, sequences)[1] if keep else 0)
            copy_row(code, at[Forward.cells] + last * padded, at[Forward.last_cells] + sequence * padded, padded)
    code.done()


def _input_product(module: ir.Module, plan: Plan, rows: int) -> Code:
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


def _recurrent_product(module: ir.Module, plan: Plan, rows: int, keep: bool) -> Code:
    """Write: slots += the recurrent product; then a pointwise cell's arithmetic, while the sums are in registers."""
    code = Code(module, plan.machine, f"recurrent_{rows}", 14 + 3 * plan.zones + plan.drops)
    left, before, narrow, after, depth, weights, place, row_width, cells, next_cells, padded, unit, size, own_at = (
        code.arguments[:14]
    )
    noise = code.arguments[14:]
    vector, cell = plan.machine.width, plan.cell
    place, cells, next_cells = code.pointer(place), code.pointer(cells), code.pointer(next_cells)

    def rows_at(table: Number) -> list[Pointer]:
        return [code.pointer(code.pointer(table).entry(row)) for row in range(rows)]

    left_rows, before_rows, after_rows = rows_at(left), rows_at(before), rows_at(after)
    narrow_rows = rows_at(narrow) if plan.copies_hidden and not plan.projected else []
    begin: list[list[Number]] = [
        [(place + row_width * row + index * vector).vector() for index in range(plan.recurrent_start, plan.vectors)]
        for row in range(rows)
    ]
    if plan.recurrent_vectors:
        sums = by_rows(code, begin, left_rows, code.pointer(weights), depth, pairs=plan.pairs)
    else:
        sums = begin
    for row in range(rows):
        slots_at: Pointer = place + row_width * row
        if isinstance(cell, Rowwise):
            for index, number in enumerate(sums[row], plan.recurrent_start):
                (slots_at + index * vector).store(number)
            continue
        untouched = [(slots_at + index * vector).vector() for index in range(plan.recurrent_start)]
        slots = [*untouched, *sums[row]]
        for panel in range(plan.panels):
            own = slots[panel * cell.slots : (panel + 1) * cell.slots]
            at = unit + panel * vector
            old = (cells + padded * row + panel * vector).vector() if cell.has_cell else code.number(0.0)
            hidden_before = (before_rows[row] + at).vector()
            numbers = [
                (code.pointer(own_at) + (panel * cell.num_own + index) * vector).vector()
                for index in range(cell.num_own)
            ]
            kept, hidden, new = cell.forward(own, hidden_before, old, numbers)
            if plan.zones:
                keys, units, shared = noise[:3]
                zoneout = Zoneout(
                    code, code.pointer(keys).entry(row), code.pointer(units), padded, code.pointer(shared)
                )
                hidden, new = zoneout.forward(at, hidden_before, hidden, old, new)
            if narrow_rows or plan.projected:  # products read these units up to a whole word or vector
                hidden = code.choose(code.lanes_below(size - at), hidden, code.number(0.0))
            (after_rows[row] + at).store(hidden)
            if narrow_rows:
                read = hidden
                if plan.drops:
                    read = hidden * (code.pointer(noise[-1]) + padded * row + panel * vector).vector()
                _store_read(plan, read, narrow_rows[row], at)
            if new is not None:
                (next_cells + padded * row + panel * vector).store(new)
            if keep:
                for index, number in enumerate(kept):
                    (slots_at + (panel * cell.slots + index) * vector).store(number)
    code.done()
    return code


def _narrow_shown(code: Code, count: Number, shown: Pointer, narrow: Pointer, local: Number, width: Number) -> None:
    """Write a step's projected output also in bfloat16."""
    with code.loop(0, count) as row, code.loop(0, width, code.machine.width) as place:
        value = (code.pointer(shown.entry(row.index)) + place.index).vector()
        store_narrow(value, code.pointer(narrow.entry(local + row.index)) + place.index // 2)


def _row(module: ir.Module, plan: Plan, cell: Rowwise) -> Code:
    """Write the arithmetic of a cell that needs its whole row, after all its sums."""
    code = Code(module, plan.machine, "settle", 9)
    before, narrow, after, slots, cells, next_cells, groups, hidden_size, own = code.arguments
    places = [code.pointer(address) for address in (slots, before, after, cells, next_cells, own)]
    nowhere = [code.pointer(code.integer(0))] * 4
    row = Row(code, cell.slots, cell.num_own, groups, hidden_size, *places, *nowhere)
    cell.forward(row)
    if plan.copies_hidden:
        row.each(
            lambda unit: store_narrow(unit.real(unit.at(row.after).vector()), code.pointer(narrow) + unit.first // 2)
        )
    code.done()
    return code


def _store_read(plan: Plan, hidden: Number, row: Pointer, unit: Number) -> None:
    """Write hidden units into the row that the next step's product reads."""
    if plan.pairs:
        store_narrow(hidden, row + unit // 2)
    else:
        (row + unit).store(hidden)
