"""One series, or several, in every form that it is held in memory, gives one and the same forecast."""

import datetime as dt
from array import array
from collections import deque
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import unrolled as ur
from unrolled.errors import DataError, UnrolledError
from unrolled.tasks.series.long_table import long_table

WAVE = np.sin(np.arange(60.0))
DAYS = pd.date_range("2024-01-01", periods=60)
TINY = {"epochs": 1, "progress": False, "baselines": False, "device": "cpu"}


def fitted(data, **options):
    return ur.Forecaster(horizon=2, hidden_size=4, **options).fit(data, **TINY)


@pytest.fixture(scope="module")
def want():
    return fitted(WAVE).predict()


NUMBERS = {
    "a column": WAVE[:, None],
    "a list": WAVE.tolist(),
    "a tuple": tuple(WAVE.tolist()),
    "a list of single numbers in lists": [[value] for value in WAVE],
    "an array of objects": WAVE.astype(object),
    "decimals": [Decimal(repr(float(value))) for value in WAVE],
    "a tensor": torch.from_numpy(WAVE),
    "a tensor with gradients": torch.from_numpy(WAVE).requires_grad_(),
    "a tensor as a column": torch.from_numpy(WAVE)[:, None],
    "a deque": deque(WAVE),
    "an array of Python": array("d", WAVE),
    "a generator": lambda: (value for value in WAVE),
    "a Series": pd.Series(WAVE),
    "a Series called y": pd.Series(WAVE, name="y"),
    "a Series of another name": pd.Series(WAVE, name="sales"),
    "a Series of polars": pl.Series("sales", WAVE),
    "an Arrow array": pa.array(WAVE),
    "a frame": pd.DataFrame({"y": WAVE}),
    "a masked array": np.ma.array(WAVE),
    "records": [{"y": value} for value in WAVE],
    "a column of a mapping": {"y": WAVE},
}


@pytest.mark.parametrize("way", NUMBERS)
def test_one_series_of_numbers_has_one_forecast(way, want):
    given = NUMBERS[way]
    assert fitted(given() if callable(given) else given).predict().equals(want)


DATED = {
    "a Series": pd.Series(WAVE, index=DAYS),
    "a Series, newest first": pd.Series(WAVE, index=DAYS)[::-1],
    "a Series called y": pd.Series(WAVE, index=DAYS, name="y"),
    "a Series with a named index": pd.Series(WAVE, index=DAYS.rename("day")),
    "a frame, newest first": pd.DataFrame({"y": WAVE}, index=DAYS)[::-1],
    "a frame with a period index": pd.DataFrame({"y": WAVE}, index=DAYS.to_period("D"))[::-1],
    "a frame with texts of times as its index": pd.DataFrame({"y": WAVE}, index=DAYS.strftime("%Y-%m-%d"))[::-1],
    "a source of a frame": lambda: ur.as_source(pd.DataFrame({"y": WAVE}, index=DAYS)[::-1]),
    "a shuffled frame": pd.DataFrame({"y": WAVE}, index=DAYS).sample(frac=1, random_state=0),
}


@pytest.mark.parametrize("way", DATED)
def test_an_index_of_times_is_the_time(way, want):
    given = DATED[way]
    answer = fitted(given() if callable(given) else given).predict()
    assert [str(time)[:10] for time in answer[answer.columns[0]]] == ["2024-03-01", "2024-03-02"]
    assert answer["forecast"].to_list() == pytest.approx(want["forecast"].to_list(), abs=0.2)


def test_an_index_of_another_name_is_still_the_time_of_the_model():
    whole = pd.Series(WAVE, index=DAYS.rename("day"))
    model = fitted(whole[:50])
    answer = model.predict(whole[50:].rename_axis(None)[::-1])
    assert str(answer["day"][0])[:10] == "2024-03-01"


def test_years_as_a_named_index_are_times_and_numbers_of_rows_are_not():
    years = pd.DataFrame({"y": WAVE}, index=pd.RangeIndex(1960, 2020, name="year"))[::-1]
    assert fitted(years).predict()["year"].to_list() == [2020, 2021]
    assert fitted(years.rename_axis(None)).predict()["step"].to_list() == [60, 61]


# ---- several series ------------------------------------------------------------------------------

