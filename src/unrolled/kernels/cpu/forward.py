"""The forward pass of one chunk of sequences, in training (everything is kept) and inference (only the state)."""

from typing import NamedTuple

from llvmlite import ir

from unrolled.kernels.cpu.arguments import FORWARD, Argument, Given
from unrolled.kernels.cpu.emit import Code, Number, Pointer
from unrolled.kernels.cpu.forward_tiles import Advance, input_product, recurrent_product
from unrolled.kernels.cpu.pairs import store_narrow
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.base import Rowwise
from unrolled.kernels.cpu.products import BackProduct
from unrolled.kernels.cpu.row import StepRow
from unrolled.kernels.cpu.rows import (
    Address,
    before_row,
    cell_rows,
    copy_row,
    fill_addresses,
    tables_of,
    tiled,
    user_key,
    user_row,
    zero_rows,
)


def write_forward(module: ir.Module, plan: Plan, keep: bool) -> None:
    """Write the function `kernel`.

    Args:
        module: where to.
        plan: the cell's layout.
        keep: for training: keep in the slots and cells the values that the backward pass needs.
    """
    _Forward(module, plan, keep).write()


class _Tables(NamedTuple):
    """Tables with one address per row of a block, and one with a key."""

    inputs: Pointer
    before: Pointer  # the hidden state
    after: Pointer
    left: Pointer  # what the recurrent product reads
    narrow: Pointer  # where the next step's product reads
    shown: Pointer  # the outputs of a projection
    keys: Pointer


class _Block(NamedTuple):
    """Some steps whose rows fit into a core's cache."""

    begin: Number  # its steps
    end: Number
    origin: Number  # its first row in time-major order
    rows: Number
    gates: Pointer
    raw: Pointer


class _Step(NamedTuple):
    """One step of all sequences that have it."""

    rows: Number  # their number
    local: Number  # its first row in the block
    earlier: Number  # the first row of the cells before it
    later: Number  # and after it


