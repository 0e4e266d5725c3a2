"""A step that changes within a series is said, with its date and the remedy, and forecasts go on at the last step."""

import datetime as dt

import numpy as np
import pytest

import unrolled as ur
from unrolled.data.calendars.step_changes import change_words, step_change
from unrolled.errors import DataError

QUICK = {"epochs": 1, "progress": False, "baselines": False}
DAY, MINUTE = dt.timedelta(days=1), dt.timedelta(minutes=1)
START = dt.datetime(2024, 1, 1)


def every(step, count, start=START):
    return [start + step * number for number in range(count)]


def months(size, count, year=2000):
    return [dt.datetime(year + size * number // 12, size * number % 12 + 1, 1) for number in range(count)]


MONTHS_WEEKS = months(1, 48, 2015) + every(7 * DAY, 60, dt.datetime(2019, 1, 7))
LOGGER = every(10 * MINUTE, 100) + every(MINUTE, 100, START + 1000 * MINUTE)
CHANGES = {  # the times, when the step changes, before, after
    "months, weeks": (MONTHS_WEEKS, "2019-01-07", "monthly", "weekly"),
    "logger": (LOGGER, "2024-01-01T16:40:00", "every 10 minutes", "every minute"),
    "quarters, months": (months(3, 40) + months(1, 40, 2010), "2010-01-01", "quarterly", "monthly"),
    "years, quarters": (months(12, 30, 1980) + months(3, 40, 2010), "2010-01-01", "yearly", "quarterly"),
    "days, hours": (every(DAY, 60) + every(60 * MINUTE, 60, START + 60 * DAY), "2024-03-01", "daily", "hourly"),
}
ONE_STEP = {
    "working days": [day for day in every(DAY, 500) if day.weekday() < 5],
    "office hours": [day + hour * 60 * MINUTE for day in every(DAY, 60) for hour in range(9, 17)],
    "months": months(1, 100),
    "first and fifteenth": [month + shift * DAY for month in months(1, 40) for shift in (0, 14)],
    "pause": every(MINUTE, 100) + every(MINUTE, 100, START + 30 * DAY),
    "few": every(DAY, 9) + every(MINUTE, 9, START + 9 * DAY),
    "chance": [START + MINUTE * float(at) for at in np.random.default_rng(0).exponential(9, 400).cumsum()],
    "half of the days": [START + DAY * int(at) for at in np.random.default_rng(0).choice(900, 450, replace=False)],
}  # fmt: skip


def table(times):
    return ur.as_source({"t": times, "y": [float(row % 7) for row in range(len(times))]}, time="t")


@pytest.mark.parametrize("kind", CHANGES)
def test_a_shorter_step_at_the_end_is_said_and_forecast(kind):
    times, when, before, after = CHANGES[kind]
    with pytest.warns(UserWarning, match=rf"the step changes at {when}: {before}.*, {after}.*give only the rows from"):
        model = ur.Forecaster(horizon=2, hidden_size=4).fit(table(times), **QUICK)
    first, second = model.predict()["t"].to_list()
    assert first - times[-1] <= 1.2 * (times[-1] - times[-2])
    assert second - first <= 1.2 * (times[-1] - times[-2])


LONGER = {
    "logger": every(MINUTE, 100) + every(10 * MINUTE, 60, START + 100 * MINUTE),
    "months, quarters": months(1, 48) + months(3, 40, 2004),
    "burst": LOGGER + every(10 * MINUTE, 60, LOGGER[-1] + 10 * MINUTE),
}


@pytest.mark.parametrize("kind", LONGER)
def test_a_longer_step_at_the_end_is_refused_with_the_date_of_the_change(kind):
    with pytest.raises(DataError, match=r"expected one step, or .* before .* after; give only the rows from"):
        ur.Forecaster(horizon=2, hidden_size=4).fit(table(LONGER[kind]), **QUICK)


def test_of_several_series_only_the_one_with_a_longer_step_at_the_end_is_left_out():
    times = [*LONGER["logger"], *every(MINUTE, 150)]
    y = [float(row % 7) for row in range(len(times))]
    data = ur.as_source({"t": times, "g": ["a"] * 160 + ["b"] * 150, "y": y}, time="t", group="g")
    with pytest.warns(UserWarning, match=r"series 'a': expected one step, or .* give only the rows from"):
        found = ur.Forecaster(horizon=2, hidden_size=4).fit(data, **QUICK).predict()
    assert found.filter(found["g"] == "b")["t"].to_list() == every(MINUTE, 2, START + 150 * MINUTE)


@pytest.mark.parametrize("kind", ONE_STEP)
def test_one_step_with_gaps_is_no_change(kind):
    assert change_words(np.unique(np.array(ONE_STEP[kind], "M8[us]"))) == ""


def test_numbers_and_several_changes_are_seen():
    assert step_change(np.array([*range(0, 200, 10), *range(200, 220)])).usual == (10.0, 1.0)
    assert len(step_change(np.array(LONGER["burst"], "M8[us]")).starts) == 3


def test_a_detector_says_a_change_of_the_step_as_a_forecaster_does():
    data = ur.as_source({"t": LOGGER, "x": np.sin(np.arange(len(LOGGER)) / 9)}, time="t")
    for model in (ur.Detector("x", warm_up=5, hidden_size=4), ur.Forecaster("x", horizon=2, hidden_size=4)):
        with pytest.warns(UserWarning, match="2024-01-01T16:40:00"):
            model.fit(data, **QUICK)
