"""The clock of a series: the length of one step, the place of a time on the grid, and the next times."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

DAY = np.timedelta64(1, "D").astype("m8[us]").astype(np.int64)
FARTHEST = 2.0**62  # steps; a time farther away has no place
MAX_FILL = 0.1  # a grid that would need more than this share of extra rows is not used


@dataclass(frozen=True)
class Clock:
    """The length of one step of a series.

    Args:
        kind: "number" (size in the column's own unit), "time" (size in microseconds), "month" (size in months),
            "weekday" (Monday to Friday).
        size: length of one step.
        month_end: whether "month" steps always fall on the last day.
    """

    kind: str
    size: float
    month_end: bool = False

    def positions(self, times: np.ndarray) -> np.ndarray:
        """Return the number of whole steps from the first time to each, (T,); rounded where a time is off the grid."""
        if self.kind == "month":
            months = times.astype("M8[M]").astype(np.int64)
            return np.rint((months - months[0]) / self.size).astype(np.int64)
        if self.kind == "weekday":
            days = times.astype("M8[D]")
            return np.busday_count(days[0], days).astype(np.int64)
        ticks = times.astype(np.int64) if times.dtype.kind == "M" else times.astype(np.float64)
        steps = np.rint((ticks - ticks[0]) / self.size)
        return np.clip(steps, -FARTHEST, FARTHEST).astype(np.int64)

    def after(self, start: Any, steps: np.ndarray | Sequence[int]) -> np.ndarray:
        """Return the times `steps` steps after `start`, in its dtype."""
        begin = np.asarray(start)
        count = np.asarray(steps, dtype=np.int64)
        if self.kind == "month":
            month = begin.astype("M8[M]")
            into = begin - month.astype(begin.dtype)
            targets = month + (count * int(self.size)).astype("m8[M]")
            lengths = (targets + np.timedelta64(1, "M")).astype("M8[D]") - targets.astype("M8[D]")
            last_day = (lengths - np.timedelta64(1, "D")).astype("m8[us]")
            clock = into - into.astype("m8[D]").astype("m8[us]")
            day = last_day if self.month_end else np.minimum(into - clock, last_day)
            return targets.astype(begin.dtype) + day + clock
        if self.kind == "weekday":
            day = begin.astype("M8[D]")
            return np.busday_offset(day, count).astype(begin.dtype) + (begin - day.astype(begin.dtype))
        if begin.dtype.kind == "M":
            return begin + (count * int(self.size)).astype("m8[us]")
        return (begin + count * self.size).astype(begin.dtype)

    def seasons(self) -> list[int]:
        """Return the seasons, in steps, that a calendar suggests for this clock."""
        if self.kind == "month":
            return [round(12 / self.size)] if self.size < 12 and 12 % self.size == 0 else []
        if self.kind == "weekday":
            return [5, 261]
        if self.kind == "number":
            return []
        periods = [n * float(DAY) / self.size for n in (1 / 24, 1, 7, 365.25)]
        return [round(period) for period in periods if 2 <= period <= 5000 and abs(period - round(period)) < 0.3]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        return cls(**data)

    def __str__(self) -> str:
        if self.kind == "time":
            return str(np.timedelta64(int(self.size), "us").astype("m8[s]")) if self.size >= 1e6 else f"{self.size} us"
        return "1 weekday" if self.kind == "weekday" else f"{self.size:g} {self.kind}"


def infer_clock(series: Sequence[np.ndarray]) -> Clock:
    """Return the clock of the most common step; each array holds the sorted, distinct times of one series.

    Args:
        series: times as datetime64[us] or numbers.
    """
    filled = [times for times in series if len(times) > 1]
    if not filled:
        return Clock("number", 1.0) if not series or series[0].dtype.kind != "M" else Clock("time", float(DAY))
    gaps = np.concatenate([np.diff(times) for times in filled])
    everything = np.concatenate(filled)
    if everything.dtype.kind != "M":
        return Clock("number", float(_most_common(gaps)))
    usual = int(_most_common(gaps.astype(np.int64)))
    if np.median(gaps.astype(np.int64)) >= 28 * DAY:
        months = everything.astype("M8[M]")
        into = (everything - months.astype("M8[us]")).astype("m8[D]").astype(np.int64)
        ends = (everything.astype("M8[D]") + np.timedelta64(1, "D")).astype("M8[M]") != months
        if ends.all() or (into == into[0]).all():
            size = _most_common(np.concatenate([np.diff(t.astype("M8[M]")) for t in filled]).astype(np.int64))
            return Clock("month", float(size), bool(ends.all()))
    weekday = (everything.astype("M8[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; Monday = 0
    if usual == DAY and len(everything) >= 10 and weekday.max() < 5:
        return Clock("weekday", 1.0)
    return Clock("time", float(usual))


def grid(clock: Clock, times: np.ndarray) -> np.ndarray | None:
    """Return the place of each time on a full grid, (T,); None if the times fit no grid well enough."""
    places = clock.positions(times)
    distinct = len(places) == len(np.unique(places))
    return places if distinct and places[-1] + 1 <= (1 + MAX_FILL) * len(places) + 1 else None


def _most_common(values: np.ndarray) -> Any:
    distinct, counts = np.unique(values, return_counts=True)
    return distinct[counts.argmax()]
