"""What is noticed in training data is said to the Python user, once, and no row counter is watched."""

import datetime as dt
import warnings

import numpy as np
import polars as pl
import pytest
import torch
from torch.utils.data import DataLoader

import unrolled as ur
from unrolled.data.readers import as_source, read_csv
from unrolled.data.table_notes import counts_rows
from unrolled.errors import ArtifactError, DataError
from unrolled.reading_report import UnrolledWarning, each_once, warn_once

FAST = {"epochs": 1, "progress": False, "device": "cpu"}
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(day) for day in range(60)]
WAVE = np.sin(np.arange(60) / 3).round(3)
MAKERS = {
    "Forecaster": lambda: ur.Forecaster("x", horizon=2, hidden_size=4),
    "Detector": lambda: ur.Detector("x", warm_up=5, hidden_size=4),
}
TASKS = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def clocks(start, stop):
    """Return hours of Berlin without their zone."""
    hours = pl.datetime_range(start, stop, "1h", time_zone="UTC", eager=True).dt.convert_time_zone("Europe/Berlin")
    return pl.DataFrame({"t": hours.dt.replace_time_zone(None), "x": np.sin(np.arange(len(hours)) / 4)})


def sites():
    hours = {"a": 0, "b": 5}
    parts = [
        pl.DataFrame({"t": [dt.datetime.combine(day, dt.time(hour)) for day in DAYS], "site": site, "x": WAVE + hour})
        for site, hour in hours.items()
    ]
    return pl.concat(parts)


DATA = {
    "spring": (lambda: clocks(dt.datetime(2024, 3, 20), dt.datetime(2024, 4, 9)), "skip in spring"),
    "autumn": (lambda: clocks(dt.datetime(2024, 10, 18), dt.datetime(2024, 11, 5)), "twice in autumn"),
    "sites": (sites, "group='site'"),
}


@pytest.mark.parametrize("data", DATA)
@TASKS
def test_a_warning_about_the_data_comes_once_in_a_fit(make, data):
    frame, words = DATA[data]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        make().fit(as_source(frame(), time="t"), **FAST)
    assert [words in str(one.message) for one in found].count(True) == 1


def test_warnings_within_each_other_are_given_once():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with each_once():
            warn_once("a", "first")
            with each_once():
                warn_once("a", "second")
            warn_once("b", "third")
        warn_once("a", "fourth")
    assert [str(one.message) for one in found] == ["first", "third", "fourth"]


def test_notes_of_the_reader_are_in_the_report_of_fit(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,price,price,y\n" + "".join(f"a b,$5,{row},{'uv'[row % 2]}\n" for row in range(20)))
    model = ur.Classifier("text", "y", hidden_size=4).fit(read_csv(path), **FAST)
    assert ["'$5' is no plain number" in note for note in model.report_["notes"]] == [True, False]
    assert "'price' is repeated" in model.report_["notes"][1]
    assert ur.Classifier("x", "y", hidden_size=4).fit(["ab"] * 8, ["u", "v"] * 4, **FAST).report_["notes"] == []


# ---- counters of rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "row", "index", "Row_ID"])
@pytest.mark.parametrize("group", [None, "s"])
def test_a_detector_without_a_target_leaves_counters_of_rows_out_and_says_so(name, group):
    numbers = list(range(60)) if group is None else [*range(30), *range(30)]
    frame = {"t": DAYS if group is None else DAYS[:30] * 2, name: numbers, "x": WAVE, "s": ["a"] * 30 + ["b"] * 30}
    with pytest.warns(UnrolledWarning, match="only count the rows"):
        model = ur.Detector(warm_up=5, hidden_size=4).fit(as_source(frame, time="t", group=group), **FAST)
    assert model.watched_.columns == ["x"]
    assert name not in model.schema_.kinds


def test_a_column_that_is_named_or_is_no_counter_is_watched():
    frame = {"t": DAYS, "row": range(60), "x": WAVE}
    assert ur.Detector(["row"], warm_up=5, hidden_size=4).fit(as_source(frame, time="t"), **FAST).plan_.columns == [
        "row"
    ]
    for values in ([1, 2, 2], [1.0, 2.0, 3.0], [1, None, 3]):
        assert not counts_rows(pl.DataFrame({"row": values}), "row")


# ---- streams of one series ----------------------------------------------------------------------------


@TASKS
def test_a_stream_refuses_a_row_of_another_series_and_keeps_its_state(make):
    rows = [{"t": day, "s": name, "x": x + base} for name, base in (("a", 0), ("b", 9))
            for day, x in zip(DAYS, WAVE, strict=True)]  # fmt: skip
    stream = make().fit(as_source(rows, time="t", group="s"), **FAST).stream()
    first = {"t": "2024-03-01", "s": "a", "x": 1.0}
    _, state = stream.step(first)
    packed = stream.pack(state)
    with pytest.raises(DataError, match=r"rows of series 'a'.*series 'b'"):
        stream.step({**first, "t": "2024-03-02", "s": "b"}, state)
    assert stream.pack(state) == packed
    same = [stream.step({**first, "t": "2024-03-02"}, one)[0] for one in (state, stream.unpack(packed))]
    assert same[0] == same[1]


def test_a_state_of_a_detector_that_was_stored_without_a_name_goes_on():
    rows = [{"t": day, "s": "a", "x": x} for day, x in zip(DAYS, WAVE, strict=True)]
    stream = MAKERS["Detector"]().fit(as_source(rows, time="t", group="s"), **FAST).stream()
    event = {"t": "2024-03-01", "s": "a", "x": 1.0}
    _, state = stream.step(event)
    old = stream.unpack(stream.pack(state._replace(memory=state.memory[:4])))
    later = {**event, "t": "2024-03-02"}
    assert stream.step(later, old)[0] == stream.step(later, state)[0]
    assert stream.step(later, old)[1].memory[4] == "a"
    with pytest.raises(ArtifactError):
        stream.unpack(stream.pack(state._replace(memory=(*state.memory[:4], 7))))


# ---- loaders of torch -----------------------------------------------------------------------------------


def test_a_loader_of_batches_is_refused_in_a_short_sentence():
    records = [{"x": "ab", "y": "uv"[row % 2]} for row in range(8)]
    loader = DataLoader(records, batch_size=2)
    with pytest.raises(DataError, match=r"DataLoader.*loader\.dataset$") as refused:
        as_source(loader)
    assert len(str(refused.value)) < 200
    assert as_source(loader.dataset).frame.rows() == [tuple(one.values()) for one in records]
    assert as_source(DataLoader(records, batch_size=None)).frame.height == 8
    pairs = torch.utils.data.TensorDataset(torch.ones(4, 3), torch.tensor([0, 1, 0, 1]))
    assert as_source(DataLoader(pairs).dataset).columns == ["x", "y"]
