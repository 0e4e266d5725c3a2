"""A column of dates that was not named as the time is noticed, and several series without names are refused."""

import datetime as dt
import warnings

import polars as pl
import pytest

import unrolled as ur
from unrolled.data.unnamed_times import ask_for_time
from unrolled.errors import DataError
from unrolled.reading_report import UnrolledWarning

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(day) for day in range(30)]
WRITTEN = {
    "date": DAYS,
    "datetime": [dt.datetime.combine(day, dt.time(5)) for day in DAYS],
    "iso": [day.isoformat() for day in DAYS],
    "iso with time": [f"{day.isoformat()} 05:00" for day in DAYS],
    "european": [f"{day:%d.%m.%Y}" for day in DAYS],
    "american": [f"{day:%m/%d/%Y}" for day in DAYS],
}
NO_TIMES = {
    "numbers": list(range(30)),
    "years as text": [str(1990 + row) for row in range(30)],
    "codes": [f"12-34-{row:05}" for row in range(30)],
    "addresses": [f"10.0.0.{row}" for row in range(30)],
    "versions": [f"1.{row}" for row in range(30)],
    "missing": [None] * 30,
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("group", [None, "shop"])
def test_dates_that_are_not_named_are_warned_of(written, group):
    frame = pl.DataFrame({"when": WRITTEN[written], "y": 1.0, "shop": "a"})
    with pytest.warns(UnrolledWarning, match="column 'when' holds times, and is not read.*give time='when'"):
        ask_for_time(frame, group)


@pytest.mark.parametrize("written", WRITTEN)
def test_several_series_without_time_and_group_are_refused_with_both_names(written):
    frame = pl.DataFrame({"when": WRITTEN[written] * 2, "y": 1.0, "shop": ["a"] * 30 + ["b"] * 30})
    with pytest.raises(DataError, match=r"30 rows with a value of 'when'.*give time='when' and group='shop'$"):
        ask_for_time(frame, None)


@pytest.mark.parametrize("values", NO_TIMES.values(), ids=NO_TIMES)
def test_other_columns_are_not_taken_for_times(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask_for_time(pl.DataFrame({"when": values, "y": 1.0}), None)


@pytest.mark.parametrize("task", [ur.Forecaster("y", horizon=2, hidden_size=4), ur.Detector("y", hidden_size=4)])
def test_a_task_asks_for_the_time_of_mixed_series(task):
    data = {"when": WRITTEN["iso"] * 2, "y": [1.0, 2.0] * 30, "shop": ["a"] * 30 + ["b"] * 30}
    for form in (data, pl.DataFrame(data), pl.DataFrame(data).to_dicts()):
        with pytest.raises(DataError, match=r"give time='when' and group='shop'$"):
            task.fit(form, epochs=1, progress=False)


def test_series_in_memory_and_named_times_are_asked_for_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ur.Forecaster(horizon=2, hidden_size=4).fit([1.0, 2.0, 3.0, 4.0] * 10, epochs=1, progress=False)
        table = ur.as_source({"when": DAYS, "y": [1.0, 2.0] * 15}, time="when")
        ur.Forecaster("y", horizon=2, hidden_size=4).fit(table, epochs=1, progress=False)


@pytest.mark.parametrize(
    "hours",
    [
        pl.Series("hour", list(range(24)) * 3),
        pl.Series("at", [f"{hour:02}:00" for hour in range(24)] * 3),
        pl.Series("at", [dt.time(hour) for hour in range(24)] * 3),
    ],
    ids=["numbers", "texts", "times"],
)
def test_hours_beside_dates_are_part_of_the_time_and_tell_no_series_apart(hours):
    days = pl.Series("day", [DAYS[row // 24] for row in range(72)])
    frame = pl.DataFrame([days, hours]).with_columns(y=pl.lit(1.0))
    with pytest.raises(
        DataError, match=f"join 'day' and '{hours.name}', which holds times of the day, into one column"
    ):
        ask_for_time(frame, None)
    with pytest.raises(DataError, match=f"holds times of the day: join 'day' and '{hours.name}' into one column"):
        ur.Forecaster().fit(ur.as_source(frame, time="day"), epochs=1, progress=False)
