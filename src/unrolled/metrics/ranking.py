"""Scores of rankings: the rank of the true item among all items, never among a sample.

Sampled negatives can change which of two models is better: W. Krichene and S. Rendle, "On Sampled Metrics
for Item Recommendation", KDD 2020, section 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unrolled.data.trajectories import distance_km
from unrolled.metrics.scores import Metrics, Scores, answered, mean

CUTS = (1, 5, 10, 20)  # values of k for hits within the first k
LEADING = 10  # k of NDCG, coverage and popularity
DEEPEST = 20  # largest rank that counts in the mean reciprocal rank
MISSED = 2.0**53  # rank of an item that the model does not know: behind any catalogue


@dataclass(frozen=True, eq=False)
class Ranked:
    """The rankings of one recommender.

    Args:
        ranks: rank of each true item among all items, from 1, (M,); tied items share the mean of their ranks, and an
            item that is not in the catalogue has the rank MISSED.
        top: the first 10 items, (M, 10); -1 where there are fewer.
    """

    ranks: np.ndarray
    top: np.ndarray


def ranking_scores(
    answer: Ranked, rivals: Mapping[str, Ranked], counts: np.ndarray, notes: Sequence[str] = ()
) -> Scores:
    """Compute HR, NDCG and MRR on the full ranking, and coverage and popularity of the recommendations.

    With one true item per event, HR at k is recall at k, and the NDCG's ideal is 1.

    Args:
        answer: the model's.
        rivals: the baselines', by name.
        counts: how often each item occurred in training, (V,).
        notes: what was left out.

    Returns:
        hr_k: share of the true items among the first k; ndcg_10: the same, weighted by 1 / log2(rank + 1); mrr_20:
        mean of 1 / rank within the first 20; coverage_10: share of the catalogue that is recommended at least once
        among the first 10; popularity_10: mean share of the catalogue that is rarer than a recommended item, 0.5
        without popularity bias. Without events each is NaN.

    Raises:
        DataError: a place that is no number.

    Reference program: scikit-learn's `top_k_accuracy_score` for HR and `ndcg_score` for NDCG; MRR@20 is that of B.
    Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR 2016, section 4.

    Example:
        >>> seen = Ranked(np.array([1, 3]), np.array([[0, 1], [0, 2]]))
        >>> ranking_scores(seen, {}, np.array([5, 2, 1])).model["hr_1"]
        0.5
    """
    rows = {name: _metrics(one, counts, name) for name, one in {"": answer, **rivals}.items()}
    return Scores(len(answer.ranks), "events", rows.pop(""), rows, f"ndcg_{LEADING}", True, tuple(notes))


def place_scores(
    answer: Ranked,
    rivals: Mapping[str, Ranked],
    truth: np.ndarray,
    centres: np.ndarray | None,
    notes: Sequence[str] = (),
) -> Scores:
    """Compute accuracy within the first 1, 5 and 10 places, mean reciprocal rank, and the distance of the first place.

    Args:
        answer: the model's.
        rivals: the baselines', by name.
        truth: the true places, (M,); P = one that is not known.
        centres: latitude and longitude of each place, (P, 2), NaN where unknown; None without positions.
        notes: what was left out.

    Raises:
        DataError: a place that is no number.

    Source: the Acc@k and MRR of J. Feng et al., "DeepMove: Predicting Human Mobility with Attentional Recurrent
    Networks", WWW 2018, section 4.3, with ties at their mean rank; km are great-circle distances.

    Example:
        >>> seen = Ranked(np.array([1, 3]), np.array([[0, 1], [0, 2]]))
        >>> place_scores(seen, {}, np.array([0, 2]), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])).model["km"]
        0.0
    """
    rows = {}
    if centres is not None:
        centres = np.concatenate([centres, np.full((1, 2), np.nan)])  # of a place that is not known
    for name, one in {"": answer, **rivals}.items():
        ranks = answered(one.ranks, name, "places")
        rows[name] = {f"accuracy_{cut}": mean(ranks <= cut) for cut in CUTS[:3]}
        rows[name][f"mrr_{DEEPEST}"] = mean(np.where(ranks <= DEEPEST, 1 / ranks, 0.0))
        if centres is not None:
            there, here = centres[truth], centres[one.top[:, 0]]
            far = distance_km(there[:, 0], there[:, 1], (here[:, 0], here[:, 1]))
            rows[name]["km"] = mean(far[~np.isnan(far)])
    return Scores(len(truth), "visits", rows.pop(""), rows, "accuracy_1", True, tuple(notes))


def _metrics(answer: Ranked, counts: np.ndarray, name: str) -> Metrics:
    ranks = answered(answer.ranks, name, "places")
    metrics = {f"hr_{cut}": mean(ranks <= cut) for cut in CUTS}
    metrics[f"ndcg_{LEADING}"] = mean(np.where(ranks <= LEADING, 1 / np.log2(ranks + 1), 0.0))
    metrics[f"mrr_{DEEPEST}"] = mean(np.where(ranks <= DEEPEST, 1 / ranks, 0.0))
    shown = answer.top[answer.top >= 0]
    metrics[f"coverage_{LEADING}"] = len(np.unique(shown)) / len(counts) if len(ranks) else float("nan")
    metrics[f"popularity_{LEADING}"] = mean(_rarer(counts)[shown])
    return metrics


def _rarer(counts: np.ndarray) -> np.ndarray:
    """Return for each item the share of other items that occur less often; ties count half, (V,)."""
    ordered = np.sort(counts)
    below, upto = np.searchsorted(ordered, counts, "left"), np.searchsorted(ordered, counts, "right")
    return ((below + upto - 1) / 2) / max(len(counts) - 1, 1)
