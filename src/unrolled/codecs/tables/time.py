"""Calendar features: the phase of a time in the day, the week, the month and the year."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import polars as pl
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.values import bad_value, chunks, flatten, holds_lists, nothing_to_learn, unflatten, values_of
from unrolled.data.time_forms import TimeForm, read_times
from unrolled.data.time_options import TimeOptions
from unrolled.errors import DataError, UnsupportedError, message
from unrolled.ragged import Ragged

_DAY = 86_400_000_000  # in microseconds, the unit of every calendar time here
# a cycle is used if the data resolve it: if times are closer together than this
_CYCLES = {"hour_of_day": _DAY, "day_of_week": 7 * _DAY, "day_of_month": 28 * _DAY, "day_of_year": 365 * _DAY}
Cycle = Literal["hour_of_day", "day_of_week", "day_of_month", "day_of_year"]
_UNITS = (_DAY, 3_600_000_000, 60_000_000, 1_000_000, 1)  # day, hour, minute, second, microsecond
_MISSING = np.iinfo(np.int64).min
_EPOCH = dt.datetime(1970, 1, 1)


class TimeFeatures(Codec):
    """A codec of a time as sine and cosine of its phase in each cycle, and its position in the span seen by `fit`.

    Cycles that the data do not resolve are left out: hours for daily data, weekdays for monthly data.
    Times are read as wall-clock times; a time zone is ignored. Plain numbers give the position only. Texts are read in
    every form that a table's times may have (`docs/times.md`), and decoded as ISO 8601.

    Args:
        column: dates, times, text or numbers; or lists of them.
        position: add the position: 0 at the first time seen by `fit`, 1 at the last, beyond 1 after it.
        day_first: whether 01/02/2021 is February 1; None: decided by all values.
        time_format: the format of texts, in the letters of strptime; None: recognised.

    Raises:
        OptionError: a format without a letter of strptime.

    Attributes:
        features_: the names of the cycles in use.

    Example:
        >>> codec = TimeFeatures("day").fit([{"day": "2024-01-01"}, {"day": "2024-01-03"}])
        >>> codec.features_, codec.spec.size
        (['day_of_week', 'day_of_month', 'day_of_year'], 7)
        >>> codec.decode(codec.encode([{"day": "2024-01-02"}]))
        ['2024-01-02']
    """

    name = "time_features"
    opens_files = False
    per_step_: bool
    form_: dict[str, Any]  # the form of the column's times
    features_: list[Cycle]
    first_: float
    span_: float
    grid_: int  # the largest unit that all gaps between times are whole multiples of; 0 for numbers

    def __init__(
        self, column: str, position: bool = True, day_first: bool | None = None, time_format: str | None = None
    ) -> None:
        self.column = column
        self.position = position
        self.day_first = day_first
        self.time_format = time_format
        TimeOptions(day_first, time_format)  # refuses what is none

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("vector", 2 * len(self.features_) + self.position, per_step=self.per_step_)

    def fit(self, records: Iterable[Record]) -> Self:
        per_step: bool | None = None
        form: dict[str, Any] = {}
        parts: list[np.ndarray] = []
        texts: dict[str, int] = {}  # the first record of each
        for start, chunk in chunks(records):
            flat, lengths, per_step = self._flat(chunk, start, per_step)
            form = form or next((_form(value) for value in flat if value is not None), {})
            rows = (start + np.repeat(np.arange(len(lengths)), lengths)).tolist()
            others = range(len(flat))
            if form.get("kind") == "text":
                written = {place for place in others if isinstance(flat[place], str)}
                others = [place for place in others if place not in written]
                for place in sorted(written):
                    texts.setdefault(flat[place], rows[place])
            values = self._times([flat[place] for place in others], [rows[place] for place in others], form)
            parts.append(np.unique(values[~_absent(values)]))
        if texts:
            parts.append(np.unique(self._learn_texts(texts, form)))
        times = np.unique(np.concatenate(parts)) if parts else np.empty(0)
        if per_step is None or not len(times):
            raise nothing_to_learn(self.columns)
        gaps = np.diff(times)
        features, grid = [], 0
        if form["kind"] != "number":
            grid = next(unit for unit in _UNITS if not np.any(gaps % unit))
            features = [
                name for name, phases in _phases(times).items()
                if len(gaps) and gaps.min() < _CYCLES[name] and np.ptp(phases) > 0
            ]  # fmt: skip
        if not features and not self.position:
            raise DataError(
                message(f"column {self.column!r}", expected="times that differ in some cycle", received="none",
                        remedy="give position=True")
            )  # fmt: skip
        return self._learn(
            per_step_=per_step, form_=form, features_=features, first_=times[0].item(),
            span_=(times[-1] - times[0]).item(), grid_=grid,
        )  # fmt: skip

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        flat, lengths, _ = self._flat(records, 0, self.per_step_)
        times = self._times(flat, np.repeat(np.arange(len(lengths)), lengths), self.form_)
        absent = _absent(times)
        times = np.where(absent, self.first_, times)
        features = []
        if self.features_:
            phases = _phases(times)
            turns = 2 * math.pi * np.stack([phases[name] for name in self.features_], 1)  # (N, cycles)
            features += [np.sin(turns), np.cos(turns)]
        if self.position:
            features.append(((times - self.first_) / (self.span_ or 1))[:, None])
        values = np.concatenate(features, 1)  # (N, F)
        values[absent] = 0.0
        self._count(missing=absent.sum())
        self._tell(lengths, missing=int(absent.sum()), values=absent.size)
        return Ragged(torch.from_numpy(values.astype(np.float32)), torch.from_numpy(lengths))

    def decode(self, encoded: Ragged) -> list[Any]:
        """Return the times, from their position: to whole days, hours, ... as in `fit`, within float32 precision."""
        self._require_fit()
        if not self.position:
            raise UnsupportedError(
                message(repr(self), expected="position=True to decode", received=False, remedy="keep the position")
            )
        elapsed = encoded.values[:, -1].numpy(force=True).astype(np.float64) * (self.span_ or 1)
        if self.form_["kind"] != "number":
            elapsed = np.round(elapsed / self.grid_) * self.grid_
        times = [self._value(self.first_ + offset) for offset in elapsed.tolist()]
        return unflatten(times, encoded.lengths.tolist(), self.per_step_)

    def _value(self, time: float) -> Any:
        kind = self.form_["kind"]
        if kind == "number":
            return time
        value = _EPOCH + dt.timedelta(microseconds=int(time))
        if kind == "text":
            return value.isoformat(self.form_["separator"], "microseconds")[: self.form_["length"]]
        return value.date() if kind == "date" else value

    def _flat(
        self, records: Sequence[Record], start: int, per_step: bool | None
    ) -> tuple[list[Any], np.ndarray, bool | None]:
        """Return all values end to end, lengths (B,), and whether the column holds lists."""
        raw = values_of(records, self.column)
        per_step = holds_lists(raw, self.column, start, per_step)
        return *flatten(raw, bool(per_step)), per_step

    def _times(self, flat: Sequence[Any], rows: Sequence[int] | np.ndarray, form: Mapping[str, Any]) -> np.ndarray:
        """Return times as microseconds (int64), or numbers (float64); `rows` are the records of the values."""
        read = _to_number if form.get("kind") == "number" else _to_microseconds
        if "times" in form:  # texts of another form than ISO 8601
            places = [place for place, value in enumerate(flat) if isinstance(value, str)]
            written = TimeForm.from_json(form["times"]).parse(pl.Series(self.column, [flat[place] for place in places]))
            moments = dict(zip(places, _walls(written).tolist(), strict=True))
            times = [moments[place] if place in moments else read(value) for place, value in enumerate(flat)]
        else:
            times = [read(value) for value in flat]
        if None in times:
            step = times.index(None)
            expected = "a number" if read is _to_number else "a date, a time or ISO 8601 text"
            raise bad_value(self.column, int(rows[step]), expected, flat[step])
        return np.array(times, dtype=np.float64 if read is _to_number else np.int64)

    def _learn_texts(self, texts: Mapping[str, int], form: dict[str, Any]) -> np.ndarray:
        """Return the times of texts; a form other than ISO 8601 is kept under "times" of the form."""
        times = [_to_microseconds(text) for text in texts]
        if self.day_first is None and self.time_format is None and None not in times:
            return np.array(times, dtype=np.int64)
        try:
            options = TimeOptions(self.day_first, self.time_format)
            read, found = read_times(pl.Series(self.column, list(texts)), options)
        except DataError as fault:
            odd = [text for text, time in zip(texts, times, strict=True) if time is None]
            if 2 * len(odd) > len(texts):
                raise
            raise bad_value(self.column, texts[odd[0]], "a date, a time or ISO 8601 text", odd[0]) from fault
        if found.kind == "number":
            raise bad_value(self.column, 0, "a date or a time as text", next(iter(texts)))
        form.update(separator="T", length=10 if found.kind == "date" else 19, times=found.to_json())
        return _walls(read)


def _walls(times: pl.Series) -> np.ndarray:
    """Return dates, or datetimes by their own clocks, in microseconds; _MISSING for a null."""
    plain = times if times.dtype == pl.Date else times.dt.replace_time_zone(None)
    return plain.cast(pl.Datetime("us")).to_physical().fill_null(_MISSING).to_numpy()


def _form(value: Any) -> dict[str, Any]:
    """Return the form of the column's times, so that `decode` can restore it."""
    if isinstance(value, str):
        separator = value[10:11] if value[10:11] in ("T", " ") else "T"
        length = len(value) if len(value) in (7, 10, 16, 19) or "." in value[19:20] else 19
        return {"kind": "text", "separator": separator, "length": min(length, 26)}
    if isinstance(value, dt.date | np.datetime64):
        whole = isinstance(value, dt.date) and not isinstance(value, dt.datetime)
        return {"kind": "date" if whole else "datetime"}
    return {"kind": "number"}


