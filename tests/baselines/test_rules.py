"""Baselines that are a rule one can check by hand: labels, frames and forecasts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.baselines.forecasting import Drift, LastValue, RidgeWindow, SeasonalNaive, filled
from unrolled.baselines.frames import FrameRidge, KeyTransitions, LastFrame, Marginal
from unrolled.baselines.tagging import MostFrequentTag, WindowTagger


def test_the_most_frequent_tag_of_a_word_wins_and_unknown_words_get_the_commonest():
    words = [["run", "run", "the", "run"], ["dog", "cat"]]
    tags = [["V", "N", "D", "V"], ["N", "N"]]
    answers = MostFrequentTag().fit(words, tags).predict([["run", "the", "zebra"], []])
    assert answers == [["V", "D", "N"], []]


def test_a_window_disambiguates_by_neighbours_where_the_word_alone_cannot():
    words = [["to", "run"], ["the", "run"]] * 20
    tags = [["P", "V"], ["D", "N"]] * 20
    asked = [["to", "run"], ["the", "run"]]
    assert WindowTagger().fit(words, tags).predict(asked) == [["P", "V"], ["D", "N"]]
    assert len({row[1] for row in MostFrequentTag().fit(words, tags).predict(asked)}) == 1


def test_a_window_guesses_unknown_words_by_their_ending():
    words = [[f"w{number}ing", f"w{number}ly"] for number in range(20)]
    assert WindowTagger().fit(words, [["V", "A"]] * 20).predict([["xing", "xly"]]) == [["V", "A"]]


def test_a_window_reads_numbers_as_numbers():
    rows = [[str(value) for value in np.random.default_rng(n).normal(size=6)] for n in range(30)]
    tags = [["hi" if float(word) > 0 else "lo" for word in row] for row in rows]
    tagger = WindowTagger().fit(rows, tags)
    assert tagger.predict([["123.0", "-77.5"]]) == [["hi", "lo"]]


def test_labels_keep_their_type():
    assert MostFrequentTag().fit([["a", "b"]], [[3, 4]]).predict([["b"]]) == [[4]]


def test_the_marginal_is_the_mean_frame():
    rows = [np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])]
    (answer,) = Marginal().fit(rows, rows).predict([np.zeros((3, 2))])
    assert answer.shape == (3, 2)
    np.testing.assert_allclose(answer[0], [1, 0.25], atol=0.07)
    assert (answer > 0).all()


def test_key_transitions_know_that_a_held_key_stays():
    roll = np.repeat([[0.0], [1.0]] * 10, 8, axis=0)
    (shares,) = KeyTransitions().fit([roll[:-1]], [roll[1:]]).predict([np.array([[0.0], [1.0]])])
    assert shares[0] < 0.25 < 0.75 < shares[1]
    assert ((shares > 0) & (shares < 1)).all()


def test_the_last_frame_is_repeated_and_ridge_learns_a_line():
    line = np.arange(60.0)[:, None] * [1.0, -2.0]
    (answer,) = LastFrame().fit([line], [line]).predict([line])
    np.testing.assert_array_equal(answer, line)
    model = FrameRidge().fit([line[:-1]], [line[1:]])
    np.testing.assert_allclose(model.predict([line[20:40]])[0][5:], line[26:41][:15], rtol=0.05, atol=0.5)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.integers(1, 6), st.integers(1, 7))
def test_the_naive_rules_are_their_definitions(values, horizon, season):
    history = np.array(values)
    assert LastValue(horizon).predict([history])[0].tolist() == [values[-1]] * horizon
    got = SeasonalNaive(horizon, season).predict([history])[0]
    long, steps = list(values), []
    for _ in range(horizon):
        steps.append(long[-season] if len(values) >= season else values[-1])
        long.append(steps[-1])
    assert got.tolist() == steps
    slope = (values[-1] - values[0]) / max(1, len(values) - 1)
    drift = Drift(horizon).predict([history])[0]
    np.testing.assert_allclose(drift, [values[-1] + slope * (step + 1) for step in range(horizon)])


@given(st.lists(st.one_of(st.none(), st.floats(-5, 5)), max_size=12))
def test_gaps_are_filled_from_the_past_and_leading_ones_from_the_first_value(values):
    history = np.array([np.nan if value is None else value for value in values])
    known = [value for value in values if value is not None]
    got = filled(history)
    if not known:
        assert got.tolist() == [0]
        return
    last, want = known[0], []
    for value in values:
        last = last if value is None else value
        want.append(last)
    assert got.tolist() == want


def test_ridge_beats_the_naive_rules_on_a_damped_wave():
    time = np.arange(200)
    wave = np.sin(time / 5) * np.exp(-time / 150)
    model = RidgeWindow(5, 1).fit([wave[:150]], [])
    truth = wave[150:155]
    error = np.abs(model.predict([wave[:150]])[0] - truth).mean()
    assert error < 0.1 * np.abs(LastValue(5).predict([wave[:150]])[0] - truth).mean()


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_ridge_follows_level_and_size_of_the_series(shift):
    wave = np.sin(np.arange(120) / 3)
    model = RidgeWindow(4, 1).fit([wave], [])
    np.testing.assert_allclose(
        model.predict([10 * wave + shift])[0], 10 * model.predict([wave])[0] + shift, rtol=1e-9, atol=1e-6
    )


def test_histories_too_short_for_a_window_repeat_the_last_value():
    model = RidgeWindow(3, 1).fit([np.arange(4.0)], [])
    assert model.predict([np.array([1.0, 2.0])]).tolist() == [[2.0, 2.0, 2.0]]
