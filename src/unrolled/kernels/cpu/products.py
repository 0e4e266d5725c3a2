"""The three large products of a backward pass, each covering its result with tiles."""

from llvmlite import ir

from unrolled.kernels.cpu.emit import Code, Number, Pointer
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.rows import tiled
from unrolled.kernels.cpu.tile import by_columns, by_rows


class BackProduct:
    """The product rows += gradients of the sums @ weights, for rows anywhere in memory.

    The gradients have the layout of the slots: one segment of `depth` values, or words of two, in each group.

    Args:
        module: where the tiles go.
        plan: the cell's layout.
        name: of the tiles.
        depth: values or words of a segment.
        step: from one segment to the next.
    """

    def __init__(self, module: ir.Module, plan: Plan, name: str, depth: int, step: int) -> None:
        self.plan, self.depth, machine = plan, depth, plan.machine
        self.tiles = {
            (rows, vectors): _back_tile(module, plan, f"{name}_{rows}_{vectors}", rows, vectors, depth, step)
            for vectors in {1, machine.product_vectors}
            for rows in range(1, machine.tile_rows(vectors) + 1)
        }

    def emit(
        self,
        code: Code,
        count: Number,
        left: Pointer,
        row_width: Number,
        weights: Pointer,
        groups: Number,
        table: Pointer,
        width: Number,
    ) -> None:
        """Compute `count` rows of `width` values, whose addresses are in the table."""
        wide, vector = self.plan.machine.product_vectors, self.plan.machine.width
        vectors = width // vector
        covered = vectors // wide * wide
        for size, begin, end in ((wide, code.integer(0), covered), (1, covered, vectors)):
            with code.loop(begin, end, size) as place:
                column = place.index * vector
                packed = weights + column * groups * self.depth

                def tile(
                    rows: int, first: Number, size: int = size, packed: Pointer = packed, column: Number = column
                ) -> None:
                    code.call(
                        self.tiles[rows, size],
                        (left + first * row_width).address,
                        row_width,
                        packed.address,
                        groups,
                        table.address + first * 8,
                        column,
                    )

                tiled(code, count, self.plan.machine.tile_rows(size), tile)


def _back_tile(module: ir.Module, plan: Plan, name: str, rows: int, vectors: int, depth: int, step: int) -> Code:
    code = Code(module, plan.machine, name, 6)
    left, row_width, weights, groups, table, column = code.arguments
    left, table = code.pointer(left), code.pointer(table)
    into = [code.pointer(table.entry(row)) + column for row in range(rows)]
    vector = plan.machine.width
    sums = [[(row + index * vector).vector() for index in range(vectors)] for row in into]
    begin = [left + row_width * row for row in range(rows)]
    sums = by_rows(code, sums, begin, code.pointer(weights), code.integer(depth), groups, step, plan.pairs)
    for row, numbers in zip(into, sums, strict=True):
        for index, number in enumerate(numbers):
            (row + index * vector).store(number)
    code.done()
    return code


class Outer:
    """The product weight gradients += left rows, transposed, @ gradients of the sums, in the layout of packed weights.

    Args:
        module: where the tiles go.
        plan: the cell's layout.
        vectors: number of vectors of a group in the product.
        step: values from one group to the next.
        name: of the tiles.
    """

    def __init__(self, module: ir.Module, plan: Plan, vectors: int, step: int, name: str = "outer") -> None:
        self.plan, self.vectors, self.step = plan, vectors, step
        self.rows = plan.machine.tile_rows(vectors)
        self.tiles = {rows: _outer_tile(module, plan, name, rows, vectors) for rows in range(1, self.rows + 1)}

    def emit(
        self,
        code: Code,
        count: Number,
        left: Pointer,
        left_step: Number,
        width: Number,
        right: Pointer,
        row_width: Number,
        into: Pointer,
        groups: Number,
    ) -> None:
        """Add `count` rows of `width` values; `left` is a table of addresses, or with pairs the rows themselves."""
        span = self.vectors * self.plan.machine.width
        with code.loop(0, groups) as group:
            gradients = right + group.index * self.step
            panel = into + group.index * width * span

            def tile(rows: int, first: Number) -> None:
                code.call(
                    self.tiles[rows],
                    left.address,
                    left_step,
                    first,
                    gradients.address,
                    row_width,
                    count,
                    (panel + first * span).address,
                )

            tiled(code, width, self.rows, tile)


def _outer_tile(module: ir.Module, plan: Plan, name: str, rows: int, vectors: int) -> Code:
    code = Code(module, plan.machine, f"{name}_{rows}_{vectors}", 7)
    left, left_step, column, right, row_width, depth, into = code.arguments
    left, right = code.pointer(left), code.pointer(right)
    into, vector = code.pointer(into), plan.machine.width
    places = [[into + (row * vectors + index) * vector for index in range(vectors)] for row in range(rows)]
    sums = [[place.vector() for place in row] for row in places]

    def left_row(term: Number) -> Pointer:
        return left + term * left_step if plan.pairs else code.pointer(left.entry(term))

    sums = by_columns(code, sums, left_row, column, right, row_width, depth, plan.pairs)
    for row, numbers in zip(places, sums, strict=True):
        for place, number in zip(row, numbers, strict=True):
            place.store(number)
    code.done()
    return code
