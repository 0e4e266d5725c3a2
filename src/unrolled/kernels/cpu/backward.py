"""The backward pass of one chunk of sequences, block by block through time, with a block's gradients in cache."""

from enum import IntEnum, auto

from llvmlite import ir

from unrolled.kernels.cpu.emit import BYTES, Code, Number, Pointer
from unrolled.kernels.cpu.pairing import narrow_rows, pair_left, pair_slots
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.base import At, Pointwise, Rowwise
from unrolled.kernels.cpu.products import Back, Outer
from unrolled.kernels.cpu.row import Row
from unrolled.kernels.cpu.rows import Address, before_row, cell_rows, fill_addresses, user_key, user_row, zero_rows
from unrolled.kernels.cpu.zoneout import Zoneout


class Backward(IntEnum):
    """Indices of the arguments, as in `Forward`."""

    blocks = 0
    num_blocks = auto()
    offsets = auto()
    firsts = auto()
    table = auto()  # space for nine addresses and a key per row of a block
    table_rows = auto()
    groups = auto()
    input_size = auto()
    input_stride = auto()
    left_stride = auto()
    hidden_size = auto()
    padded_size = auto()
    shown_size = auto()
    output_size = auto()  # values per row of outputs
    inputs = auto()
    outputs = auto()
    sequences = auto()
    hidden = auto()
    left = auto()
    left_hidden = auto()
    gates = auto()  # kept by forward; becomes the gradients of the sums
    cells = auto()
    num_sequences = auto()
    d_outputs = auto()  # (N, shown_size)
    d_hidden = auto()  # (B, shown_size) of the last state in, of the first state out
    d_cells = auto()  # (B, padded_size), likewise
    d_inputs = auto()  # (N, padded_inputs); address 0 if not wanted
    padded_inputs = auto()
    input_weights = auto()  # (columns of inputs / tile, groups, input slots, tile)
    recurrent_weights = auto()  # (columns of hidden / tile, groups, recurrent slots, tile)
    d_input_weights = auto()  # (groups, input_size, input slots), added to
    d_recurrent_weights = auto()  # (groups, hidden_size, recurrent slots), added to
    d_bias = auto()  # (groups, slots), added to
    own = auto()  # (groups * panels, own numbers, width)
    d_own = auto()  # as own, added to
    narrow = auto()  # pairs only: a block's slots in bfloat16, (block rows, groups, slots)
    left_pairs = auto()  # space for rows of `pair_left`, (block rows / 2, 2 * the longer stride)
    slot_pairs = auto()  # (block rows / 2, groups, slots) words
    raw = auto()  # with a projection: the hidden states before it
    d_raw = auto()  # space for a block of their gradients, (block rows, padded_size)
    d_shown = auto()  # space for a block of gradients of the outputs, (block rows, shown_size)
    projection = auto()  # (columns of units / tile, shown_size, tile)
    d_projection = auto()  # (groups, output_size, units), added to
    row_keys = auto()
    unit_keys = auto()
    shared = auto()
    factors = auto()
    d_left = auto()  # (B, shown_size) zeros; at the end the gradient of the first recurrent product's input


