"""The shortest season that explains a series is found, not twice it, whatever the noise: 7 and 12, not 14 and 24."""

import numpy as np
import pytest

from unrolled.tasks.season import find_season

NOTTINGHAM = [39.7, 39.2, 42.2, 46.3, 52.6, 58.0, 61.9, 60.5, 56.5, 49.5, 42.6, 39.5]  # mean of each month, Fahrenheit


def noise(seed, steps, size=1.0):
    return np.random.default_rng(seed).normal(0, size, steps)


def follows(shocks, share):
    """Return noise of which each value keeps a share of the one before."""
    values = np.zeros(len(shocks))
    for step in range(1, len(shocks)):
        values[step] = share * values[step - 1] + shocks[step]
    return values


def weekends(seed, steps=400):
    return 10 + 5 * (np.arange(steps) % 7 >= 5) + noise(seed, steps)


def months(seed):
    return np.tile(NOTTINGHAM, 20) + noise(seed, 240, 2.3)


def growing_months(seed):
    step = np.arange(120)
    return np.exp(step / 100) * (10 + 3 * np.sin(step * np.pi / 6) + np.cos(step * np.pi / 3)) + noise(seed, 120)


def hours(seed):
    step = np.arange(24 * 60)
    day = 4 * np.sin(step * np.pi / 12) + np.sin(step * np.pi / 6)
    return day + 0.3 * (step // 24 % 7 >= 5) + noise(seed, len(step))


def quarters(seed):
    return np.tile([1.0, 3.0, 2.0, 0.0], 20) + np.arange(80) / 20 + noise(seed, 80, 0.5)


def weeks_of_years(seed):
    angle = np.arange(745) * 2 * np.pi / 52.18
    return 8000 + 1.5 * np.arange(745) + 300 * np.sin(angle) + 100 * np.cos(2 * angle) + noise(seed, 745, 250)


def days_of_years(seed):
    return 11 + 4 * np.cos(np.arange(3650) * 2 * np.pi / 365.25) + follows(noise(seed, 3650, 2.2), 0.55)


SERIES = [
    (weekends, (7, 365), 7, 40),
    (weekends, (), 7, 15),
    (months, (12,), 12, 40),
    (months, (), 12, 15),
    (growing_months, (12,), 12, 20),
    (hours, (24, 168), 24, 10),
    (hours, (), 24, 10),
    (quarters, (4,), 4, 15),
    (weeks_of_years, (), 52, 10),
    (days_of_years, (7, 365), 365, 5),
]


@pytest.mark.parametrize(
    ("series", "suggested", "season", "draws"), SERIES, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_the_season_is_the_shortest_that_explains_the_series(series, suggested, season, draws):
    some = draws // 4
    assert [find_season([series(seed)], suggested) for seed in range(some)] == [season] * some


@pytest.mark.slow
@pytest.mark.parametrize(("series", "suggested", "season", "draws"), SERIES)
def test_the_season_of_many_draws_is_the_shortest(series, suggested, season, draws):
    assert [find_season([series(seed)], suggested) for seed in range(draws)] == [season] * draws


def test_a_year_that_is_no_whole_number_of_days_is_found_once():
    found = [find_season([days_of_years(seed)]) for seed in range(6)]
    assert all(abs(season - 365) <= 2 for season in found), found  # not two years


def test_a_week_within_a_year_is_not_taken_for_a_quarter():
    step = np.arange(4 * 365)
    year = 3 * np.cos(step * 2 * np.pi / 365.25)
    for seed in range(3):
        season = find_season([year + 2 * (step % 7 >= 5) + noise(seed, len(step))], (7, 365))
        assert season in (7, 364, 365)


@pytest.mark.parametrize("suggested", [(), (7, 365)])
def test_a_trend_and_noise_have_no_season(suggested):
    shown = [np.arange(200) * 0.3 + noise(seed, 200) for seed in range(20)]
    assert sum(find_season([one], suggested) > 1 for one in shown) <= 1


def test_less_than_two_seasons_are_none():
    assert [find_season([weekends(seed, 13)], (7,)) for seed in range(40)] == [1] * 40
