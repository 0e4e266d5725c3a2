"""bfloat16 in pairs: two neighbouring terms of a product in one 32-bit word.

The processor multiplies both halves of every word of two vectors and adds them to a float32 sum, in one instruction.
Words are stored as the bits of float32 values; only `dot` computes on them.
"""

from typing import Any

from llvmlite import ir

from unrolled.kernels.cpu.emit import INT32, Code, Number, Pointer, constant


class BFloat(ir.Type):
    """LLVM's bfloat type, which llvmlite lacks."""

    def __str__(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


def dot(code: Code, left: Number, right: Number, added: Number) -> Number:
    """Multiply both terms of every word and add them to a float32 vector."""
    words = ir.VectorType(BFloat(), 2 * code.machine.width)
    name = "llvm.x86.avx512bf16.dpbf16ps.512"
    known = code.module.globals.get(name)
    kind = ir.FunctionType(code.vector_type, [code.vector_type, words, words])
    function = known or ir.Function(code.module, kind, name)
    sides = [code.builder.bitcast(side.value, words) for side in (left, right)]
    return Number(code, code.builder.call(function, [added.value, *sides]))


def store_narrow(number: Number, place: Pointer) -> None:
    """Write a vector or a single value as bfloat16, rounded to the nearest; it takes half the space."""
    number.code.builder.store(_narrowed(number), place.value, align=2)


def joined(first: Number, second: Number | None) -> Number:
    """Join the elements of two vectors to words, rounded to bfloat16; without a second one its half is zero."""
    code, whole = first.code, ir.VectorType(INT32, first.code.machine.width)
    build, bits = code.builder, ir.VectorType(ir.IntType(16), code.machine.width)

    def word(number: Number) -> Any:
        return build.zext(build.bitcast(_narrowed(number), bits), whole)

    words = word(first)
    if second is not None:
        words = build.or_(words, build.shl(word(second), constant(whole, 16)))
    return Number(code, build.bitcast(words, code.vector_type))


def crossed(first: Number, second: Number | None) -> tuple[Number, Number]:
    """Convert two rows' words of columns (0, 1), (2, 3), ... to words of both rows for columns 0, 1, 2, ..."""
    code, width = first.code, first.code.machine.width
    build, whole = code.builder, ir.VectorType(INT32, width)
    low, high = constant(whole, 0xFFFF), constant(whole, 0xFFFF0000)
    rows = [build.bitcast(row.value, whole) if row is not None else constant(whole, 0) for row in (first, second)]
    even = build.or_(build.and_(rows[0], low), build.shl(rows[1], constant(whole, 16)))
    odd = build.or_(build.lshr(rows[0], constant(whole, 16)), build.and_(rows[1], high))

    def merged(start: int) -> Number:
        order = [lane + side for lane in range(start, start + width // 2) for side in (0, width)]
        mixed = build.shuffle_vector(even, odd, ir.Constant(whole, order))
        return Number(code, build.bitcast(mixed, code.vector_type))

    return merged(0), merged(width // 2)


def _narrowed(number: Number) -> Any:
    vector = isinstance(number.value.type, ir.VectorType)
    kind = ir.VectorType(BFloat(), number.code.machine.width) if vector else BFloat()
    return number.code.builder.fptrunc(number.value, kind)
