"""Series that training never saw are counted, and warned of only where they are answered worse; series keep zones."""

import datetime as dt
import warnings
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from folders.tiny_tasks import tiny
from unrolled.reading_report import UnrolledWarning, lines_of

PLACES = {"Berlin": "Europe/Berlin", "New York": "America/New_York"}
FAST = {"epochs": 1, "progress": False, "baselines": False, "device": "cpu"}


def asked(rows=None, **changes):
    frame = tiny("Forecaster").data.frame.filter(pl.col("site") == "a").with_columns(site=pl.lit("new one"))
    return ur.Table(frame.head(rows or frame.height).with_columns(**changes), "day", "site")


def warned(model, data):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", UnrolledWarning)
        model.predict(data)
    return [str(one.message) for one in seen if "unseen series" in str(one.message)]


@pytest.mark.parametrize("name", ["Forecaster", "Detector"])
def test_a_new_series_that_is_answered_like_others_is_a_note(name):
    model = tiny(name).model
    between = asked(load=pl.col("load") + 190, heat=pl.col("heat") + 95) if name == "Detector" else asked()
    assert warned(model, between) == []
    assert "unseen series: 1, 100.0% of 1 series, such as 'new one'" in lines_of(model.report_)


def test_a_new_series_too_short_to_measure_or_far_from_all_others_is_warned_of():
    assert len(warned(tiny("Forecaster").model, asked(6))) == 1
    assert len(warned(tiny("Detector").model, asked(load=pl.col("load") * 1e6))) == 1


def test_a_new_sequence_of_events_is_a_note():
    model, table, _ = tiny("Detector, events")
    assert warned(model, table.frame.with_columns(t=pl.col("t") + 1000)) == []


def local(place, days, hour=9):
    """Every day at one hour of the place's own clock, over a change of its clocks."""
    zone = ZoneInfo(PLACES[place])
    return [dt.datetime(2024, 3, 1, hour, tzinfo=zone) + dt.timedelta(days=day) for day in range(days)]


@pytest.mark.parametrize("columns", [["load"], "page"], ids=["numbers", "events"])
def test_a_detector_reads_each_series_by_its_own_clock(columns, tmp_path):
    wanted = {"load": [float(step % 7) for step in range(60)], "page": ["ab"[step % 2] for step in range(60)]}
    rows = [
        {"site": place, "t": time.isoformat(), "load": wanted["load"][step], "page": wanted["page"][step]}
        for place in PLACES
        for step, time in enumerate(local(place, 60))
    ]
    data = ur.as_source(rows, time="t", group="site")
    model = ur.Detector(columns, hidden_size=4, warm_up=5).fit(data, **FAST)
    model = ur.load(model.save(tmp_path / "model"))
    assert model.plan_.zones == PLACES
    utc = data.frame["t"].dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy().astype("M8[us]")
    names, phases = data.frame["site"].to_list(), []
    for place in PLACES:
        times = utc[[name == place for name in names]]
        values = np.array(
            [wanted[columns if columns == "page" else "load"]], dtype=object if columns == "page" else float
        )
        read = model.plan_.read(place, times, values.T, model.plan_.start())
        phases.append(read.inputs["steps"][:, -3:])  # of the week
    np.testing.assert_array_equal(*phases)  # nine o'clock everywhere, before and after the clocks change
    if columns != "page":
        assert "local time of Europe/Berlin" in model.plan_.step
        assert "local time of America/New_York" in model.plan_.step
