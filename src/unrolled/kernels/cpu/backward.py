"""The backward pass of one chunk of sequences: through time, block by block, while a block's gradients are in cache."""

from enum import IntEnum, auto

from llvmlite import ir

from unrolled.kernels.cpu.emit import BYTES, Code
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.base import At, Pointwise, Rowwise
from unrolled.kernels.cpu.products import Back, Outer
from unrolled.kernels.cpu.row import Row
from unrolled.kernels.cpu.rows import Address, before_row, cell_rows, fill_addresses, user_row


class Backward(IntEnum):
    """Places of the arguments, as `Forward`."""

    blocks = 0
    num_blocks = auto()
    offsets = auto()
    firsts = auto()
    direction = auto()
    table = auto()  # room for six addresses for each row of a block
    table_rows = auto()
    groups = auto()
    input_size = auto()
    hidden_size = auto()
    padded_size = auto()
    inputs = auto()
    outputs = auto()
    hidden = auto()
    gates = auto()  # what forward kept; becomes the gradients of the sums
    cells = auto()
    num_sequences = auto()
    d_outputs = auto()  # (N, padded_size)
    d_hidden = auto()  # (B, padded_size) of the last state in, of the first state out
    d_cells = auto()
    d_inputs = auto()  # (N, padded_inputs), zeros; address 0 where nobody asks
    padded_inputs = auto()
    input_weights = auto()  # (columns of inputs / tile, groups, input slots, tile)
    recurrent_weights = auto()  # (columns of hidden / tile, groups, recurrent slots, tile)
    d_input_weights = auto()  # (groups, input_size, input slots), added to
    d_recurrent_weights = auto()  # (groups, hidden_size, recurrent slots), added to
    d_bias = auto()  # (groups, slots), added to
    own = auto()  # (groups * panels, own numbers, width)
    d_own = auto()  # as own, added to


def write_backward(module: ir.Module, plan: Plan) -> None:
    """Write the function `kernel`."""
    machine, width = plan.machine, plan.machine.width
    recurrent_begin = plan.recurrent_start * width
    cell = plan.cell
    unstep = _row(module, plan, cell) if isinstance(cell, Rowwise) else _pointwise(module, plan, cell)
    add_bias = None if isinstance(cell, Rowwise) else _column_sums(module, plan)
    counts = {count for count in (plan.input_vectors, plan.recurrent_vectors) if count}
    back = {count: Back(module, plan, f"back_{count}", count * width) for count in counts}
    outer = {count: Outer(module, plan, count) for count in counts}

    code = Code(module, machine, "kernel", 1, internal=False)
    given = code.pointer(code.arguments[0])
    a = {name: given.entry(int(name)) for name in Backward}
    at = {name: code.pointer(value) for name, value in a.items()}
    blocks, offsets, firsts = at[Backward.blocks], at[Backward.offsets], at[Backward.firsts]
    groups, padded, sequences = a[Backward.groups], a[Backward.padded_size], a[Backward.num_sequences]
    row_width = groups * plan.width + plan.tail
    room = a[Backward.table_rows] * 8
    inputs_at, before_at, after_at, d_after_at, d_inputs_at, d_hidden_at = (
        code.pointer(a[Backward.table] + room * index) for index in range(6)
    )

    def rows_of(base: Backward, size: Backward) -> Address:
        return user_row(a[base], a[size], firsts, a[Backward.direction])

    outputs_row = rows_of(Backward.outputs, Backward.padded_size)
    addresses = (
        (inputs_at, rows_of(Backward.inputs, Backward.input_size)),
        (before_at, before_row(code, a[Backward.hidden], padded, outputs_row)),
        (after_at, outputs_row),
        (d_after_at, rows_of(Backward.d_outputs, Backward.padded_size)),
        (d_inputs_at, rows_of(Backward.d_inputs, Backward.padded_inputs)),
    )
    with code.loop(0, sequences) as row:
        d_hidden_at.set_entry(row.index, a[Backward.d_hidden] + row.index * padded * BYTES)

    with code.loop(0, a[Backward.num_blocks]) as turn:
        number = a[Backward.num_blocks] - 1 - turn.index
        begin, end = blocks.entry(number), blocks.entry(number + 1)
        origin = offsets.entry(begin)
        rows = offsets.entry(end) - origin
        for table, address in addresses:
            fill_addresses(code, table, begin, end, offsets, address)
        gates = at[Backward.gates] + origin * row_width

        with code.loop(0, end - begin) as turn_back:
            step = end - 1 - turn_back.index
            first_row = offsets.entry(step)
            count = offsets.entry(step + 1) - first_row
            local = first_row - origin
            step_gates = gates + local * row_width
            earlier, later = cell_rows(code, step, offsets, sequences)
            with code.loop(0, count) as row:
                cells = [at[Backward.cells] + (first + row.index) * padded for first in (earlier, later)]
                code.call(
                    unstep,
                    *(table.entry(local + row.index) for table in (before_at, after_at, d_after_at)),
                    (step_gates + row.index * row_width).address,
                    *(cell.address for cell in cells),
                    d_hidden_at.entry(row.index),
                    (at[Backward.d_cells] + row.index * padded).address,
                    groups,
                    a[Backward.hidden_size],
                    a[Backward.own],
                    a[Backward.d_own],
                )
            if plan.recurrent_vectors:
                left, weights = step_gates + recurrent_begin, at[Backward.recurrent_weights]
                back[plan.recurrent_vectors].emit(code, count, left, row_width, weights, groups, d_hidden_at, padded)

        with code.when(a[Backward.d_inputs].compare("!=", 0)):
            weights, size = at[Backward.input_weights], a[Backward.padded_inputs]
            back[plan.input_vectors].emit(code, rows, gates, row_width, weights, groups, d_inputs_at, size)
        into, size = at[Backward.d_input_weights], a[Backward.input_size]
        outer[plan.input_vectors].emit(code, rows, inputs_at, size, gates, row_width, into, groups)
        if plan.recurrent_vectors:
            into, size, right = at[Backward.d_recurrent_weights], a[Backward.hidden_size], gates + recurrent_begin
            outer[plan.recurrent_vectors].emit(code, rows, before_at, size, right, row_width, into, groups)
        if add_bias is not None:
            code.call(add_bias, gates.address, rows, row_width, a[Backward.d_bias], groups)
    code.done()


