"""The backward pass of one chunk of sequences, block by block through time, with a block's gradients in cache."""

from typing import NamedTuple

from llvmlite import ir

from unrolled.kernels.cpu.arguments import BACKWARD, Argument, Given
from unrolled.kernels.cpu.emit import BYTES, Code, Number, Pointer
from unrolled.kernels.cpu.pairing import Pairing
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.base import At, Pointwise, Rowwise
from unrolled.kernels.cpu.products import BackProduct, Outer
from unrolled.kernels.cpu.row import StepRow
from unrolled.kernels.cpu.rows import (
    Address,
    before_row,
    cell_rows,
    fill_addresses,
    tables_of,
    user_key,
    user_row,
    zero_rows,
)
from unrolled.kernels.cpu.zoneout import Zoneout


def write_backward(module: ir.Module, plan: Plan) -> None:
    """Write the function `kernel`."""
    _Backward(module, plan).write()


class _Tables(NamedTuple):
    """Tables with one address per row of a block, and one with a key."""

    inputs: Pointer
    before: Pointer  # the hidden state
    after: Pointer
    d_after: Pointer
    d_inputs: Pointer
    d_hidden: Pointer  # by sequence
    left: Pointer  # what the recurrent product read
    d_raw: Pointer  # with dropout, by sequence: the gradient of what the product read
    d_shown: Pointer
    keys: Pointer


class _Block(NamedTuple):
    """Some steps whose rows fit into a core's cache."""

    begin: Number  # its steps
    end: Number
    origin: Number  # its first row in time-major order
    rows: Number
    gates: Pointer
    left: Pointer  # the gradients of the sums, as the products along the slots read them
    left_width: Number


class _Step(NamedTuple):
    """One step of all sequences that have it."""

    rows: Number  # their number
    local: Number  # its first row in the block
    gates: Pointer
    earlier: Number  # the first row of the cells before it
    later: Number  # and after it


