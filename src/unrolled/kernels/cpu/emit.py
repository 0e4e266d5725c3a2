"""Writing machine code readably: numbers with operators, pointers and loops over LLVM's builder.

A kernel is a Python function that writes one LLVM function. Arithmetic on a `Number` emits
the instruction; Python's own loops unroll, `Code.loop` loops at run time.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from unrolled.kernels.cpu.machine import Machine

FLOAT, INT32, INT64, POINTER = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.PointerType()
BYTES = 4  # of a float32
CONTRACT = ("contract",)  # a product and a sum may become one fused instruction; nothing else is reordered


class Number:
    """An integer, a float, or a vector of floats at run time."""

    __slots__ = ("code", "value")

    def __init__(self, code: "Code", value: Any) -> None:
        self.code, self.value = code, value

    @property
    def _float(self) -> bool:
        kind = self.value.type
        return isinstance(kind.element if isinstance(kind, ir.VectorType) else kind, ir.FloatType)

    def _other(self, other: Any) -> Any:
        return other.value if isinstance(other, Number) else constant(self.value.type, other)

    def _binary(self, real: str, integer: str, other: Any, swap: bool = False) -> "Number":
        sides = (self._other(other), self.value) if swap else (self.value, self._other(other))
        build = self.code.builder
        if self._float:
            return Number(self.code, getattr(build, real)(*sides, flags=CONTRACT))
        return Number(self.code, getattr(build, integer)(*sides))

    def __add__(self, other: Any) -> "Number":
        return self._binary("fadd", "add", other)

    def __sub__(self, other: Any) -> "Number":
        return self._binary("fsub", "sub", other)

    def __mul__(self, other: Any) -> "Number":
        return self._binary("fmul", "mul", other)

    def __truediv__(self, other: Any) -> "Number":
        return self._binary("fdiv", "sdiv", other)

    __floordiv__ = __truediv__

    def __mod__(self, other: Any) -> "Number":
        """Emit the remainder of non-negative integers."""
        return Number(self.code, self.code.builder.srem(self.value, self._other(other)))

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> "Number":
        return self._binary("fsub", "sub", other, swap=True)

    def __rtruediv__(self, other: Any) -> "Number":
        return self._binary("fdiv", "sdiv", other, swap=True)

    def __neg__(self) -> "Number":
        return self * -1

    def first(self) -> "Number":
        """Emit the first element of a vector."""
        return Number(self.code, self.code.builder.extract_element(self.value, ir.Constant(INT32, 0)))

    def compare(self, sign: str, other: Any) -> "Number":
        """Emit a comparison of each element; a comparison with NaN is false."""
        build = self.code.builder
        test = build.fcmp_ordered if self._float else build.icmp_signed
        return Number(self.code, test(sign, self.value, self._other(other)))

    def magnitude(self) -> "Number":
        """Emit the absolute value; NaN stays NaN."""
        return self.code.choose(self.compare("<", 0.0), -self, self)

    def negated(self) -> "Number":
        """Emit the negation of a truth value."""
        return Number(self.code, self.code.builder.not_(self.value))

    def at_least(self, bound: Any) -> "Number":
        """Emit the larger of two numbers; NaN stays NaN."""
        return self._select("<", bound)

    def at_most(self, bound: Any) -> "Number":
        """Emit the smaller of two numbers; NaN stays NaN."""
        return self._select(">", bound)

    def _select(self, sign: str, bound: Any) -> "Number":
        return self.code.choose(self.compare(sign, bound), Number(self.code, self._other(bound)), self)


class Pointer:
    """A place in memory, counted in float32 values."""

    __slots__ = ("code", "value")

    def __init__(self, code: "Code", value: Any) -> None:
        self.code, self.value = code, value

    def __add__(self, floats: Any) -> "Pointer":
        index = self.code.integer(floats).value
        return Pointer(self.code, self.code.builder.gep(self.value, [index], source_etype=FLOAT))

    def vector(self) -> Number:
        """Load the vector stored here."""
        return Number(self.code, self.code.builder.load(self.value, typ=self.code.vector_type, align=BYTES))

    def spread(self) -> Number:
        """Load the single value stored here into every element of a vector."""
        return self.code.spread(self.single().value)

    def single(self) -> Number:
        """Load the single value stored here."""
        return Number(self.code, self.code.builder.load(self.value, typ=FLOAT, align=BYTES))

    def halfword(self, index: Any) -> "Pointer":
        """Return the place of the index-th two bytes from here on."""
        place = self.code.builder.gep(self.value, [self.code.integer(index).value], source_etype=ir.IntType(16))
        return Pointer(self.code, place)

    def store(self, number: Number) -> None:
        """Write a vector or a single value here."""
        self.code.builder.store(number.value, self.value, align=BYTES)

    def entry(self, index: Any) -> Number:
        """Load the index-th 64-bit integer from here on."""
        place = self.code.builder.gep(self.value, [self.code.integer(index).value], source_etype=INT64)
        return Number(self.code, self.code.builder.load(place, typ=INT64, align=8))

    def set_entry(self, index: Any, number: Number) -> None:
        """Write the index-th 64-bit integer from here on."""
        place = self.code.builder.gep(self.value, [self.code.integer(index).value], source_etype=INT64)
        self.code.builder.store(number.value, place, align=8)

    @property
    def address(self) -> Number:
        """This place as an integer."""
        return Number(self.code, self.code.builder.ptrtoint(self.value, INT64))


class Loop:
    """A running loop: its index, and values carried from one turn to the next."""

    __slots__ = ("carried", "index", "next")

    def __init__(self, index: Number, carried: list[Number]) -> None:
        self.index, self.carried, self.next = index, carried, carried


class Code:
    """The body of one function.

    Args:
        module: where the function goes.
        machine: gives the width of vectors.
        name: of the function.
        arguments: number of its arguments, 64-bit integers or pointers.
        internal: callable from this module only.
    """

    def __init__(self, module: ir.Module, machine: Machine, name: str, arguments: int, internal: bool = True) -> None:
        kind = ir.FunctionType(ir.VoidType(), [INT64] * arguments)
        self.module, self.machine = module, machine
        self.function = ir.Function(module, kind, name)
        self.function.attributes.add("nounwind")
        if internal:
            self.function.linkage = "internal"
            self.function.attributes.add("noinline")
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.vector_type = ir.VectorType(FLOAT, machine.width)
        self.arguments = [Number(self, argument) for argument in self.function.args]

    def integer(self, value: Any) -> Number:
        """Convert a Python integer to a 64-bit integer; leave others unchanged."""
        return value if isinstance(value, Number) else Number(self, ir.Constant(INT64, value))

    def number(self, value: float) -> Number:
        """Make a vector with the same value everywhere."""
        return Number(self, constant(self.vector_type, value))

    def single(self, value: float) -> Number:
        """Make a single value, not in a vector."""
        return Number(self, constant(FLOAT, value))

    def pointer(self, address: Number) -> Pointer:
        """Return the place with this address."""
        return Pointer(self, self.builder.inttoptr(address.value, POINTER))

    def spread(self, scalar: Any) -> Number:
        """Copy a scalar to every element of a vector."""
        width = self.machine.width
        undefined = ir.Constant(ir.VectorType(scalar.type, width), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
        mask = ir.Constant(ir.VectorType(INT32, width), [0] * width)
        return Number(self, self.builder.shuffle_vector(first, undefined, mask))

    def spread_integer(self, number: Number) -> Number:
        """Copy an integer as a float to every element of a vector."""
        return self.spread(self.builder.sitofp(number.value, FLOAT))

    def total(self, number: Number) -> Number:
        """Emit the sum of a vector's elements, in every element; always added in the same order."""
        width = self.machine.width
        distance = width // 2
        while distance:
            number = number + self.shuffled(number, number, [lane ^ distance for lane in range(width)])
            distance //= 2
        return number

    def shuffled(self, first: Number, second: Number, places: Sequence[int]) -> Number:
        """Emit a vector of elements from places of two vectors; those of the second follow those of the first."""
        mask = ir.Constant(ir.VectorType(INT32, len(places)), list(places))
        return Number(self, self.builder.shuffle_vector(first.value, second.value, mask))

    def lanes_below(self, count: Number) -> Number:
        """Emit a truth value for each element: whether its place is below the count."""
        width = self.machine.width
        lanes = ir.Constant(ir.VectorType(INT64, width), list(range(width)))
        return Number(self, self.builder.icmp_signed("<", lanes, self.spread(count.value).value))

    def root(self, number: Number) -> Number:
        """Emit the square root."""
        return self._intrinsic("sqrt", number)

    def fused(self, left: Number, right: Number, added: Number) -> Number:
        """Emit left * right + added, in one instruction where the machine has it."""
        return self._intrinsic("fmuladd", left, right, added)

    def choose(self, condition: Number, yes: Number, no: Number) -> Number:
        """Emit the choice of one of two numbers."""
        return Number(self, self.builder.select(condition.value, yes.value, no.value))

    def call(self, function: "Code", *arguments: Any) -> None:
        """Call another function of the module."""
        self.builder.call(function.function, [self.integer(argument).value for argument in arguments])

    @contextmanager
    def when(self, condition: Number) -> Generator[None]:
        """Emit the body so that it runs only if the condition holds."""
        with self.builder.if_then(condition.value):
            yield

    @contextmanager
    def loop(self, start: Any, stop: Any, step: Any = 1, carry: Sequence[Number] = ()) -> Generator[Loop]:
        """Emit a loop that runs the body for every index from start up to stop.

        The body reads `carried` and sets `next`; after the loop `carried` holds the last values.
        """
        build = self.builder
        before, head = build.block, build.append_basic_block("head")
        body, after = build.append_basic_block("body"), build.append_basic_block("after")
        first = self.integer(start).value
        build.branch(head)
        build.position_at_end(head)
        index = build.phi(INT64)
        index.add_incoming(first, before)
        phis = [build.phi(number.value.type) for number in carry]
        for phi, number in zip(phis, carry, strict=True):
            phi.add_incoming(number.value, before)
        build.cbranch(build.icmp_signed("<", index, self.integer(stop).value), body, after)
        build.position_at_end(body)
        loop = Loop(Number(self, index), [Number(self, phi) for phi in phis])
        yield loop
        index.add_incoming(build.add(index, self.integer(step).value), build.block)
        for phi, number in zip(phis, loop.next, strict=True):
            phi.add_incoming(number.value, build.block)
        build.branch(head)
        build.position_at_end(after)

    def _intrinsic(self, operation: str, *numbers: Number) -> Number:
        """Emit an LLVM intrinsic on vectors of float32."""
        kind, name = self.vector_type, f"llvm.{operation}.v{self.machine.width}f32"
        known = self.module.globals.get(name)
        function = known or ir.Function(self.module, ir.FunctionType(kind, [kind] * len(numbers)), name)
        return Number(self, self.builder.call(function, [number.value for number in numbers]))

    def done(self) -> None:
        """End the function."""
        self.builder.ret_void()


def constant(kind: ir.Type, value: float) -> ir.Constant:
    """Make a constant of this type, in every element of a vector."""
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [constant(kind.element, value)] * kind.count)
    return ir.Constant(kind, float(value) if isinstance(kind, ir.FloatType) else int(value))
