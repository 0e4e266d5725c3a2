"""Numbers: one or several columns side by side, scaled per group, with indicators of missing values."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.tables.scaling import check_scaling, learn_scaling, refuse_infinite, scale, to_float32, to_numbers
from unrolled.codecs.values import bad_value, chunks, flatten, holds_lists, nothing_to_learn, unflatten, values_of
from unrolled.errors import DataError, OptionError, message, unknown
from unrolled.forms import equal_rows
from unrolled.ragged import Ragged

MISSING = ("indicator", "zero", "keep")


class Numbers(Codec):
    """A codec of one or more columns of numbers as a vector; a missing value (null or NaN) becomes the centre, 0.

    Args:
        columns: one column or several; each holds one number per record, or each a list of numbers, where
            the lists of one record have equal lengths.
        scaling: "robust" (median and interquartile range), "standard" (mean and deviation) or "none".
        group: column that names the group of a record; every group is scaled separately, and groups not
            seen in `fit` by the statistics of all.
        missing: "indicator" adds a 0/1 feature for each column that had missing values in `fit`; "zero"
            adds none; "keep" leaves NaN, for targets whose loss skips them.

    Example:
        >>> codec = Numbers("load", scaling="standard").fit([{"load": [1.0, 3.0]}, {"load": [None]}])
        >>> codec.encode([{"load": [5.0, None]}]).values.tolist()
        [[3.0, 0.0], [0.0, 1.0]]
        >>> codec.decode(codec.encode([{"load": [5.0, None]}]))
        [[5.0, None]]
    """

    name = "numbers"
    opens_files = False
    per_step_: bool
    value_columns: str | Sequence[str]
    scaling_: Annotated[list[list[float]], equal_rows]  # centre and scale, (2, C)
    groups_: dict[str, Annotated[list[list[float]], equal_rows]]  # centre and scale by group
    indicated_: list[int]  # the columns that have an indicator

    def __init__(
        self,
        columns: str | Sequence[str],
        scaling: str = "robust",
        group: str | None = None,
        missing: str = "indicator",
    ) -> None:
        self.value_columns = columns
        self.scaling = scaling
        self.group = group
        self.missing = missing

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self._names, *([self.group] if self.group else []))

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("vector", len(self._names) + len(self.indicated_), per_step=self.per_step_)

    def fit(self, records: Iterable[Record]) -> Self:
        self._check()
        per_step: bool | None = None
        parts: dict[str, list[np.ndarray]] = {}
        for start, chunk in chunks(records):
            values, lengths, per_step = self._read(chunk, start, per_step)
            if self.group is None:
                parts.setdefault("", []).append(values)
            else:
                _split_by_group(values, lengths, self._keys(chunk), parts)
        if per_step is None:
            raise nothing_to_learn(self._names)
        joined = {key: np.concatenate(matrices) for key, matrices in parts.items()}
        everything = np.concatenate(list(joined.values()))  # (N, C)
        common = learn_scaling(everything, self.scaling)  # (2, C)
        groups = joined if self.group is not None else {}
        absent = np.isnan(everything).any(0)
        return self._learn(
            per_step_=per_step,
            scaling_=common.tolist(),
            groups_={key: learn_scaling(part, self.scaling, common).tolist() for key, part in groups.items()},
            indicated_=np.flatnonzero(absent).tolist() if self.missing == "indicator" else [],
        )

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        values, lengths, _ = self._read(records, 0, self.per_step_)
        centre, spread, unseen = self._statistics(records)
        if self.group is not None:
            centre, spread = np.repeat(centre, lengths, axis=0), np.repeat(spread, lengths, axis=0)  # (N, C)
        scaled = to_float32(scale(values, centre, spread), self._names, lengths)
        absent = np.isnan(values)
        if self.missing != "keep":
            scaled[absent] = 0.0
        if self.indicated_:
            scaled = np.concatenate([scaled, absent[:, self.indicated_].astype(np.float32)], 1)  # (N, F)
        unforeseen = absent.sum(0)
        unforeseen[self.indicated_] = 0
        self._count(missing=unforeseen.sum(), unseen_group=unseen)
        self._tell_numbers(records, lengths, int(unforeseen.sum()), absent.size)
        return Ragged(torch.from_numpy(scaled), torch.from_numpy(lengths))

    def decode(self, encoded: Ragged, records: Sequence[Record] | None = None) -> list[Any]:
        """Return the numbers in their own units; several columns become one dictionary per record.

        Args:
            encoded: (N, F), as `encode` gave it; also (N, C) without the indicators.
            records: the records they belong to, needed if numbers are scaled by group.
        """
        self._require_fit()
        if self.group is not None and records is None:
            raise OptionError(
                message("records", expected=f"records with the group {self.group!r}", received=None,
                        remedy="call decode(encoded, records)")
            )  # fmt: skip
        values = encoded.values.numpy(force=True).astype(np.float64)  # (N, F)
        numbers, flags = values[:, : len(self._names)], values[:, len(self._names) :]
        centre, spread = self.statistics(records or [{}] * encoded.batch_size)
        lengths = encoded.lengths.numpy()
        numbers = numbers * np.repeat(spread, lengths, axis=0) + np.repeat(centre, lengths, axis=0)
        if flags.shape[1]:
            numbers[:, self.indicated_] = np.where(flags > 0.5, np.nan, numbers[:, self.indicated_])
        decoded = []
        for feature in range(len(self._names)):
            plain = numbers[:, feature].astype(object)
            plain[np.isnan(numbers[:, feature])] = None
            decoded.append(unflatten(plain.tolist(), lengths.tolist(), self.per_step_))
        if isinstance(self.value_columns, str):
            return decoded[0]
        return [dict(zip(self._names, row, strict=True)) for row in zip(*decoded, strict=True)]

    def statistics(self, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
        """Return centre and scale for every record, each (B, C): number = encoded * scale + centre."""
        self._require_fit()
        centre, spread, _ = self._statistics(records)
        shape = (len(records), len(self._names))
        return np.broadcast_to(centre, shape), np.broadcast_to(spread, shape)

    def arguments(self) -> dict[str, Any]:
        columns = self.value_columns if isinstance(self.value_columns, str) else list(self.value_columns)
        return {"columns": columns, "scaling": self.scaling, "group": self.group, "missing": self.missing}

    # ---- reading ------------------------------------------------------------------------------

    @property
    def _names(self) -> list[str]:
        return [self.value_columns] if isinstance(self.value_columns, str) else list(self.value_columns)

    def _check(self) -> None:
        check_scaling(self.scaling)
        if self.missing not in MISSING:
            raise unknown("missing", self.missing, MISSING)
        if not self._names:
            raise OptionError(message("columns", expected="at least one column", received="none"))

    def _read(
        self, records: Sequence[Record], start: int, per_step: bool | None
    ) -> tuple[np.ndarray, np.ndarray, bool | None]:
        """Return all columns side by side, (N, C) float64 with NaN where missing; lengths (B,); whether lists."""
        names = self._names
        raw = [values_of(records, name) for name in names]
        for name, values in zip(names, raw, strict=True):
            per_step = holds_lists(values, name, start, per_step)
        columns, lengths = [], np.zeros(len(records), dtype=np.int64)
        for name, values in zip(names, raw, strict=True):
            numbers, sizes = _column(values, bool(per_step), name, start)
            columns.append(numbers)
            if name == names[0]:
                lengths = sizes
            elif not np.array_equal(sizes, lengths):
                row = int(np.flatnonzero(sizes != lengths)[0])
                expected = f"{lengths[row]} numbers, as column {names[0]!r} has"
                raise bad_value(name, start + row, expected, str(sizes[row]), "use one Numbers for each length")
        matrix = np.stack(columns, 1)  # (N, C)
        refuse_infinite(matrix, names, lengths, start)
        return matrix, lengths, per_step

    def _keys(self, records: Sequence[Record]) -> list[str]:
        return [str(value) for value in values_of(records, self.group or "")]

    def _statistics(self, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray, int]:
        """Return centre and scale, each (C,) or by group (B, C), and the number of records with an unseen group."""
        if self.group is None:
            return self._tables[0, 0], self._tables[0, 1], 0
        rows = np.array([self._group_rows.get(key, 0) for key in self._keys(records)], dtype=np.int64)
        tables = self._tables[rows]  # (B, 2, C)
        return tables[:, 0], tables[:, 1], int((rows == 0).sum())

    def _tell_numbers(self, records: Sequence[Record], lengths: np.ndarray, missing: int, values: int) -> None:
        """Tell the call what was read: missing numbers, and groups that are scaled by the statistics of all."""
        if self.group is None:
            self._tell(lengths, missing=missing, values=values)
            return
        groups = values_of(records, self.group)
        strange = [row for row, group in enumerate(groups) if not self._knows_group(group)]
        named = np.array([row for row in strange if groups[row] is not None], dtype=np.int64)
        missing += len(strange) - len(named)
        values += len(groups)
        self._tell(lengths, len(groups), named, groups.__getitem__, self._knows_group, missing, self.group, values)

    def _knows_group(self, group: Any) -> bool:
        return str(group) in self._group_rows

    @cached_property
    def _tables(self) -> np.ndarray:
        """Return the statistics of all records, then of each group: (1 + groups, 2, C)."""
        return np.array([self.scaling_, *self.groups_.values()], dtype=np.float64)

    @cached_property
    def _group_rows(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.groups_, 1)}


def _column(values: list[Any], per_step: bool, name: str, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one column's numbers end to end (N,), and the length of each record (B,)."""
    if per_step and any(isinstance(value, np.ndarray) for value in values):
        arrays = [np.empty(0) if value is None else np.asarray(value) for value in values]
        lengths = np.array([len(array) for array in arrays], dtype=np.int64)
        numbers = to_numbers(np.concatenate(arrays)) if all(array.ndim == 1 for array in arrays) else None
    else:
        flat, lengths = flatten(values, per_step)
        numbers = to_numbers(flat)
    if numbers is not None and numbers.ndim == 1:
        return numbers, lengths
    for row, value in enumerate(values):  # slow, but only to name the bad value
        single = to_numbers(value if per_step and value is not None else [value])
        if single is None or single.ndim != 1:
            remedy = "use Frames for a vector per step, TimeFeatures for dates, Categories or Words for text"
            raise bad_value(name, start + row, "numbers", _shown(value), remedy)
    raise DataError(message(f"column {name!r}", expected="numbers", received="a mix of types"))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _split_by_group(
    values: np.ndarray, lengths: np.ndarray, keys: list[str], parts: dict[str, list[np.ndarray]]
) -> None:
    """Append each group's steps to its list of parts."""
    numbers: dict[str, int] = {}
    ids = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    steps = np.repeat(ids, lengths)
    ends = np.cumsum(np.bincount(steps, minlength=len(numbers)))
    for key, part in zip(numbers, np.split(values[np.argsort(steps, kind="stable")], ends[:-1]), strict=True):
        parts.setdefault(key, []).append(part)
