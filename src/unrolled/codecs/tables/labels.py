"""Answers of a classifier: one label, or any number of labels."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.tables.category import plain_values
from unrolled.codecs.text.vocabulary import index_of, look_up, order
from unrolled.codecs.values import chunks, nothing_to_learn, unflatten
from unrolled.errors import DataError, InputError, message, unknown
from unrolled.metrics.scores import UNSEEN
from unrolled.ragged import Ragged
from unrolled.reading_report import note, note_labels

IGNORED = -100  # index of a label to leave out of loss and score; torch's `ignore_index`

_POLICIES = ("error", "ignore")


class Labels(Codec):
    """A codec of one label per record, or per step if the column holds lists.

    Args:
        column: text, whole numbers or true/false; or lists of them.
        unseen: what to do with a missing label or one not seen in `fit`: "error", or "ignore", which
            gives it the index -100 and counts it. `evaluate` counts an unseen one as answered wrong, or leaves it out.

    Attributes:
        classes_: the labels, sorted; the index of a label is its position.

    Raises:
        DataError: from `fit`, fewer than two classes.

    Example:
        >>> codec = Labels("stars").fit([{"stars": 5}, {"stars": 1}])
        >>> codec.classes_, codec.encode([{"stars": 5}]).values.tolist()
        ([1, 5], [1])
    """

    name = "labels"
    opens_files = False
    classes_: list[str | int | float | bool]
    per_step_: bool

    def __init__(self, column: str, unseen: str = "error") -> None:
        self.column = column
        self.unseen = unseen

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("index", len(self.classes_), per_step=self.per_step_)

    def fit(self, records: Iterable[Record]) -> Self:
        _check_policy(self.unseen)
        classes: set[Any] = set()
        per_step = None
        for start, chunk in chunks(records):
            values, lengths, per_step = plain_values(chunk, self.column, start, per_step)
            if self.unseen == "error" and None in values:
                raise self._unseen(values, lengths, values.index(None), start)
            classes.update(values)
        ranked = sorted(classes - {None}, key=order)
        if len(ranked) < 2:
            raise DataError(
                message(f"column {self.column!r}", expected="at least two classes", received=ranked,
                        remedy="a classifier needs examples of each class")
            )  # fmt: skip
        return self._learn(classes_=ranked, per_step_=per_step)

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        values, lengths, _ = plain_values(records, self.column, 0, self.per_step_)
        indices = look_up(self._index, values, IGNORED)
        unseen = np.flatnonzero(indices == IGNORED)
        if len(unseen) and self.unseen == "error":
            raise self._unseen(values, lengths, int(unseen[0]))
        self._count(unknown=len(unseen))
        note("rows left out", len(unseen), len(values))
        self._tell_labels(values, unseen)
        return Ragged(torch.from_numpy(indices), torch.from_numpy(lengths))

    def truth(self, records: Sequence[Record]) -> tuple[Ragged, Counter[Any]]:
        """Return labels to score answers against: like `encode`, but an unseen label equals no possible answer.

        Returns:
            Indices, `UNSEEN` for a label not seen in `fit`, and the number of occurrences of each such label; with
            unseen="ignore" they are left out (-100) as in `encode`, and none is counted here.

        Raises:
            DataError: a missing label, unless it is to be ignored.
        """
        self._require_fit()
        if self.unseen == "ignore":
            return self.encode(records), Counter()
        values, lengths, _ = plain_values(records, self.column, 0, self.per_step_)
        if None in values:
            raise self._unseen(values, lengths, values.index(None))
        indices = look_up(self._index, values, UNSEEN)
        unseen = np.flatnonzero(indices == UNSEEN)
        self._tell_labels(values, unseen)
        found = Counter(values[place] for place in unseen.tolist())
        return Ragged(torch.from_numpy(indices), torch.from_numpy(lengths)), found

    def decode(self, encoded: Ragged) -> list[Any]:
        return unflatten(self.decode_indices(encoded.values), encoded.lengths.tolist(), self.per_step_)

    def decode_indices(self, indices: Tensor | np.ndarray | Sequence[int]) -> list[Any]:
        """Return the label of each index (M,); an ignored one becomes None."""
        self._require_fit()
        return [None if index == IGNORED else self.classes_[index] for index in np.asarray(indices).tolist()]

    def _tell_labels(self, values: list[Any], unseen: np.ndarray) -> None:
        named = [values[place] for place in unseen.tolist() if values[place] is not None]
        note_labels(self.column, len(values), named, self._index.__contains__)

    def _unseen(self, values: list[Any], lengths: np.ndarray, step: int, start: int = 0) -> InputError:
        row = start + int(np.searchsorted(np.cumsum(lengths), step, side="right"))
        return _unseen_label(self.column, row, values[step], vars(self).get("classes_", []))

    @cached_property
    def _index(self) -> dict[Any, int]:
        return index_of(self.classes_, first=0)


class MultiLabels(Codec):
    """A codec of any number of labels per record, as a vector of 0 and 1.

    Args:
        column: lists of text, whole numbers or true/false; a missing list is an empty one.
        unseen: what to do with a label not seen in `fit`: "error", or "ignore", which drops and counts it. `evaluate`
            counts it as one that was not found, or drops it.

    Attributes:
        classes_: the labels, sorted; the position of a label in the vector.

    Example:
        >>> codec = MultiLabels("tags").fit([{"tags": ["red", "big"]}, {"tags": []}])
        >>> codec.encode([{"tags": ["red"]}]).values.tolist()
        [[0.0, 1.0]]
        >>> codec.decode(codec.encode([{"tags": ["red", "big"]}]))
        [['big', 'red']]
    """

    name = "multi_labels"
    opens_files = False
    classes_: list[str | int | float | bool]

    def __init__(self, column: str, unseen: str = "error") -> None:
        self.column = column
        self.unseen = unseen

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("vector", len(self.classes_), per_step=False)

    def fit(self, records: Iterable[Record]) -> Self:
        _check_policy(self.unseen)
        classes: set[Any] = set()
        for start, chunk in chunks(records):
            classes.update(plain_values(chunk, self.column, start, True)[0])
        ranked = sorted(classes - {None}, key=order)
        if not ranked:
            raise nothing_to_learn(self.columns, "at least one label")
        return self._learn(classes_=ranked)

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        values, lengths, _ = plain_values(records, self.column, 0, True)
        indices = look_up(self._index, values, IGNORED)
        rows = np.repeat(np.arange(len(records)), lengths)
        known = indices != IGNORED
        if self.unseen == "error" and not known.all():
            step = int(np.flatnonzero(~known)[0])
            raise _unseen_label(self.column, int(rows[step]), values[step], self.classes_)
        self._count(unknown=(~known).sum())
        vectors = np.zeros((len(records), len(self.classes_)), dtype=np.float32)  # (B, V)
        vectors[rows[known], indices[known]] = 1.0
        return Ragged(torch.from_numpy(vectors), torch.ones(len(records), dtype=torch.int64))

    def truth(self, records: Sequence[Record]) -> tuple[Ragged, Counter[Any], np.ndarray]:
        """Return labels to score answers against: like `encode`, but an unseen label counts as not found.

        Returns:
            The vectors, the number of occurrences of each unseen label, and its number per record, (B,); with
            unseen="ignore" such labels are dropped as in `encode`, and none is counted here.
        """
        self._require_fit()
        values, lengths, _ = plain_values(records, self.column, 0, True)
        indices = look_up(self._index, values, IGNORED)
        rows = np.repeat(np.arange(len(records)), lengths)
        vectors = np.zeros((len(records), len(self.classes_)), dtype=np.float32)  # (B, V)
        known = indices != IGNORED
        vectors[rows[known], indices[known]] = 1.0
        strange = [values[place] for place in np.flatnonzero(~known).tolist()]
        note_labels(self.column, len(values), strange, self._index.__contains__)
        unseen = [] if self.unseen == "ignore" else np.flatnonzero(~known).tolist()
        counts = np.bincount(rows[unseen], minlength=len(records)) if unseen else np.zeros(len(records), np.int64)
        whole = Ragged(torch.from_numpy(vectors), torch.ones(len(records), dtype=torch.int64))
        return whole, Counter(values[place] for place in unseen), counts

    def decode(self, encoded: Ragged) -> list[list[Any]]:
        """Return the labels of each record, sorted: those above 0.5, so probabilities can be decoded too."""
        self._require_fit()
        present = (encoded.values > 0.5).tolist()
        return [[label for label, there in zip(self.classes_, row, strict=True) if there] for row in present]

    @cached_property
    def _index(self) -> dict[Any, int]:
        return index_of(self.classes_, first=0)


def _check_policy(unseen: str) -> None:
    if unseen not in _POLICIES:
        raise unknown("unseen", unseen, _POLICIES)


def _unseen_label(column: str, row: int, value: Any, classes: Sequence[Any]) -> InputError:
    where = f"column {column!r}, record {row}"
    if isinstance(value, str) and classes:
        return unknown(where, value, [str(label) for label in classes], DataError)
    shown = ", ".join(repr(label) for label in classes[:8]) or "a label"
    expected = f"one of {shown}" if classes else shown
    return DataError(message(where, expected=expected, received=value, remedy="or give unseen='ignore'"))