class _Backward:
    """The writer of the backward pass: `write` is its table of contents."""

    def __init__(self, module: ir.Module, plan: Plan) -> None:
        width, cell, self.plan = plan.machine.width, plan.cell, plan
        self.unstep = _row(module, plan, cell) if isinstance(cell, Rowwise) else _pointwise(module, plan, cell)
        self.add_bias = None if isinstance(cell, Rowwise) else _column_sums(module, plan)
        self.pairing = Pairing(module, plan) if plan.pairs else None
        counts = {count for count in (plan.input_vectors, plan.recurrent_vectors) if count}
        self.back = {
            count: BackProduct(module, plan, f"back_{count}", plan.terms(count * width), plan.terms(plan.width))
            for count in counts
        }
        self.outer = {count: Outer(module, plan, count, plan.width) for count in counts}
        self.unproject = self.outer_projection = None
        if plan.projected:
            self.unproject = BackProduct(module, plan.unpaired, "unproject", width, width)
            self.outer_projection = Outer(module, plan.unpaired, plan.panels, plan.units, "outer_projection")
        self.code = Code(module, plan.machine, "kernel", 1, internal=False)
        self.given = given = Given(self.code, BACKWARD)
        self.groups, self.padded = given.size(Argument.groups), given.size(Argument.padded_size)
        self.shown, self.num_sequences = given.size(Argument.shown_size), given.size(Argument.num_sequences)
        self.offsets, self.chosen = given.at(Argument.offsets), given.at(Argument.sequences)
        self.row_width = self.groups * plan.width + plan.tail
        tables = _Tables(*tables_of(self.code, given, len(_Tables._fields)))
        self.tables = tables if plan.copies_hidden else tables._replace(left=tables.before)
        # with dropout the product's part of a hidden state's gradient is kept separately; there is no projection then
        self.d_left = tables.d_raw if plan.drops else tables.d_hidden
        self.addresses = self._addresses()

    def write(self) -> None:
        """Write the pass: block by block, from the last step to the first, then the products over its rows."""
        code, num_blocks = self.code, self.given.size(Argument.num_blocks)
        self._fill_fixed_tables()
        with code.loop(0, num_blocks) as turn:
            block = self._block(num_blocks - 1 - turn.index)
            with code.loop(0, block.end - block.begin) as turn_back:
                step = self._step(block, block.end - 1 - turn_back.index)
                self._unproject(step)
                self._unstep_rows(step)
                self._to_step_before(block, step)
            self._to_inputs(block)
            self._to_weights(block)
            self._to_projection(block)
            self._to_bias(block)
        code.done()

    def _addresses(self) -> list[tuple[Pointer, Address]]:
        """Return the tables that each block fills, and the address of a row in each."""
        code, given, tables, plan = self.code, self.given, self.tables, self.plan
        firsts = given.at(Argument.firsts)

        def rows_of(base: Argument, width: Number) -> Address:
            return user_row(given.address(base), width, firsts)

        outputs = rows_of(Argument.outputs, self.shown)
        found = [
            (tables.inputs, rows_of(Argument.inputs, given.size(Argument.input_stride))),
            (tables.before, before_row(code, given.address(Argument.hidden), self.shown, self.chosen, outputs)),
            (tables.after, outputs),
            (tables.d_after, rows_of(Argument.d_outputs, self.shown)),
            (tables.d_inputs, rows_of(Argument.d_inputs, given.size(Argument.padded_inputs))),
        ]
        if plan.zones:
            found.append((tables.keys, user_key(code, given.address(Argument.row_keys), firsts)))
        if plan.copies_hidden:
            stride = given.size(Argument.left_stride)
            left, first = rows_of(Argument.left, stride), given.address(Argument.left_hidden)
            found.append((tables.left, before_row(code, first, stride, self.chosen, left)))
        return found

    def _fill_fixed_tables(self) -> None:
        """Fill the tables that are the same for all blocks: gradients by sequence, and space for a block."""
        code, given, tables = self.code, self.given, self.tables
        with code.loop(0, self.num_sequences) as row:
            place = self.chosen.entry(row.index) * self.shown * BYTES
            tables.d_hidden.set_entry(row.index, given.address(Argument.d_hidden) + place)
            if self.plan.drops:
                self.d_left.set_entry(row.index, given.address(Argument.d_left) + place)
        if self.plan.projected:
            with code.loop(0, given.size(Argument.table_rows)) as row:
                tables.d_raw.set_entry(row.index, given.address(Argument.d_raw) + row.index * self.padded * BYTES)
                tables.d_shown.set_entry(row.index, given.address(Argument.d_shown) + row.index * self.shown * BYTES)

    def _block(self, number: Number) -> _Block:
        """Fill the tables for a block."""
        given, blocks = self.given, self.given.at(Argument.blocks)
        begin, end = blocks.entry(number), blocks.entry(number + 1)
        origin = self.offsets.entry(begin)
        rows = self.offsets.entry(end) - origin
        for table, address in self.addresses:
            fill_addresses(self.code, table, begin, end, self.offsets, address)
        gates = given.at(Argument.gates) + origin * self.row_width
        if self.pairing is None:
            return _Block(begin, end, origin, rows, gates, gates, self.row_width)
        words = self.groups * self.plan.terms(self.plan.width)
        return _Block(begin, end, origin, rows, gates, given.at(Argument.narrow), words)

    def _step(self, block: _Block, step: Number) -> _Step:
        """Find a step's rows."""
        first = self.offsets.entry(step)
        count = self.offsets.entry(step + 1) - first
        local = first - block.origin
        gates = block.gates + local * self.row_width
        return _Step(count, local, gates, *cell_rows(self.code, step, self.offsets, self.num_sequences))

    def _unproject(self, step: _Step) -> None:
        """Compute the gradients of a step's hidden states from those of its outputs, where there is a projection."""
        if self.unproject is None:
            return
        code, given, tables, local = self.code, self.given, self.tables, step.local
        size = given.size(Argument.output_size)
        _collect(code, step.rows, tables.d_after, tables.d_hidden, tables.d_shown, local, self.shown, size)
        into, d_shown = code.pointer(tables.d_raw.address + local * 8), given.at(Argument.d_shown) + local * self.shown
        zero_rows(code, into, step.rows, self.padded)
        weights, segments = given.at(Argument.projection), self.shown // self.plan.machine.width
        self.unproject.emit(code, step.rows, d_shown, self.shown, weights, segments, into, self.padded)

    def _unstep_rows(self, step: _Step) -> None:
        """Turn what a step's slots kept into the gradients of its sums."""
        code, given, tables, plan = self.code, self.given, self.tables, self.plan
        d_after = tables.d_raw if plan.projected else tables.d_after
        with code.loop(0, step.rows) as row:
            cells = [
                given.at(Argument.cells) + (first + row.index) * self.padded for first in (step.earlier, step.later)
            ]
            noise = []
            if plan.zones:
                key = tables.keys.entry(step.local + row.index)
                noise += [key, self.padded, given.address(Argument.unit_keys), given.address(Argument.shared)]
            if plan.drops:
                factors = given.at(Argument.factors) + row.index * self.padded
                noise += [factors.address, self.d_left.entry(row.index)]
            d_cells = given.at(Argument.d_cells) + self.chosen.entry(row.index) * self.padded
            code.call(
                self.unstep,
                *(table.entry(step.local + row.index) for table in (tables.before, tables.after, d_after)),
                (step.gates + row.index * self.row_width).address,
                *(cell.address for cell in cells),
                tables.d_hidden.entry(row.index),
                d_cells.address,
                self.groups,
                given.size(Argument.hidden_size),
                given.address(Argument.own),
                given.address(Argument.d_own),
                *noise,
            )

    def _to_step_before(self, block: _Block, step: _Step) -> None:
        """Add the recurrent product's part of the gradients of the hidden states before a step."""
        code, plan = self.code, self.plan
        left = block.left + step.local * block.left_width
        if self.pairing is not None:
            code.call(self.pairing.narrow, step.gates.address, step.rows, self.row_width, left.address, self.groups)
        if plan.recurrent_vectors:
            sums = left + plan.terms(plan.recurrent_start * plan.machine.width)
            weights, back = self.given.at(Argument.recurrent_weights), self.back[plan.recurrent_vectors]
            back.emit(code, step.rows, sums, block.left_width, weights, self.groups, self.d_left, self.shown)

    def _to_inputs(self, block: _Block) -> None:
        """Compute the gradients of a block's inputs, if they are wanted."""
        code, given, table = self.code, self.given, self.tables.d_inputs
        with code.when(given.address(Argument.d_inputs).compare("!=", 0)):
            weights, size = given.at(Argument.input_weights), given.size(Argument.padded_inputs)
            zero_rows(code, table, block.rows, size)
            back = self.back[self.plan.input_vectors]
            back.emit(code, block.rows, block.left, block.left_width, weights, self.groups, table, size)

    def _to_weights(self, block: _Block) -> None:
        """Add a block's part of the gradients of both weights."""
        code, given, plan = self.code, self.given, self.plan
        right, right_width, terms = block.gates, self.row_width, block.rows
        if self.pairing is not None:
            right, terms = given.at(Argument.slot_pairs), (block.rows + 1) // 2
            right_width = self.groups * plan.width
            code.call(self.pairing.slots, block.gates.address, block.rows, self.row_width, right.address, self.groups)

        def outer_product(
            vectors: int, table: Pointer, stride: Number, size: Number, gradients: Pointer, into: Pointer
        ) -> None:
            source = table
            if self.pairing is not None:
                source = given.at(Argument.left_pairs)
                code.call(self.pairing.left, table.address, block.rows, stride, source.address)
            outer = self.outer[vectors]
            outer.emit(code, terms, source, stride * 2, size, gradients, right_width, into, self.groups)

        stride, size = given.size(Argument.input_stride), given.size(Argument.input_size)
        into = given.at(Argument.d_input_weights)
        outer_product(plan.input_vectors, self.tables.inputs, stride, size, right, into)
        if plan.recurrent_vectors:
            stride, size = given.size(Argument.left_stride), given.size(Argument.output_size)
            begin, into = plan.recurrent_start * plan.machine.width, given.at(Argument.d_recurrent_weights)
            outer_product(plan.recurrent_vectors, self.tables.left, stride, size, right + begin, into)

    def _to_projection(self, block: _Block) -> None:
        """Add a block's part of the gradient of the projection."""
        if self.outer_projection is None:
            return
        code, given = self.code, self.given
        right, into = given.at(Argument.raw) + block.origin * self.padded, given.at(Argument.d_projection)
        nowhere, size, table = code.integer(0), given.size(Argument.output_size), self.tables.d_shown
        self.outer_projection.emit(code, block.rows, table, nowhere, size, right, self.padded, into, self.groups)

    def _to_bias(self, block: _Block) -> None:
        """Add a block's part of the gradient of the bias."""
        if self.add_bias is not None:
            total = self.given.address(Argument.d_bias)
            self.code.call(self.add_bias, block.gates.address, block.rows, self.row_width, total, self.groups)


def _row(module: ir.Module, plan: Plan, cell: Rowwise) -> Code:
    """Write the backward pass of one row, for a cell that needs its whole row."""
    code = Code(module, plan.machine, "unstep", 12)
    before, after, d_after, slots, cells, next_cells, d_hidden, d_cells, groups, hidden_size, own, d_own = (
        code.arguments
    )
    addresses = (slots, before, after, cells, next_cells, own, d_after, d_hidden, d_cells, d_own)
    places = [code.pointer(address) for address in addresses]
    cell.backward(StepRow(code, cell.slots, cell.num_own, groups, hidden_size, *places))
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
