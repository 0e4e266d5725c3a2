"""The pool of rankings: a weighted sum of log probabilities, or of reciprocal ranks of other scores."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.blending.blend import Kind
from unrolled.blending.log_pool import LEAST

STEPS = (0.5, 0.3, 0.2, 0.1, 0.05)  # how far the weights move towards a member at a time
ROUNDS = 20  # maximum number of moves


def rank_pool(views: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the pooled scores of all items, higher = better, (N, V).

    Args:
        views: what each member says of every item, (M, N, V): `log_shares` or `reciprocal_ranks` of its scores.
        weights: weights on the simplex, (M,) or (1, M).

    Example:
        >>> scores = np.array([[[3.0, 2.0, 1.0]], [[1.0, 3.0, 2.0]]])  # two members, one row, three items
        >>> views = np.stack([reciprocal_ranks(one) for one in scores])
        >>> rank_pool(views, np.array([0.5, 0.5])).argmax(1).tolist()
        [1]
    """
    return np.tensordot(np.ravel(weights), views, 1)


def log_shares(scores: np.ndarray) -> np.ndarray:
    """Return the log softmax of scores, at least that of the probability 1e-6, (N, V)."""
    apart = scores - scores.max(1, keepdims=True)
    return np.maximum(apart - np.log(np.exp(apart).sum(1, keepdims=True)), np.log(LEAST))


def reciprocal_ranks(scores: np.ndarray) -> np.ndarray:
    """Return 1 / rank of every item, (N, V); equal scores share the lower place.

    Example:
        >>> reciprocal_ranks(np.array([[5.0, 1.0, 5.0]])).tolist()
        [[0.5, 0.3333333333333333, 0.5]]
    """
    ordered = np.sort(scores, 1)
    below = [np.searchsorted(row, values, side="left") for row, values in zip(ordered, scores, strict=True)]
    return 1.0 / (scores.shape[1] - np.array(below).reshape(scores.shape))


@dataclass(frozen=True)
class RankPool:
    """Scores of all items by several members, with the item that came.

    Args:
        views: `log_shares` or `reciprocal_ranks` of each member's scores, (M, N, V); do not mix the two.
        targets: the item that came, (N,); -1 = one that no member knows, a miss.
    """

    views: np.ndarray
    targets: np.ndarray
    kind: ClassVar[Kind] = "rank"

    @property
    def size(self) -> int:
        """Return the number of members, M."""
        return len(self.views)

    @property
    def rows(self) -> int:
        """Return the number of rows, N."""
        return self.views.shape[1]

    def alone(self, member: int) -> np.ndarray:
        """Return the weights with which one member answers by itself, (1, M)."""
        return np.eye(self.size)[[member]]

    def losses(self, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return 1 - 1 / rank of the item that came in some rows, (R,); ties count against it."""
        scores, targets = rank_pool(self.views[:, rows], weights), self.targets[rows]
        own = scores[np.arange(len(rows)), targets][:, None]
        rank = (scores >= own - 1e-12).sum(1)  # rounding must not decide a tie
        return np.where(targets >= 0, 1.0 - 1.0 / rank, 1.0)

    def fit(self, rows: np.ndarray) -> np.ndarray:
        """Return weights of a high mean reciprocal rank, (1, M): moves from the best member as long as they gain."""
        corners = np.eye(self.size)
        costs = [self.losses(corner, rows).mean() for corner in corners]
        weights, cost = corners[int(np.argmin(costs))], min(costs)
        for _ in range(ROUNDS):
            moved = [(1 - step) * weights + step * corner for corner in corners for step in STEPS]
            costs = [self.losses(one, rows).mean() for one in moved]
            if min(costs) >= cost:
                break
            weights, cost = moved[int(np.argmin(costs))], min(costs)
        return weights[None]
