"""Baselines that continue a series: values of other programs, bounded memory, quantiles, and what each can learn."""

import numpy as np
import pytest

from unrolled.baselines.boosted_lags import BoostedLags
from unrolled.baselines.exponential_smoothing import ExponentialSmoothing, _smoothed
from unrolled.baselines.forecasting import Forecast, LastValue
from unrolled.baselines.histories import History
from unrolled.baselines.registry import forecast_baselines
from unrolled.baselines.seasonal_average import SeasonalAverage
from unrolled.baselines.seasonal_indices import is_seasonal, seasonal_indices
from unrolled.baselines.theta import Theta

# monthly airline passengers, 1949 to 1958: G. Box and G. Jenkins, "Time Series Analysis", 1976, series G
# fmt: off
PASSENGERS = np.array([
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170,
    158, 133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181,
    183, 218, 230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201,
    204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229, 242, 233, 267, 269, 270, 315, 364, 347,
    312, 274, 237, 278, 284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306, 315, 301, 356, 348,
    355, 422, 465, 467, 404, 347, 305, 336, 340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337,
], dtype=np.float64)
# fmt: on
# statsmodels 0.14: ThetaModel(period=12, method="multiplicative").fit(use_mle=False).forecast(12, theta=2)
THETA = [341.62, 335.57, 385.39, 370.12, 371.18, 423.49, 464.31, 460.88, 408.72, 355.76, 310.4, 351.42]
# statsmodels 0.14: ETSModel(error="mul", trend="add", damped_trend=True, seasonal="mul"), which R's `ets` chooses too
ETS = [340.71, 337.17, 386.43, 370.55, 368.17, 418.39, 461.31, 457.9, 400.9, 348.49, 302.64, 340.9]
KINDS = {key: type(one) for key, one in forecast_baselines(1, 1).items()}
every = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def test_theta_gives_the_forecasts_of_statsmodels():
    np.testing.assert_allclose(Theta(12, 12).predict([PASSENGERS])[0], THETA, rtol=1e-3)


def test_exponential_smoothing_is_near_the_best_model_of_statsmodels():
    model = ExponentialSmoothing(12, 12).fit([PASSENGERS], [])
    np.testing.assert_allclose(model.predict([PASSENGERS])[0], ETS, rtol=0.03)
    assert set(model.models_[:, 4]) == {2.0}  # the season multiplies


def test_one_smoothing_recursion_is_that_of_the_book():
    values, rate, damping = np.array([[3.0, 5.0, 4.0, 6.0, 8.0, 7.0, 9.0]]), 0.4, 0.9
    _, points = _smoothed(values, 1, np.array([[rate, 0.04, damping, 0.0, 0.0]]), 3)
    steps = np.arange(7) - 3.0
    slope = float(values[0] @ steps / (steps @ steps))
    level, trend = values.mean() - 4 * slope, slope
    for value in values[0]:
        error = value - level - damping * trend
        level, trend = level + damping * trend + rate * error, damping * trend + 0.04 * error
    wanted = level + trend * np.array([0.9, 0.9 + 0.81, 0.9 + 0.81 + 0.729])
    np.testing.assert_allclose(points[0, 0], wanted)


def test_seasonal_indices_of_a_pure_season_are_that_season():
    wave, line = np.tile([1.0, -2.0, 4.0, -3.0], 6), np.arange(24.0)
    np.testing.assert_allclose(seasonal_indices((wave + line)[None], 4, np.array([False]))[0], wave[:4], atol=1e-12)
    ratios = np.tile([0.5, 1.5, 1.2, 0.8], 6)
    np.testing.assert_allclose(seasonal_indices(9 * ratios[None], 4, np.array([True]))[0], ratios[:4])


def test_noise_is_rarely_taken_for_a_season():
    noise = np.random.default_rng(0).normal(size=(400, 60))
    assert is_seasonal(noise, 6).mean() < 0.15
    assert is_seasonal(noise + 3 * np.tile([0, 0, 0, 1, 1, 1], 10), 6).mean() > 0.95


def test_a_seasonal_average_is_one():
    assert SeasonalAverage(3, 2).predict([np.array([9.0, 1.0, 5.0, 3.0, 9.0])]).tolist() == [[3.5, 8.5, 3.5]]


