"""Laws of calendars: whatever the times and the gaps in them, the next times and the places of rows are right."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.calendars.calendar import Calendar
from unrolled.data.calendars.calendar_search import infer_calendar
from unrolled.data.calendars.month_days import MonthDay, weekday
from unrolled.data.time_zones import to_utc, to_wall

ZONES = ("", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
AHEAD = 12


class Truth(NamedTuple):
    """All times of a series, and whether they are those of a wall clock."""

    times: np.ndarray
    wall: bool = True


def even(count: int, start: str, length: int, unit: str) -> np.ndarray:
    """Return times at equal distances."""
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(length, unit)


def open_times(count: int, minutes: int, is_open: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the first times of a grid at which something is open, given weekday and hour."""
    times = even(count * 12, "2020-01-06", minutes, "m")
    hour = (times - times.astype("M8[D]")).astype("m8[m]").astype(np.int64) / 60
    return times[is_open(weekday(times), hour)][:count]


def monthly(count: int, size: int, first: int, *days: MonthDay) -> np.ndarray:
    """Return times on days of each `size`-th month."""
    months = np.datetime64("2001-01", "M") + first + np.arange(count) * size
    return np.sort(np.concatenate([day.dates(months) for day in days]).astype("M8[us]"))


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """Draw the times of a calendar."""
    kind = draw(st.sampled_from(["even", "days", "weekdays", "hours", "market", "shop", "months", "month days"]))
    hour = np.timedelta64(draw(st.integers(0, 23)), "h")
    if kind == "even":
        unit = draw(st.sampled_from(["s", "m", "h"]))
        return Truth(even(400, "2021-03-01T00:00", draw(st.integers(1, 11)), unit), wall=False)
    if kind == "days":
        return Truth(even(200, "2021-01-04", draw(st.sampled_from([1, 2, 3, 7, 14, 28])), "D") + hour)
    if kind == "weekdays":
        days = draw(st.sampled_from([(0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5), (6, 0, 1, 2, 3), (0, 2, 4), (1, 3)]))
        return Truth(open_times(200, 1440, lambda day, _: np.isin(day, days)) + hour)
    if kind in ("hours", "market"):
        first, last = sorted(
            draw(st.lists(st.integers(4, 23), min_size=2, max_size=2, unique=True))
        )  # clocks change at night
        minutes, days = draw(st.sampled_from([30, 60])), 5 if kind == "market" else 7
        per_day = (last - first) * 60 // minutes + 1
        rows = max(400, per_day * days * 16)
        times = open_times(rows, minutes, lambda day, hour: (day < days) & (hour >= first) & (hour <= last))
        return Truth(times)
    if kind == "shop":
        return Truth(open_times(1000, 60, lambda day, hour: (hour >= 9) & (hour <= np.choose(day, [18] * 5 + [13, 0]))))
    number = draw(st.sampled_from([*range(1, 32), -1]))
    if kind == "months":
        size = draw(st.sampled_from([1, 2, 3, 6, 12]))
        return Truth(monthly(80, size, draw(st.integers(0, 11)), MonthDay("day", number)) + hour)
    day = draw(
        st.sampled_from(
            [
                (MonthDay("working day", 1),),
                (MonthDay("working day", -1),),
                (MonthDay("Friday", 3),),
                (MonthDay("Wednesday", 2),),
                (MonthDay("Monday", -1),),
                (MonthDay("next", 15),),
                (MonthDay("previous", 25),),
                (MonthDay("day", 1), MonthDay("day", 15)),
                (MonthDay("day", 15), MonthDay("day", -1)),
                (MonthDay("day", 1), MonthDay("day", 11), MonthDay("day", 21)),
            ]
        )
    )
    return Truth(monthly(120, 1, 0, *day) + hour)


