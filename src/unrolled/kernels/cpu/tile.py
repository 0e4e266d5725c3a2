"""The register tile: a few rows times a few vectors of columns, whose sums never leave the registers.

Every product of the kernels is one of these: rows x columns += left (rows x depth) @ right (depth x columns).
The right side is packed, so that each step along the depth reads contiguous memory; the left side is read one value
at a time and copied to all elements of a vector. docs/kernels.md says why this is the fastest form.
"""

from collections.abc import Callable, Sequence
from functools import partial

from unrolled.kernels.cpu.emit import Code, Number, Pointer
from unrolled.kernels.cpu.pairs import dot

Sums = list[list[Number]]  # rows of vectors


def by_rows(
    code: Code,
    sums: Sums,
    left: Sequence[Pointer],
    right: Pointer,
    depth: Number,
    segments: Number | None = None,
    segment_step: Number | int = 0,
    pairs: bool = False,
) -> Sums:
    """Compute sums of a product whose left rows are contiguous.

    Args:
        code: where to write.
        sums: to add to, rows of vectors.
        left: start of each row.
        right: packed, (depth, vectors).
        depth: number of terms of a segment.
        segments: number of segments of a row; None = one.
        segment_step: float32 values from one segment of a row to the next.
        pairs: both sides are words of two bfloat16 terms.
    """
    multiply = partial(dot, code) if pairs else code.fused
    rows, vectors = len(sums), len(sums[0])
    flat = [number for row in sums for number in row]

    def along(offset: Number | int, packed: Pointer, carried: list[Number]) -> list[Number]:
        begins = [row + offset for row in left]
        with code.loop(0, depth, carry=carried) as loop:
            place = packed + loop.index * (vectors * code.machine.width)
            columns = [(place + vector * code.machine.width).vector() for vector in range(vectors)]
            loop.next = []
            for row in range(rows):
                value = (begins[row] + loop.index).spread()
                loop.next += [
                    multiply(value, column, loop.carried[row * vectors + index]) for index, column in enumerate(columns)
                ]
        return loop.carried

    if segments is None:
        flat = along(0, right, flat)
    else:
        with code.loop(0, segments, carry=flat) as outer:
            packed = right + outer.index * depth * (vectors * code.machine.width)
            outer.next = along(outer.index * segment_step, packed, outer.carried)
        flat = outer.carried
    return [flat[row * vectors : (row + 1) * vectors] for row in range(rows)]


def by_columns(
    code: Code,
    sums: Sums,
    left_row: Callable[[Number], Pointer],
    column: Number,
    right: Pointer,
    right_step: Number,
    depth: Number,
    pairs: bool = False,
) -> Sums:
    """Compute sums of a product whose left side is transposed: row r of the sums uses value `column + r` of left rows.

    Args:
        code: where to write.
        sums: to add to, rows of vectors.
        left_row: start of the left row of a term.
        column: value of a left row that belongs to the first row of sums.
        right: place of the first term's vectors.
        right_step: float32 values from one term to the next.
        depth: terms.
        pairs: both sides are words of two bfloat16 terms.
    """
    multiply = partial(dot, code) if pairs else code.fused
    rows, vectors = len(sums), len(sums[0])
    with code.loop(0, depth, carry=[number for row in sums for number in row]) as loop:
        place = right + loop.index * right_step
        columns = [(place + vector * code.machine.width).vector() for vector in range(vectors)]
        begin = left_row(loop.index) + column
        loop.next = []
        for row in range(rows):
            value = (begin + row).spread()
            loop.next += [
                multiply(value, column_vector, loop.carried[row * vectors + index])
                for index, column_vector in enumerate(columns)
            ]
    return [loop.carried[row * vectors : (row + 1) * vectors] for row in range(rows)]
