"""Scores of rankings, by hand and beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, top_k_accuracy_score

from unrolled.metrics.ranking import Ranked, ranking_scores


def test_scores_are_those_of_scikit_learn():
    draw = np.random.default_rng(0)
    size, count = 40, 60
    scores, truth = draw.random((count, size)), draw.integers(size, size=count)
    own = scores[np.arange(count), truth]
    ranks = (scores >= own[:, None]).sum(1)
    top = np.argsort(-scores, 1)[:, :10]
    mine = ranking_scores(Ranked(ranks, top), {}, np.ones(size)).model
    for cut in (1, 5, 10, 20):
        assert mine[f"hr_{cut}"] == pytest.approx(top_k_accuracy_score(truth, scores, k=cut, labels=range(size)))
    ideal = np.eye(size)[truth]
    assert mine["ndcg_10"] == pytest.approx(ndcg_score(ideal, scores, k=10))
    assert mine["mrr_20"] == pytest.approx(np.where(ranks <= 20, 1 / ranks, 0).mean())
    assert mine["coverage_10"] == len(np.unique(top)) / size


def test_popularity_is_half_for_a_fair_choice_and_one_for_the_most_frequent_item():
    counts = np.arange(101)
    fair = Ranked(np.ones(101), np.arange(101)[:, None])
    only = Ranked(np.ones(5), np.full((5, 1), 100))
    assert ranking_scores(fair, {}, counts).model["popularity_10"] == pytest.approx(0.5)
    assert ranking_scores(only, {}, counts).model["popularity_10"] == 1.0
    alike = ranking_scores(only, {}, np.ones(101)).model["popularity_10"]
    assert alike == pytest.approx(0.5)


def test_places_without_an_item_count_neither_as_shown_nor_as_popular():
    sparse = Ranked(np.array([1.0]), np.array([[1, -1, -1]]))
    scores = ranking_scores(sparse, {}, np.array([5, 1, 3])).model
    assert scores["coverage_10"] == pytest.approx(1 / 3)
    assert scores["popularity_10"] == 0.0


def test_the_better_ranking_wins():
    good, bad = Ranked(np.ones(3), np.zeros((3, 1), dtype=int)), Ranked(np.full(3, 9.0), np.ones((3, 1), dtype=int))
    assert ranking_scores(good, {"bad": bad}, np.ones(3)).wins
    assert not ranking_scores(bad, {"good": good}, np.ones(3)).wins
