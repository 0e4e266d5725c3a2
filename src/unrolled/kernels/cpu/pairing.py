"""Passes over a block of rows that convert float32 slots and bfloat16 rows to the words that a product reads."""

from collections.abc import Callable

from llvmlite import ir

from unrolled.kernels.cpu.emit import Code, Number
from unrolled.kernels.cpu.pairs import crossed, joined, store_narrow
from unrolled.kernels.cpu.plan import Plan


class Pairing:
    """The three conversions of a backward pass whose products are in pairs.

    Args:
        module: where they go.
        plan: the cell's layout.
    """

    def __init__(self, module: ir.Module, plan: Plan) -> None:
        self.narrow = narrow_rows(module, plan)
        self.slots = pair_slots(module, plan)
        self.left = pair_left(module, plan)


def narrow_rows(module: ir.Module, plan: Plan) -> Code:
    """Write the conversion to bfloat16 for products along the slots: (slots, rows, row width, into, groups)."""
    code = Code(module, plan.machine, "narrow_rows", 5)
    slots, rows, row_width, into, groups = code.arguments
    slots, into = code.pointer(slots), code.pointer(into)
    vectors, width = groups * plan.vectors, plan.machine.width
    with code.loop(0, rows) as row, code.loop(0, vectors) as vector:
        source = slots + row.index * row_width + vector.index * width
        store_narrow(source.vector(), into + (row.index * vectors + vector.index) * (width // 2))
    code.done()
    return code


def pair_slots(module: ir.Module, plan: Plan) -> Code:
    """Write the pairing of slots of two rows in one row of words, for products along the rows; as `narrow_rows`."""
    code = Code(module, plan.machine, "pair_slots", 5)
    slots, rows, row_width, into, groups = code.arguments
    slots, into, width = code.pointer(slots), code.pointer(into), plan.machine.width

    def pair(number: Number, both: bool) -> None:
        first = slots + number * 2 * row_width
        with code.loop(0, groups * plan.vectors) as vector:
            at = vector.index * width
            second = (first + row_width + at).vector() if both else None
            (into + number * groups * plan.width + at).store(joined((first + at).vector(), second))

    _two_by_two(code, rows, pair)
    code.done()
    return code


def pair_left(module: ir.Module, plan: Plan) -> Code:
    """Write the pairing of bfloat16 rows, anywhere in memory, in rows of words: (table, rows, words of a row, into)."""
    code = Code(module, plan.machine, "pair_left", 4)
    table, rows, words, into = code.arguments
    table, into, width = code.pointer(table), code.pointer(into), plan.machine.width

    def pair(number: Number, both: bool) -> None:
        first = code.pointer(table.entry(number * 2))
        second = code.pointer(table.entry(number * 2 + 1)) if both else None
        with code.loop(0, words, width) as place:
            target = into + (number * words + place.index) * 2
            other = None if second is None else (second + place.index).vector()
            for index, vector in enumerate(crossed((first + place.index).vector(), other)):
                (target + index * width).store(vector)

    _two_by_two(code, rows, pair)
    code.done()
    return code


def _two_by_two(code: Code, rows: Number, pair: Callable[[Number, bool], None]) -> None:
    """Visit pairs of rows, then a single last row."""
    pairs = rows // 2
    with code.loop(0, pairs) as loop:
        pair(loop.index, True)
    with code.when((rows - pairs * 2).compare("==", 1)):
        pair(pairs, False)
