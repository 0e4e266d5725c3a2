"""The logarithmic pool of class probabilities: a weighted product of the members' distributions."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from unrolled.blending.blend import Kind

LEAST = 1e-6  # a smaller probability counts as this: no member can rule a class out for all
HEAVIEST = 20.0  # largest weight of a member


def log_pool(shares: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the pooled probabilities, softmax(sum of weight times log probability), (N, K).

    Args:
        shares: probabilities of each member, (M, N, K).
        weights: weight of each member, (M,) or (1, M), not negative.

    Example:
        >>> shares = np.array([[[0.9, 0.1]], [[0.5, 0.5]]])
        >>> log_pool(shares, np.array([1.0, 3.0])).round(3).tolist()
        [[0.9, 0.1]]
    """
    scores = np.tensordot(np.ravel(weights), logs_of(shares), 1)  # (N, K)
    return np.exp(scores - _total(scores)[:, None])


def pulls(shares: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return how far each member pulls one answer from the second best class of the pool to the best, in nats, (M,).

    Their sum is the logarithm of how much likelier the pool takes the best class than the second best.

    Args:
        shares: probabilities of each member for one row, (M, K).
        weights: weight of each member, (M,) or (1, M).

    Example:
        >>> pulls(np.array([[0.8, 0.2], [0.4, 0.6]]), np.array([1.0, 0.5])).round(3).tolist()
        [1.386, -0.203]
    """
    best, second = np.argsort(-log_pool(shares[:, None], weights)[0], kind="stable")[:2]
    logs = logs_of(shares)
    return np.ravel(weights) * (logs[:, best] - logs[:, second])


def logs_of(shares: np.ndarray) -> np.ndarray:
    """Return the logarithms of probabilities, each at least LEAST."""
    return np.log(np.maximum(np.asarray(shares, dtype=np.float64), LEAST))


def _total(scores: np.ndarray) -> np.ndarray:
    """Return the logarithm of the sum of exponentials of each row, (N,)."""
    highest = scores.max(1)
    return highest + np.log(np.exp(scores - highest[:, None]).sum(1))


@dataclass(frozen=True)
class LogPool:
    """Class probabilities of several members, with the true classes.

    Args:
        shares: probabilities of each member, (M, N, K).
        targets: true classes, (N,).
        counts: how much each row counts, (N,); None = all the same.

    Source: C. Genest and J. Zidek, "Combining Probability Distributions", Statistical Science 1 (1986), section 3.
    """

    shares: np.ndarray
    targets: np.ndarray
    counts: np.ndarray | None = None
    kind: ClassVar[Kind] = "log"

    @property
    def size(self) -> int:
        """Return the number of members, M."""
        return len(self.shares)

    @property
    def rows(self) -> int:
        """Return the number of rows, N."""
        return self.shares.shape[1]

    def alone(self, member: int) -> np.ndarray:
        """Return the weights with which one member answers by itself, (1, M)."""
        return np.eye(self.size)[[member]]

    def losses(self, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the negative log probability of the true class of some rows, (R,)."""
        scores = np.tensordot(np.ravel(weights), logs_of(self.shares[:, rows]), 1)  # (R, K)
        return _total(scores) - scores[np.arange(len(rows)), self.targets[rows]]

    def fit(self, rows: np.ndarray) -> np.ndarray:
        """Return the weights of least mean loss, drawn to the best single member by a penalty of 1 / rows: (1, M).

        The problem is convex: it has one solution, whatever the order of the members.
        """
        logs, counts, penalty = self._read(rows)
        known = logs[:, np.arange(len(rows)), self.targets[rows]]  # (M, R)
        best = int(np.argmin([self.losses(self.alone(member), rows) @ counts for member in range(self.size)]))
        start = np.eye(self.size)[best]

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            scores = np.tensordot(weights, logs, 1)  # (R, K)
            total = _total(scores)  # (R,)
            expected = np.einsum("rk,mrk->mr", np.exp(scores - total[:, None]), logs)  # (M, R)
            apart = weights - start
            value = (total - weights @ known) @ counts + penalty * (apart @ apart)
            return float(value), (expected - known) @ counts + 2 * penalty * apart

        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, HEAVIEST)] * self.size)
        return np.clip(found.x, 0, HEAVIEST)[None]

    def scale(self, weights: np.ndarray) -> float:
        """Return the factor for all weights that is best on these rows, drawn to 1 by a penalty of 1 / rows.

        Weights from folds are right in ratio; their sum belongs to models that were fitted on less.
        """
        rows = np.arange(self.rows)
        logs, counts, penalty = self._read(rows)
        pooled = np.tensordot(np.ravel(weights), logs, 1)  # (N, K)
        known = pooled[rows, self.targets]  # (N,)

        def loss(factor: np.ndarray) -> tuple[float, np.ndarray]:
            scores = factor[0] * pooled
            total = _total(scores)
            expected = (np.exp(scores - total[:, None]) * pooled).sum(1)
            apart = factor[0] - 1
            slope = (expected - known) @ counts + 2 * penalty * apart
            return float((total - factor[0] * known) @ counts + penalty * apart**2), np.array([slope])

        found = minimize(loss, np.ones(1), jac=True, method="L-BFGS-B", bounds=[(0.1, 10.0)])
        return float(found.x[0])

    def _read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return the logarithms of some rows, (M, R, K), their shares of the count, (R,), and 1 / count."""
        counts = np.ones(len(rows)) if self.counts is None else self.counts[rows].astype(np.float64)
        total = max(float(counts.sum()), 1e-300)
        return logs_of(self.shares[:, rows]), counts / total, 1 / total
