"""Series of one table keep their own zones, and are told apart where a column does so; clocks that change are said."""

import datetime as dt
import warnings
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import unrolled as ur
from unrolled.data.mixtures import even_parts
from unrolled.data.time_forms import TimeForm
from unrolled.errors import ArtifactError, DataError
from unrolled.tasks.registry import load

QUICK = {"epochs": 1, "progress": False, "baselines": False}
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
DAYS = [dt.datetime(2024, 2, 20) + dt.timedelta(days=day) for day in range(60)]  # the clocks change on different days
HOUR = dt.timedelta(hours=1)
START = dt.datetime(2024, 1, 1)
OFFSET = {"offsets": None, "UTC": dt.UTC}


def shops(days, zone=None):
    local = [day.replace(tzinfo=one) for one in (BERLIN, NEW_YORK) for day in days]
    texts = [time.isoformat() if zone is None else time.astimezone(zone).isoformat() for time in local]
    names = ["Berlin"] * len(days) + ["New York"] * len(days)
    return {"t": texts, "shop": names, "y": [float(day.weekday()) for day in days] * 2}


def midnights(table):
    zones = {"Berlin": BERLIN, "New York": NEW_YORK}
    return {name: [time.astimezone(zones[name]).replace(tzinfo=None) for time in part["t"]]
            for (name,), part in table.group_by(["shop"], maintain_order=True)}  # fmt: skip


@pytest.mark.parametrize("zone", OFFSET.values(), ids=OFFSET)
def test_midnights_of_each_series_stay_midnights_of_its_zone(zone, tmp_path):
    days, later = DAYS[:44], DAYS[44:]
    data = ur.as_source(shops(days, zone), time="t", group="shop")
    assert "each series has the days of its own zone (Berlin: Europe/Berlin, New York: America/New_York)" in repr(data)
    model = ur.Forecaster(horizon=3, hidden_size=4).fit(data, **QUICK)
    want = dict.fromkeys(("Berlin", "New York"), later[:3])
    assert midnights(model.predict()) == want
    again = load(model.save(tmp_path / "model"))
    assert again.time_form_ == model.time_form_
    assert midnights(again.predict(shops(DAYS[30:50], zone))) == dict.fromkeys(want, DAYS[50:53])


def test_times_without_an_offset_are_refused_where_series_have_several_zones():
    model = ur.Forecaster(horizon=3, hidden_size=4).fit(ur.as_source(shops(DAYS), time="t", group="shop"), **QUICK)
    bare = {"t": ["2024-04-10", "2024-04-11"], "shop": ["Berlin"] * 2, "y": [1.0, 2.0]}
    with pytest.raises(DataError, match="times with an offset, as in training, where series have several zones"):
        model.predict(bare)
    with pytest.raises(DataError, match="times with an offset"):
        model.predict(bare | {"t": [dt.datetime(2024, 4, 10), dt.datetime(2024, 4, 11)]})


def test_series_of_one_zone_keep_it_in_the_column():
    data = shops(DAYS)
    data["t"] = data["t"][:60] * 2
    table = ur.as_source(data, time="t", group="shop")
    assert table.time_form.zone == "Europe/Berlin"
    assert table.time_form.zones == ()


def test_a_form_with_an_unknown_zone_of_a_series_is_refused():
    form = TimeForm("datetime", zone="UTC", zones=(("a", "Europe/Berlin"),))
    assert TimeForm.from_json(form.to_json()) == form
    with pytest.raises(ArtifactError):
        TimeForm.from_json(form.to_json() | {"zones": [["a", "Europe/Nowhere"]]})


# ---- sites ---------------------------------------------------------------------------------------


def alternating(*minutes):
    times = [START + HOUR * hour + dt.timedelta(minutes=minute) for hour in range(30) for minute in minutes]
    return {"t": times, "site": [f"site {minute}" for _ in range(30) for minute in minutes]}


APART = {
    "half hours": alternating(0, 30),
    "odd minutes": alternating(7, 23),
    "three": alternating(0, 20, 45),
    "other years": {"t": [START + HOUR * hour for hour in (*range(30), *range(9000, 9030))],
                    "site": ["a"] * 30 + ["b"] * 30},
    "numbers": alternating(7, 23) | {"site": [17, 23] * 30},
}  # fmt: skip
TOGETHER = {
    "shifts": ["day" if hour % 24 < 12 else "night" for hour in range(96)],
    "weekdays": [f"{(START + HOUR * 24 * hour):%a}" for hour in range(96)],
    "parts of the day": ["am", "pm"] * 48,
    "versions": ["1"] * 48 + ["2"] * 48,
}


@pytest.mark.parametrize("kind", APART)
def test_a_column_that_separates_rows_into_even_series_is_named(kind):
    data = APART[kind] | {"y": [float(row % 5) for row in range(len(APART[kind]["t"]))]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ur.Forecaster(horizon=2, hidden_size=4).fit(ur.as_source(data, time="t"), **QUICK)
    assert any("column 'site' separates them into series of even steps; give group='site'" in str(one.message)
               for one in caught)  # fmt: skip


@pytest.mark.parametrize("kind", TOGETHER)
def test_a_column_beside_one_series_of_even_steps_is_not_named(kind):
    frame = pl.DataFrame({"t": [START + HOUR * hour for hour in range(96)], "kind": TOGETHER[kind]})
    assert even_parts(frame, "t", "y") == ""


# ---- clocks --------------------------------------------------------------------------------------


def local(start, count):
    first = start.replace(tzinfo=dt.UTC)
    return [(first + HOUR * hour).astimezone(BERLIN).replace(tzinfo=None) for hour in range(count)]


@pytest.mark.parametrize(
    ("start", "said"),
    [(dt.datetime(2024, 3, 29), "skip in spring: 1; give zone"), (dt.datetime(2024, 10, 25), "show twice in autumn")],
)
def test_local_hours_of_a_zone_are_explained_and_right_with_zone(start, said):
    times = local(start, 96)
    data = {"t": times, "y": [float(row % 24) for row in range(96)]}
    with pytest.warns(UserWarning, match=f"the clocks of Europe/Berlin {said}"):
        ur.Forecaster(horizon=2, hidden_size=4).fit(ur.as_source(data, time="t"), **QUICK)
    table = ur.as_source(data, time="t", zone="Europe/Berlin")
    assert len(table) == 96
    model = ur.Forecaster(horizon=2, hidden_size=4).fit(table, **QUICK)
    assert [time.astimezone(dt.UTC) for time in model.predict()["t"]] == [
        start.replace(tzinfo=dt.UTC) + HOUR * hour for hour in (96, 97)
    ]
    assert "missing" not in model.summary_["step"]
