"""Forecasts are at the next times of each series' own calendar; what does not fit it is said, or refused."""

import datetime as dt
import json
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from hidden import hider
from unrolled.artifacts import seal
from unrolled.data.calendars import public_holidays
from unrolled.data.calendars.month_days import MonthDay
from unrolled.data.calendars.public_holidays import read_holidays
from unrolled.errors import DataError, OptionError, UnsupportedError

FIRST = dt.date(2024, 1, 1)  # a Monday
BERLIN = "Europe/Berlin"
SEALED = ("format", "version", "sha256")  # of a saved record, written by `seal`


def days(count: int, start: dt.date = FIRST) -> list[dt.date]:
    """Return consecutive days."""
    return [start + dt.timedelta(number) for number in range(count)]


def hours(count: int, start: dt.datetime = dt.datetime(2024, 1, 1)) -> list[dt.datetime]:
    """Return consecutive hours."""
    return [start + dt.timedelta(hours=number) for number in range(count)]


def months(count: int, day: MonthDay, start: str = "2015-01") -> list[dt.date]:
    """Return one day of each month."""
    return day.dates(np.datetime64(start, "M") + np.arange(count)).tolist()


def table(times: Any, values: Any = None, **more: Any) -> Any:
    """Return a series, with values that repeat every seven rows if none are given."""
    values = [float(row % 7) for row in range(len(times))] if values is None else values
    return ur.as_source({"d": times, "y": values, **more}, time="d", group="g" if "g" in more else None)


def fitted(data: Any, horizon: int = 4, **options: Any) -> ur.Forecaster:
    """Return a small forecaster."""
    return ur.Forecaster(horizon=horizon, hidden_size=8, **options).fit(data, epochs=1, progress=False)


def test_the_thirtieth_of_each_month_is_the_last_day_of_february() -> None:
    said = fitted(table(months(61, MonthDay("day", 30), "2019-01"))).predict()["d"].to_list()
    assert [str(day) for day in said] == ["2024-02-29", "2024-03-30", "2024-04-30", "2024-05-30"]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (MonthDay("working day", -1), ["2020-01-31", "2020-02-28", "2020-03-31", "2020-04-30"]),
        (MonthDay("working day", 1), ["2020-01-01", "2020-02-03", "2020-03-02", "2020-04-01"]),
        (MonthDay("day", -1), ["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"]),
        (MonthDay("Friday", 3), ["2020-01-17", "2020-02-21", "2020-03-20", "2020-04-17"]),
        (MonthDay("next", 15), ["2020-01-15", "2020-02-17", "2020-03-16", "2020-04-15"]),
    ],
)
def test_days_of_the_month_are_counted_from_either_end(day: MonthDay, expected: list[str]) -> None:
    assert [str(one) for one in fitted(table(months(60, day))).predict()["d"]] == expected


def test_a_shop_that_is_closed_on_sundays_gets_no_forecast_for_one() -> None:
    open_days = [day for day in days(140) if day.weekday() != 6]
    model = fitted(table(open_days, [10.0 + 5 * (day.weekday() == 5) for day in open_days]), horizon=8)
    said = model.predict()
    assert [f"{day:%a}" for day in said["d"]] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Mon", "Tue"]
    assert model.season_ == 6
    assert model.summary_["step"] == "daily, Monday to Saturday"


def test_market_hours_go_on_next_morning_and_after_the_weekend() -> None:
    open_hours = [one for one in hours(24 * 60) if one.weekday() < 5 and 9 <= one.hour <= 16]
    model = fitted(table(open_hours[:-3], [float(one.hour) for one in open_hours[:-3]]), horizon=6)
    said = model.predict()["d"].to_list()
    assert said[:3] == open_hours[-3:]
    assert said[3:] == [dt.datetime(2024, 3, 1, hour) for hour in (9, 10, 11)]
    assert model.season_ == 8
    assert model.summary_["step"] == "hourly, 9:00 to 16:00, Monday to Friday"


def test_a_monthly_series_beside_a_daily_one_keeps_its_months() -> None:
    monthly = months(100, MonthDay("day", 1))
    names = ["daily"] * 100 + ["monthly"] * 100
    said = fitted(table([*days(100), *monthly], [1.0, 2.0] * 100, g=names), horizon=2).predict()
    assert said.filter(pl.col("g") == "monthly")["d"].to_list() == [dt.date(2023, 5, 1), dt.date(2023, 6, 1)]
    assert said.filter(pl.col("g") == "daily")["d"].to_list() == [dt.date(2024, 4, 10), dt.date(2024, 4, 11)]


