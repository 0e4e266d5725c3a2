"""Seasons are found where there are some, and not in noise; of a season and its multiples the shortest is answered."""

import numpy as np
import pytest

from unrolled.tasks.season import find_season

SHAPES = {
    "sine": lambda phase: np.sin(2 * np.pi * phase),
    "spike": lambda phase: (phase < 1e-9) * 1.0,
    "square": lambda phase: np.where(phase < 1 / 3, 1.0, -1.0),
}
NOISE = {
    "white": lambda draw, steps: draw.normal(size=steps),
    "walk": lambda draw, steps: np.cumsum(draw.normal(size=steps)),
}
# cars sold in Quebec by month, 1960 to 1968: B. Abraham and J. Ledolter, "Statistical Methods for Forecasting", 1983
CARS = [
    6550, 8728, 12026, 14395, 14587, 13791, 9498, 8251, 7049, 9545, 9364, 8456, 7237, 9374, 11837, 13784, 15926,
    13821, 11143, 7975, 7610, 10015, 12759, 8816, 10677, 10947, 15200, 17010, 20900, 16205, 12143, 8997, 5568,
    11474, 12256, 10583, 10862, 10965, 14405, 20379, 20128, 17816, 12268, 8642, 7962, 13932, 15936, 12628, 12267,
    12470, 18944, 21259, 22015, 18581, 15175, 10306, 10792, 14752, 13754, 11738, 12181, 12965, 19990, 23125, 23541,
    21247, 15189, 14767, 10895, 17130, 17697, 16611, 12674, 12760, 20249, 22135, 20677, 19933, 15388, 15113, 13401,
    16135, 17562, 14720, 12225, 11608, 20985, 19692, 24081, 22114, 14220, 13434, 13598, 17187, 16119, 13713, 13210,
    14251, 20139, 21725, 26099, 21084, 18024, 16722, 14385, 21342, 17180, 14577,
]  # fmt: skip


def repeating(shape, period, steps, seed, trend=0.0):
    draw = np.random.default_rng(seed)
    place = (np.arange(steps) + draw.integers(period)) % period / period
    return SHAPES[shape](place) + trend * np.arange(steps) + draw.normal(0, 0.2, steps)


def finds_in_noise(kind, steps, draws):
    draw = np.random.default_rng(steps)
    return sum(find_season([NOISE[kind](draw, steps)]) > 1 for _ in range(draws)) / draws


def hits(shape, period, steps, draws, trend=0.0):
    return sum(find_season([repeating(shape, period, steps, seed, trend)]) == period for seed in range(draws)) / draws


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("steps", [50, 100])
def test_noise_has_a_season_in_at_most_one_of_twenty_draws(kind, steps):
    assert finds_in_noise(kind, steps, 40) <= 0.05


@pytest.mark.parametrize(
    ("shape", "trend", "period", "steps"),
    [("sine", 0.05, 3, 60), ("spike", 0.0, 4, 60), ("square", 0.05, 7, 60), ("spike", 0.0, 12, 60)]
    + [("sine", 0.05, 24, 120)],
)  # every shape of every period is among the slow ones
def test_a_season_is_found_exactly_in_nineteen_of_twenty_draws(shape, trend, period, steps):
    assert hits(shape, period, steps, 20, trend) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("steps", [50, 100, 200, 500, 1000])
def test_noise_of_any_length_has_a_season_in_at_most_one_of_twenty_draws(kind, steps):
    assert finds_in_noise(kind, steps, 100) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("trend", [0.0, 0.05])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("period", [3, 4, 7, 12, 24])
@pytest.mark.parametrize("steps", [60, 120, 500])
def test_a_season_of_any_shape_is_found_exactly_in_nineteen_of_twenty_draws(shape, trend, period, steps):
    if shape != "sine" and period == 24 and steps == 60:
        pytest.skip("a shape of 24 numbers is not told from one of 12 in two and a half cycles")
    assert hits(shape, period, steps, 60, trend) >= 0.95


@pytest.mark.parametrize("suggested", [(), (12,), (3, 12)])
def test_cars_are_sold_by_the_year(suggested):
    assert find_season([np.array(CARS, dtype=float)], suggested) == 12


@pytest.mark.parametrize(("weekly", "season"), [(1.0, 168), (0.5, 168), (0.1, 24)])
def test_of_two_seasons_the_longer_is_answered_where_it_matters_as_the_shorter_is_in_it(weekly, season):
    hours = np.arange(6 * 168)
    noise = np.random.default_rng(0).normal(0, 0.2, len(hours))
    values = np.sin(2 * np.pi * hours / 24) + weekly * np.sin(2 * np.pi * hours / 168) + noise
    assert find_season([values], (24, 168)) == season


def test_hours_that_differ_on_weekends_have_the_season_of_the_week():
    hours = np.arange(6 * 168)
    quiet = np.where(hours // 24 % 7 < 5, 1.0, 0.3)
    values = quiet * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(1).normal(0, 0.2, len(hours))
    assert find_season([values], (24, 168)) == 168


def test_a_season_of_the_clock_wins_over_one_next_to_it():
    draw = np.random.default_rng(0)
    days = np.arange(1461)
    noise = np.zeros(1461)
    for day in days[1:]:
        noise[day] = 0.7 * noise[day - 1] + draw.normal(0, 0.7)
    values = 2 * np.sin(2 * np.pi * days / 365.25) + noise
    assert abs(find_season([values]) - 365) <= 18
    assert find_season([values], (7, 365)) == 365


def test_a_season_without_noise_is_the_shortest():
    for period in (2, 3, 7, 12):
        assert find_season([np.tile(np.random.default_rng(period).normal(size=period), 10)]) == period


def test_the_units_of_the_values_and_missing_ones_do_not_matter():
    values = repeating("sine", 7, 120, 0)
    holes = values.copy()
    holes[np.random.default_rng(0).random(120) < 0.15] = np.nan
    for one in (values * 1e200, values * 1e-200, values + 1e6, -values, holes):
        assert find_season([one]) == 7


def test_most_series_decide():
    series = [repeating("sine", 7, 60, seed) for seed in range(5)]
    noise = [np.random.default_rng(seed).normal(size=60) for seed in range(5)]
    assert find_season([*series, *noise[:2]]) == 7
    assert find_season(noise) == 1


@pytest.mark.slow
@pytest.mark.parametrize("steps", [100, 200, 500])
def test_a_walk_measured_with_errors_has_a_season_in_at_most_one_of_ten_draws(steps):
    draw = np.random.default_rng(steps)
    found = [find_season([np.cumsum(draw.normal(size=steps)) + 2 * draw.normal(size=steps)]) for _ in range(60)]
    assert np.mean(np.array(found) > 1) <= 0.1


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 100, [np.nan] * 100, [1.0, 2.0] * 3, np.arange(100.0)])
def test_what_cannot_repeat_has_no_season(values):
    assert find_season([np.array(values, dtype=float)]) == 1
    assert find_season([]) == 1


def test_smooth_curves_have_no_season():
    steps = np.linspace(-1, 1, 200)
    for curve in (np.exp(3 * steps), steps**3 - steps / 2, 1 / (1 + np.exp(-5 * steps)), np.sqrt(steps + 2)):
        assert find_season([curve]) == 1


def test_a_panel_of_any_size_is_looked_at_in_part():
    many = [repeating("spike", 7, 60, seed) for seed in range(200)]
    assert find_season(many) == 7
    assert find_season([repeating("sine", 100, 30_000, 0)]) == 100