@every
def test_a_forecast_depends_on_nothing_before_its_memory(kind):
    draw = np.random.default_rng(1)
    model: Forecast = kind(3, 5)
    old, new = draw.normal(size=900) * 50, draw.normal(size=model.memory).cumsum()
    known = draw.normal(size=(900 + model.memory + 3, 1))
    model.fit([History(np.concatenate([old, new]), 5, known)], [])
    whole, cut = History(np.concatenate([old, new]), 5, known), History(new, 5, known[900:])
    for ask in (model.predict, lambda some: model.quantiles(some, [0.1, 0.9])):
        np.testing.assert_allclose(ask([whole]), ask([cut]), rtol=1e-9)


@every
def test_quantiles_are_in_order_and_hold_as_much_as_they_say(kind):
    walk = np.random.default_rng(1).normal(size=3000).cumsum()
    model = kind(5, 1).fit([walk[:1500]], [])
    origins = range(1500, 2990, 5)
    truth = np.array([walk[origin : origin + 5] for origin in origins])
    found = model.quantiles([walk[:origin] for origin in origins], [0.1, 0.5, 0.9])
    assert (np.diff(found, axis=2) >= 0).all()
    assert ((found[..., 0] <= truth) & (truth <= found[..., 2])).mean() == pytest.approx(0.8, abs=0.1)


@every
def test_quantiles_follow_the_size_of_the_series(kind):
    walk = np.random.default_rng(2).normal(size=300).cumsum()
    model = kind(4, 3).fit([walk], [])
    for size in (1e-3, 1e3):
        np.testing.assert_allclose(model.quantiles([walk * size], [0.2])[0] / size, model.quantiles([walk], [0.2])[0],
                                   rtol=1e-4, atol=1e-6)  # fmt: skip


@every
def test_a_history_without_a_move_has_no_spread(kind):
    model = kind(4, 2).fit([np.arange(40.0)], [])
    for history in (np.zeros(0), np.array([np.nan]), np.array([3.0])):
        quantiles = model.quantiles([history], [0.1, 0.9])
        np.testing.assert_array_equal(quantiles[:, :, 0], quantiles[:, :, 1])


@every
def test_a_series_that_stands_still_goes_on_so(kind):
    model = kind(3, 4).fit([np.sin(np.arange(90.0)) + 5], [])
    np.testing.assert_allclose(model.predict([np.full(40, 7.0)]), 7.0, atol=0.3)


def test_a_history_has_its_own_season():
    wave = np.tile([0.0, 5.0, 1.0], 30)
    model = SeasonalAverage(3, 7).fit([], [])
    assert model.predict([History(wave, 3), History(wave, 1)]).tolist() == [[0.0, 5.0, 1.0], [1.75] * 3]


def test_trees_learn_what_a_known_day_does_from_a_few_of_them():
    draw = np.random.default_rng(0)
    days = np.arange(730)
    holiday = np.isin(days % 365, (0, 120, 359)).astype(float)
    sales = np.where(holiday > 0, 0.0, 100 + 20 * np.sin(days * 2 * np.pi / 7) + draw.normal(size=730) * 5)
    one = History(sales[:700], 7, np.concatenate([holiday, np.zeros(7)])[: 700 + 7, None])
    model = BoostedLags(7, 7).fit([one], [])
    quiet, closed = np.zeros((107, 1)), np.zeros((107, 1))
    closed[102] = 1.0
    past = sales[520:620]
    usual, shut = (model.predict([History(past, 7, known)])[0] for known in (quiet, closed))
    assert usual[2] > 70
    assert shut[2] < 20
    np.testing.assert_allclose(np.delete(shut, 2), np.delete(usual, 2), atol=15)


def test_errors_are_measured_on_steps_that_were_not_learnt_from():
    draw = np.random.default_rng(0)
    noise = draw.normal(size=400)
    trees, last = BoostedLags(1).fit([noise], []), LastValue(1).fit([noise], [])
    width = float(np.diff(trees.quantiles([noise], [0.1, 0.9]))[0, 0, 0])
    assert width > 2.0  # of noise, 2.56; trees that had seen it would say less
    assert width < float(np.diff(last.quantiles([noise], [0.1, 0.9]))[0, 0, 0])
