"""Boosted regression trees as arrays, which a saved model can hold: fitted by scikit-learn, asked with NumPy."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

LEAVES = 15
FEWEST, MOST, ROWS_PER_TREE = 20, 100, 50  # few rows get few trees, each with a larger part in the answer
LEAST_ROWS = 5  # in a leaf: a holiday that occurred a few times is learnt
CHUNK = 2_000_000  # places in trees at once
_ARRAYS = ("roots", "columns", "edges", "left", "right", "values")


@dataclass(frozen=True, eq=False)
class DecisionTrees:
    """A sum of regression trees; all nodes lie end to end, and a leaf leads to itself.

    Args:
        start: constant that the trees correct.
        roots: first node of each tree, (R,).
        depth: steps from a root to the lowest leaf.
        columns: column that a node asks for, (N,).
        edges: largest value that goes left, (N,).
        left: next node on the left, (N,).
        right: next node on the right, (N,).
        values: value of a leaf, 0 elsewhere, (N,).
    """

    start: float
    roots: np.ndarray
    depth: int
    columns: np.ndarray
    edges: np.ndarray
    left: np.ndarray
    right: np.ndarray
    values: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray, targets: np.ndarray) -> Self:
        """Fit 20 to 100 trees of 15 leaves to the squared error.

        Args:
            features: finite numbers, (M, D).
            targets: finite numbers, (M,).

        Example:
            >>> steps = np.arange(40.0)[:, None]
            >>> trees = DecisionTrees.fit(steps, (steps[:, 0] > 20) * 8.0)
            >>> trees.predict(np.array([[3.0], [33.0]])).round(2).tolist()
            [0.0, 8.0]
        """
        count = int(np.clip(len(features) // ROWS_PER_TREE, FEWEST, MOST))
        no_test: Any = False  # of a part that is held out; the stubs of scikit-learn allow only the text "auto"
        model = HistGradientBoostingRegressor(
            loss="squared_error",
            learning_rate=max(0.1, 6 / count),
            max_iter=count,
            max_leaf_nodes=LEAVES,
            min_samples_leaf=LEAST_ROWS,
            early_stopping=no_test,
            random_state=0,
        )
        model.fit(features, targets)
        grown: list[np.ndarray] = [tree.nodes for (tree,) in model._predictors]  # no public name gives the trees
        nodes = np.concatenate(grown)
        sizes = np.array([len(tree) for tree in grown], dtype=np.int64)
        roots = np.cumsum(sizes) - sizes
        first, own = np.repeat(roots, sizes), np.arange(len(nodes))
        leaf = nodes["is_leaf"].astype(bool)
        trees = cls(
            start=0.0,
            roots=roots,
            depth=int(nodes["depth"].max()),
            columns=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
            edges=np.where(leaf, 0.0, nodes["num_threshold"]),
            left=np.where(leaf, own, nodes["left"] + first),
            right=np.where(leaf, own, nodes["right"] + first),
            values=np.where(leaf, nodes["value"], 0.0),
        )
        return replace(trees, start=float(model.predict(features[:1])[0] - trees.predict(features[:1])[0]))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return one number for each row of features, (M,)."""
        answers = np.full(len(features), self.start)
        size = max(1, CHUNK // max(len(self.roots), 1))
        for first in range(0, len(features), size):
            rows = features[first : first + size]
            number = np.arange(len(rows))[:, None]
            places = np.repeat(self.roots[None], len(rows), 0)  # (M, R)
            for _ in range(self.depth):
                goes_left = rows[number, self.columns[places]] <= self.edges[places]
                places = np.where(goes_left, self.left[places], self.right[places])
            answers[first : first + size] += self.values[places].sum(1)
        return answers

    def state(self) -> dict[str, Any]:
        """Return plain values and arrays."""
        return {"start": self.start, "depth": self.depth} | {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Restore what `state` returned."""
        arrays = {name: np.asarray(state[name]) for name in _ARRAYS}
        return cls(start=float(state["start"]), depth=int(state["depth"]), **arrays)
