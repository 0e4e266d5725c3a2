"""The arguments of the compiled forward and backward pass: one table of names and kinds for both sides of a call.

Python turns named values into 64-bit integers (`addresses`); the machine code reads them by the same names (`Given`).
Sizes are in float32 values, letters as in `shapes`: N steps of all sequences, B sequences, C those of one chunk.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.kernels.cpu.emit import Code, Number, Pointer


class Kind(Enum):
    """What an argument is: a number itself, or the address of values of one type."""

    size = "a whole number"
    integers = "memory of int64"
    floats = "memory of float32"
    terms = "memory of float32 or bfloat16"


_TYPES = {
    Kind.size: frozenset(),
    Kind.integers: frozenset([torch.int64, np.dtype(np.int64)]),
    Kind.floats: frozenset([torch.float32, np.dtype(np.float32)]),
    Kind.terms: frozenset([torch.float32, torch.bfloat16, np.dtype(np.float32)]),
}
_FORWARD, _BACKWARD = "forward", "backward"
_BOTH = (_FORWARD, _BACKWARD)


# ruff: noqa: PIE796 - members with equal kinds differ: `__new__` numbers them
class Argument(Enum):
    """The arguments by name, in the order in which they are passed; an optional address may be 0."""

    blocks = (Kind.integers, _BOTH)  # steps at which each block begins, then the last step
    num_blocks = (Kind.size, _BOTH)
    offsets = (Kind.integers, _BOTH)  # see `rows`
    firsts = (Kind.integers, _BOTH)
    table = (Kind.integers, _BOTH)  # space for addresses and keys of a block's rows, see `Table`
    table_rows = (Kind.size, _BOTH)
    groups = (Kind.size, _BOTH)
    input_terms = (Kind.size, (_FORWARD,))  # of the input product, see `Plan.terms`
    input_size = (Kind.size, (_BACKWARD,))
    input_stride = (Kind.size, _BOTH)
    recurrent_terms = (Kind.size, (_FORWARD,))
    left_stride = (Kind.size, _BOTH)
    hidden_size = (Kind.size, _BOTH)
    padded_size = (Kind.size, _BOTH)  # values of a row of units
    shown_size = (Kind.size, _BOTH)  # values of a row of outputs: the same, except with a projection
    output_size = (Kind.size, (_BACKWARD,))  # outputs of a row, without padding
    inputs = (Kind.terms, _BOTH)  # (N, input_stride)
    outputs = (Kind.floats, _BOTH)  # (N, shown_size)
    sequences = (Kind.integers, _BOTH)  # (C,) indices of the chunk's sequences among all B
    lengths = (Kind.integers, (_FORWARD,), True)  # (C,)
    hidden = (Kind.floats, _BOTH)  # (B, shown_size) before the first step
    left = (Kind.terms, _BOTH)  # (N, left_stride) read by the recurrent product: `outputs`, or a copy of them
    left_hidden = (Kind.terms, _BOTH)  # (B, left_stride), likewise of `hidden`
    gates = (Kind.floats, _BOTH)  # (rows, groups, slots); backward turns what forward kept into gradients of the sums
    cells = (Kind.floats, _BOTH)  # training: (C + rows, padded_size), first those before step 0; inference: (C, ...)
    num_sequences = (Kind.size, _BOTH)  # C
    first_cells = (Kind.floats, (_FORWARD,), True)  # (B, padded_size) before the first step, unless `cells` has them
    last_hidden = (Kind.floats, (_FORWARD,), True)  # (B, shown_size) after each sequence's last step
    last_cells = (Kind.floats, (_FORWARD,), True)  # (B, padded_size), likewise
    bias = (Kind.floats, (_FORWARD,))  # (groups, slots)
    d_outputs = (Kind.floats, (_BACKWARD,))  # (N, shown_size)
    d_hidden = (Kind.floats, (_BACKWARD,))  # (B, shown_size) of the last state in, of the first state out
    d_cells = (Kind.floats, (_BACKWARD,), True)  # (B, padded_size), likewise
    d_inputs = (Kind.floats, (_BACKWARD,), True)  # (N, padded_inputs)
    padded_inputs = (Kind.size, (_BACKWARD,))
    input_weights = (Kind.floats, _BOTH)  # forward `along_units`, backward `along_depth`, see `packing`
    recurrent_weights = (Kind.floats, _BOTH, True)  # likewise; none without a recurrent product
    d_input_weights = (Kind.floats, (_BACKWARD,))  # (groups, input_size, input slots), added to
    d_recurrent_weights = (Kind.floats, (_BACKWARD,))  # (groups, hidden_size, recurrent slots), added to
    d_bias = (Kind.floats, (_BACKWARD,))  # (groups, slots), added to
    own = (Kind.floats, _BOTH)  # (groups * panels, own numbers, width)
    d_own = (Kind.floats, (_BACKWARD,))  # as own, added to
    narrow = (Kind.floats, (_BACKWARD,), True)  # pairs: a block's slots in bfloat16, (block rows, groups, slots)
    left_pairs = (Kind.floats, (_BACKWARD,), True)  # pairs: space for `pair_left`, (block rows / 2, 2 * longer stride)
    slot_pairs = (Kind.floats, (_BACKWARD,), True)  # pairs: (block rows / 2, groups, slots) words
    raw = (Kind.floats, _BOTH)  # hidden states before a projection, (rows, padded_size), as many rows as gates
    d_raw = (Kind.floats, (_BACKWARD,))  # space for a block of their gradients, (block rows, padded_size)
    d_shown = (Kind.floats, (_BACKWARD,))  # space for a block of gradients of the outputs, (block rows, shown_size)
    projection = (
        Kind.floats,
        _BOTH,
        True,
    )  # forward: (columns of outputs / tile, padded_size, tile); backward: of units
    d_projection = (Kind.floats, (_BACKWARD,))  # (groups, output_size, units), added to
    row_keys = (Kind.integers, _BOTH, True)  # (N,) of 64 bits, see `draws`
    unit_keys = (Kind.floats, _BOTH, True)  # words, (fields of the state, padded_size)
    shared = (Kind.floats, _BOTH, True)
    factors = (Kind.floats, _BOTH, True)  # (C, padded_size)
    d_left = (Kind.floats, (_BACKWARD,))  # (B, shown_size) zeros in; the gradient of the first product's input out

    kind: Kind
    passes: tuple[str, ...]
    optional: bool
    types: frozenset[Any]  # of its values in memory

    __hash__ = object.__hash__  # that of an enumeration is as slow as the whole look-up

    def __new__(cls, kind: Kind, passes: tuple[str, ...], optional: bool = False) -> "Argument":
        """Give each member its own value: its place in the table."""
        member = object.__new__(cls)
        member._value_ = len(cls.__members__)
        member.kind, member.passes, member.optional, member.types = kind, passes, optional, _TYPES[kind]
        return member


FORWARD = tuple(one for one in Argument if _FORWARD in one.passes)
BACKWARD = tuple(one for one in Argument if _BACKWARD in one.passes)


class KnownAddress(NamedTuple):
    """An address that is taken once and passed often.

    Args:
        kind: of the values there.
        address: of the first one.
    """

    kind: Kind
    address: int


def place_of(integers: NDArray[np.int64]) -> KnownAddress:
    """Return the place of an array; taking an address costs about a microsecond."""
    return KnownAddress(Kind.integers, integers.ctypes.data)


Value = Tensor | NDArray[Any] | KnownAddress | int | None


def addresses(arguments: Sequence[Argument], given: Mapping[Argument, Value]) -> list[int]:
    """Turn named values into the 64-bit integers of a call; the memory must outlive the call.

    Args:
        arguments: of the pass, `FORWARD` or `BACKWARD`.
        given: a value for each of them: a number, or memory of the declared kind; None where there is none.

    Raises:
        TypeError: a value of another kind than declared, at which the machine code would read other memory.

    Example:
        >>> addresses([Argument.groups, Argument.lengths], {Argument.groups: 2, Argument.lengths: None})
        [2, 0]
    """
    return [_word(argument, given[argument]) for argument in arguments]


def _word(argument: Argument, value: Value) -> int:
    if isinstance(value, Tensor):
        if value.dtype in argument.types:
            return value.data_ptr()
    elif isinstance(value, int):
        if argument.kind is Kind.size:
            return value
    elif value is None:
        if argument.optional:
            return 0
    elif isinstance(value, KnownAddress):
        if value.kind is argument.kind:
            return value.address
    elif isinstance(value, np.ndarray) and value.dtype in argument.types:
        return value.ctypes.data
    received = f"memory of {value.dtype}" if isinstance(value, Tensor | np.ndarray) else repr(value)
    raise TypeError(f"kernel argument {argument.name}: expected {argument.kind.value}, received {received}")


class Given:
    """The arguments of a pass, as its machine code reads them.

    Args:
        code: the function `kernel`, whose only argument is the address of the integers from `addresses`.
        arguments: of the pass.
    """

    def __init__(self, code: Code, arguments: Sequence[Argument]) -> None:
        start = code.pointer(code.arguments[0])
        self._words = {argument: start.entry(place) for place, argument in enumerate(arguments)}
        self._places = {
            argument: code.pointer(word) for argument, word in self._words.items() if argument.kind is not Kind.size
        }

    def size(self, argument: Argument) -> Number:
        """Return a number."""
        assert argument.kind is Kind.size
        return self._words[argument]

    def at(self, argument: Argument) -> Pointer:
        """Return where an argument's values begin."""
        return self._places[argument]

    def address(self, argument: Argument) -> Number:
        """Return the same as a number; 0 where there are none."""
        assert argument.kind is not Kind.size
        return self._words[argument]