PAIR = pd.DataFrame({"a": WAVE, "b": 5 + WAVE}, index=DAYS.rename("day"))
LONG = PAIR.reset_index().melt("day", var_name="series", value_name="y")


def as_long(data, **options):
    table = long_table(data, "y", wide=True, **options)
    frame = table.frame.select(
        pl.col(str(table.time)).cast(pl.Datetime("us")), pl.col(str(table.group)).cast(pl.String), "y"
    )
    frame.columns = ["day", "series", "y"]
    return frame.sort("series", "day")


SEVERAL = {
    "a long frame with an index": LONG.set_index(["series", "day"]),
    "levels the other way round": LONG.set_index(["day", "series"]).sample(frac=1, random_state=0),
    "one series a column": PAIR,
    "one series a column, newest first": PAIR[::-1],
    "a list of Series": [PAIR["a"], PAIR["b"]],
    "a list of Series, newest first": [PAIR["a"][::-1], PAIR["b"]],
    "Series by name": {"a": PAIR["a"], "b": PAIR["b"]},
    "a Series with two levels": LONG.set_index(["series", "day"])["y"],
}


@pytest.mark.parametrize("way", SEVERAL)
def test_several_series_in_every_form_are_one_long_table(way):
    want = as_long(ur.as_source(LONG, time="day", group="series"))
    assert as_long(SEVERAL[way]).equals(want)


def test_a_wide_table_is_read_with_its_gaps_and_asked_in_either_form():
    gappy = PAIR.copy()
    gappy.loc[gappy.index[:20], "b"] = np.nan
    model = fitted(gappy)
    wide, long = model.predict(PAIR), model.predict(ur.as_source(LONG, time="day", group="series"))
    assert wide["series"].to_list() == ["a", "a", "b", "b"]
    assert wide.equals(long)
    assert str(wide["day"][0])[:10] == "2024-03-01"
    assert model.summary_["series"] == 2


def test_a_wide_table_without_times_is_numbered():
    assert fitted(PAIR.reset_index(drop=True)).predict()["step"].to_list() == [60, 61, 60, 61]


def test_a_named_time_column_makes_a_wide_table_too():
    source = ur.as_source(PAIR.reset_index(), time="day")
    assert fitted(source).predict()["series"].to_list() == ["a", "a", "b", "b"]


def test_one_series_in_each_row_of_numbered_columns():
    rows = pd.DataFrame([WAVE, 5 + WAVE[::-1]])
    assert fitted(rows).predict().equals(fitted(rows.to_numpy()).predict())
    named = pd.DataFrame(rows.to_numpy(), columns=[f"V{step}" for step in range(1, 61)]).assign(name=["u", "v"])
    assert fitted(named).predict()["series"].to_list() == ["u", "u", "v", "v"]


def test_a_target_that_is_named_and_missing_is_refused_and_nothing_is_guessed():
    with pytest.raises(DataError, match="the nearest is 'sales'"):
        ur.Forecaster("Sales").fit(pd.DataFrame({"sales": WAVE}, index=DAYS), **TINY)
    with pytest.raises(UnrolledError, match="column 'y'"):
        fitted(pd.DataFrame({"a": WAVE, "b": ["u"] * 60}, index=DAYS))


def test_more_than_one_number_per_step_is_refused():
    with pytest.raises(DataError, match="more than one number per step"):
        fitted(np.zeros((3, 60, 2)))


def test_series_of_unequal_lengths_and_a_single_one_go_on():
    model = fitted([WAVE, WAVE[:40]])
    assert model.predict()["step"].to_list() == [60, 61, 40, 41]


def test_a_detector_takes_a_frame_with_an_index_of_times():
    frame = pd.DataFrame({"load": WAVE, "heat": WAVE[::-1]}, index=DAYS.rename("day"))[::-1]
    model = ur.Detector(hidden_size=4, warm_up=5).fit(frame, **TINY)
    found = model.detect(frame)
    assert found["day"].is_sorted()
    assert found["day"][0] == dt.datetime(2024, 1, 1)
    series = ur.Detector(hidden_size=4, warm_up=5).fit(pd.Series(WAVE, index=DAYS)[::-1], **TINY)
    assert series.detect(pd.Series(WAVE, index=DAYS)).height == 60
