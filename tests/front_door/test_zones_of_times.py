"""Zones of times: offsets and names become the zone whose clocks give them, or the option that settles it is named."""

import datetime as dt
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import unrolled as ur
from unrolled.data.time_forms import read_times
from unrolled.data.time_options import TimeOptions
from unrolled.errors import DataError

ZONES = ("Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/Los_Angeles",
         "Australia/Sydney", "America/St_Johns", "Pacific/Auckland")  # fmt: skip


def read(values, **options) -> pl.Series:
    return read_times(pl.Series("t", values), TimeOptions(**options))[0]


def midnights(zone: str, count: int = 300) -> list[dt.datetime]:
    return [dt.datetime(2024, 1, 1, tzinfo=ZoneInfo(zone)) + dt.timedelta(days=day) for day in range(count)]


@pytest.mark.parametrize("zone", ZONES)
def test_local_midnights_stay_midnights_in_every_form(zone):
    days = midnights(zone)
    for values in (
        [day.isoformat() for day in days],
        [day.astimezone(dt.UTC).isoformat() for day in days],
        [int(day.timestamp()) for day in days],
        [day.isoformat() for day in days] * 10,  # long columns are read by another path
    ):
        found = read(values)
        assert found.dtype == pl.Datetime("us", zone)
        assert (found.dt.hour() == 0).all()
        assert found[0] == days[0]


def test_months_of_berlin_stay_first_days():
    months = [dt.datetime(2021 + n // 12, n % 12 + 1, 1, tzinfo=ZoneInfo("Europe/Berlin")) for n in range(36)]
    assert (read([month.isoformat() for month in months]).dt.day() == 1).all()


def test_midnights_of_no_usual_zone_are_refused_and_hours_are_read_in_utc():
    with pytest.raises(DataError, match=r"\+01:00 in row 0 and -05:00 in row 1; give the zone with zone="):
        read(["2024-01-01T00:00+01:00", "2024-01-02T00:00-05:00"])
    assert read(["2024-01-01T05:00+01:00", "2024-01-02T05:00-05:00"]).dt.hour().to_list() == [4, 10]


NAMED = {
    "CET and CEST": (["2024-03-31 01:00 CET", "2024-03-31 03:00 CEST"], "Europe/Berlin"),
    "EST and EDT": (["2024-03-10 01:00 EST", "2024-03-10 03:00 EDT"], "America/New_York"),
    "CST and CDT": (["2024-03-10 01:00 CST", "2024-03-10 03:00 CDT"], "America/Chicago"),
    "MEZ in brackets": (["31.03.2024 01:00 (MEZ)", "31.03.2024 03:00 (MESZ)"], "Europe/Berlin"),
    "offset in brackets": (["2024-03-31 01:00 (UTC+01:00)", "2024-03-31 03:00 (UTC+02:00)"], "Europe/Berlin"),
    "offset of one digit": (["2024-03-31 01:00 GMT+1", "2024-03-31 03:00 GMT+2"], "Europe/Berlin"),
    "date command": (["Sun Mar 10 01:00:00 PST 2024", "Sun Mar 10 03:00:00 PDT 2024"], "America/Los_Angeles"),
    "name of the zone": (["2024-03-31 01:00 Europe/Paris", "2024-03-31 03:00 Europe/Paris"], "Europe/Paris"),
}


@pytest.mark.parametrize("kind", NAMED)
def test_names_of_zones_after_a_time_are_read(kind):
    values, zone = NAMED[kind]
    found = read(values)
    assert found.dtype == pl.Datetime("us", zone)
    assert found.diff().dt.total_hours().to_list() == [None, 1]


@pytest.mark.parametrize(
    ("name", "zone"), [("BST", "Europe/London"), ("IST", "Asia/Kolkata"), ("CST", "Asia/Shanghai")]
)
def test_names_of_several_zones_are_refused_unless_the_zone_is_given(name, zone):
    texts = [f"2024-07-01 {hour:02}:00 {name}" for hour in range(4)]
    with pytest.raises(DataError, match=f"'{name}' in row 0; give zone="):
        read([text[:-3] + name for text in texts])
    assert read(texts, zone=zone)[0] == dt.datetime(2024, 7, 1, tzinfo=ZoneInfo(zone))


def test_a_zone_that_does_not_exist_is_refused():
    with pytest.raises(DataError, match="expected the name of a zone"):
        read(["2024-01-01 10:00 Europa/Berlino"])
    with pytest.raises(DataError, match="expected times of one zone"):
        read(["2024-01-01 10:00 Europe/Paris", "2024-01-01 10:00 Asia/Tokyo"])


@pytest.mark.parametrize("minutes", [60, 15])
@pytest.mark.parametrize("newest_first", [False, True])
def test_hours_that_the_clocks_repeat_keep_their_order(minutes, newest_first):
    start = dt.datetime(2024, 10, 26, 20, tzinfo=dt.UTC)
    moments = [start + dt.timedelta(minutes=minutes * step) for step in range(12 * 60 // minutes)]
    moments = moments[::-1] if newest_first else moments
    walls = [f"{moment.astimezone(ZoneInfo('Europe/Berlin')):%Y-%m-%d %H:%M}" for moment in moments]
    assert read(walls, zone="Europe/Berlin").dt.convert_time_zone("UTC").to_list() == moments


def test_an_end_of_a_span_is_no_offset():
    spans = [f"2024-01-01T{hour:02}:00-{hour + 1:02}:00" for hour in range(1, 3)]
    assert [time.hour for time in read(spans).to_list()] == [1, 2]
    assert read(["2024-01-01T00:00-05:00", "2024-07-01T00:00-04:00"]).dtype == pl.Datetime("us", "America/New_York")


def test_hours_that_the_clocks_repeat_are_named_where_no_zone_is_given():
    start = dt.datetime(2024, 10, 21, tzinfo=dt.UTC)
    moments = [(start + dt.timedelta(hours=hour)).astimezone(ZoneInfo("Europe/Berlin")) for hour in range(200)]
    walls = [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]
    data = {"t": walls, "y": [float(step % 24) for step in range(200)]}
    assert 'give zone="Europe/Berlin"' in str(ur.as_source(data, time="t").report)
    model = ur.Forecaster(horizon=1, hidden_size=4)
    with pytest.warns(UserWarning, match=r"for 1 times that the clocks of Europe/Berlin show twice"):
        model.fit(ur.as_source(data, time="t"), epochs=1, progress=False)
    assert ur.as_source(data, time="t", zone="Europe/Berlin").report.duplicates == 0
    twice = {"t": ["2024-06-01 02:00"] * 2 + walls[:20], "y": [0.0] * 22}
    assert ur.as_source(twice, time="t").report.clocks is None


def test_both_names_of_a_zone_at_once_are_local_times_of_it():
    hours = [f"{day:02}.01.2024 00:00 - {day:02}.01.2024 01:00 (CET/CEST)" for day in range(1, 9)]
    with pytest.raises(DataError, match="'CET/CEST' in row 0; give zone="):
        read_times(pl.Series("t", hours))
    found = read_times(pl.Series("t", hours), TimeOptions(zone="Europe/Berlin"))[0]
    assert str(found[0]) == "2024-01-01 00:00:00+01:00"
