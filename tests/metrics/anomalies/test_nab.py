"""The benchmark's score beside values worked out by hand from the paper's formulae."""

import math

import numpy as np
import pytest

from unrolled.errors import DataError
from unrolled.metrics.anomalies.nab import (
    PROFILES,
    ScoredFile,
    nab_score,
    nab_scores,
    probation_rows,
    row_worth,
    scaled_sigmoid,
    window_rows,
)

STANDARD = PROFILES["standard"]
TOP = 2 / (1 + math.exp(-5)) - 1  # an alarm at a window's first row


def sigmoid(position):
    return 2 / (1 + math.exp(5 * position)) - 1


def alarms_at(rows, *places):
    scores = np.zeros(rows)
    scores[list(places)] = 1.0
    return scores


def test_the_paper_s_values_of_the_scaled_sigmoid():
    values = scaled_sigmoid(np.array([-1.0, -0.5, 0.0, 1.0, 3.0, 3.01]))
    np.testing.assert_allclose(values, [0.98661, 0.84828, 0.0, -0.98661, -0.9999994, -1.0], atol=5e-6)


def test_probation_is_fifteen_per_cent_and_at_most_750_rows():
    assert [probation_rows(rows) for rows in (0, 10, 100, 4999, 5000, 100_000)] == [0, 1, 15, 749, 750, 750]


def test_the_worth_of_each_row():
    worth, owner = row_worth(12, [(4, 7)], STANDARD)
    assert owner.tolist() == [-1] * 4 + [0] * 4 + [-1] * 4
    np.testing.assert_allclose(worth[:4], -0.11)  # before any window
    inside = [sigmoid(-place) / TOP for place in (1.0, 0.75, 0.5, 0.25)]
    np.testing.assert_allclose(worth[4:8], inside)
    np.testing.assert_allclose(worth[8:], [0.11 * sigmoid(place / 3) for place in (1, 2, 3, 4)])


def test_a_score_by_hand():
    # 100 rows, 15 of probation; a window of 11 rows; alarms at its middle, just after it, and far before it
    one = ScoredFile(alarms_at(100, 5, 30, 55, 62), [(50, 60)])
    score = nab_score([one], threshold=1.0)
    raw = sigmoid(-6 / 11) / TOP + 0.11 * sigmoid(2 / 10) - 0.11
    assert score.score == pytest.approx(100 * (raw + 1) / 2)
    assert (score.found, score.windows, score.false_alarms) == (1, 1, 2)


def test_only_the_best_alarm_in_a_window_counts():
    early, both = (nab_score([ScoredFile(alarms_at(100, *at), [(50, 60)])]).score for at in ((51,), (51, 57)))
    assert early == both < 100


def test_no_alarm_is_0_and_the_first_row_of_every_window_is_100_in_every_profile():
    windows = [(50, 60), (80, 84)]
    perfect = nab_scores([ScoredFile(alarms_at(100, 50, 80), windows)])
    assert perfect == pytest.approx(dict.fromkeys(PROFILES, 100.0))
    for profile in PROFILES.values():
        assert nab_score([ScoredFile(np.zeros(100), windows)], profile, math.inf).score == 0


def test_missing_costs_more_where_the_profile_says_so():
    files = [ScoredFile(alarms_at(100, 50), [(50, 60), (80, 90)])]
    found = nab_scores(files)
    assert found["standard"] == pytest.approx(50)  # one of two windows
    assert found["reward_low_FN"] == pytest.approx(100 * (1 - 2 + 4) / (2 + 4))
    assert found["reward_low_FP"] == found["standard"]


def test_one_threshold_is_shared_and_the_best():
    loud = np.linspace(0.0, 0.5, 100)  # never anomalous, but with high scores
    clear = alarms_at(100, 50) * 0.9
    score = nab_score([ScoredFile(loud, []), ScoredFile(clear, [(50, 60)])])
    assert score == (100.0, 0.9, 1, 1, 0)
    apart = nab_score([ScoredFile(2 * loud, []), ScoredFile(clear, [(50, 60)])])
    assert apart.false_alarms == 10
    assert apart.score == pytest.approx(100 * (2 - 10 * 0.11) / 2)


def test_the_threshold_is_the_best_of_all_thresholds():
    draw = np.random.default_rng(0)
    files = [ScoredFile(draw.random(200).round(2), [(60, 80), (150, 170)]) for _ in range(3)]
    best = nab_score(files)
    every = [nab_score(files, threshold=threshold) for threshold in np.linspace(0, 1.01, 102)]
    assert best.score == pytest.approx(max(one.score for one in every))


def test_alarms_in_the_probation_neither_help_nor_hurt():
    clean = ScoredFile(alarms_at(100, 50), [(50, 60)])
    noisy = ScoredFile(alarms_at(100, 0, 3, 14, 50), [(50, 60)])
    assert nab_score([clean]) == nab_score([noisy])
    assert nab_score([ScoredFile(alarms_at(100, 15, 50), [(50, 60)])], threshold=1.0).score < 100


def test_a_window_by_times_is_one_by_rows():
    times = np.arange("2024-01-01", "2024-01-11", dtype="M8[D]").astype("M8[us]")
    edge = np.datetime64("2024-01-03"), np.datetime64("2024-01-05")
    assert window_rows(times, [edge]) == [(2, 4)]
    with pytest.raises(DataError, match="times of rows"):
        window_rows(times, [(np.datetime64("2024-01-03T12"), edge[1])])


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(DataError, match="nan in row 3"):
        nab_score([ScoredFile(np.array([0, 0, 0, np.nan]), [(1, 2)])])
    for windows in ([(1, 9)], [(2, 1)], [(0, 2), (2, 3)]):
        with pytest.raises(DataError, match="windows"):
            nab_score([ScoredFile(np.zeros(4), windows)])
    with pytest.raises(DataError, match="at least one window"):
        nab_score([ScoredFile(np.zeros(4), [])])
