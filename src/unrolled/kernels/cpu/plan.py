"""How a cell's units are laid out for the tiles."""

from dataclasses import dataclass, replace

from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.pointwise.base import Pointwise, Rowwise, has_projection
from unrolled.kernels.cpu.row import TAIL


@dataclass(frozen=True)
class Plan:
    """The layout of one cell on one machine.

    Units go into groups of `panels` vectors; a group's slots lie together, so that one tile holds every sum that a
    unit needs. A cell of one slot takes several vectors of units into a group, to fill the tile's registers.

    Args:
        cell: what happens between the products.
        machine: the processor.
        panels: vectors of units in a group; above 1 only for a cell of one slot.
        pairs: products in bfloat16, two terms in a word; sums and states stay float32.
        drops: the recurrent product reads hidden states dropped in part.
        zones: a share of each state stays as it was.
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
        """The plan for so many units."""
        vectors = -(-hidden_size // machine.width)
        panels = 1 if cell.slots > 1 else min(machine.product_vectors, vectors)
        return Plan(cell, machine, panels, pairs, drops, zones)

    def terms(self, size: int) -> int:
        """Words in which so many terms of a product lie."""
        return -(-size // 2) if self.pairs else size

    def stride(self, size: int) -> int:
        """Words from one left row of so many terms to the next; pairs fill whole vectors."""
        return -(-self.terms(size) // self.machine.width) * self.machine.width if self.pairs else size

    def padded(self, hidden_size: int) -> int:
        """Units rounded up to whole groups."""
        return -(-hidden_size // self.units) * self.units

    @property
    def units(self) -> int:
        """Units of a group."""
        return self.panels * self.machine.width

    @property
    def vectors(self) -> int:
        """Vectors of a group's slots."""
        return self.panels * self.cell.slots

    @property
    def width(self) -> int:
        """float32 values of a group's slots."""
        return self.vectors * self.machine.width

    @property
    def projected(self) -> bool:
        """Whether a product stands between the units and what they show."""
        return has_projection(self.cell)

    @property
    def unpaired(self) -> "Plan":
        """The same with products in float32, as those of a projection always are: they are few."""
        return replace(self, pairs=False)

    @property
    def copies_hidden(self) -> bool:
        """Whether the hidden state is also written in bfloat16, or dropped in part, for the next step's product."""
        return (self.pairs or self.drops) and self.recurrent_vectors > 0

    @property
    def fields(self) -> int:
        """Fields of the state."""
        return 2 if self.cell.has_cell else 1

    @property
    def tail(self) -> int:
        """float32 values of a row behind its slots."""
        return TAIL if isinstance(self.cell, Rowwise) else 0

    @property
    def input_vectors(self) -> int:
        """Vectors of a group that the input product fills."""
        return self.panels * len(self.cell.input_gates)

    @property
    def recurrent_vectors(self) -> int:
        """Vectors of a group that the recurrent product adds to."""
        return self.panels * len(self.cell.recurrent_gates)

    @property
    def recurrent_start(self) -> int:
        """The first vector of a group that the recurrent product adds to."""
        return self.vectors - self.recurrent_vectors
