"""Calendars of the series of a table: one for each series, and the most common one for series without rows enough."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from unrolled.data.calendars.calendar import Calendar, CalendarCounts
from unrolled.data.calendars.calendar_search import MOST_GRID, measured
from unrolled.data.calendars.calendar_words import duration_words, step_words, time_words
from unrolled.data.calendars.faults import refuse_all, warn_of_faults
from unrolled.data.calendars.grids import DAY, EvenSteps
from unrolled.data.calendars.public_holidays import Holidays
from unrolled.data.calendars.step_changes import change_words, current_calendar, longer_end
from unrolled.data.calendars.step_search import SHARE
from unrolled.data.time_zones import to_wall
from unrolled.errors import ArtifactError, DataError, message

SPARE_GRID = 100  # places of a grid that a short series may have besides
LONG = 10  # rows; a shorter series first tries the calendars of the others
FAR = 10  # times the span of all others; a first or last time as far away as this is none of the series
COMPARED = 8  # most common calendars that a series is compared with
COARSE = 0.01  # probability of rows this far apart if only chance leaves rows out
ALIKE = 0.01  # steps whose lengths differ by less than this share are one
_NAMED = 3  # series that a warning names, and calendars that are described


class Named(Protocol):
    """One series: its name, and distinct, sorted times."""

    @property
    def name(self) -> Any: ...

    @property
    def times(self) -> np.ndarray: ...


Rows = TypeVar("Rows", bound=Named)


@dataclass
class Calendars:
    """Calendars of the series of a table.

    Args:
        known: the different calendars, those of most series first, with counts over all their series.
        places: index of each series' calendar, by name.
        zone: time zone of new series.
        holidays: public holidays that new series may leave out.
        misfits: the calendars of series of training with times that do not fit, by name; not saved.
        changes: where the step of a series of training changes, in words, by name; not saved.
        faults: the faults of series of training with a longer step at the end, which are left out; not saved.
    """

    known: list[Calendar] = field(default_factory=lambda: [Calendar(EvenSteps(1), dated=False)])
    places: dict[Any, int] = field(default_factory=dict)
    zone: str = ""
    holidays: Holidays | None = None
    misfits: dict[Any, Calendar] = field(default_factory=dict)
    changes: dict[Any, str] = field(default_factory=dict)
    faults: dict[Any, DataError] = field(default_factory=dict)

    @classmethod
    def learn(
        cls,
        series: Mapping[Any, np.ndarray],
        zone: str = "",
        holidays: Holidays | None = None,
        zones: Mapping[Any, str] | None = None,
    ) -> Self:
        """Learn the calendar of each series.

        Args:
            series: distinct times, sorted, datetime64[us] in UTC or numbers, by name.
            zone: time zone of the times, or "".
            holidays: public holidays that series may leave out.
            zones: time zones of single series, by name; None for none.

        Raises:
            DataError: times far from all others, or a longer step at the end of every series.
        """
        local = dict.fromkeys(series, zone) | dict(zones or {})
        found: dict[Any, Calendar] = {}
        totals: dict[Calendar, CalendarCounts] = {}
        count: dict[Calendar, int] = {}
        common: list[Calendar] = []
        for name, times in sorted(series.items(), key=lambda item: len(item[1]) < LONG):  # long series first
            calendar = _learnt(times, common, local[name], holidays)
            if calendar is None:
                continue
            if calendar.irregular:
                refuse_far(name, times)
            found[name] = calendar
            totals[calendar] = totals.get(calendar, CalendarCounts()) + calendar.found
            count[calendar] = count.get(calendar, 0) + 1
            if calendar not in common:
                common = [*common, calendar][-COMPARED:]
            common.sort(key=count.__getitem__, reverse=True)
        known = [replace(one, found=totals[one]) for one in sorted(count, key=count.__getitem__, reverse=True)]
        if not known:
            dated = any(times.dtype.kind == "M" for times in series.values())
            known = [Calendar(EvenSteps(DAY if dated else 1), zone, dated=dated)]
        place = {calendar: index for index, calendar in enumerate(known)}
        misfits = {name: calendar for name, calendar in found.items() if calendar.found.outside}
        faults = {name: fault for name in found if (fault := longer_end(name, series[name], local[name])) is not None}
        refuse_all(list(faults.values()), len(series))
        changes = {name: said for name in found if (said := change_words(series[name], local[name]))}
        places = {name: place[calendar] for name, calendar in found.items()}
        return cls(known, places, zone, holidays, misfits, changes, faults)

    @property
    def common(self) -> Calendar:
        """The calendar of most series."""
        return self.known[0]

    @cached_property
    def _steps(self) -> list[Calendar]:
        """One calendar for each step."""
        return list({(calendar.irregular, calendar.step): calendar for calendar in self.known}.values())

    def learnt(self, name: Any) -> Calendar:
        """Return the calendar of a series of training; the most common one for any other."""
        return self.known[self.places.get(name, 0)]

    def of(self, name: Any, times: np.ndarray) -> Calendar:
        """Return the calendar of a series with these times.

        Args:
            name: name of the series.
            times: distinct times, sorted.

        Raises:
            DataError: times at another step than that of the series in training, or of any series for a new one, or
                at a longer step at the end.
        """
        fault = self.faults.get(name) or longer_end(name, times, self.zone)
        if fault is not None:
            raise fault
        place = self.places.get(name)
        if place is None:
            return self._of_new(name, times)
        learnt = self.known[place]
        if len(times) < 2 or learnt.irregular:
            return learnt
        gaps = learnt.gaps(times)
        if int(gaps.sum()) >= MOST_GRID * len(times) + SPARE_GRID:
            refuse_far(name, times)
        if (gaps <= 0).mean() >= 1 / 3:
            raise _other_step(name, learnt, times, self.zone)
        off = measured(learnt, times).found.outside > (1 - SHARE) * len(times)
        if not off and not _coarser(learnt, gaps):
            return learnt
        own = self._inferred(times, learnt.zone)
        if own.irregular or len(times) < 3:
            return learnt
        if not _same_step(own, learnt):
            raise _other_step(name, learnt, times, learnt.zone)
        return own if off else learnt

    def walls(self, times: np.ndarray, groups: Sequence[tuple[Any, np.ndarray]]) -> np.ndarray:
        """Return times by the clocks of each series of training, (T,).

        Args:
            times: of all series, datetime64[us] in UTC or numbers.
            groups: the name and the rows of each series.
        """
        walls = times.copy()
        for name, rows in groups:
            walls[rows] = to_wall(times[rows], self.learnt(name).zone) if times.dtype.kind == "M" else times[rows]
        return walls

    def followed(self, series: Sequence[Rows]) -> list[Rows]:
        """Return the series that are at the steps of training, and warn of the others.

        Args:
            series: objects with a name and times.

        Raises:
            DataError: all are at other steps.
        """
        kept, faults = [], []
        for one in series:
            try:
                self.of(one.name, one.times)
                kept.append(one)
            except DataError as fault:
                faults.append(fault)
        refuse_all(faults, len(series))
        warn_of_faults(f"{len(faults)} of {len(series)} series left out", faults)
        return kept

    def _of_new(self, name: Any, times: np.ndarray) -> Calendar:
        if not len(times):
            return self.common
        common = [calendar.anchored(times[0]) for calendar in self.known[:COMPARED]]
        if len(times) == 1:
            return common[0]
        own = self._inferred(times, self.zone)
        if own.irregular:
            refuse_far(name, times)
        like = any(_same_step(own, calendar) for calendar in self._steps)
        if like and len(times) >= LONG and not own.irregular:
            return own
        for calendar in common:
            if not calendar.irregular and _suits(calendar, times):
                return calendar
        if like or any(calendar.irregular for calendar in common):
            return own
        if own.irregular and (common[0].gaps(times) <= 0).mean() < 1 / 3:
            return own
        raise _other_step(name, self.common, times, self.zone)

    def _inferred(self, times: np.ndarray, zone: str) -> Calendar:
        own = current_calendar(times, zone, self.holidays)
        assert own is not None, "two times have a distance"
        return own

    def adopt(self, name: Any, start: Any) -> None:
        """Give a series without a calendar the most common one, counted from one of its times."""
        calendar = self.common.anchored(start)
        if calendar not in self.known:
            self.known.append(calendar)
        self.places[name] = self.known.index(calendar)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "known": [calendar.to_json() for calendar in self.known],
            "names": list(self.places),
            "places": list(self.places.values()),
            "zone": self.zone,
            "holidays": None if self.holidays is None else self.holidays.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        known = [Calendar.from_json(calendar) for calendar in data["known"]]
        holidays = None if data["holidays"] is None else Holidays.from_json(data["holidays"])
        places = dict(zip(data["names"], data["places"], strict=True))
        if not known or any(type(place) is not int or not 0 <= place < len(known) for place in places.values()):
            raise ArtifactError(message("calendars", expected="one for each series", received=str(places)[:80]))
        return cls(known, places, data["zone"], holidays)

    def __str__(self) -> str:
        if len(self.known) == 1:
            return str(self.common)
        counts = np.bincount(list(self.places.values()), minlength=len(self.known)).tolist()
        parts = [f"{count} series {calendar}" for calendar, count in zip(self.known, counts, strict=True)]
        more = len(parts) - _NAMED
        return "; ".join(parts[:_NAMED]) + (f"; and {more} other calendars" if more > 0 else "")


def warn_of_misfits(found: Mapping[Any, Calendar]) -> None:
    """Warn of series with times that do not fit their calendar, by name."""
    if found:
        named = [("the times are " if name is None else f"series {name!r}: ") + str(one) for name, one in found.items()]
        more = f"; and {len(found) - _NAMED} more series" if len(found) > _NAMED else ""
        warnings.warn("; ".join(named[:_NAMED]) + more, stacklevel=3)


def warn_of_dropped(name: Any, calendar: Calendar, count: int, first: Any) -> None:
    """Warn of rows that are left out because another row of the series is nearer to their step."""
    where = "" if name is None else f"series {name!r}: "
    step = step_words(calendar.grid, calendar.dated)
    rows = f"rows left out, as another row is nearer to their step ({step}): {count}"
    warnings.warn(f"{where}{rows}, the first is {first}", stacklevel=4)


def _learnt(times: np.ndarray, common: list[Calendar], zone: str, holidays: Holidays | None) -> Calendar | None:
    """Return the calendar of one series; another's if that fits every row, and, for a long one, has no gap."""
    if len(times) < 2:
        return None
    for calendar in common:
        if calendar.irregular or calendar.zone != zone:
            continue
        fitted = measured(calendar, times)
        whole = fitted.found.rows == fitted.found.steps or len(times) < LONG
        if whole and not fitted.found.outside and not _coarser(calendar, calendar.gaps(times)):
            return fitted
    return current_calendar(times, zone, holidays)


