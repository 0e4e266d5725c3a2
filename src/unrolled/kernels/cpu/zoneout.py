"""Zoneout between a step's arithmetic and its states: the draws of `kernels.noise` in vectors of 32-bit words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from unrolled.kernels.cpu.emit import INT32, Code, Number, Pointer, constant
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise
from unrolled.kernels.noise import LAST_SHIFT, ROUNDS

HIDDEN, CELL = 0, 1  # fields of the state
BELOW, IF_BELOW, IF_NOT = 0, 1, 2  # places of shared numbers: a word, the kept share below it, and above it


@dataclass(frozen=True, eq=False)
class Zoneout:
    """Zoneout of one row.

    Args:
        code: where to write.
        key: of the row, see `Noise.row_keys`.
        units: keys of the hidden state's units, then of the cell's.
        stride: units of one field.
        shared: the numbers that all draws share.
    """

    code: Code
    key: Number
    units: Pointer
    stride: Number
    shared: Pointer

    def forward(
        self, unit: Number, hidden_before: Number, hidden: Number, cell_before: Number, cell: Number | None
    ) -> tuple[Number, Number | None]:
        """Return the states of a vector of units after zoneout."""
        hidden = self._mixed(HIDDEN, unit, hidden_before, hidden)
        return hidden, None if cell is None else self._mixed(CELL, unit, cell_before, cell)

    def backward(
        self, pointwise: Pointwise, unit: Number, kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number
    ) -> Back:
        """Run the cell's backward pass; the gradient of kept values bypasses the cell."""
        stayed = self._stayed(HIDDEN, unit)
        d_hidden, past = (1 - stayed) * d_hidden, stayed * d_hidden
        if not pointwise.has_cell:
            found = pointwise.backward(kept, at, d_hidden, d_cell)
            return found._replace(hidden=_sum(found.hidden, past))
        stayed = self._stayed(CELL, unit)
        if pointwise.new_cell is not None:  # the state after the step has zoneout
            at = at._replace(cell=pointwise.new_cell(kept, at.cell_before))
        found = pointwise.backward(kept, at, d_hidden, (1 - stayed) * d_cell)
        return found._replace(hidden=_sum(found.hidden, past), cell=_sum(found.cell, stayed * d_cell))

    def _mixed(self, field: int, unit: Number, before: Number, after: Number) -> Number:
        stayed = self._stayed(field, unit)
        return stayed * before + (1 - stayed) * after

    def _stayed(self, field: int, unit: Number) -> Number:
        """Return the kept shares, as `Noise.kept_shares`."""
        build, whole = self.code.builder, ir.VectorType(INT32, self.code.machine.width)
        key = self.code.spread(build.trunc(self.key.value, INT32)).value
        words = build.xor(key, build.bitcast((self.units + self.stride * field + unit).vector().value, whole))
        below = build.bitcast((self.shared + BELOW).spread().value, whole)
        drawn = Number(self.code, build.icmp_unsigned("<", _finalised(build, words), below))
        return self.code.choose(drawn, (self.shared + IF_BELOW).spread(), (self.shared + IF_NOT).spread())


def _finalised(build: ir.IRBuilder, words: Any) -> Any:
    """Mix words, as `noise.finalised`."""
    kind = words.type
    for shift, factor in ROUNDS:
        words = build.mul(build.xor(words, build.lshr(words, constant(kind, shift))), constant(kind, factor))
    return build.xor(words, build.lshr(words, constant(kind, LAST_SHIFT)))


def _sum(gradient: Number | None, past: Number) -> Number:
    return past if gradient is None else gradient + past
