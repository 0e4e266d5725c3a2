"""The input layer of events: the item's vector, the other columns, and items recalled from the user's history."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.nn.inputs import InputLayer
from unrolled.nn.item_vectors import ItemVectors
from unrolled.ragged import Ragged

ITEM = "item"  # name of the input: item of the event before each step
# a table that scores needs a small initial variance, 1 / D per row, an input needs 1: this is a compromise
READ_SCALE = 0.25


class EventReader(nn.Module):
    """Concatenates all inputs of an event.

    Args:
        vectors: of the items.
        columns: the input layer of the events' other columns; None if there are none.
        recalled: names of further inputs that hold items.
        dropout: share of values zeroed in training.

    Attributes:
        size: features of one step, F.
        names: of the inputs.

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
        """Return all items that are read: those of the events, then the recalled ones, (R * N,)."""
        found = [batch.inputs[name] for name in (ITEM, *self.recalled)]
        return torch.cat([column.values for column in found if isinstance(column, Ragged)])

    def parts(self, looked: Tensor) -> Tensor:
        """Split the vectors of all items by input: (R * N, D) to (R, N, D)."""
        return looked.view(1 + len(self.recalled), -1, self.vectors.width)

    def forward(self, batch: Batch, looked: Tensor | None = None) -> Ragged:
        """Compute one vector per event, (N, F).

        Args:
            batch: with the inputs.
            looked: vectors of `items(batch)`, if already looked up.
        """
        known = self.vectors(self.items(batch)) if looked is None else looked
        values = [*(self.parts(known) * self.vectors.width**READ_SCALE)]
        if self.columns is not None:
            values.append(self.columns(batch).values)
        return Ragged(self.dropout(torch.cat(values, 1)), batch.lengths)