def _row(module: ir.Module, plan: Plan, cell: Rowwise) -> Code:
    """`_pointwise` for a cell that needs its whole row."""
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
    """One row: from what forward kept to the gradients of the sums, and of the states before."""
    code = Code(module, plan.machine, "unstep", 12)
    before, after, d_after, gates, cells, next_cells, d_hidden, d_cells, groups, _, own_at, d_own_at = code.arguments
    places = [code.pointer(address) for address in (before, after, d_after, cells, next_cells, d_hidden, d_cells)]
    gates, width = code.pointer(gates), plan.machine.width
    with code.loop(0, groups) as group:
        slots = gates + group.index * plan.width
        for panel in range(plan.panels):
            unit = group.index * plan.units + panel * width
            before_at, after_at, d_after_at, cell_at, next_cell_at, d_hidden_at, d_cell_at = (p + unit for p in places)
            slot_at = [slots + (panel * cell.slots + index) * width for index in range(cell.slots)]
            numbers = [unit * cell.num_own + index * width for index in range(cell.num_own)]
            own = [(code.pointer(own_at) + number).vector() for number in numbers]
            states = [place.vector() if cell.has_cell else code.number(0.0) for place in (cell_at, next_cell_at)]
            found = cell.backward(
                [place.vector() for place in slot_at],
                At(before_at.vector(), after_at.vector(), states[0], states[1], own),
                d_after_at.vector() + d_hidden_at.vector(),
                d_cell_at.vector() if cell.has_cell else code.number(0.0),
            )
            for place, number in zip(slot_at, found.sums, strict=True):
                place.store(number)
            d_hidden_at.store(code.number(0.0) if found.hidden is None else found.hidden)
            if found.cell is not None:
                d_cell_at.store(found.cell)
            for number, gradient in zip(numbers, found.own, strict=True):
                total = code.pointer(d_own_at) + number
                total.store(total.vector() + gradient)
    code.done()
    return code


def _column_sums(module: ir.Module, plan: Plan) -> Code:
    """bias gradients += the sums of all rows."""
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
