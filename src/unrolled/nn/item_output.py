"""The output of recommenders: a query that gives a score for every item of the catalogue."""

from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy

from unrolled.nn.item_vectors import ItemVectors
from unrolled.nn.output import Output, precise

UNKNOWN_COSTS_NOTHING = -100  # torch's `ignore_index`


class ItemOutput(Output):
    """One item of a catalogue, scored by its vector and a query; softmax and cross-entropy.

    Args:
        vectors: of the items.

    Example:
        >>> import torch
        >>> ItemOutput(ItemVectors(9, 4)).describe(torch.zeros(2, 4)).shape
        torch.Size([2, 9])
    """

    name = "item"

    def __init__(self, vectors: ItemVectors) -> None:
        self.vectors = vectors
        self.width = vectors.width

    def _scores(self, raw: Tensor) -> Tensor:
        return precise(self.vectors.score(raw, 0, self.vectors.size))  # (M, V)

    def loss(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Compute the nats of the true items; unknown ones are ignored: (M, D), (M,) to (M,)."""
        known = targets.masked_fill(targets >= self.vectors.size, UNKNOWN_COSTS_NOTHING)
        return cross_entropy(self._scores(raw), known, ignore_index=UNKNOWN_COSTS_NOTHING, reduction="none")

    def count(self, targets: Tensor) -> float:
        """Count the rows with a known item."""
        return float((targets < self.vectors.size).sum())

    def predict(self, raw: Tensor) -> Tensor:
        """Return the item with the highest score, (M,)."""
        return self._scores(raw).argmax(1)

    def describe(self, raw: Tensor) -> Tensor:
        """Return the probabilities, (M, V)."""
        return self._scores(raw).softmax(1)

    def to_json(self) -> dict[str, Any]:
        return {"output": self.name, "size": self.vectors.size, "width": self.width}
