"""From surprise to a score: step by step, calibrated on noise, and blind to nothing outside of its range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.metrics.anomalies.quiet import loudest
from unrolled.tasks.detection.alarms import calm_threshold, threshold_for
from unrolled.tasks.detection.likelihood import (
    CAP,
    MEMORY,
    QUIET,
    WARM_UP,
    judge,
    judge_all,
    pooled,
    unknown_usual,
)


def noise(steps, size=1, seed=0):
    rng = np.random.default_rng(seed)
    nats = rng.gamma(2.0, size=(steps, size + 1))
    return nats, rng.normal(size=(steps, size))


def scores_of(nats, values, **options):
    judged, _ = judge_all(nats, values, unknown_usual(values.shape[1]), **options)
    return np.array([one.score for one in judged])


@given(st.integers(0, 200), st.integers(1, 3))
def test_a_table_is_judged_as_its_rows_are(cut, size):
    nats, values = noise(200, size)
    whole, end = judge_all(nats, values, unknown_usual(size))
    first, state = judge_all(nats[:cut], values[:cut], unknown_usual(size))
    rest, after = judge_all(nats[cut:], values[cut:], state)
    for one, other in zip(whole, [*first, *rest], strict=True):
        np.testing.assert_equal(one, other)
    np.testing.assert_equal(end, after)


def test_a_step_changes_no_older_state():
    nats, values = noise(60)
    _, state = judge_all(nats, values, unknown_usual(1))
    before = [np.copy(field) for field in state]
    judge(np.array([50.0, 50.0]), np.array([9.0]), state)
    for field, kept in zip(state, before, strict=True):
        np.testing.assert_array_equal(field, kept)


def test_the_mean_and_deviation_are_those_of_the_surprises_so_far():
    nats, values = noise(500)
    _, usual = judge_all(nats, values, unknown_usual(1))
    np.testing.assert_allclose(usual.mean, nats.mean(0))
    np.testing.assert_allclose(usual.variance, nats.var(0))


def test_there_is_no_score_in_the_warm_up():
    nats, values = noise(WARM_UP + 5)
    scores = scores_of(nats, values)
    assert np.isnan(scores[:WARM_UP]).all()
    assert np.isfinite(scores[WARM_UP:]).all()


def test_what_is_unknown_has_no_score_and_changes_nothing():
    nats, values = noise(100)
    _, usual = judge_all(nats, values, unknown_usual(1))
    judged, after = judge(np.full(2, np.nan), np.array([np.nan]), usual)
    assert np.isnan(judged.score)
    assert judged.blame == -1
    np.testing.assert_array_equal(after.mean, usual.mean)
    assert after.steps == usual.steps


def test_the_variable_that_is_surprising_is_blamed():
    nats, values = noise(200, 3)
    nats = np.minimum(nats, 3.0)
    nats[150, 1] = 40.0
    judged, _ = judge_all(nats, values * 0, unknown_usual(3))
    assert judged[150].blame == 1
    assert judged[150].score > 3 * max(one.score for one in judged[60:150])


def test_a_value_far_outside_of_all_before_is_rare_even_where_the_net_is_not_surprised():
    nats, values = noise(300)
    nats[:] = 1.0 + 0.1 * np.sin(np.arange(300))[:, None]
    values[250] = 20.0
    values[270] = 20.1
    scores = scores_of(nats, values)
    assert scores[250] > 50
    assert scores[270] < scores[250] / 10  # by then it has been seen


def test_one_wild_value_does_not_drown_those_after_it():
    nats, values = noise(400)
    nats[200] = 1e9
    scores = scores_of(np.minimum(nats, 1e9), values * 0)
    late = np.array(nats)
    late[300] = CAP
    assert scores[200] > 10
    assert scores_of(late, values * 0)[300] > 4


def test_the_usual_surprise_follows_a_drift():
    steps = 3 * MEMORY
    nats = np.random.default_rng(0).gamma(2.0, size=(steps, 1)) + np.where(np.arange(steps) < 1000, 0, 3)[:, None]
    _, early = judge_all(np.repeat(nats[:1000], 2, 1), np.zeros((1000, 1)), unknown_usual(1))
    _, late = judge_all(np.repeat(nats, 2, 1), np.zeros((steps, 1)), unknown_usual(1))
    assert early.mean[0] == pytest.approx(2, abs=0.3)
    assert late.mean[0] == pytest.approx(5, abs=0.3)


@given(st.lists(st.floats(0, 9), max_size=60), st.integers(1, 12))
def test_an_alarm_is_quiet_for_as_long_as_it_was_asked_to_be(scores, quiet):
    kept = loudest(np.array(scores), quiet)
    for place, score in enumerate(scores):
        before = max(scores[max(0, place - quiet + 1) : place], default=0.0)
        assert kept[place] == (score if score > before else 0.0)


def test_the_rule_of_quiet_is_the_same_while_answering():
    nats, values = noise(600, seed=3)
    judged, _ = judge_all(nats, values, unknown_usual(1), quiet=30)
    scores = np.array([one.score for one in judged])
    loud = np.array([one.loud for one in judged])
    np.testing.assert_array_equal(loud, loudest(scores, 30) > 0)


def test_peaks_that_are_remembered_are_few():
    nats, values = noise(3 * QUIET)
    _, usual = judge_all(nats, values, unknown_usual(1))
    assert len(usual.peaks) < 20


def test_a_new_series_starts_from_what_others_did():
    nats, values = noise(500)
    _, one = judge_all(nats, values, unknown_usual(1))
    _, other = judge_all(nats + 2, values, unknown_usual(1))
    prior = pooled([one, other])
    np.testing.assert_allclose(prior.mean, (one.mean + other.mean) / 2)
    start = unknown_usual(1, 10, prior)
    assert (start.steps, start.warm_up) == (10, 10)
    assert np.isinf(start.low).all()  # its own range is its own


@pytest.mark.parametrize("rate", [0.05, 0.01, 0.001])
@pytest.mark.parametrize("odd", [0, 6])
def test_the_threshold_gives_about_the_rate_it_is_asked_for(rate, odd):
    rng = np.random.default_rng(0)
    few, many = (rng.exponential(size=count) ** 2 for count in (3000, 200_000))
    few[:odd] = 1e4
    share = (many >= threshold_for(few, rate)).mean()
    assert rate / 4 < share < rate * 4


def test_the_threshold_has_a_floor_by_the_score_s_own_meaning():
    assert calm_threshold(np.full(1000, 0.1), 0.001) == pytest.approx(1.5)
    assert calm_threshold(np.zeros(0), 0.001) == pytest.approx(1.5)
    assert threshold_for(np.full(1000, 0.1), 0.001) == pytest.approx(0.1)
