"""Search for the calendar of a series among even steps, slots of the week and days of the month."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from unrolled.data.calendars.calendar import Calendar, CalendarCounts
from unrolled.data.calendars.calendar_words import time_words
from unrolled.data.calendars.grids import DAY, HOUR, WEEK, EvenSteps, MonthDays, Turns, WeekSlots
from unrolled.data.calendars.month_days import WEEKDAYS, MonthDay, rules_like, weekday
from unrolled.data.calendars.public_holidays import Holidays
from unrolled.data.calendars.step_search import FEW, JITTER, SHARE, Step, jitter, likely_steps, usual_step
from unrolled.data.calendars.turn_search import SHIFT, fiscal_turns, yearly_turns
from unrolled.data.calendars.week_pattern import open_slots, week_slots
from unrolled.data.time_zones import to_wall

MOST_GRID = 10  # places of a grid for each row; a grid with more is none
SMALLEST_SLOT = 60_000_000  # microseconds; shorter steps have no hours of the day
MANY_DAYS = 12  # rows; of fewer, no days next to a weekend are learnt
MANY = 6  # rows; of fewer, no rule as special as a last working day is learnt
EXACT = 0.002  # share of a step; times that close are on the grid
HALF = 0.5  # least share of the cells of varying times that have a row
_EVERY = (120, 60, 48, 36, 24, 12, 6, 4, 3, 2, 1)  # months
_MOST_OF_MONTH = 6  # days of a month that a rule may have
LEAST_BREAKS = 500  # days, of fewer no months are left out
_CLEARLY = 0.03  # share of rows by which a special rule must fit better than a simple one
_NO_DAYS = np.zeros(0, "M8[D]")


class Candidate(NamedTuple):
    """A calendar that may fit, and how far a time may be off, in microseconds or numbers."""

    calendar: Calendar
    tolerance: float


def infer_calendar(times: np.ndarray, zone: str = "", holidays: Holidays | None = None) -> Calendar | None:
    """Return the calendar that nearly all times fit and that has fewest places without a row; None for one time.

    Args:
        times: distinct times of one series, sorted, datetime64[us] in UTC or numbers.
        zone: time zone of the times, or "".
        holidays: public holidays that the series may leave out.
    """
    if len(times) < 2:
        return None
    if times.dtype.kind != "M":
        return _numbered(times)
    best: Calendar | None = None
    value = 0.0
    for calendar, tolerance in _candidates(times, zone, holidays):
        fitted = measured(calendar, times, tolerance)
        if fitted.found.steps > MOST_GRID * len(times) or fitted.found.outside > (1 - SHARE) * len(times):
            continue
        worth = fitted.found.rows / fitted.found.steps * (1 - fitted.found.outside / len(times))
        if worth > value + 0.01:  # of two that are equal, the first
            best, value = fitted, worth
        if value == 1.0:
            break  # every place has its row
    if best is None:
        return irregular(times, EvenSteps(usual_step(np.diff(times).astype(np.int64))), zone)
    return _with_breaks(_with_holidays(best, times, holidays), times)


def measured(calendar: Calendar, times: np.ndarray, tolerance: float | None = None) -> Calendar:
    """Return the calendar with counts of how these times fit it.

    Args:
        calendar: a calendar.
        times: distinct, sorted.
        tolerance: how far a time may be off; default a tenth of a step.
    """
    outside = np.zeros(len(times), dtype=bool)
    if not calendar.follows:
        off = np.abs((calendar.on_grid(times) - times).astype(np.int64 if times.dtype.kind == "M" else np.float64))
        outside = off > (slack(calendar) if tolerance is None else tolerance)
    inside = np.flatnonzero(~outside)
    if len(inside) < 2:
        return replace(calendar, found=CalendarCounts(1, len(times), len(times) - 1, time_words(times[0])))
    gaps = calendar.gaps(times[inside])
    outside[inside[1:][gaps <= 0]] = True  # a second row of one step
    rows, count = int((gaps > 0).sum()) + 1, int(outside.sum())
    example = time_words(times[outside][0]) if count else ""
    return replace(calendar, found=CalendarCounts(rows, int(gaps.sum()) + 1, count, example))


def slack(calendar: Calendar) -> float:
    """Return how far a time may be off the calendar."""
    if isinstance(calendar.grid, MonthDays):
        return np.inf if any(day.kind == "usual" for day in calendar.grid.days) else DAY / 2
    if isinstance(calendar.grid, Turns):
        return SHIFT if calendar.grid.size else DAY / 2
    return jitter(calendar.grid.size, FEW) if calendar.dated else JITTER * calendar.grid.size


def irregular(times: np.ndarray, grid: EvenSteps, zone: str = "") -> Calendar:
    """Return the calendar of times that follow no grid."""
    gaps = np.diff(times).astype(np.int64 if times.dtype.kind == "M" else np.float64)
    off = np.abs(gaps / grid.size - 1) > JITTER
    count = int(off.sum())
    found = CalendarCounts(len(times) - count, len(times), count, time_words(times[1:][off][0]) if count else "")
    return Calendar(grid, zone, irregular=True, dated=times.dtype.kind == "M", found=found)


def _candidates(times: np.ndarray, zone: str, holidays: Holidays | None) -> Iterator[Candidate]:
    """Yield the calendars to compare, the simplest first."""
    walls = np.unique(to_wall(times, zone).astype(np.int64))
    steps = likely_steps(walls)
    # a day has 23 to 25 hours where the clocks change: only steps of days or more are even on the wall
    even = [step for step in steps if step.size >= DAY or not zone]
    even += [step for step in likely_steps(times.astype(np.int64)) if step.size < DAY] if zone else []
    exact, near = _even(even, len(times), zone)
    months = list(_month_days(walls, zone, holidays))
    simple = [one for one in months if _is_simple(one.calendar)]
    usual = [one for one in months if one.tolerance == np.inf]
    yield from simple
    turns = yearly_turns(walls)
    if turns is not None:
        yield Candidate(Calendar(turns, zone), EXACT * DAY)
    yield from exact
    yield from (one for one in months if one not in simple and one not in usual)
    turns = fiscal_turns(walls)
    if turns is not None:
        yield Candidate(Calendar(turns, zone), SHIFT)
    yield from near
    for step in steps:
        if step.phase is not None and DAY % step.size == 0 and step.size >= SMALLEST_SLOT:
            slots = week_slots(walls, step.size, step.phase)
            if slots is not None:
                yield Candidate(Calendar(slots, zone), jitter(step.size, len(times)))
    yield from usual
    if len(times) >= MANY:
        yield from _cells(walls, zone)


def _even(steps: list[Step], count: int, zone: str) -> tuple[list[Candidate], list[Candidate]]:
    """Return calendars of even steps: those whose times are on the grid, and those whose times are near it."""
    exact, near = [], []
    for step in steps:
        calendar = Calendar(EvenSteps(step.size, step.phase), zone)
        if step.phase is not None:
            exact.append(Candidate(calendar, EXACT * step.size))
        near.append(Candidate(calendar, jitter(step.size, count)))
    return exact, near


def _is_simple(calendar: Calendar) -> bool:
    days = calendar.grid.days if isinstance(calendar.grid, MonthDays) and not calendar.grid.months else ()
    return len(days) == 1 and days[0].kind == "day"


def _cells(walls: np.ndarray, zone: str) -> Iterator[Candidate]:
    """Yield calendars of one row in each hour, day or week, at any time within it."""
    for size in (WEEK, DAY) if zone else (WEEK, DAY, HOUR):
        since = walls - (4 * DAY if size == WEEK else 0)
        cells = np.unique(since // size)
        if len(cells) >= 0.95 * len(walls) and len(cells) >= HALF * (cells[-1] - cells[0] + 1):
            phase = int(np.median(since % size)) + (4 * DAY if size == WEEK else 0)
            yield Candidate(Calendar(EvenSteps(size, phase % size), zone), size)


def _month_days(walls: np.ndarray, zone: str, holidays: Holidays | None) -> Iterator[Candidate]:
    """Yield calendars of one to four days of each month, or of each third, and so on."""
    distinct, counts = np.unique(walls % DAY, return_counts=True)
    into = int(distinct[counts.argmax()])
    dates = np.unique((walls - into + DAY // 2).astype("M8[us]").astype("M8[D]"))
    months = dates.astype("M8[M]").astype(np.int64)
    span, present = int(months[-1] - months[0]) + 1, len(np.unique(months))
    if len(dates) < SHARE * len(walls) or present < 2:
        return
    closed = _NO_DAYS
    if holidays is not None:
        years = dates[[0, -1]].astype("M8[Y]").astype(np.int64) + 1970
        closed = holidays.dates(int(years[0]), int(years[1]) + 1)
    if present >= SHARE * len(dates):
        every = [size for size in _EVERY if size <= span]
        size, first = next(
            (size, int(phases.argmax()))
            for size in every
            if (phases := np.bincount(months % size)).max() >= 0.95 * len(months) and (size <= 12 or len(months) > 2)
        )
        inside = dates[months % size == first]
        for rule in _best_rules(inside, closed):
            used = holidays if rule.kind in ("working day", "next", "previous") and len(closed) else None
            tolerance = np.inf if rule.kind == "usual" else DAY / 2
            yield Candidate(Calendar(MonthDays(size, (rule,), first, into), zone, used), tolerance)
            some = _months_of_year(inside) if size == 1 else ()
            if some:
                yield Candidate(Calendar(MonthDays(1, (rule,), 0, into, some), zone, used), tolerance)
    elif len(dates) >= 8 and span >= 3 and len(dates) <= (_MOST_OF_MONTH + 0.5) * present:
        for days in (*_several_days(dates), *_several_weekdays(dates)):
            yield Candidate(Calendar(MonthDays(1, days, 0, into), zone), DAY / 2)


def _months_of_year(dates: np.ndarray) -> tuple[int, ...]:
    """Return the months of the year that occur, 0 for January; empty if chance leaves the others out."""
    months = dates.astype("M8[M]").astype(np.int64)
    chances = np.bincount(np.arange(months[0], months[-1] + 1) % 12, minlength=12)
    found = open_slots(np.bincount(months % 12, minlength=12), chances)
    return () if found.all() else tuple(np.flatnonzero(found).tolist())


def _best_rules(dates: np.ndarray, closed: np.ndarray) -> list[MonthDay]:
    """Return the rule that most dates fit, and a rule for dates that vary."""
    months = dates.astype("M8[M]")
    best, share, varies = None, 0.0, []
    for rule in rules_like(dates):
        if rule.kind == "usual":
            if len(dates) >= MANY and len(dates) >= HALF * (int((months[-1] - months[0]).astype(np.int64)) + 1):
                varies.append(rule)
            continue
        if rule.kind != "day" and len(dates) < MANY:
            continue
        fits = float((rule.dates(months, closed) == dates).mean())
        margin = 1e-9 if best is None or best.kind == rule.kind else _CLEARLY
        if fits > share + margin:
            best, share = rule, fits
    return [*([best] if best is not None and share >= SHARE else []), *varies]


def _several_days(dates: np.ndarray) -> Iterator[tuple[MonthDay, ...]]:
    """Yield the sets of days of the month that nearly all dates are of."""
    months = dates.astype("M8[M]")
    numbers, counts = np.unique((dates - months.astype("M8[D]")).astype(np.int64) + 1, return_counts=True)
    common = numbers[np.argsort(-counts, kind="stable")].tolist()
    for size in range(2, _MOST_OF_MONTH + 1):
        front = sorted(common[:size])
        early = sorted([day for day in common if day < 28][: size - 1])
        for kind in ("day", "previous", "next") if len(dates) >= MANY_DAYS else ("day",):
            for chosen in (front, [*early, -1], [*early, 30], *([*one, -1] for one in _near(early) if kind != "day")):
                if len(chosen) != size:
                    continue
                days = tuple(MonthDay(kind, number) for number in chosen)
                fits = np.any([day.dates(months) == dates for day in days], axis=0)
                if fits.mean() >= SHARE:
                    yield days


def _several_weekdays(dates: np.ndarray) -> Iterator[tuple[MonthDay, ...]]:
    """Yield the places of one weekday in its month, the second and fourth Tuesday, that nearly all dates are."""
    day = weekday(dates)
    if (day != day[0]).any():
        return
    number = (dates - dates.astype("M8[M]").astype("M8[D]")).astype(np.int64) // 7 + 1
    counts = np.bincount(number, minlength=6)
    found = [place for place in range(1, 5) if counts[place] > (1 - SHARE) * len(dates)]
    for chosen in (found, [*(place for place in found if place < 4), -1]):
        days = tuple(MonthDay(WEEKDAYS[int(day[0])], place) for place in chosen)
        fits = np.any([one.dates(dates.astype("M8[M]")) == dates for one in days], axis=0)
        if 2 <= len(chosen) < 4 and fits.mean() >= SHARE:
            yield days


def _near(days: list[int]) -> Iterator[list[int]]:
    """Yield days a little later and earlier, as dates that avoid weekends are most common beside the day itself."""
    for shift in (1, -1, 2, -2):
        yield [day + shift for day in days]


def _with_holidays(calendar: Calendar, times: np.ndarray, holidays: Holidays | None) -> Calendar:
    """Leave holidays out unless the series has rows on them."""
    daily = isinstance(calendar.grid, WeekSlots) or (isinstance(calendar.grid, EvenSteps) and calendar.grid.size == DAY)
    if holidays is None or not daily or calendar.irregular:
        return calendar
    closing = measured(replace(calendar, holidays=holidays), times)
    left_out = calendar.found.steps - closing.found.steps
    lost = closing.found.outside - calendar.found.outside
    return closing if lost <= 0.1 * left_out else calendar


def _with_breaks(calendar: Calendar, times: np.ndarray) -> Calendar:
    """Leave out the months of the year in which a daily series never has rows, as in school terms."""
    daily = isinstance(calendar.grid, WeekSlots | EvenSteps) and calendar.grid.size == DAY
    if not daily or calendar.irregular or times[-1] - times[0] < np.timedelta64(LEAST_BREAKS, "D"):
        return calendar
    months = np.unique(to_wall(times, calendar.zone).astype("M8[M]")).astype("M8[D]")
    found = _months_of_year(months)
    if not found:
        return calendar
    holidays = calendar.holidays or Holidays()
    closed = tuple(month for month in range(12) if month not in found)
    closing = measured(replace(calendar, holidays=replace(holidays, months=closed)), times)
    return closing if closing.found.outside <= calendar.found.outside else calendar


def _numbered(times: np.ndarray) -> Calendar:
    """Return the calendar of a column of numbers."""
    gaps = np.diff(times.astype(np.float64))
    whole = bool((times == np.rint(times)).all()) and np.abs(times.astype(np.float64)).max() < 2.0**53
    unit = 1.0 if whole else float(np.median(gaps)) * 1e-4
    span = float(times[-1]) - float(times[0])
    best: Calendar | None = None
    value = 0.0
    if span / unit < 2.0**53:
        ticks = np.unique(np.rint((times.astype(np.float64) - (0 if whole else times[0])) / unit).astype(np.int64))
        for step in likely_steps(ticks, ()):
            size = step.size if whole else _simple(step.size * unit, span)
            phase = None if step.phase is None else (step.phase if whole else float(times[0]) + step.phase * unit)
            calendar = measured(Calendar(EvenSteps(size, phase), dated=False), times, JITTER * size)
            found = calendar.found
            if found.steps > MOST_GRID * len(times) or found.outside > (1 - SHARE) * len(times):
                continue
            worth = found.rows / found.steps * (1 - found.outside / len(times))
            if worth > value + 0.01:
                best, value = calendar, worth
    return best or irregular(times, EvenSteps(float(np.median(gaps))))


def _simple(size: float, span: float) -> float:
    """Return a step measured over the whole span, with the fewest digits that reach from its start to its end."""
    exact = span / max(1, round(span / size))
    near = (float(f"{exact:.{digits}g}") for digits in range(1, 16))
    return next((one for one in near if abs(one - exact) * span <= 1e-6 * exact * exact), exact)