def refuse_far(name: Any, times: np.ndarray) -> None:
    """Refuse irregular times of which the first or the last is far from all others, such as 9999-12-31.

    Args:
        name: name of the series, None for a single one.
        times: distinct, sorted.

    Raises:
        DataError: such a time.
    """
    if len(times) < LONG:
        return
    for far, near, span in ((-1, -2, times[-2] - times[0]), (0, 1, times[-1] - times[1])):
        if abs(times[far] - times[near]) > FAR * span:
            where = "data" if name is None else f"series {name!r}"
            received = f"{time_words(times[far])} beside {time_words(times[near])}"
            raise DataError(
                message(where, expected="times near each other", received=received,
                        remedy="leave out rows whose time only says that it is unknown or open")
            )  # fmt: skip


def _suits(calendar: Calendar, times: np.ndarray) -> bool:
    found = measured(calendar, times).found
    return found.outside <= (1 - SHARE) * len(times) and not _coarser(calendar, calendar.gaps(times))


def _coarser(calendar: Calendar, gaps: np.ndarray) -> bool:
    """Return whether no two rows are neighbours, although rows of this calendar are rarely missing."""
    found = calendar.found
    present = min(0.99, found.rows / found.steps) if found.steps else 0.0
    return bool(len(gaps) and gaps.min() >= 2 and (1 - present) ** len(gaps) < COARSE)


def _same_step(one: Calendar, other: Calendar) -> bool:
    if one.irregular or other.irregular:
        return one.irregular and other.irregular
    (kind, size), (other_kind, other_size) = one.step, other.step
    return kind == other_kind and abs(size - other_size) <= ALIKE * other_size


def _other_step(name: Any, learnt: Calendar, times: np.ndarray, zone: str) -> DataError:
    own = current_calendar(times, zone)
    assert own is not None, "two times have a distance"
    given = (
        f"times {duration_words(own.step[1])} apart" if own.irregular and own.dated else step_words(own.grid, own.dated)
    )
    return DataError(
        message(
            "data" if name is None else f"series {name!r}",
            expected=f"the step of training: {step_words(learnt.grid, learnt.dated)}",
            received=f"{given}, from {time_words(times[0])} on",
            remedy="give rows at the step of training, or train a model on these rows",
        )
    )
