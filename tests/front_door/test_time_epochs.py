"""Numbers that are times by another start, and years of other calendars: read by an option, refused where in doubt."""

import datetime as dt
import re

import polars as pl
import pytest

import unrolled as ur
from unrolled.data.time_epochs import count_of
from unrolled.data.time_forms import TimeForm, read_times
from unrolled.data.time_options import TimeOptions
from unrolled.errors import DataError, OptionError

TODAY = dt.datetime.combine(dt.date.today(), dt.time())  # what is in the future depends on the day
DAYS = [TODAY + dt.timedelta(days=count - 60) for count in range(60)]
HOURS = [TODAY + dt.timedelta(hours=count - 60) for count in range(60)]
MONTHS = [dt.datetime(2020 + count // 12, count % 12 + 1, 1) for count in range(48)]
WORKDAYS = [day for day in DAYS if day.weekday() < 5]
MICROSECOND = dt.timedelta(microseconds=1)
STARTS = {  # the first moment, the length of one, and moments that a table may hold
    "excel": (dt.datetime(1899, 12, 30), dt.timedelta(days=1), HOURS),
    "matlab": (dt.datetime(1, 1, 1), dt.timedelta(days=1), HOURS),
    "s since 1960-01-01": (dt.datetime(1960, 1, 1), dt.timedelta(seconds=1), DAYS),
    "ms since 1960-01-01": (dt.datetime(1960, 1, 1), dt.timedelta(milliseconds=1), HOURS),
    "s since 1904-01-01": (dt.datetime(1904, 1, 1), dt.timedelta(seconds=1), HOURS),
    "s since 1900-01-01": (dt.datetime(1900, 1, 1), dt.timedelta(seconds=1), HOURS),
    "s since 2001-01-01": (dt.datetime(2001, 1, 1), dt.timedelta(seconds=1), HOURS),
    "s since 1582-10-14": (dt.datetime(1582, 10, 14), dt.timedelta(seconds=1), HOURS),
    "s since 1601-01-01": (dt.datetime(1601, 1, 1), dt.timedelta(seconds=1), HOURS),
    "us since 1601-01-01": (dt.datetime(1601, 1, 1), MICROSECOND, HOURS),
    "100ns since 0001-01-01": (dt.datetime(1, 1, 1), MICROSECOND / 10, HOURS),
    "100ns since 1601-01-01": (dt.datetime(1601, 1, 1), MICROSECOND / 10, HOURS),
}


def read(values, **options):
    return read_times(pl.Series("t", values), TimeOptions(**options))[0].to_list()


def numbers(unit):
    start, size, times = STARTS[unit]
    if unit.startswith("100ns"):
        return [(time - start) // MICROSECOND * 10 for time in times]
    first = 367 if unit == "matlab" else 0  # the number of the first day of the year 1
    exact = [(time - start) / size + first for time in times]
    return exact if any(one % 1 for one in exact) else [int(one) for one in exact]


@pytest.mark.parametrize("unit", STARTS)
def test_numbers_since_another_start_are_refused_with_the_unit_that_reads_them(unit):
    values, times = numbers(unit), STARTS[unit][2]
    with pytest.raises(DataError, match=re.escape(f'unit="{unit}"')):
        read(values)
    assert read(values, unit=unit) == (times if times is HOURS else [time.date() for time in times])
    form = read_times(pl.Series("t", values), TimeOptions(unit=unit))[1]
    assert TimeForm.from_json(form.to_json()).parse_one(values[3]) == (times[3] if times is HOURS else times[3].date())


@pytest.mark.parametrize(
    ("unit", "value", "want"),
    [
        ("julian", 2_460_310.5, dt.date(2024, 1, 1)), ("julian", 2_460_311, dt.datetime(2024, 1, 1, 12)),
        ("days since 1858-11-17", 60_310, dt.date(2024, 1, 1)), ("days since 1904-01-01", 43_830, dt.date(2024, 1, 1)),
        ("hours since 1900-01-01 00:00", 1_086_961, dt.datetime(2024, 1, 1, 1)),
        ("minutes since 1970-01-01", 28_401_120, dt.date(2024, 1, 1)),
        ("months since 1960-01-01", 769, dt.date(2024, 2, 1)), ("quarters since 1960-01-01", 257, dt.date(2024, 4, 1)),
        ("years since 1900-01-01", 124, dt.date(2024, 1, 1)), ("seconds since 1980-01-06", 0, dt.date(1980, 1, 6)),
    ],
)  # fmt: skip
def test_a_unit_and_its_start_say_what_a_number_is(unit, value, want):
    assert read([value, value], unit=unit) == [want, want]
    assert read([str(value), str(value)], unit=unit) == [want, want]


@pytest.mark.parametrize(
    "unit", ["s since 1960", "fortnights since 1960-01-01", "s since 1960-13-01", "months since 1960-01-15", "serial"]
)
def test_an_unknown_unit_is_refused(unit):
    assert count_of(unit) is None
    with pytest.raises(OptionError, match="unit"):
        TimeOptions(unit=unit)


def test_parts_of_months_and_impossible_years_are_refused_with_their_row():
    with pytest.raises(DataError, match=r"769\.5 in row 1"):
        read([768.0, 769.5], unit="months since 1960-01-01")
    with pytest.raises(DataError, match="9999999999 in row 0"):
        read([9_999_999_999], unit="excel")


@pytest.mark.parametrize("times", [MONTHS, WORKDAYS], ids=["months", "working days"])
def test_days_of_a_spreadsheet_are_seen_by_the_calendar_that_they_follow(times):
    with pytest.raises(DataError, match=r'days of a spreadsheet \(.*; give unit="excel", or unit="number"'):
        read([(time - dt.datetime(1899, 12, 30)).days for time in times])


def test_days_of_a_spreadsheet_are_seen_by_the_name_of_their_column():
    with pytest.raises(DataError, match=r"45292 in row 0, which may be days of a spreadsheet \(2024-01-01\)"):
        read_times(pl.Series("Order Date", list(range(45_292, 45_392))))
    assert read_times(pl.Series("step", list(range(45_292, 45_392))))[1].kind == "number"
    assert read_times(pl.Series("date", list(range(100))))[1].kind == "number"


def test_seconds_since_1970_are_read_up_to_two_years_ahead():
    for year in (1999, 2013, TODAY.year + 1):
        moment = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
        assert read([int(moment.timestamp()) + 3600 * count for count in range(9)])[0] == moment


def test_a_forecast_of_seconds_of_sas_has_the_dates_of_the_data():
    data = {"t": numbers("s since 1960-01-01"), "y": [float(day.weekday()) for day in DAYS]}
    table = ur.as_source(data, time="t", unit="s since 1960-01-01")
    model = ur.Forecaster(horizon=2, hidden_size=8).fit(table, epochs=1, progress=False, baselines=False)
    assert model.predict()["t"].to_list() == [TODAY.date(), TODAY.date() + dt.timedelta(days=1)]


OTHER = {
    "Buddhist": ([f"{day:02}/01/2567" for day in range(1, 29)], "2567 is 2024"),
    "Buddhist ISO": ([f"2567-{day.month:02}-01" for day in MONTHS], "2567 is 2024"),
    "Buddhist beside Gregorian": (["2024-01-01", "2024-01-02", "2567-01-03"], "2567 is 2024"),
    "Buddhist years": ([str(2550 + count) for count in range(17)], "2567 is 2024"),
    "Buddhist dates": ([dt.date(2567, 1, 1 + count) for count in range(9)], "2567 is 2024"),
    "Buddhist in Thai": (["1 ม.ค. 2567", "2 ม.ค. 2567"], "2567 is 2024"),
    "Buddhist digits": ([25_670_101 + 100 * count for count in range(12)], "2567 is 2024"),
    "Buddhist in two digits": ([f"{count}/01/67" for count in range(1, 29)], "would be the year 2067"),
    "Reiwa": (["令和6年1月1日", "令和6年1月2日"], "write 2024 for R6"),
    "R6": ([f"R06/{day.month:02}/{day.day:02}" for day in MONTHS], "write 2024 for R6"),
    "Republic of China": ([f"113/{day.month:02}/01" for day in MONTHS], "113 is 2024"),
    "Republic of China in digits": ([1_130_101 + 100 * count for count in range(12)], "113 is 2024"),
    "Persian": ([f"1402/{month:02}/31" for month in range(1, 7)], "1403 began on 2024-03-20"),
    "Persian months": ([f"1402-{month:02}" for month in range(1, 13)], "give time_format="),
    "Persian digits": ([14_020_101 + 100 * count for count in range(12)], "the Persian or the Islamic calendar"),
    "Hebrew": ([f"5784-01-{day:02}" for day in range(1, 29)], "5785 began on 2024-10-03"),
}


@pytest.mark.parametrize("kind", OTHER)
def test_years_of_another_calendar_are_refused_with_the_likely_one(kind):
    values, said = OTHER[kind]
    with pytest.raises(DataError, match=re.escape(said)):
        read(values)


def test_a_format_says_that_old_years_are_right():
    assert read(["1402-01-31", "1402-02-28"], time_format="%Y-%m-%d")[0] == dt.date(1402, 1, 31)
    assert read(["1265-01-31", "1402-02-28", "1650-01-01"])[1] == dt.date(1402, 2, 28)
    assert read(["31/01/67", "01/02/67"], time_format="%d/%m/%y")[1] == dt.date(2067, 2, 1)