def write_backward(module: ir.Module, plan: Plan) -> None:
    """Write the function `kernel`."""
    machine, width = plan.machine, plan.machine.width
    recurrent_begin = plan.recurrent_start * width
    cell = plan.cell
    unstep = _row(module, plan, cell) if isinstance(cell, Rowwise) else _pointwise(module, plan, cell)
    add_bias = None if isinstance(cell, Rowwise) else _column_sums(module, plan)
    narrow, pair, pair_rows = (
        (narrow_rows(module, plan), pair_slots(module, plan), pair_left(module, plan))
        if plan.pairs
        else (None, None, None)
    )
    counts = {count for count in (plan.input_vectors, plan.recurrent_vectors) if count}
    back = {
        count: Back(module, plan, f"back_{count}", plan.terms(count * width), plan.terms(plan.width))
        for count in counts
    }
    outer = {count: Outer(module, plan, count, plan.width) for count in counts}
    unproject = Back(module, plan.unpaired, "unproject", width, width) if plan.projected else None
    outer_projection = None
    if plan.projected:
        outer_projection = Outer(module, plan.unpaired, plan.panels, plan.units, "outer_projection")

    code = Code(module, machine, "kernel", 1, internal=False)
    given = code.pointer(code.arguments[0])
    a = {name: given.entry(int(name)) for name in Backward}
    at = {name: code.pointer(value) for name, value in a.items()}
    blocks, offsets, firsts = at[Backward.blocks], at[Backward.offsets], at[Backward.firsts]
    groups, padded, sequences = a[Backward.groups], a[Backward.padded_size], a[Backward.num_sequences]
    row_width = groups * plan.width + plan.tail
    room = a[Backward.table_rows] * 8
    inputs_at, before_at, after_at, d_after_at, d_inputs_at, d_hidden_at, left_at, d_raw_at, d_shown_at, keys_at = (
        code.pointer(a[Backward.table] + room * index) for index in range(10)
    )
    shown = a[Backward.shown_size]

    def rows_of(base: Backward, size: Backward) -> Address:
        return user_row(a[base], a[size], firsts)

    outputs_row, chosen = rows_of(Backward.outputs, Backward.shown_size), at[Backward.sequences]
    addresses = [
        (inputs_at, rows_of(Backward.inputs, Backward.input_stride)),
        (before_at, before_row(code, a[Backward.hidden], shown, chosen, outputs_row)),
        (after_at, outputs_row),
        (d_after_at, rows_of(Backward.d_outputs, Backward.shown_size)),
        (d_inputs_at, rows_of(Backward.d_inputs, Backward.padded_inputs)),
    ]
    if plan.zones:
        addresses.append((keys_at, user_key(code, a[Backward.row_keys], firsts)))
    if plan.copies_hidden:
        narrow_row, stride = rows_of(Backward.left, Backward.left_stride), a[Backward.left_stride]
        addresses.append((left_at, before_row(code, a[Backward.left_hidden], stride, chosen, narrow_row)))
    else:
        left_at = before_at
    d_after = d_raw_at if plan.projected else d_after_at
    # with dropout the product's part of a hidden state's gradient is kept separately; there is no projection then
    d_left_at = d_raw_at if plan.drops else d_hidden_at
    with code.loop(0, sequences) as row:
        d_hidden_at.set_entry(row.index, a[Backward.d_hidden] + chosen.entry(row.index) * shown * BYTES)
        if plan.drops:
            d_left_at.set_entry(row.index, a[Backward.d_left] + chosen.entry(row.index) * shown * BYTES)
    if plan.projected:
        with code.loop(0, a[Backward.table_rows]) as row:
            d_raw_at.set_entry(row.index, a[Backward.d_raw] + row.index * padded * BYTES)
            d_shown_at.set_entry(row.index, a[Backward.d_shown] + row.index * shown * BYTES)

    with code.loop(0, a[Backward.num_blocks]) as turn:
        number = a[Backward.num_blocks] - 1 - turn.index
        begin, end = blocks.entry(number), blocks.entry(number + 1)
        origin = offsets.entry(begin)
        rows = offsets.entry(end) - origin
        for table, address in addresses:
            fill_addresses(code, table, begin, end, offsets, address)
        gates = at[Backward.gates] + origin * row_width
        left, left_width = gates, row_width  # of the products along the slots
        if narrow is not None:
            left, left_width = at[Backward.narrow], groups * plan.terms(plan.width)

        with code.loop(0, end - begin) as turn_back:
            step = end - 1 - turn_back.index
            first_row = offsets.entry(step)
            count = offsets.entry(step + 1) - first_row
            local = first_row - origin
            step_gates = gates + local * row_width
            earlier, later = cell_rows(code, step, offsets, sequences)
            if unproject is not None:
                sizes = (shown, a[Backward.output_size])
                _collect(code, count, d_after_at, d_hidden_at, d_shown_at, local, *sizes)
                into, d_shown = code.pointer(d_raw_at.address + local * 8), at[Backward.d_shown] + local * shown
                zero_rows(code, into, count, padded)
                weights, segments = at[Backward.projection], shown // width
                unproject.emit(code, count, d_shown, shown, weights, segments, into, padded)
            with code.loop(0, count) as row:
                cells = [at[Backward.cells] + (first + row.index) * padded for first in (earlier, later)]
                noise = []
                if plan.zones:
                    key = keys_at.entry(local + row.index)
                    noise += [key, padded, a[Backward.unit_keys], a[Backward.shared]]
                if plan.drops:
                    noise += [(at[Backward.factors] + row.index * padded).address, d_left_at.entry(row.index)]
                code.call(
                    unstep,
                    *(table.entry(local + row.index) for table in (before_at, after_at, d_after)),
                    (step_gates + row.index * row_width).address,
                    *(cell.address for cell in cells),
                    d_hidden_at.entry(row.index),
                    (at[Backward.d_cells] + chosen.entry(row.index) * padded).address,
                    groups,
                    a[Backward.hidden_size],
                    a[Backward.own],
                    a[Backward.d_own],
                    *noise,
                )
            step_left = left + local * left_width
            if narrow is not None:
                code.call(narrow, step_gates.address, count, row_width, step_left.address, groups)
            if plan.recurrent_vectors:
                sums, weights = step_left + plan.terms(recurrent_begin), at[Backward.recurrent_weights]
                back[plan.recurrent_vectors].emit(code, count, sums, left_width, weights, groups, d_left_at, shown)

        with code.when(a[Backward.d_inputs].compare("!=", 0)):
            weights, size = at[Backward.input_weights], a[Backward.padded_inputs]
            zero_rows(code, d_inputs_at, rows, size)
            back[plan.input_vectors].emit(code, rows, left, left_width, weights, groups, d_inputs_at, size)

        right, right_width, terms = gates, row_width, rows
        if pair is not None:
            right, right_width, terms = at[Backward.slot_pairs], groups * plan.width, (rows + 1) // 2
            code.call(pair, gates.address, rows, row_width, right.address, groups)

        def outer_product(
            vectors: int, table: Pointer, stride: Number, size: Number, begin: int, into: Pointer
        ) -> None:
            source = table
            if pair_rows is not None:
                source = at[Backward.left_pairs]
                code.call(pair_rows, table.address, rows, stride, source.address)
            outer[vectors].emit(code, terms, source, stride * 2, size, right + begin, right_width, into, groups)

        size, stride, into = a[Backward.input_size], a[Backward.input_stride], at[Backward.d_input_weights]
        outer_product(plan.input_vectors, inputs_at, stride, size, 0, into)
        if plan.recurrent_vectors:
            size, stride, into = a[Backward.output_size], a[Backward.left_stride], at[Backward.d_recurrent_weights]
            outer_product(plan.recurrent_vectors, left_at, stride, size, recurrent_begin, into)
        if outer_projection is not None:
            right, into = at[Backward.raw] + origin * padded, at[Backward.d_projection]
            nowhere, size = code.integer(0), a[Backward.output_size]
            outer_projection.emit(code, rows, d_shown_at, nowhere, size, right, padded, into, groups)
        if add_bias is not None:
            code.call(add_bias, gates.address, rows, row_width, a[Backward.d_bias], groups)
    code.done()