@settings(max_examples=400, deadline=None)
@given(
    truth=truths(), zone=st.sampled_from(ZONES), missing=st.sampled_from([0, 0.1, 0.25, 0.5]), seed=st.integers(0, 99)
)
def test_the_next_times_are_those_of_the_series_and_gaps_keep_their_places(
    truth: Truth, zone: str, missing: float, seed: int
) -> None:
    times = to_utc(truth.times, zone) if truth.wall else truth.times
    past, coming = times[:-AHEAD], times[-AHEAD:]
    kept = np.random.default_rng(seed).random(len(past)) >= missing
    kept[[0, -1]] = True
    calendar = infer_calendar(past[kept], zone)
    assert calendar is not None
    assert calendar.after(past[-1], np.arange(1, AHEAD + 1)).tolist() == coming.tolist(), str(calendar)
    assert calendar.positions(past[kept]).tolist() == np.flatnonzero(kept).tolist(), str(calendar)
    assert not calendar.irregular
    assert not calendar.found.outside
    assert calendar.found.steps == len(past)
    assert calendar.found.rows == kept.sum()
    again = Calendar.from_json(calendar.to_json())
    assert again == calendar
    assert str(again) == str(calendar)


@settings(max_examples=100, deadline=None)
@given(truth=truths(), zone=st.sampled_from(ZONES), back=st.integers(1, 30))
def test_steps_back_undo_steps_ahead(truth: Truth, zone: str, back: int) -> None:
    times = to_utc(truth.times, zone) if truth.wall else truth.times
    calendar = infer_calendar(times, zone)
    assert calendar is not None
    assert calendar.after(times[-1], [-back])[0] == times[-1 - back]


@settings(max_examples=100, deadline=None)
@given(count=st.integers(100, 400), seed=st.integers(0, 1000), days=st.integers(20, 400))
def test_random_times_have_the_usual_distance_and_are_called_irregular(count: int, seed: int, days: int) -> None:
    seconds = np.unique(np.random.default_rng(seed).integers(0, days * 86_400, count))
    times = np.datetime64("2024-01-01", "us") + seconds * np.timedelta64(1, "s")
    calendar = infer_calendar(times)
    assert calendar is not None
    assert calendar.irregular
    step = calendar.after(times[-1], [1])[0] - times[-1]
    assert 0.4 < step / np.median(np.diff(times)) < 2.5
    assert "irregular" in str(calendar)
    assert "%" in str(calendar)


@settings(max_examples=100, deadline=None)
@given(
    step=st.sampled_from([60, 600, 900, 3600, 86_400]),
    seed=st.integers(0, 1000),
    missing=st.sampled_from([0, 0.25, 0.5]),
)
def test_times_that_are_seconds_off_keep_their_step(step: int, seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(300) >= missing
    kept[[0, -1]] = True
    seconds = (np.arange(300) * step + rng.integers(-2, 3, 300))[kept]
    times = np.datetime64("2024-01-01", "us") + seconds * np.timedelta64(1, "s")
    calendar = infer_calendar(times)
    assert calendar is not None
    assert not calendar.irregular
    assert calendar.positions(times).tolist() == np.flatnonzero(kept).tolist()
    assert calendar.after(times[-1], [1])[0] == np.datetime64("2024-01-01", "us") + np.timedelta64(300 * step, "s")


@pytest.mark.parametrize("step", [1, 2, 5, 10, 0.1, 0.25, 1 / 60, 3.7, 86_400])
def test_numbers_with_half_of_the_rows_missing_keep_their_step(step: float) -> None:
    kept = np.random.default_rng(0).random(200) > 0.5
    kept[[0, -1]] = True
    times = (np.arange(200) * step)[kept]
    calendar = infer_calendar(times)
    assert calendar is not None
    assert calendar.positions(times).tolist() == np.flatnonzero(kept).tolist()
    np.testing.assert_allclose(calendar.after(times[-1], [1, 2]), [200 * step, 201 * step], rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(day=st.integers(0, 700), zone=st.sampled_from(ZONES[1:]))
def test_a_day_has_the_hours_of_its_clock(day: int, zone: str) -> None:
    midnight = to_utc(np.array(["2023-01-01", "2023-01-02"], "M8[us]") + np.timedelta64(day, "D"), zone)
    hours = np.arange(midnight[0], midnight[1], np.timedelta64(30, "m"))
    calendar = infer_calendar(even(3000, "2022-01-01", 30, "m"), zone)
    assert calendar is not None
    assert calendar.after(midnight[0], [len(hours)])[0] == midnight[1]
    assert np.all(to_wall(midnight, zone).astype("M8[D]") == to_wall(midnight, zone))
