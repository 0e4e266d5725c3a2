"""The memory layout of a cell's units for the tiles."""

from dataclasses import dataclass, replace

from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.pointwise.base import Pointwise, Rowwise, has_projection
from unrolled.kernels.cpu.row import TAIL


@dataclass(frozen=True)
class Plan:
    """The layout of one cell on one machine.

    Units are in groups of `panels` vectors; a group's slots are contiguous, so that one tile holds every sum of a unit.
    A cell of one slot has several vectors of units in a group, to fill the tile's registers.

    Args:
        cell: the arithmetic between the products.
        machine: the processor.
        panels: vectors of units in a group; above 1 only for a cell of one slot.
        pairs: products in bfloat16, two terms in a word; sums and states stay float32.
        drops: with recurrent dropout.
        zones: with zoneout.
    """

    cell: Pointwise | Rowwise
    machine: Machine
    panels: int
    pairs: bool = False
    drops: bool = False
    zones: bool = False

    @staticmethod
    def of(
        cell: Pointwise | Rowwise,
        machine: Machine,
        hidden_size: int,
        pairs: bool = False,
        drops: bool = False,
        zones: bool = False,
    ) -> "Plan":
        """Make the plan for a number of units."""
        vectors = -(-hidden_size // machine.width)
        panels = 1 if cell.slots > 1 else min(machine.product_vectors, vectors)
        return Plan(cell, machine, panels, pairs, drops, zones)

    def terms(self, size: int) -> int:
        """Return the number of words of `size` terms of a product."""
        return -(-size // 2) if self.pairs else size

    def stride(self, size: int) -> int:
        """Return the words from one left row of `size` terms to the next; pairs fill whole vectors."""
        return -(-self.terms(size) // self.machine.width) * self.machine.width if self.pairs else size

    def padded(self, hidden_size: int) -> int:
        """Round a number of units up to whole groups."""
        return -(-hidden_size // self.units) * self.units

    @property
    def units(self) -> int:
        """Number of units of a group."""
        return self.panels * self.machine.width

    @property
    def vectors(self) -> int:
        """Number of vectors of a group's slots."""
        return self.panels * self.cell.slots

    @property
    def width(self) -> int:
        """Number of float32 values of a group's slots."""
        return self.vectors * self.machine.width

    @property
    def projected(self) -> bool:
        """Whether outputs are projections of the units."""
        return has_projection(self.cell)

    @property
    def unpaired(self) -> "Plan":
        """The same plan with products in float32, as for a projection, which has few."""
        return replace(self, pairs=False)

    @property
    def copies_hidden(self) -> bool:
        """Whether the hidden state is also written in bfloat16, or with dropout, for the next step's product."""
        return (self.pairs or self.drops) and self.recurrent_vectors > 0

    @property
    def fields(self) -> int:
        """Number of fields of the state."""
        return 2 if self.cell.has_cell else 1

    @property
    def tail(self) -> int:
        """Number of float32 values of a row after its slots."""
        return TAIL if isinstance(self.cell, Rowwise) else 0

    @property
    def input_vectors(self) -> int:
        """Number of vectors of a group that the input product fills."""
        return self.panels * len(self.cell.input_gates)

    @property
    def recurrent_vectors(self) -> int:
        """Number of vectors of a group that the recurrent product adds to."""
        return self.panels * len(self.cell.recurrent_gates)

    @property
    def recurrent_start(self) -> int:
        """First vector of a group that the recurrent product adds to."""
        return self.vectors - self.recurrent_vectors