def _to_microseconds(value: Any) -> int | None:
    """Return microseconds since 1970; _MISSING for a missing value, None for a value that is no time."""
    if value is None:
        return _MISSING
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            try:
                value = np.datetime64(value) if len(value) < 10 else None  # "2024-05"
            except ValueError:
                return None
    if isinstance(value, np.datetime64):
        return _MISSING if np.isnat(value) else int(value.astype("datetime64[us]").astype(np.int64))
    if isinstance(value, dt.datetime):
        if value != value:  # pandas' NaT
            return _MISSING
        since = value.replace(tzinfo=None) - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return (value - _EPOCH.date()).days * _DAY if isinstance(value, dt.date) else None


def _to_number(value: Any) -> float | None:
    if value is None:
        return math.nan
    if isinstance(value, int | float | np.number) and not math.isinf(value):
        return float(value)
    return None


def _absent(times: np.ndarray) -> np.ndarray:
    return np.isnan(times) if times.dtype.kind == "f" else times == _MISSING


def _phases(times: np.ndarray) -> dict[str, np.ndarray]:
    """Return the share of each cycle that has passed, in [0, 1), for microseconds (N,)."""
    moments = times.astype("datetime64[us]")
    days = moments.astype("datetime64[D]")
    month = moments.astype("datetime64[M]").astype("datetime64[D]")
    year = moments.astype("datetime64[Y]").astype("datetime64[D]")
    number = days.astype(np.int64)
    return {
        "hour_of_day": times % _DAY / _DAY,
        "day_of_week": (number + 3) % 7 / 7,  # Monday = 0
        "day_of_month": (number - month.astype(np.int64)) / 31,
        "day_of_year": (number - year.astype(np.int64)) / 366,
    }