def test_a_quarter_of_the_days_missing_leaves_each_value_on_its_weekday() -> None:
    kept = [day for day, keep in zip(days(400), np.random.default_rng(0).random(400) > 0.25, strict=True) if keep]
    model = fitted(table(kept, [float(day.weekday()) for day in kept]), horizon=7)
    said = model.predict()
    assert model.season_ == 7
    assert said["d"].to_list() == days(8, kept[-1])[1:]
    assert np.abs(said["forecast"].to_numpy() - [day.weekday() for day in said["d"]]).max() < 0.5
    assert model.summary_["step"] == f"daily, {400 - len(kept)} of 400 days missing"


def test_times_without_a_step_are_called_irregular_with_share_and_example() -> None:
    seconds = sorted(set(np.random.default_rng(0).integers(0, 86_400 * 60, 200).tolist()))
    times = [dt.datetime(2024, 1, 1) + dt.timedelta(seconds=one) for one in seconds]
    with pytest.warns(UserWarning, match=r"irregular, usually 5 hours apart, \d+ times \(\d+\.\d%\).*first is 2024"):
        model = fitted(table(times), horizon=2)
    said = model.predict()["d"].to_list()
    assert said[1] - said[0] == dt.timedelta(hours=5)


def test_odd_readings_are_left_out_and_said() -> None:
    odd = dt.datetime(2024, 1, 3, 4, 17)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fitted(table(sorted([*hours(200), odd])), horizon=2)
    said = "\n".join(str(one.message) for one in caught)
    assert "hourly, 1 time (0.5%) off this calendar, the first is 2024-01-03T04:17:00" in said
    assert "rows left out, as another row is nearer to their step (hourly): 1, the first is 2024-01-03 04:17:00" in said
    assert model.predict()["d"].to_list() == hours(2, dt.datetime(2024, 1, 9, 8))


@pytest.mark.parametrize(
    ("learnt", "asked", "words"),
    [
        (days(60), hours(60), "daily, received hourly"),
        (days(60), days(200)[::7], "daily, received weekly"),
        (days(60), months(12, MonthDay("day", 1)), "daily, received monthly, on day 1"),
        (months(60, MonthDay("day", 1)), days(40), "monthly, on day 1, received daily"),
        (hours(100), days(40), "hourly, received daily"),
        (hours(100), [dt.datetime(2024, 1, 1) + dt.timedelta(minutes=n) for n in range(50)], "received every minute"),
        (list(range(60)), list(range(0, 600, 10)), "steps of 1, received steps of 10"),
    ],
)
def test_another_step_than_learnt_is_refused(learnt: Any, asked: Any, words: str) -> None:
    model = fitted(table(learnt), horizon=2)
    for ask in (model.predict, model.evaluate, model.backtest):
        with pytest.raises(DataError, match=words):
            ask(table(asked))
    named = fitted(table(learnt, g=["a"] * len(learnt)), horizon=2)
    for name in ("a", "new"):
        with pytest.raises(DataError, match=f"series '{name}': expected the step of training"):
            named.predict(table(asked, g=[name] * len(asked)))


def test_a_stream_refuses_a_time_less_than_a_step_later() -> None:
    stream = fitted(table(days(60)), horizon=2).stream()
    said, state = stream.step({"d": dt.datetime(2024, 3, 1), "y": 1.0})
    assert said["d"] == ["2024-03-02", "2024-03-03"]
    with pytest.raises(DataError, match="at least a step apart"):
        stream.step({"d": dt.datetime(2024, 3, 1, 1), "y": 1.0}, state)


@pytest.mark.filterwarnings("ignore:unseen series:unrolled.reading_report.UnrolledWarning")
def test_a_new_series_has_its_own_calendar() -> None:
    first, last = months(60, MonthDay("day", 1)), months(30, MonthDay("day", -1))
    model = fitted(table(first, g=["first"] * 60), horizon=2)
    said = model.predict(table(last, g=["last"] * 30))
    assert said["d"].to_list() == [dt.date(2017, 7, 31), dt.date(2017, 8, 31)]
    said = model.predict(table([dt.date(2020, 5, 1)], g=["short"]))
    assert said["d"].to_list() == [dt.date(2020, 6, 1), dt.date(2020, 7, 1)]


