"""Changes of the step within a series: monthly rows up to a date and weekly ones from then on."""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from unrolled.data.calendars.calendar import Calendar
from unrolled.data.calendars.calendar_search import infer_calendar
from unrolled.data.calendars.calendar_words import step_words, time_words
from unrolled.data.calendars.public_holidays import Holidays
from unrolled.data.time_zones import to_wall
from unrolled.errors import DataError, message

LEAST = 10  # steps of each part
_RATIO = 1.8  # of the usual distances before and after a change
_NEAR, _SHARE = 1.35, 0.75  # in one part, this share of the distances is within this factor of the usual one
_MOST_PARTS = 8  # changes that are looked for
_NAMED = 3  # series that a warning names
_MOST = 20  # times the usual distance, beyond which a pause is as long as any


class StepChange(NamedTuple):
    """The parts of a series between changes of its step.

    Args:
        starts: the first row of each part, from 0.
        usual: the usual distance of each part, in the unit of the times.
    """

    starts: tuple[int, ...]
    usual: tuple[float, ...]

    @property
    def finest(self) -> int:
        """The part with the shortest step; of several, the last one."""
        return max(range(len(self.usual)), key=lambda part: (-self.usual[part], part))


def step_change(times: np.ndarray) -> StepChange | None:
    """Return the parts of a series whose step changes, None for a series with one step, or with none.

    The cost is in proportion to the rows, with at most eight changes.

    Args:
        times: distinct, sorted, datetime64[us] or numbers.

    Example:
        >>> step_change(np.array([*range(0, 200, 10), *range(200, 220)]))
        StepChange(starts=(0, 20), usual=(10.0, 1.0))
    """
    if len(times) < 2 * LEAST + 1:
        return None
    gaps = np.diff(times).astype(np.float64)
    if gaps.min() * _RATIO > gaps.max():
        return None
    logs = np.log(np.minimum(gaps, _MOST * np.median(gaps)))
    parts = _split(logs, 0, len(gaps), _MOST_PARTS)
    joined = [parts[0]]
    for start, stop in parts[1:]:
        if _differ(gaps[slice(*joined[-1])], gaps[start:stop]):
            joined.append((start, stop))
        else:
            joined[-1] = (joined[-1][0], stop)
    if len(joined) < 2 or not all(_even(gaps[start:stop]) for start, stop in joined):
        return None
    usual = tuple(float(np.median(gaps[start:stop])) for start, stop in joined)
    return StepChange(tuple(start for start, _ in joined), usual)


def current_calendar(times: np.ndarray, zone: str = "", holidays: Holidays | None = None) -> Calendar | None:
    """Return the calendar of a series, of its finest part if its step changes; None for one time.

    Rows of coarser parts are then rows of the finer calendar with gaps between them.

    Args:
        times: distinct, sorted, datetime64[us] in UTC or numbers.
        zone: time zone of the times, or "".
        holidays: public holidays that the series may leave out.
    """
    change = step_change(times)
    if change is None:
        return infer_calendar(times, zone, holidays)
    own = infer_calendar(_part(times, change, change.finest), zone, holidays)
    return infer_calendar(times, zone, holidays) if own is None or own.irregular else own


def change_words(times: np.ndarray, zone: str = "") -> str:
    """Return where the step of a series becomes shorter, and what to do; "" for a series with one step.

    Args:
        times: distinct, sorted, datetime64[us] in UTC or numbers.
        zone: time zone of the times, or "".

    Example:
        >>> change_words(np.array([*range(0, 200, 10), *range(200, 220)]))[:61]
        'the step changes at 200: steps of 10 before, steps of 1 after'
    """
    change = step_change(times)
    if change is None or _coarser(change):
        return ""
    when, steps = _told(times, change, zone)
    return (
        f"the step changes at {when}: {steps[-2]} before, {steps[-1]} after; forecasts are {steps[-1]}; "
        f"give only the rows from {when} on, or rows of one step throughout"
    )


def longer_end(name: Any, times: np.ndarray, zone: str = "") -> DataError | None:
    """Return the fault of a series whose last rows are at a longer step than earlier ones, as no step fits both.

    Args:
        name: name of the series, None for a single one.
        times: distinct, sorted, datetime64[us] in UTC or numbers.
        zone: time zone of the times, or "".
    """
    change = step_change(times)
    if change is None or not _coarser(change):
        return None
    when, steps = _told(times, change, zone)
    return DataError(
        message("data" if name is None else f"series {name!r}", expected="one step, or a shorter one at the end",
                received=f"{steps[-2]} before {when}, {steps[-1]} after",
                remedy=f"give only the rows from {when} on, or rows of one step throughout, such as sums")
    )  # fmt: skip


def warn_of_changes(found: Mapping[Any, str]) -> None:
    """Warn of series whose step changes, by name."""
    if found:
        named = [said if name is None else f"series {name!r}: {said}" for name, said in found.items()]
        more = f"; and {len(found) - _NAMED} more series" if len(found) > _NAMED else ""
        warnings.warn("; ".join(named[:_NAMED]) + more, stacklevel=3)


def _coarser(change: StepChange) -> bool:
    return change.usual[-1] > _RATIO * min(change.usual)


def _told(times: np.ndarray, change: StepChange, zone: str) -> tuple[str, list[str]]:
    """Return when the last part of a series begins, and the step of each part, in words."""
    steps = []
    for part in range(len(change.starts)):
        own = infer_calendar(_part(times, change, part), zone)
        assert own is not None, "a part has several times"
        steps.append(step_words(own.grid, own.dated))
    last = times[[change.starts[-1]]]
    return time_words((to_wall(last, zone) if times.dtype.kind == "M" else last)[0]), steps


def _part(times: np.ndarray, change: StepChange, part: int) -> np.ndarray:
    ends = (*change.starts[1:], len(times) - 1)
    return times[change.starts[part] : ends[part] + 1]


def _split(logs: np.ndarray, start: int, stop: int, most: int) -> list[tuple[int, int]]:
    """Return the parts between the rows at which the mean distance changes most."""
    count = stop - start
    if count < 2 * LEAST or most < 2:
        return [(start, stop)]
    total = np.cumsum(logs[start:stop])
    places = np.arange(LEAST, count - LEAST + 1)
    before, after = total[places - 1] / places, (total[-1] - total[places - 1]) / (count - places)
    place = start + int(places[np.argmax(places * (count - places) * (before - after) ** 2)])
    if not _differ(np.exp(logs[start:place]), np.exp(logs[place:stop])):
        return [(start, stop)]
    return [*_split(logs, start, place, most // 2), *_split(logs, place, stop, most // 2)]


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    low, high = sorted((float(np.median(one)), float(np.median(other))))
    return high > _RATIO * low


def _even(gaps: np.ndarray) -> bool:
    usual = np.median(gaps)
    near = (gaps < _NEAR * usual) & (usual < _NEAR * gaps)
    return len(gaps) >= LEAST and bool(near.mean() >= _SHARE)
