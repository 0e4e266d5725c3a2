"""The interface of a baseline, and the linear model that several of them use."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from unrolled.pauses import PART, has_pauses, pause

MAX_ITERATIONS = 200


class Baseline(ABC):
    """An ordinary model: raw values in, answers in the form of the task's own model out.

    Everything it learns is in its `state` as JSON values and arrays, because a saved model stores its baselines.
    """

    key: ClassVar[str]  # the name in BASELINES and in saved models
    name: str  # its name in tables of scores; includes the part of the data that it was fitted on, see `partly`

    @abstractmethod
    def fit(self, inputs: Sequence[Any], targets: Sequence[Any]) -> Self:
        """Learn from raw values and their targets."""

    @abstractmethod
    def predict(self, inputs: Sequence[Any]) -> Any:
        """Return the answers for raw values, one each."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return constructor arguments and everything learnt, as JSON values and arrays."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Restore a baseline from its `state`."""


def answers_in_parts(baseline: Baseline, inputs: Sequence[Any]) -> np.ndarray:
    """Return a baseline's answers, (B, V), with pauses between parts where somebody wants pauses.

    Args:
        baseline: one that answers each example by itself.
        inputs: raw values of B examples.
    """
    if not has_pauses() or len(inputs) <= PART:
        return np.asarray(baseline.predict(inputs))
    parts = []
    for start in range(0, len(inputs), PART):
        pause()
        parts.append(np.asarray(baseline.predict(inputs[start : start + PART])))
    return np.concatenate(parts)


class Linear:
    """Multinomial logistic regression: probabilities (M, K) from features (M, D), dense or sparse.

    Args:
        weights: weights, (D, K).
        bias: bias, (K,).
    """

    def __init__(self, weights: np.ndarray, bias: np.ndarray) -> None:
        self.weights, self.bias = weights, bias

    @classmethod
    def fit(cls, features: Any, targets: Sequence[int], size: int, balanced: bool = False, c: float = 1.0) -> "Linear":
        """Fit with at most MAX_ITERATIONS steps of L-BFGS.

        Args:
            features: features, (M, D).
            targets: class indices, (M,).
            size: number of classes, K; one that does not occur gets no probability.
            balanced: let rare classes count as much as frequent ones.
            c: inverse strength of the L2 penalty.
        """
        labels = np.asarray(targets)
        weights = np.zeros((features.shape[1], size), dtype=np.float32)
        bias = np.full(size, -30.0, dtype=np.float32)
        seen = np.unique(labels)
        if len(seen) == 1:
            bias[seen] = 0
            return cls(weights, bias)
        model: Any = LogisticRegression(C=c, max_iter=MAX_ITERATIONS, class_weight="balanced" if balanced else None)
        with warnings.catch_warnings():
            # the state after MAX_ITERATIONS is a valid baseline too
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, labels)
        if len(seen) == 2:  # scikit-learn has one row of weights for two classes: those of the first are zero
            weights[:, seen[1]], bias[seen] = model.coef_[0], [0.0, model.intercept_[0]]
        else:
            weights[:, seen], bias[seen] = model.coef_.T, model.intercept_
        return cls(weights, bias)

    def predict(self, features: Any) -> np.ndarray:
        """Return the probabilities, (M, K)."""
        return softmax(np.asarray(features @ self.weights.astype(np.float64)) + self.bias)

    def predict_one(self, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the probabilities for one row of features, (K,).

        Args:
            values: features, (D,), or only those that are not 0.
            rows: the row of weights of each; None = all in order.
        """
        weights = self.weights if rows is None else self.weights[rows]
        return softmax((values @ weights.astype(np.float64) + self.bias)[None])[0]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return the softmax of each row."""
    shares = np.exp(scores - scores.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def sample(sizes: Sequence[int], most: int) -> list[int]:
    """Choose the examples to fit on, in their order: all, or a random sample with a fixed seed of at most `most` units.

    Args:
        sizes: number of units of each example, such as characters or steps, (M,).
        most: units to fit on; the first example drawn is kept even if it holds more.

    Example:
        >>> sample([4, 4, 4], 12), len(sample([4, 4, 4], 8))
        ([0, 1, 2], 2)
    """
    units = np.asarray(sizes, dtype=np.int64)
    if units.sum() <= most:
        return list(range(len(units)))
    drawn = np.random.default_rng(0).permutation(len(units))
    kept = int(np.searchsorted(np.cumsum(units[drawn]), most, side="right"))
    return sorted(drawn[: max(kept, 1)].tolist())


def partly(name: str, used: int, total: int, unit: str) -> str:
    """Return the name of a baseline that was fitted on a part of the data only.

    Example:
        >>> partly("bag of words", 50_000, 80_000, "sequences")
        'bag of words (50,000 of 80,000 sequences)'
    """
    return name if used == total else f"{name} ({used:,} of {total:,} {unit})"
