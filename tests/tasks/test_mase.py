"""MASE divides by the seasonal naive error within the whole training series, and by nothing that is scored."""

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from unrolled.tasks.forecasting.backtest import naive_errors
from unrolled.tasks.forecasting.forecaster import Forecaster

QUIET, LOUD = np.arange(100.0) % 2, 4 * (np.arange(40) % 3)  # whose last part moves more


@pytest.fixture(scope="module")
def fitted():
    values = np.concatenate([QUIET, LOUD])
    return ur.Forecaster(horizon=1, season=1, hidden_size=4, context_length=4).fit(values, epochs=1), values


def frame(values, first=0, **more):
    steps = np.arange(first, first + len(values))
    return pl.DataFrame({"step": steps, "y": np.asarray(values, dtype=float), **more})


def test_the_unit_is_the_error_within_all_of_the_training_series(fitted):
    model, values = fitted
    assert list(model.naive_errors_.values()) == [pytest.approx(np.abs(np.diff(values)).mean())]


def test_mase_of_rows_that_follow_is_that_of_hyndman_and_koehler():
    history, recent = np.concatenate([QUIET, LOUD]), np.array([1.0, 9.0, 2.0])
    model = Forecaster(horizon=1, season=1, hidden_size=4, context_length=4)
    model.fit(ur.Table(frame(history), time="step"), epochs=1)
    got = model.evaluate(ur.Table(frame(recent, len(history)), time="step"))
    unit = np.abs(np.diff(history)).mean()
    errors = np.abs(np.diff(np.concatenate([history[-1:], recent])))
    assert got.baselines["last value"]["mase"] == pytest.approx(errors.mean() / unit)
    assert got.model["mase"] == pytest.approx(got.model["mae"] / unit)


def test_the_unit_of_a_new_series_is_from_the_steps_before_those_scored(fitted):
    model, _ = fitted
    stranger = np.concatenate([np.arange(8.0) * 3, 100 * (np.arange(20) % 2)])
    table = model.backtest([stranger])
    first = int(table["origin"].min()) + 1  # steps that are known before the first one scored
    got = model.evaluate([stranger])
    assert got.model["mase"] == pytest.approx(got.model["mae"] / np.abs(np.diff(stranger[:first])).mean())


def test_errors_are_counted_a_season_apart_and_from_a_step_on():
    values = np.array([1.0, 5.0, 2.0, 9.0, np.nan, 9.0])
    assert naive_errors(values, 2).tolist() == [1, 4, 0]
    assert naive_errors(values, 2, first=3).tolist() == [4, 0]
    assert naive_errors(values[:2], 2).tolist() == [4]  # no longer than a season: by the last value
    assert naive_errors(values[:1], 2).tolist() == []


def test_a_series_that_never_changes_has_no_unit(fitted):
    model, _ = fitted
    got = model.evaluate([np.ones(20)])
    assert got.leading == "mae"
    assert "no MASE" in got.notes[0]
