"""Sample paths: each step follows the forecast's quantiles, the steps of a path belong together."""

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from unrolled.errors import OptionError
from unrolled.tasks.forecasting.sample_paths import drawn_paths, templates_of

LEVELS = [0.1, 0.5, 0.9]


def walks(count: int = 150, steps: int = 6) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, steps)).cumsum(1)


def test_the_values_of_each_step_follow_the_quantiles():
    told = np.array([[[0.0, 1.0, 4.0]] * 6, [[-3.0, -2.0, -1.5]] * 6])
    paths = drawn_paths(told, LEVELS, templates_of(walks()), 6000, np.random.default_rng(1))
    found = np.moveaxis(np.quantile(paths, LEVELS, axis=1), 0, 2)  # (B, H, Q)
    np.testing.assert_allclose(found, told, atol=0.1)


def test_the_steps_of_a_path_belong_together_as_they_did_in_the_past():
    told = np.tile(np.array([-1.28, 0.0, 1.28]), (1, 6, 1))
    rng = np.random.default_rng(1)
    tied = drawn_paths(told, LEVELS, templates_of(walks()), 4000, rng)[0]
    free = drawn_paths(told, LEVELS, np.zeros((0, 6)), 4000, rng)[0]
    past = np.corrcoef(walks().T)[4, 5]
    assert np.corrcoef(tied.T)[4, 5] == pytest.approx(past, abs=0.08)
    assert abs(np.corrcoef(free.T)[4, 5]) < 0.08
    assert tied.sum(1).std() > 1.5 * free.sum(1).std()  # sums are as uncertain as they were


def test_templates_hold_every_place_once():
    shares = np.sort(templates_of(walks(40, 3)), axis=0)
    np.testing.assert_allclose(shares, np.repeat(np.arange(40)[:, None] / 40, 3, 1))


def test_paths_of_a_forecaster_are_legal_repeatable_and_saved(tmp_path):
    sales = np.maximum(np.random.default_rng(0).poisson(1.0, (2, 120)), 0).astype(float)
    model = ur.Forecaster(horizon=4, quantiles=LEVELS, hidden_size=4).fit(list(sales), epochs=1)
    found = model.paths(n=300, seed=3)
    assert found.columns == ["series", "path", "step", "value"]
    assert found.height == 2 * 300 * 4
    assert found["value"].min() >= 0
    assert found["step"].unique().sort().to_list() == [120, 121, 122, 123]
    assert found.equals(model.paths(n=300, seed=3))
    assert not found.equals(model.paths(n=300, seed=4))
    assert ur.load(model.save(tmp_path / "model")).paths(n=300, seed=3).equals(found)
    middle = found.group_by("series", "step").agg(pl.col("value").median()).sort("series", "step")["value"]
    np.testing.assert_allclose(middle, model.predict()["q0.5"], atol=0.5)


def test_paths_need_quantiles_and_have_a_bound():
    with pytest.raises(OptionError, match="at least two levels"):
        ur.Forecaster(horizon=2, hidden_size=4).fit(np.arange(60.0) % 5, epochs=1).paths(n=3)
    model = ur.Forecaster(horizon=2, hidden_size=4, quantiles=[0.1, 0.9]).fit(np.arange(60.0) % 5, epochs=1)
    for number, words in ((0, "n: expected"), (10_000_001, "n: expected"), (1.5, "n: expected")):
        with pytest.raises(OptionError, match=words):
            model.paths(n=number)