class _Forward:
    """The writer of the forward pass: `write` is its table of contents."""

    def __init__(self, module: ir.Module, plan: Plan, keep: bool) -> None:
        machine, self.plan, self.keep = plan.machine, plan, keep
        self.input_tile = machine.tile_rows(plan.input_vectors)
        self.recurrent_tile = machine.tile_rows(plan.recurrent_vectors)
        self.drive = {rows: input_product(module, plan, rows) for rows in range(1, self.input_tile + 1)}
        self.advance = {rows: recurrent_product(module, plan, rows, keep) for rows in range(1, self.recurrent_tile + 1)}
        self.projection = (
            BackProduct(module, plan.unpaired, "project", plan.units, plan.units) if plan.projected else None
        )
        self.settle = _row(module, plan, plan.cell) if isinstance(plan.cell, Rowwise) else None
        self.code = Code(module, machine, "kernel", 1, internal=False)
        self.given = given = Given(self.code, FORWARD)
        self.groups, self.padded = given.size(Argument.groups), given.size(Argument.padded_size)
        self.shown, self.num_sequences = given.size(Argument.shown_size), given.size(Argument.num_sequences)
        self.offsets, self.firsts = given.at(Argument.offsets), given.at(Argument.firsts)
        self.row_width = self.groups * plan.width + plan.tail
        self.outputs_row = user_row(given.address(Argument.outputs), self.shown, self.firsts)
        tables = _Tables(*tables_of(self.code, given, len(_Tables._fields)))
        self.tables = tables if plan.copies_hidden else tables._replace(left=tables.before)
        self.addresses = self._addresses()

    def write(self) -> None:
        """Write the pass: block by block the inputs' product, then step by step the rest."""
        code, given = self.code, self.given
        self._copy_first_cells()
        with code.loop(0, given.size(Argument.num_blocks)) as turn:
            block = self._block(turn.index)
            self._project_inputs(block)
            with code.loop(block.begin, block.end) as index:
                step = self._step(block, index.index)
                self._advance_rows(block, step)
                self._project_outputs(block, step)
                self._settle_rows(block, step)
        with code.when(given.address(Argument.last_hidden).compare("!=", 0)):
            self._copy_last_states()
        code.done()

    def _addresses(self) -> list[tuple[Pointer, Address]]:
        """Return the tables that each block fills, and the address of a row in each."""
        code, given, tables, plan = self.code, self.given, self.tables, self.plan
        chosen = given.at(Argument.sequences)
        inputs = user_row(given.address(Argument.inputs), given.size(Argument.input_stride), self.firsts)
        before = before_row(code, given.address(Argument.hidden), self.shown, chosen, self.outputs_row)
        found = [
            (tables.inputs, inputs),
            (tables.before, before),
            (tables.shown if plan.projected else tables.after, self.outputs_row),
        ]
        if plan.zones:
            found.append((tables.keys, user_key(code, given.address(Argument.row_keys), self.firsts)))
        if plan.copies_hidden:
            stride = given.size(Argument.left_stride)
            narrow = user_row(given.address(Argument.left), stride, self.firsts)
            left = before_row(code, given.address(Argument.left_hidden), stride, chosen, narrow)
            found += [(tables.left, left), (tables.narrow, narrow)]
        return found

    def _copy_first_cells(self) -> None:
        """Write the given cells before the cells of the chunk's steps."""
        code, given = self.code, self.given
        if not self.plan.cell.has_cell:
            return
        wanted = given.address(Argument.first_cells).compare("!=", 0)
        with code.when(wanted), code.loop(0, self.num_sequences) as row:
            sequence = given.at(Argument.sequences).entry(row.index)
            source = given.at(Argument.first_cells) + sequence * self.padded
            copy_row(code, source, given.at(Argument.cells) + row.index * self.padded, self.padded)

    def _block(self, index: Number) -> _Block:
        """Fill the tables for a block."""
        code, given, blocks = self.code, self.given, self.given.at(Argument.blocks)
        begin, end = blocks.entry(index), blocks.entry(index + 1)
        origin = self.offsets.entry(begin)
        for table, address in self.addresses:
            fill_addresses(code, table, begin, end, self.offsets, address)
        first = origin if self.keep else code.integer(0)
        gates = given.at(Argument.gates) + first * self.row_width
        raw = given.at(Argument.raw) + first * self.padded
        rows = self.offsets.entry(end) - origin
        if self.projection is not None:
            with code.loop(0, rows) as row:
                self.tables.after.set_entry(row.index, (raw + row.index * self.padded).address)
        return _Block(begin, end, origin, rows, gates, raw)

    def _project_inputs(self, block: _Block) -> None:
        """Set every slot of a block to the bias plus the inputs' product."""
        code, given, plan = self.code, self.given, self.plan
        depth = given.size(Argument.input_terms)
        with code.loop(0, self.groups) as group:
            span = depth * (plan.input_vectors * plan.machine.width)
            weights = given.at(Argument.input_weights) + group.index * span
            bias = given.at(Argument.bias) + group.index * plan.width
            place = block.gates + group.index * plan.width

            def project(rows: int, first: Number) -> None:
                table, into = self.tables.inputs.address + first * 8, place + first * self.row_width
                code.call(self.drive[rows], table, depth, weights.address, bias.address, into.address, self.row_width)

            tiled(code, block.rows, self.input_tile, project)

    def _step(self, block: _Block, step: Number) -> _Step:
        """Find a step's rows."""
        code, offsets = self.code, self.offsets
        count = offsets.entry(step + 1) - offsets.entry(step)
        local = offsets.entry(step) - block.origin
        earlier, later = code.integer(0), code.integer(0)
        if self.keep:
            earlier, later = cell_rows(code, step, offsets, self.num_sequences)
        return _Step(count, local, earlier, later)

    def _advance_rows(self, block: _Block, step: _Step) -> None:
        """Add the recurrent product; a pointwise cell's arithmetic follows at once."""
        code, given, plan, tables = self.code, self.given, self.plan, self.tables
        depth = given.size(Argument.recurrent_terms)
        with code.loop(0, self.groups) as group:
            unit = group.index * plan.units
            span = depth * (plan.recurrent_vectors * plan.machine.width)
            weights = given.at(Argument.recurrent_weights) + group.index * span
            slots = block.gates + step.local * self.row_width + group.index * plan.width

            def advance(rows: int, first: Number) -> None:
                row = (step.local + first) * 8
                cells = [
                    given.at(Argument.cells) + (at + first) * self.padded + unit for at in (step.earlier, step.later)
                ]
                called = Advance(
                    left=tables.left.address + row,
                    before=tables.before.address + row,
                    narrow=tables.narrow.address + row,
                    after=tables.after.address + row,
                    depth=depth,
                    weights=weights.address,
                    slots=(slots + first * self.row_width).address,
                    row_width=self.row_width,
                    cells=cells[0].address,
                    next_cells=cells[1].address,
                    padded=self.padded,
                    unit=unit,
                    hidden_size=given.size(Argument.hidden_size),
                    own=(given.at(Argument.own) + unit * plan.cell.num_own).address,
                )
                if plan.zones:
                    called = called._replace(
                        keys=tables.keys.address + row,
                        unit_keys=given.address(Argument.unit_keys),
                        shared=given.address(Argument.shared),
                    )
                if plan.drops:
                    factors = given.at(Argument.factors) + first * self.padded + unit
                    called = called._replace(factors=factors.address)
                code.call(self.advance[rows], *called)

            tiled(code, step.rows, self.recurrent_tile, advance)

    def _project_outputs(self, block: _Block, step: _Step) -> None:
        """Compute a step's outputs from its hidden states, where the cell has a projection."""
        if self.projection is None:
            return
        code, tables = self.code, self.tables
        into = code.pointer(tables.shown.address + step.local * 8)
        zero_rows(code, into, step.rows, self.shown)
        left, weights = block.raw + step.local * self.padded, self.given.at(Argument.projection)
        self.projection.emit(code, step.rows, left, self.padded, weights, self.groups, into, self.shown)
        if self.plan.copies_hidden:
            _narrow_shown(code, step.rows, into, tables.narrow, step.local, self.shown)

    def _settle_rows(self, block: _Block, step: _Step) -> None:
        """Do the arithmetic of a cell that needs its whole row."""
        if self.settle is None:
            return
        code, given, tables = self.code, self.given, self.tables
        with code.loop(0, step.rows) as row:
            at = step.local + row.index
            cells = [
                given.at(Argument.cells) + (first + row.index) * self.padded for first in (step.earlier, step.later)
            ]
            code.call(
                self.settle,
                tables.before.entry(at),
                tables.narrow.entry(at) if self.plan.copies_hidden else 0,
                tables.after.entry(at),
                (block.gates + at * self.row_width).address,
                *(cell.address for cell in cells),
                self.groups,
                given.size(Argument.hidden_size),
                given.address(Argument.own),
            )

    def _copy_last_states(self) -> None:
        """Write the states after each sequence's last step."""
        code, given = self.code, self.given
        with code.loop(0, self.num_sequences) as row:
            step = given.at(Argument.lengths).entry(row.index) - 1
            sequence = given.at(Argument.sequences).entry(row.index)
            source = code.pointer(self.outputs_row(step, row.index))
            copy_row(code, source, given.at(Argument.last_hidden) + sequence * self.shown, self.shown)
            if self.plan.cell.has_cell:
                last = row.index + (cell_rows(code, step, self.offsets, self.num_sequences)[1] if self.keep else 0)
                source = given.at(Argument.cells) + last * self.padded
                copy_row(code, source, given.at(Argument.last_cells) + sequence * self.padded, self.padded)


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
    row = StepRow(code, cell.slots, cell.num_own, groups, hidden_size, *places, *nowhere)
    cell.forward(row)
    if plan.copies_hidden:
        row.each(
            lambda unit: store_narrow(unit.real(unit.at(row.after).vector()), code.pointer(narrow) + unit.first // 2)
        )
    code.done()
    return code
