"""Catalogue: the items of events, each with an index, the most frequent first."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from unrolled.codecs.base import Spec
from unrolled.data.forks import check_fork
from unrolled.errors import ArtifactError, DataError, NotFittedError, message
from unrolled.ragged import Ragged

_KINDS = {"text": pl.String, "integer": pl.Int64}


class Catalogue:
    """Items by index, in order of falling frequency; all unknown items share the index `size`.

    Args:
        min_count: keep items that occur at least this often.

    Attributes:
        items_: the items, (V,) texts or whole numbers.
        counts_: number of occurrences of each, (V,).

    Example:
        >>> catalogue = Catalogue().fit(pl.Series(["tea", "milk", "tea"]))
        >>> catalogue.encode(pl.Series(["milk", "tea", "jam"])).tolist(), catalogue.decode(np.array([0]))
        ([1, 0, 2], ['tea'])
    """

    items_: pl.Series
    counts_: np.ndarray

    def __init__(self, min_count: int = 1) -> None:
        self.min_count = min_count

    @property
    def size(self) -> int:
        """Number of items, V."""
        if not hasattr(self, "items_"):
            raise NotFittedError("this catalogue has seen no item yet; call fit(items)")
        return len(self.items_)

    def fit(self, items: pl.Series) -> Self:
        """Count the items of all events.

        Raises:
            DataError: items that are neither texts nor whole numbers, or none that is frequent enough.
        """
        plain = _plain(items)
        counts = plain.alias("item").to_frame().group_by("item").len(name="count")
        counts = counts.filter(pl.col("count") >= self.min_count).sort(["count", "item"], descending=[True, False])
        if not counts.height:
            raise DataError(
                message(
                    f"column {items.name!r}", expected=f"an item seen {self.min_count} times", received="no such item"
                )
            )
        self.items_ = counts["item"]
        self.counts_ = counts["count"].to_numpy().astype(np.int64)
        vars(self).pop("_places", None)
        return self

    def encode(self, items: pl.Series) -> np.ndarray:
        """Return the index of each item, `size` for an unknown one: (N,) int64."""
        check_fork()
        plain = _plain(items, self.items_.dtype)
        index = pl.DataFrame({"item": self.items_, "index": np.arange(self.size)})
        found = plain.alias("item").to_frame().join(index, on="item", how="left", maintain_order="left")
        return found["index"].fill_null(self.size).to_numpy().astype(np.int64)

    def index_of(self, item: Any) -> int:
        """Return the index of one item, `size` for an unknown one.

        Raises:
            DataError: an item that is neither text nor a whole number.
        """
        plain = item
        if isinstance(item, bool):
            plain = str(item).lower()
        elif isinstance(item, float) and item.is_integer():
            plain = int(item)
        elif not isinstance(item, str | int | np.integer):
            raise DataError(message("item", expected="a text or a whole number", received=repr(item)))
        if self.items_.dtype == pl.String:
            return self._places.get(str(plain), self.size)
        try:
            return self._places.get(int(plain), self.size)
        except ValueError:
            return self.size

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {item: place for place, item in enumerate(self.items_.to_list())}

    def decode(self, indices: np.ndarray) -> list[Any]:
        """Return the items at the indices."""
        return self.items_.gather(indices).to_list()

    def extended(self, items: pl.Series) -> "Catalogue":
        """Return a catalogue with new items appended, with a count of 0."""
        new = _plain(items, self.items_.dtype).drop_nulls().unique(maintain_order=True)
        new = new.filter(~new.is_in(self.items_.implode()))
        longer = Catalogue(self.min_count)
        longer.items_ = pl.concat([self.items_, new.alias(self.items_.name)])
        longer.counts_ = np.concatenate([self.counts_, np.zeros(len(new), dtype=np.int64)])
        return longer

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        kind = next(name for name, dtype in _KINDS.items() if dtype == self.items_.dtype)
        return {
            "version": 1,
            "min_count": self.min_count,
            "kind": kind,
            "items": self.items_.to_list(),
            "counts": self.counts_.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned; ArtifactError for damaged or newer data."""
        if data.get("version") != 1 or data.get("kind") not in _KINDS:
            raise ArtifactError(message("catalogue", expected="version 1", received=data.get("version")))
        catalogue = cls(data["min_count"])
        catalogue.items_ = pl.Series("item", data["items"], dtype=_KINDS[data["kind"]])
        catalogue.counts_ = np.asarray(data["counts"], dtype=np.int64)
        return catalogue


class ItemNames:
    """A decoder of item indices with the interface of a codec, for the inspection of models."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.spec = Spec("index", catalogue.size)

    def decode(self, encoded: Ragged) -> list[Any]:
        """Return the item at every step, one after the other."""
        return self.catalogue.decode(encoded.values.numpy())


def _plain(items: pl.Series, like: Any = None) -> pl.Series:
    """Return items as texts or whole numbers; in the type of a catalogue's items, if one is given."""
    kind = items.dtype
    if kind.is_float() and (items.drop_nans().drop_nulls() % 1 == 0).all():
        items = items.fill_nan(None).cast(pl.Int64)
    elif kind.is_integer():
        items = items.cast(pl.Int64)
    elif kind in (pl.Categorical, pl.Boolean, pl.Null) or isinstance(kind, pl.Enum):
        items = items.cast(pl.String)
    elif kind != pl.String:
        raise DataError(message(f"column {items.name!r}", expected="texts or whole numbers", received=str(kind)))
    return items if like is None or items.dtype == like else items.cast(like, strict=False)
