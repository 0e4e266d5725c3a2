"""Precision and recall of ranges, and areas under faded curves, beside values worked out by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from unrolled.errors import OptionError
from unrolled.metrics.anomalies.ranges import range_scores, ranges_of
from unrolled.metrics.anomalies.vus_paper import faded, range_auc, vus_paper


def marks(rows, *ranges):
    found = np.zeros(rows, dtype=bool)
    for first, last in ranges:
        found[first : last + 1] = True
    return found


def test_ranges_come_back_as_they_were_marked():
    assert ranges_of(marks(10, (0, 2), (5, 5), (8, 9))) == [(0, 2), (5, 5), (8, 9)]
    assert ranges_of([]) == ranges_of([0, 0]) == []


def test_ranges_of_one_row_give_the_ordinary_precision_and_recall():
    truth, alarms = marks(20, (2, 2), (5, 5), (9, 9), (13, 13)), marks(20, (2, 2), (9, 9), (16, 16))
    found = range_scores(truth, alarms)
    assert found == pytest.approx((2 / 3, 2 / 4))
    assert found.f1 == pytest.approx(4 / 7)


def test_an_overlap_in_two_pieces_counts_half():
    truth = marks(10, (2, 7))
    assert range_scores(truth, marks(10, (2, 3), (6, 7))).recall == pytest.approx(4 / 6 / 2)
    assert range_scores(truth, marks(10, (2, 5))).recall == pytest.approx(4 / 6)
    assert range_scores(marks(10, (2, 3), (6, 7)), truth).precision == pytest.approx(4 / 6 / 2)


def test_touching_is_rewarded_as_far_as_it_is_asked_for():
    truth, alarms = marks(12, (2, 5), (8, 11)), marks(12, (5, 6))
    assert range_scores(truth, alarms).recall == pytest.approx((1 / 4 + 0) / 2)
    assert range_scores(truth, alarms, existence=1.0).recall == pytest.approx(1 / 2)
    assert range_scores(truth, alarms, existence=0.2).recall == pytest.approx((0.2 + 0.8 / 4) / 2)


@pytest.mark.parametrize(("bias", "share"), [("flat", 2 / 4), ("front", 7 / 10), ("back", 3 / 10), ("middle", 3 / 6)])
def test_the_bias_says_which_rows_matter(bias, share):
    assert range_scores(marks(8, (2, 5)), marks(8, (1, 3)), bias=bias).recall == pytest.approx(share)


def test_without_alarms_or_labels_everything_is_0_by_convention():
    assert range_scores(marks(5, (1, 2)), marks(5)) == (0, 0)
    assert range_scores(marks(5, (1, 2)), marks(5)).f1 == 0
    assert range_scores(marks(5), marks(5, (1, 2))) == (0, 0)
    assert range_scores([], []).f1 == 0


PRINTED = [  # seed, precision, recall: `range_recall_new` of TSB-AD 1.5, with alpha 0 and 0.2
    (0, 0.2, 0.193333333333),
    (1, 0.3, 0.253333333333),
    (2, 0.178571428571, 0.233333333333),
    (3, 0.3, 0.285333333333),
    (4, 0.1, 0.116666666667),
    (5, 0.625, 0.489523809524),
    (10, 0.0, 0.0),
    (11, 0.535714285714, 0.462857142857),
]


@pytest.mark.parametrize(("seed", "precision", "recall"), PRINTED)
def test_range_scores_are_those_of_the_benchmarks_program(seed, precision, recall):
    rng = np.random.default_rng(seed)
    truth = np.convolve(rng.random(80) < 0.1, np.ones(3), "same") > 0
    alarms = rng.random(80) < 0.15
    assert range_scores(truth, alarms, existence=0.2) == pytest.approx((precision, recall), abs=1e-10)


def test_illegal_options_are_refused():
    for options in ({"existence": 1.5}, {"bias": "frnt"}):
        with pytest.raises(OptionError):
            range_scores([0, 1], [0, 1], **options)
    with pytest.raises(OptionError, match="2 rows"):
        range_scores([0, 1], [0, 1, 1])


def test_random_scores_are_no_better_than_chance_as_they_would_be_when_point_adjusted():
    draw = np.random.default_rng(0)
    truth = marks(2000, *((place, place + 49) for place in range(100, 2000, 400)))  # 12.5 % of the rows
    areas = [vus_paper(draw.random(2000), truth, 20) for _ in range(10)]
    assert np.mean([one.roc for one in areas]) < 0.55
    assert np.mean([one.pr for one in areas]) < 0.25


def test_labels_fade_by_the_root_and_never_exceed_one():
    soft = faded(marks(9, (4, 4)), 4)
    np.testing.assert_allclose(soft, [0, 0, math.sqrt(0.5), math.sqrt(0.75), 1, math.sqrt(0.75), math.sqrt(0.5), 0, 0])
    assert faded(marks(5, (0, 0), (2, 2)), 4).max() == 1
    np.testing.assert_array_equal(faded(marks(5, (2, 3)), 0), marks(5, (2, 3)))


def test_one_range_and_no_buffer_give_the_ordinary_areas():
    draw = np.random.default_rng(1)
    truth, scores = marks(100, (40, 59)), draw.random(100)
    scores[45] = 2.0  # touched from the first threshold on
    found = range_auc(scores, truth)
    assert found.roc == pytest.approx(roc_auc_score(truth, scores))
    assert found.pr == pytest.approx(average_precision_score(truth, scores))


def test_an_area_by_hand():
    # ranges at 2 and 7; scores find 2 first, then a false one, then 7
    scores = np.array([0, 0, 5, 0, 0, 4, 0, 3, 0, 0.0])
    found = range_auc(scores, marks(10, (2, 2), (7, 7)))
    # recall is (1/2)(1/2), the same, then 1: precision 1, 1/2, 2/3
    assert found.pr == pytest.approx(0.25 * 1 + 0.75 * 2 / 3)
    # false rate 0, 1/8, 1/8, 1: a step at 1/8, then the ceiling
    assert found.roc == pytest.approx(0.25 / 8 + 7 / 8)


def test_a_near_miss_is_worth_something_only_with_a_buffer():
    scores, truth = np.zeros(50), marks(50, (20, 24))
    scores[26] = 1.0
    assert range_auc(scores, truth, 8).pr > range_auc(scores, truth, 0).pr + 0.02


def test_the_volume_is_the_mean_of_the_areas():
    draw = np.random.default_rng(2)
    scores, truth = draw.random(60), marks(60, (10, 14), (40, 41))
    areas = np.array([range_auc(scores, truth, width) for width in range(5)])
    np.testing.assert_allclose(vus_paper(scores, truth, 4), areas.mean(0))
