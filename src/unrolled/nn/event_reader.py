"""The input layer of events: the item's vector, what else the event was like, and what the user's habits suggest."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.nn.inputs import InputLayer
from unrolled.nn.item_vectors import ItemVectors
from unrolled.ragged import Ragged

ITEM = "item"  # the input: what the event before each step was about
# a table that scores must start small, a row's variance 1 / D; what is read should start with 1: this is half-way
READ_SCALE = 0.25


class EventReader(nn.Module):
    """Joins everything that is read of an event side by side.

    Args:
        vectors: of the items.
        columns: the input layer of the events' other columns; None without any.
        recalled: names of further inputs that hold items.
        dropout: share of values zeroed in training.

    Attributes:
        size: features of one step, F.
        names: the inputs that are read.

    Example:
        >>> reader = EventReader(ItemVectors(9, 4))
        >>> reader(Batch({"item": Ragged(torch.tensor([10, 3]), [2])})).values.shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        vectors: ItemVectors,
        columns: InputLayer | None = None,
        recalled: Sequence[str] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.vectors, self.columns, self.recalled = vectors, columns, tuple(recalled)
        self.dropout = nn.Dropout(dropout)
        self.size = vectors.width * (1 + len(self.recalled)) + (0 if columns is None else columns.size)
        self.names = [ITEM, *self.recalled, *([] if columns is None else columns.names)]

    def items(self, batch: Batch) -> Tensor:
        """All items that are read: those of the events, then what is recalled, (R * N,)."""
        found = [batch.inputs[name] for name in (ITEM, *self.recalled)]
        return torch.cat([column.values for column in found if isinstance(column, Ragged)])

    def parts(self, looked: Tensor) -> Tensor:
        """Vectors of all items that are read, by what they stand for: (R * N, D) to (R, N, D)."""
        return looked.view(1 + len(self.recalled), -1, self.vectors.width)

    def forward(self, batch: Batch, looked: Tensor | None = None) -> Ragged:
        """One vector for each event, (N, F).

        Args:
            batch: its inputs are read.
            looked: vectors of `items(batch)`, where somebody looked them up already.
        """
        known = self.vectors(self.items(batch)) if looked is None else looked
        values = [*(self.parts(known) * self.vectors.width**READ_SCALE)]
        if self.columns is not None:
            values.append(self.columns(batch).values)
        return Ragged(self.dropout(torch.cat(values, 1)), batch.lengths)
