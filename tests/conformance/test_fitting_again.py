"""Fitting a fitted or loaded task again: anew with the same columns, or on from its weights."""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.base import clone

import unrolled as ur
from conformance.test_tasks import CASES, every, same_weights
from unrolled.data.source import Table
from unrolled.errors import DataError

WAVE = np.sin(np.arange(120) * 2 * np.pi / 8) + np.arange(120) / 50
LOG = [{"user": row % 12, "item": f"i{row % 5}", "hour": row % 24} for row in range(96)]
STILL = {"epochs": 1, "learning_rate": 1e-12, "weight_decay": 0.0, "average": 0.0}
OTHERS = {
    "Forecaster": (lambda: ur.Forecaster(horizon=2, hidden_size=4, training={"epochs": 1}), WAVE),
    "Detector": (lambda: ur.Detector(hidden_size=4, warm_up=10, training={"epochs": 1}), WAVE),
    "Recommender": (lambda: ur.Recommender("user", "item", hidden_size=4, training={"epochs": 1}), ur.as_source(LOG)),
}


@every
def test_a_loaded_task_is_fitted_anew_with_the_same_columns_and_options(name, tmp_path):
    case = CASES[name]
    fitted = case.fit()
    fitted.save(tmp_path / "m")
    loaded = ur.load(tmp_path / "m")
    assert repr(clone(loaded).get_params(deep=False)) == repr(fitted.get_params(deep=False))
    assert same_weights(loaded.fit(case.data), fitted)


@every
def test_a_warm_start_goes_on_from_the_fitted_weights(name):
    case = CASES[name]
    task = case.fit()
    before = {key: value.clone() for key, value in task.network_.state_dict().items()}
    task.fit(case.data, warm_start=True, **STILL)
    after = task.network_.state_dict()
    assert all(torch.allclose(after[key], value, atol=1e-6) for key, value in before.items())
    task.fit(case.data, warm_start=True, epochs=1)
    assert not all(torch.allclose(task.network_.state_dict()[key], value, atol=1e-6) for key, value in before.items())


@pytest.mark.parametrize("name", OTHERS)
def test_a_warm_start_of_series_and_events_goes_on_too(name):
    make, data = OTHERS[name]
    task = make().fit(data)
    before = {key: value.clone() for key, value in task.network_.state_dict().items()}
    task.fit(data, warm_start=True, **STILL)
    assert all(torch.allclose(task.network_.state_dict()[key], value, atol=1e-6) for key, value in before.items())


def test_a_warm_start_before_fit_is_a_fit():
    case = CASES["Classifier"]
    fresh = case.make(training={"epochs": 1})
    assert same_weights(clone(fresh).fit(case.data, warm_start=True), clone(fresh).fit(case.data))


def test_a_warm_start_refuses_what_the_network_cannot_learn():
    task = CASES["Classifier"].fit()
    with pytest.raises(DataError, match="new"):
        task.fit([{"text": "abc", "y": "new"}] * 4, warm_start=True, epochs=1)
    with pytest.raises(DataError, match="text"):
        task.fit([{"other": "abc", "y": "u"}] * 4, warm_start=True, epochs=1)


def test_new_rows_of_a_series_go_on_where_the_old_ones_ended():
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 4, 29), eager=True)
    frame = pl.DataFrame({"day": days, "value": WAVE})
    task = ur.Forecaster("value", horizon=2, hidden_size=4).fit(Table(frame[:90], time="day"), epochs=1)
    task.fit(Table(frame[90:], time="day"), warm_start=True, epochs=1)
    assert task.predict()["day"].to_list()[0] > days[-1]