def _row(module: ir.Module, plan: Plan, cell: Rowwise) -> Code:
    """Write the backward pass of one row, for a cell that needs its whole row."""
    code = Code(module, plan.machine, "unstep", 12)
    before, after, d_after, slots, cells, next_cells, d_hidden, d_cells, groups, hidden_size, own, d_own = (
        code.arguments
    )
    addresses = (slots, before, after, cells, next_cells, own, d_after, d_hidden, d_cells, d_own)
    places = [code.pointer(address) for address in addresses]
    cell.backward(Row(code, cell.slots, cell.num_own, groups, hidden_size, *places))
    code.done()
    return code


def _pointwise(module: ir.Module, plan: Plan, cell: Pointwise) -> Code:
    """Write the backward pass of one row: from kept values to the gradients of the sums and of the previous states."""
    code = Code(module, plan.machine, "unstep", 12 + 4 * plan.zones + 2 * plan.drops)
    before, _, d_after, gates, cells, next_cells, d_hidden, d_cells, groups, size, own_at, d_own_at = code.arguments[
        :12
    ]
    noise = code.arguments[12:]
    places = [code.pointer(address) for address in (before, d_after, cells, next_cells, d_hidden, d_cells)]
    gates, width = code.pointer(gates), plan.machine.width
    with code.loop(0, groups) as group:
        slots = gates + group.index * plan.width
        for panel in range(plan.panels):
            unit = group.index * plan.units + panel * width
            before_at, d_after_at, cell_at, next_cell_at, d_hidden_at, d_cell_at = (p + unit for p in places)
            slot_at = [slots + (panel * cell.slots + index) * width for index in range(cell.slots)]
            numbers = [unit * cell.num_own + index * width for index in range(cell.num_own)]
            own = [(code.pointer(own_at) + number).vector() for number in numbers]
            states = [place.vector() if cell.has_cell else code.number(0.0) for place in (cell_at, next_cell_at)]
            kept, at = [place.vector() for place in slot_at], At(before_at.vector(), states[0], states[1], own)
            d_state = d_after_at.vector() if plan.projected else d_after_at.vector() + d_hidden_at.vector()
            d_cell = d_cell_at.vector() if cell.has_cell else code.number(0.0)
            if plan.drops:
                factor_at, d_left_at = (code.pointer(address) + unit for address in noise[-2:])
                d_state = d_state + factor_at.vector() * d_left_at.vector()
                d_left_at.store(code.number(0.0))
            if plan.zones:
                key, stride, units, shared = noise[:4]
                zoneout = Zoneout(code, key, code.pointer(units), stride, code.pointer(shared))
                found = zoneout.backward(cell, unit, kept, at, d_state, d_cell)
            else:
                found = cell.backward(kept, at, d_state, d_cell)
            for place, number in zip(slot_at, found.sums, strict=True):
                place.store(number)
            if not plan.projected:
                d_hidden_at.store(code.number(0.0) if found.hidden is None else found.hidden)
            if found.cell is not None:
                d_cell_at.store(found.cell)
            for number, gradient in zip(numbers, found.own, strict=True):
                total = code.pointer(d_own_at) + number
                total.store(total.vector() + gradient)
    _clear_padding(code, plan, gates + (groups - 1) * plan.width, (groups - 1) * plan.units, size)
    code.done()
    return code