def test_series_that_cannot_be_forecast_do_not_stop_the_others() -> None:
    names = ["a"] * 60 + ["early"] * 30 + ["empty"] * 20
    data = table([*days(60), *days(30), *days(20)], [1.0, 2.0] * 45 + [None] * 20, g=names)
    model = fitted(data, horizon=1)
    with pytest.warns(UserWarning, match="no forecast for 1 of 3 series: .*'empty'"):
        said = model.predict(data)
    assert said["d"].to_list() == [dt.date(2024, 3, 1), dt.date(2024, 1, 31), None]
    assert said["forecast"].is_null().to_list() == [False, False, True]
    with pytest.raises(DataError, match="a known value of series 'empty'"):
        model.predict(table(days(5), [None] * 5, g=["empty"] * 5))


def test_future_covariates_of_one_series_are_enough_for_it() -> None:
    names = ["a"] * 60 + ["early"] * 30
    data = table([*days(60), *days(30)], [1.0, 2.0] * 45, g=names, x=[1.0] * 90)
    model = fitted(data, horizon=2, future_covariates=["x"])
    ahead = pl.DataFrame({"d": days(2, dt.date(2024, 3, 1)), "g": ["a"] * 2, "x": [1.0] * 2})
    with pytest.warns(UserWarning, match="series 'early', 2024-01-30"):
        said = model.predict(future=ahead)
    assert said["forecast"].is_null().to_list() == [False, False, True, True]


# ---- zones -----------------------------------------------------------------------------------------


def local(times: list[str]) -> pl.Series:
    """Return times of Berlin."""
    return pl.Series("d", times).str.to_datetime().dt.replace_time_zone(BERLIN)


def every(step: str, first: str, last: str) -> pl.Series:
    """Return times of Berlin at a step."""
    begin, end = dt.datetime.fromisoformat(first), dt.datetime.fromisoformat(last)
    return pl.datetime_range(begin, end, step, time_zone=BERLIN, eager=True)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (every("1d", "2024-01-01", "2024-03-30"), ["2024-03-31 00:00:00+01:00", "2024-04-01 00:00:00+02:00"]),
        (every("1d", "2024-08-01", "2024-10-26"), ["2024-10-27 00:00:00+02:00", "2024-10-28 00:00:00+01:00"]),
        (every("1mo", "2018-01-01", "2024-03-01"), ["2024-04-01 00:00:00+02:00", "2024-05-01 00:00:00+02:00"]),
        (every("1h", "2024-03-20", "2024-03-31T01:00"), ["2024-03-31 03:00:00+02:00", "2024-03-31 04:00:00+02:00"]),
        (
            every("1d", "2024-01-01T02:30", "2024-03-30T02:30"),
            ["2024-03-31 03:30:00+02:00", "2024-04-01 02:30:00+02:00"],
        ),
    ],
)
def test_answers_keep_the_zone_and_its_midnights(times: pl.Series, expected: list[str], tmp_path: Path) -> None:
    model = fitted(table(times), horizon=2)
    for one in (model, ur.load(model.save(tmp_path / "model"))):
        said = one.predict()["d"]
        assert said.dtype == pl.Datetime("us", BERLIN)
        assert [str(time) for time in said.to_list()] == expected


def test_times_without_a_zone_are_those_of_the_zone_of_training() -> None:
    model = fitted(table(every("1d", "2024-01-01", "2024-03-30")), horizon=1)
    said = model.predict(table([dt.datetime(2024, 3, 31), dt.datetime(2024, 4, 1)]))["d"]
    assert said.to_list() == local(["2024-04-02T00:00"]).to_list()
    utc = every("1d", "2024-03-31", "2024-04-01").dt.convert_time_zone("UTC")
    assert model.predict(table(utc))["d"].to_list() == said.to_list()


def test_a_zone_that_training_did_not_have_is_refused() -> None:
    with pytest.raises(DataError, match="times without a zone or in UTC, as in training"):
        fitted(table(days(60)), horizon=1).predict(table(every("1d", "2024-03-01", "2024-04-01")))


