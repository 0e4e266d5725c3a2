"""A model keeps the form of its times: later tables, events and files are read by it, in Python and elsewhere."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from unrolled.cli.main import make_app
from unrolled.codecs.tables.event_time import EventTimes
from unrolled.data.event_log import event_log
from unrolled.errors import DataError
from unrolled.serving.bounds import Bounds
from unrolled.serving.predictions import table_of_csv
from unrolled.tasks.registry import load

BOUNDS = Bounds(items=1000, cells=1000, columns=10, depth=5, length=500, events=20)
QUICK = {"epochs": 1, "progress": False, "baselines": False}
DAYS = [dt.date(2024, 3, 1) + dt.timedelta(days=day) for day in range(40)]  # to April 9


def call(*words):
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


def rows(days, form="%d/%m/%Y"):
    return {"day": [f"{day:{form}}" for day in days], "y": [float(day.weekday()) for day in days]}


@pytest.fixture(scope="module")
def forecaster():
    return ur.Forecaster(horizon=2, hidden_size=8).fit(ur.as_source(rows(DAYS), time="day"), **QUICK)


def test_a_table_whose_order_is_in_doubt_is_read_as_in_training(forecaster, tmp_path):
    later = [dt.date(2024, 4, day) for day in (10, 11, 12)]
    want = [dt.date(2024, 4, 13), dt.date(2024, 4, 14)]
    assert forecaster.predict(rows(later))["day"].to_list() == want
    again = load(forecaster.save(tmp_path / "model"))
    assert again.time_form_ == forecaster.time_form_
    assert again.predict(rows(later))["day"].to_list() == want
    pl.DataFrame(rows(later)).write_csv(tmp_path / "later.csv")
    read = ur.read_csv(tmp_path / "later.csv", time="day", time_form=again.time_form_)
    assert again.predict(read)["day"].to_list() == want
    body = pl.DataFrame(rows(later)).write_csv().encode()
    assert table_of_csv(again, body, BOUNDS).frame["day"].to_list() == later


def test_events_of_a_stream_are_read_as_in_training(forecaster):
    stream, state = forecaster.stream(), None
    for day, want in ((10, 11), (11, 12), (12, 13), (13, 14)):
        answer, state = stream.step({"day": f"{day}/04/2024", "y": 1.0}, state)
        assert answer["day"][0] == f"2024-04-{want}"
    with pytest.raises(DataError, match="the day first"):
        stream.step({"day": "04/14/2024", "y": 1.0}, state)


def test_a_back_test_starts_at_a_time_in_the_form_of_training(forecaster):
    data = ur.as_source(rows([*DAYS, *(dt.date(2024, 4, day) for day in range(10, 21))]), time="day")
    assert forecaster.backtest(data, start="12/04/2024")["day"].min() == dt.date(2024, 4, 12)


def test_numbers_of_dates_are_continued_as_dates():
    data = {"day": [int(f"{day:%Y%m%d}") for day in DAYS if day.month == 3], "y": [1.0] * 31}
    model = ur.Forecaster(horizon=2, hidden_size=8).fit(ur.as_source(data, time="day"), **QUICK)
    assert model.predict()["day"].to_list() == [dt.date(2024, 4, 1), dt.date(2024, 4, 2)]


def test_a_model_saved_without_a_form_still_reads(forecaster, tmp_path):
    data = {"step": list(range(60)), "y": [float(step % 5) for step in range(60)]}
    for model, later in ((forecaster, rows(DAYS, "%Y-%m-%d")),
                         (ur.Forecaster(horizon=2, hidden_size=8).fit(ur.as_source(data, time="step"), **QUICK),
                          {"step": [1_705_309_200, 1_705_309_201], "y": [1.0, 2.0]})):  # fmt: skip
        panel = model.panel_.to_json()
        panel |= {"form": panel.pop("time_form")["kind"], "zone": ""}
        old = type(model.panel_).from_json(panel)
        series = old.read(ur.as_source(later, time=model.panel_.time, time_form=old.form))
        assert len(series[0]) == len(later["y"])
        assert old.read(ur.as_source(later, time=model.panel_.time, time_form=old.form))[0].times.dtype.kind in "Mi"


def test_steps_without_a_time_may_be_counted_far():
    model = ur.Forecaster(horizon=1, hidden_size=8).fit(np.sin(np.arange(80.0)), **QUICK)
    table = model._stepping()._table([{"step": 200_001, "y": 1.0}])
    assert table.frame["step"].to_list() == [200_001]


def test_a_detector_reads_its_stream_and_its_windows_as_in_training(tmp_path):
    hours = [dt.datetime(2024, 3, 25) + dt.timedelta(hours=hour) for hour in range(300)]  # to April 6
    data = {"at": [f"{hour:%d/%m/%Y %H:%M}" for hour in hours], "value": list(np.sin(np.arange(300) / 4))}
    model = ur.Detector(hidden_size=8).fit(ur.as_source(data, time="at"), **QUICK)
    again = load(model.save(tmp_path / "model"))
    stream = again.stream()
    _, state = stream.step({"at": "07/04/2024 00:00", "value": 0.0})
    _, state = stream.step({"at": "07/04/2024 01:00", "value": 0.0}, state)
    with pytest.raises(DataError, match="a time after"):
        stream.step({"at": "05/04/2024 01:00", "value": 0.0}, state)
    later = ur.as_source({"at": data["at"][200:], "value": data["value"][200:]}, time="at", time_form=again.time_form_)
    assert again.evaluate(later, [("04/04/2024 10:00", "04/04/2024 12:00")]).model


def test_hours_of_a_detector_are_those_of_the_zone():
    data = pl.DataFrame({"at": pl.datetime_range(dt.datetime(2024, 6, 1), dt.datetime(2024, 6, 12), "1h", eager=True,
                                                 time_zone="Europe/Berlin")})  # fmt: skip
    data = data.with_columns(value=pl.col("at").dt.hour().cast(pl.Float64))
    model = ur.Detector(hidden_size=8).fit(ur.as_source(data, time="at"), **QUICK)
    assert model.plan_.zone == "Europe/Berlin"
    night = np.array(["2024-06-01T22:00"], dtype="M8[us]")  # midnight in Berlin
    reading = model.plan_.read("", night, np.zeros((1, 1)), model.plan_.start())
    assert np.allclose(reading.inputs["steps"][0, -5:-3], [0.0, 1.0])  # sine and cosine of the hour


def test_an_event_log_and_a_forecaster_take_the_same_numbers_for_times():
    for values, dated in (([1_705_309_200, 1_705_312_800], True), ([1, 2], False), ([500_000_000, 500_000_001], False)):
        frame = pl.DataFrame({"u": [1, 1], "i": ["a", "b"], "t": values})
        log = event_log(ur.Table(frame), "u", "i", "t")
        assert log.calendar is dated
        assert ur.Table(frame, time="t").frame["t"].dtype.is_temporal() is dated
        assert log.seconds.tolist() == values


def test_hours_of_events_are_those_of_their_zone_and_gaps_are_real():
    local = pl.Series("t", [dt.datetime(2024, 3, 30, 12), dt.datetime(2024, 3, 31, 12)])
    frame = pl.DataFrame({"u": [1, 1], "i": ["a", "b"], "t": local.dt.replace_time_zone("Europe/Berlin")})
    log = event_log(ur.Table(frame), "u", "i", "t")
    assert np.diff(log.seconds).tolist() == [23 * 3600.0]
    assert (log.local_seconds % 86_400).tolist() == [43_200.0, 43_200.0]
    encoded = EventTimes.learnt(log).encode(log)
    assert np.allclose(encoded[:, 1:3], [[0, -1], [0, -1]], atol=1e-6)  # noon


def test_a_recommender_reads_its_stream_as_in_training(tmp_path):
    times = [dt.datetime(2024, 3, 1, 10) + dt.timedelta(hours=9 * step) for step in range(100)]  # to April 7
    log = pl.DataFrame({"u": [step % 4 for step in range(100)], "i": [f"i{step % 5}" for step in range(100)],
                        "t": [f"{time:%d/%m/%Y %H:%M}" for time in times]})  # fmt: skip
    model = ur.Recommender(user="u", item="i", time="t", hidden_size=8).fit(ur.Table(log), **QUICK)
    again = load(model.save(tmp_path / "model"))
    stream = again.stream()
    _, state = stream.step({"i": "i1", "t": "08/04/2024 10:00"})
    with pytest.raises(DataError, match="not before the user's last event"):
        stream.step({"i": "i2", "t": "05/04/2024 10:00"}, state)
    assert again.predict(log.head(8).with_columns(t=pl.lit("05/04/2024 10:00"))).height == 20
    old = {name: value for name, value in model.times_.to_json().items() if name != "form"}
    assert EventTimes.from_json(old).form.zone == "UTC"


def test_a_log_that_only_the_task_reads_times_of_takes_the_options():
    log = pl.DataFrame({"u": [1, 1, 1], "i": ["a", "b", "c"], "t": ["05/04/2024", "06/04/2024", "07/05/2024"]})
    with pytest.raises(DataError, match="day_first="):
        event_log(ur.as_source(log), "u", "i", "t")
    read = event_log(ur.as_source(log, day_first=True), "u", "i", "t")
    assert read.seconds[0] == dt.datetime(2024, 4, 5, tzinfo=dt.UTC).timestamp()


def test_the_command_line_takes_the_options_and_predict_reads_by_the_form(tmp_path, capsys):
    days = [f"{day:02}/04/2024" for day in range(1, 13)]
    pl.DataFrame({"day": days, "y": [float(day) for day in range(12)]}).write_csv(tmp_path / "train.csv")
    model = tmp_path / "model"
    fit = ["fit", "forecast", tmp_path / "train.csv", "--out", model, "--time", "day", "--epochs", "1",
           "--hidden-size", "8", "--horizon", "1"]  # fmt: skip
    with pytest.raises(DataError, match="day_first="):
        call(*fit)
    call(*fit, "--day-first")
    pl.DataFrame({"day": ["11/04/2024", "12/04/2024"], "y": [1.0, 2.0]}).write_csv(tmp_path / "later.csv")
    capsys.readouterr()
    call("predict", model, tmp_path / "later.csv")
    assert json.loads(capsys.readouterr().out.splitlines()[0])["day"] == "2024-04-13"


def test_stays_keep_the_zone_of_their_trajectory():
    minutes = [dt.datetime(2024, 6, 1, 8) + dt.timedelta(minutes=minute) for minute in range(60)]
    frame = pl.DataFrame({"user": [1] * 60, "latitude": [50.0] * 60, "longitude": [8.0] * 60,
                          "time": [f"{minute:%Y-%m-%d %H:%M}" for minute in minutes]})  # fmt: skip
    stays = ur.stay_points(ur.as_source(frame, zone="Europe/Berlin")).frame
    assert stays["time"].dtype.time_zone == "Europe/Berlin"
    assert stays["time"].dt.hour().to_list() == [8]