def _clear_padding(code: Code, plan: Plan, slots: Pointer, first: Number, size: Number) -> None:
    """Set the padding of the last group to zero: products along the slots read it, and its zero weights would turn an
    infinity into NaN.
    """
    width, cell = plan.machine.width, plan.cell
    with code.when(size.compare("<", first + plan.units)):
        for panel in range(plan.panels):
            real = code.lanes_below(size - first - panel * width)
            for index in range(panel * cell.slots, (panel + 1) * cell.slots):
                place = slots + index * width
                place.store(code.choose(real, place.vector(), code.number(0.0)))


def _collect(
    code: Code,
    count: Number,
    d_after: Pointer,
    d_hidden: Pointer,
    into: Pointer,
    local: Number,
    width: Number,
    size: Number,
) -> None:
    """Add the gradients of a step's output from outside and from the next step; the latter is cleared.

    Rows are `width` values long, of which `size` are outputs and the others zeros.
    """
    with code.loop(0, count) as row, code.loop(0, width, code.machine.width) as place:
        outside, after, target = (
            code.pointer(table.entry(index)) + place.index
            for table, index in ((d_after, local + row.index), (d_hidden, row.index), (into, local + row.index))
        )
        total = outside.vector() + after.vector()
        target.store(code.choose(code.lanes_below(size - place.index), total, code.number(0.0)))
        after.store(code.number(0.0))


def _column_sums(module: ir.Module, plan: Plan) -> Code:
    """Write: bias gradients += the sums of all rows."""
    code = Code(module, plan.machine, "column_sums", 5)
    gates, rows, row_width, bias, groups = code.arguments
    gates, bias, width = code.pointer(gates), code.pointer(bias), plan.machine.width
    with code.loop(0, groups) as group:
        places = [bias + group.index * plan.width + index * width for index in range(plan.vectors)]
        with code.loop(0, rows, carry=[place.vector() for place in places]) as row:
            at = gates + row.index * row_width + group.index * plan.width
            row.next = [total + (at + index * width).vector() for index, total in enumerate(row.carried)]
        for place, total in zip(places, row.carried, strict=True):
            place.store(total)
    code.done()
    return code