@pytest.mark.filterwarnings("ignore:column 'd'. hours without rows:unrolled.reading_report.UnrolledWarning")
def test_a_detector_reads_the_hours_of_the_wall() -> None:
    times = every("1h", "2024-01-01", "2024-04-20")
    wall = times.dt.hour().cast(pl.Float64)
    model = ur.Detector(hidden_size=8, warm_up=20).fit(table(times, wall), epochs=1, progress=False)
    found = model.detect(table(times, wall))
    assert found["d"].dtype == pl.Datetime("us", BERLIN)
    naive = table(times.dt.replace_time_zone(None).unique(maintain_order=True).to_list(), wall.to_list())
    assert found["score"].to_list() == model.detect(naive)["score"].to_list()


# ---- holidays --------------------------------------------------------------------------------------


def test_given_holidays_are_left_out() -> None:
    closed = ["2024-03-29", "2024-04-01", "2024-05-01"]
    open_days = [day for day in days(88) if day.weekday() < 5 and str(day) not in closed]
    model = fitted(table(open_days), horizon=2, holidays=closed)
    assert open_days[-1] == dt.date(2024, 3, 28)
    assert model.predict()["d"].to_list() == [dt.date(2024, 4, 2), dt.date(2024, 4, 3)]
    assert "without the holidays given" in model.summary_["step"]


def test_a_series_that_has_rows_on_holidays_keeps_them() -> None:
    model = fitted(table(days(100)), horizon=1, holidays=["2024-02-01", "2024-04-10"])
    assert model.predict()["d"].to_list() == [dt.date(2024, 4, 10)]


def test_holidays_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(OptionError, match="'yesterday'"):
        read_holidays(["yesterday"])


@pytest.mark.parametrize(("given", "asked"), [("DE", ("DE", None)), ("de-by", ("DE", "BY"))])
def test_the_country_may_be_written_in_small_letters(monkeypatch: pytest.MonkeyPatch, given: str, asked: tuple) -> None:
    seen = []

    def country_holidays(name: str, subdiv: str | None, years: range) -> list[dt.date]:
        seen.append((name, subdiv))
        return [dt.date(2000, 5, 1)]

    monkeypatch.setitem(sys.modules, "holidays", types.SimpleNamespace(country_holidays=country_holidays))
    public_holidays._of_country.cache_clear()
    assert read_holidays(given).dates(2000, 2000).tolist() == [dt.date(2000, 5, 1)]
    public_holidays._of_country.cache_clear()
    assert set(seen) == {asked}


def test_holidays_of_a_country_need_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    hider(monkeypatch)("holidays")
    with pytest.raises(UnsupportedError, match=r"unrolled\[holidays\]"):
        read_holidays("FR")


def test_holidays_of_a_country() -> None:
    pytest.importorskip("holidays")
    found = read_holidays("DE")
    assert found is not None
    assert np.datetime64("2024-10-03") in found.dates(2024, 2024)
    with pytest.raises(OptionError, match="'XX'"):
        read_holidays("XX")


# ---- saved models ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "times"),
    [
        ({"kind": "month", "size": 1.0, "month_end": False}, months(60, MonthDay("day", 15))),
        ({"kind": "month", "size": 1.0, "month_end": True}, months(60, MonthDay("day", -1))),
        ({"kind": "weekday", "size": 1.0, "month_end": False}, [day for day in days(100) if day.weekday() < 5]),
        ({"kind": "time", "size": 3_600_000_000.0, "month_end": False}, hours(100)),
        ({"kind": "number", "size": 1.0, "month_end": False}, list(range(100))),
    ],
)
def test_a_model_saved_with_one_clock_answers_the_same(clock: dict[str, Any], times: Any, tmp_path: Path) -> None:
    model = fitted(table(times), horizon=3)
    folder = Path(model.save(tmp_path / "model"))
    record = json.loads((folder / "model.json").read_text())
    panel = record["learnt"]["panel"]
    panel |= {"clock": clock, "calendar": panel["phases"]}
    for name in ("calendars", "phases"):
        del panel[name]
    (folder / "model.json").write_text(json.dumps(seal({key: record[key] for key in record if key not in SEALED})))
    old = ur.load(folder)
    assert old.predict().equals(model.predict())
    assert old.predict(table(times)).equals(model.predict(table(times)))
