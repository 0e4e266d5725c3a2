"""Item vectors: one table, used for the items that are read and for those that are scored."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.inputs import InputLayer

OWN_RATE = 0.1  # share of items represented by features alone in training, so that new items work too


class ItemVectors(nn.Module):
    """A learnt vector per item plus a vector from its features; two more rows for unknown items and the start.

    Args:
        size: number of items, V.
        width: of a vector, D.
        specs: of the feature columns, by name; empty without features.
        sparse: keep only the used rows in gradients, so that a step costs the same with a large catalogue.

    Source: learning to do without an item's own vector: M. Volkovs, G. Yu and T. Poutanen, "DropoutNet: Addressing Cold
    Start in Recommender Systems", NeurIPS 2017, section 4.

    Example:
        >>> ItemVectors(5, 3)(torch.tensor([0, 4])).shape
        torch.Size([2, 3])
    """

    def __init__(self, size: int, width: int, specs: Mapping[str, Spec] | None = None, sparse: bool = False) -> None:
        super().__init__()
        self.size, self.width = size, width
        self.own = nn.Embedding(size + 2, width, sparse=sparse)
        nn.init.normal_(self.own.weight, std=width**-0.5)
        self.bias = nn.Embedding(size + 2, 1, sparse=sparse)
        nn.init.zeros_(self.bias.weight)
        self.reader: InputLayer | None = None
        self.specs = dict(specs or {})
        if specs:
            self.reader = InputLayer(specs)
            self.project = nn.Linear(self.reader.static_size, width, bias=False)
            for number, spec in enumerate(specs.values()):
                self.register_buffer(f"features_{number}", _nothing_known(spec, size + 2))

    def describe(self, features: Mapping[str, Tensor], items: Tensor) -> None:
        """Set the features of some items: the encoded columns by name, (M, ...), and the items' indices, (M,)."""
        for name, values in features.items():
            self._features(name)[items] = values.to(self._features(name))

    def _features(self, name: str) -> Tensor:
        return self.get_buffer(f"features_{list(self.specs).index(name)}")

    @property
    def unknown(self) -> int:
        """Index of items that are not in the catalogue."""
        return self.size

    @property
    def start(self) -> int:
        """Index that is read before a user's first event."""
        return self.size + 1

    def forward(self, items: Tensor) -> Tensor:
        """Look up the vectors of items, (M,) to (M, D)."""
        own = self.own(items)
        if self.reader is None:
            return own
        if self.training:
            kept = torch.rand(len(items), 1, device=items.device) >= OWN_RATE
            own = own * kept
        return own + self._said(items)

    def _said(self, items: Tensor) -> Tensor:
        """Compute the vectors of items from their features, (M, D)."""
        assert self.reader is not None
        statics = {name: self._features(name)[items] for name in self.specs}
        return self.project(self.reader.static(Batch({}, statics)))

    def score(self, queries: Tensor, start: int, stop: int) -> Tensor:
        """Compute the scores of items start <= i < stop for each query: (M, D) to (M, stop - start)."""
        vectors = self.own.weight[start:stop]
        if self.reader is not None:
            vectors = vectors + self._said(torch.arange(start, stop, device=queries.device))
        return torch.addmm(self.bias.weight[start:stop, 0], queries, vectors.T)

    def grown(self, size: int) -> "ItemVectors":
        """Return a larger table, whose new items have only the features that `describe` will set."""
        longer = ItemVectors(size, self.width, self.specs, self.own.sparse)
        more = size - self.size
        with torch.no_grad():
            for mine, its in ((self.own.weight, longer.own.weight), (self.bias.weight, longer.bias.weight)):
                its[: self.size], its[self.size + more :] = mine[: self.size], mine[self.size :]
            if self.reader is not None and longer.reader is not None:
                longer.own.weight[self.size : size] = 0  # a new item has only its features
                longer.reader.load_state_dict(self.reader.state_dict())
                longer.project.load_state_dict(self.project.state_dict())
                for name in self.specs:
                    longer._features(name)[: self.size] = self._features(name)[: self.size]
        return longer


def _nothing_known(spec: Spec, rows: int) -> Tensor:
    """Return initial features: the unknown value, or zeros."""
    if spec.kind == "index":
        return torch.full((rows,), spec.unknown_index or 0)
    return torch.zeros(rows, spec.size)
