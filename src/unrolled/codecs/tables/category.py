"""Values from a small set: categories as inputs, with an index for unknown values."""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.text.vocabulary import UNKNOWN, BoundedCounter, index_of, look_up
from unrolled.codecs.values import bad_value, chunks, flatten, holds_lists, nothing_to_learn, unflatten, values_of
from unrolled.ragged import Ragged

_ONE_HOT_UP_TO = 10


class Categories(Codec):
    """A codec of one value per record or per step, as an index; values not seen in `fit` share index 0.

    A missing value is a category of its own if `fit` saw one.

    Args:
        column: text, whole numbers or true/false; or lists of them.
        embedding_size: width of a learnt vector per category; 0 = one-hot; None = one-hot up to 10
            categories, then min(50, 1.6 * categories ** 0.56).
        max_size: keep at most this many categories, the most frequent; None keeps all.
        min_count: keep categories seen at least this often.

    Example:
        >>> codec = Categories("site").fit([{"site": "north"}, {"site": "south"}, {"site": "south"}])
        >>> codec.encode([{"site": "south"}, {"site": "east"}]).values.tolist(), codec.report()
        ([1, 0], {'unknown': 1})
    """

    name = "categories"
    opens_files = False
    categories_: list[str | int | bool | None]
    per_step_: bool

    def __init__(
        self, column: str, embedding_size: int | None = None, max_size: int | None = None, min_count: int = 1
    ) -> None:
        self.column = column
        self.embedding_size = embedding_size
        self.max_size = max_size
        self.min_count = min_count

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def takes_text(self) -> bool:
        return not self.spec.per_step

    @property
    def spec(self) -> Spec:
        self._require_fit()
        count = len(self.categories_)
        width = self.embedding_size
        if width is None:
            width = 0 if count <= _ONE_HOT_UP_TO else min(50, math.ceil(1.6 * count**0.56))
        return Spec("index", count + 1, width, per_step=self.per_step_, unknown_index=UNKNOWN)

    def fit(self, records: Iterable[Record]) -> Self:
        counter = BoundedCounter()
        per_step = None
        for start, chunk in chunks(records):
            values, _, per_step = plain_values(chunk, self.column, start, per_step)
            counter.update(values)
        categories = counter.most_frequent(self.max_size, self.min_count)
        if per_step is None or not categories:
            raise nothing_to_learn(self.columns, f"a value seen {self.min_count} times")
        return self._learn(categories_=categories, per_step_=per_step)

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        values, lengths, _ = plain_values(records, self.column, 0, self.per_step_)
        indices = look_up(self._index, values)
        unknown = np.flatnonzero(indices == UNKNOWN)
        self._count(unknown=len(unknown))
        named = unknown[[values[place] is not None for place in unknown.tolist()]]
        missing = len(unknown) - len(named)
        self._tell(lengths, len(values), named, values.__getitem__, self._index.__contains__, missing)
        return Ragged(torch.from_numpy(indices), torch.from_numpy(lengths))

    def decode(self, encoded: Ragged) -> list[Any]:
        """Return the categories; unknown ones become None."""
        self._require_fit()
        entries = [None, *self.categories_]
        values = [entries[index] for index in encoded.values.tolist()]
        return unflatten(values, encoded.lengths.tolist(), self.per_step_)

    @cached_property
    def _index(self) -> dict[Any, int]:
        return index_of(self.categories_)


def plain_values(
    records: Sequence[Record], column: str, start: int = 0, per_step: bool | None = None
) -> tuple[list[Any], np.ndarray, bool | None]:
    """Return all values end to end as plain text, numbers, true/false or None; lengths (B,); whether lists.

    Raises:
        DataError: a value of another kind; the message names its column and record.
    """
    raw = values_of(records, column)
    per_step = holds_lists(raw, column, start, per_step)
    values, lengths = flatten(raw, bool(per_step))
    if not set(map(type, values)) <= {str, int, bool, type(None)}:
        ends = np.cumsum(lengths)
        for step, value in enumerate(values):
            values[step] = plain = _plain(value)
            if plain is NotImplemented:
                row = start + int(np.searchsorted(ends, step, side="right"))
                remedy = "use TimeFeatures for dates"
                raise bad_value(column, row, "text, a number or true/false", type(value).__name__, remedy)
    return values, lengths, per_step


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else NotImplemented
