"""Online intervals: the share of values inside is the nominal one, before and after a change, whatever the series."""

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from unrolled.errors import OptionError
from unrolled.tasks.forecasting.online_intervals import RATE, OnlineWidths, replayed

NOMINAL, WINDOW = 0.8, 200
HALF = 1.2816


def stream(kind: str, steps: int = 2000) -> np.ndarray:
    """Errors of forecasts that are 0: each kind changes in the middle."""
    draw = np.random.default_rng(7)
    later = np.arange(steps) >= steps // 2
    if kind == "wider":
        return draw.normal(size=steps) * np.where(later, 3, 1)
    if kind == "shifted":
        return draw.normal(size=steps) + np.where(later, 2, 0)
    return np.where(later, draw.standard_t(3, steps), draw.normal(size=steps))


def covered(errors: np.ndarray, horizon: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Whether each value is within its interval, `horizon` steps ahead, and the interval's width."""
    quantiles = np.tile(np.array([-HALF, 0.0, HALF]), (len(errors), horizon, 1))
    answers, _ = replayed(quantiles, errors, OnlineWidths.start(horizon), NOMINAL)
    low, high = answers[:-horizon, -1, 0], answers[:-horizon, -1, -1]
    later = errors[horizon:]
    return (low <= later) & (later <= high), high - low


@pytest.mark.parametrize("kind", ["wider", "shifted", "heavier"])
def test_coverage_of_any_200_steps_after_a_change_is_nominal(kind):
    inside, width = covered(stream(kind))
    shares = np.convolve(inside, np.ones(WINDOW) / WINDOW, "valid")[len(inside) // 2 :]
    assert np.abs(shares - NOMINAL).max() <= 0.0201
    assert np.mean(np.abs(shares - NOMINAL)) <= 0.01
    assert width.max() < 60


@pytest.mark.parametrize("horizon", [4, 12])
def test_steps_further_ahead_recover_too(horizon):
    inside, _ = covered(stream("wider"), horizon)
    assert inside[-600:].mean() == pytest.approx(NOMINAL, abs=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_the_law_of_adaptive_conformal_inference_holds_for_any_series(seed):
    draw = np.random.default_rng(seed)
    errors = np.cumsum(draw.standard_cauchy(600)) * 10.0 ** draw.integers(-3, 4, 600)
    inside, _ = covered(errors)
    for steps in (50, 200, len(inside)):
        assert abs(inside[:steps].mean() - NOMINAL) <= (NOMINAL + RATE) / (RATE * steps)


def test_missing_values_change_nothing_and_the_middle_never_moves():
    state = OnlineWidths.start(2).made(np.array([[0.0, 1.0, 2.0]] * 2), NOMINAL)
    after = state.seen(float("nan"), NOMINAL)
    np.testing.assert_array_equal(after.missed, state.missed)
    np.testing.assert_array_equal(after.sizes, state.sizes)
    wide = OnlineWidths(np.array([3.0, -2.0]), np.array([2.0, 0.5]), state.waiting)
    found = wide.widened(np.array([[0.0, 1.0, 3.0]] * 2), NOMINAL)
    assert found[:, 1].tolist() == [1.0, 1.0]
    assert (np.diff(found, axis=1) >= 0).all()


# ---- in a forecaster -------------------------------------------------------------------------------


def noisy(steps: int, seed: int, size: float = 1.0) -> np.ndarray:
    return 20 + 5 * np.sin(np.arange(steps) * 2 * np.pi / 7) + np.random.default_rng(seed).normal(size=steps) * size


def table(values: np.ndarray, first: int = 0) -> ur.Table:
    steps = np.arange(first, first + len(values))
    return ur.Table(pl.DataFrame({"t": steps, "shop": "a", "y": values}), time="t", group="shop")


LATER = noisy(300, 1, 4.0)  # errors four times as large as in training


@pytest.fixture(scope="module")
def fitted() -> ur.Forecaster:
    model = ur.Forecaster("y", horizon=3, hidden_size=4, quantiles=[0.1, 0.5, 0.9], intervals="online")
    return model.fit(table(noisy(200, 0)), epochs=2)


def test_a_stream_gives_the_intervals_of_a_table(fitted):
    stream, answers = fitted.stream(), []
    state = stream.feed([{"t": 200 + step, "shop": "a", "y": value} for step, value in enumerate(LATER[:20])])
    for step, value in enumerate(LATER[20:26], 220):
        answer, state = stream.step({"t": step, "shop": "a", "y": value}, state)
        state = stream.unpack(stream.pack(state))
        answers.append(answer)
    known = fitted.predict(table(LATER[:26], 200))
    rolling = fitted.backtest(table(LATER[:29], 200))
    for level in ("q0.1", "q0.5", "q0.9"):
        np.testing.assert_allclose(answers[-1][level], known[level].to_numpy(), rtol=1e-4)
        last = rolling.filter(rolling["origin"] == 225)
        np.testing.assert_allclose(answers[-1][level], last[level].to_numpy(), rtol=1e-4)


def test_intervals_grow_where_errors_do_and_cover_what_they_claim(fitted):
    found = fitted.backtest(table(LATER, 200)).filter(pl.col("ahead") == 1)[50:]
    inside = (found["q0.1"] <= found["actual"]) & (found["actual"] <= found["q0.9"])
    assert inside.mean() == pytest.approx(0.8, abs=0.03)
    assert fitted.evaluate(table(LATER, 200)).model["coverage_80%"] == pytest.approx(0.8, abs=0.06)


def test_a_backtest_with_gaps_between_origins_gives_the_same_forecasts(fitted):
    every, some = (fitted.backtest(table(LATER[:40], 200), stride=stride) for stride in (1, 5))
    same = every.filter(every["origin"].is_in(some["origin"].to_list()))
    np.testing.assert_allclose(some["q0.9"], same["q0.9"])


def test_widths_are_saved(fitted, tmp_path):
    again = ur.load(fitted.save(tmp_path / "model"))
    assert again.predict().equals(fitted.predict())
    assert again.backtest(table(LATER[:10], 200)).equals(fitted.backtest(table(LATER[:10], 200)))
    assert np.ptp(fitted.widths_["a"].sizes) > 0


def test_intervals_need_two_quantiles():
    for quantiles in (None, [0.5]):
        with pytest.raises(OptionError, match="give quantiles such as"):
            ur.Forecaster(horizon=2, intervals="online", quantiles=quantiles).fit(noisy(60, 0), epochs=1)
    with pytest.raises(OptionError, match="did you mean 'online'"):
        ur.Forecaster(intervals="onlin").fit(noisy(60, 0), epochs=1)
