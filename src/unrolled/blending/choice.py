"""The choice between a pool and its best single member, by a cross-fitted gain."""

from collections.abc import Hashable, Sequence
from typing import ClassVar, Protocol

import numpy as np

from unrolled.blending.blend import Blend, Kind

FOLDS = 5  # folds of the cross-fitting
LEAST_ROWS = 10  # rows below which no gain can be told from noise


class Pool(Protocol):
    """Held-out predictions of several members with the truth, and the loss of each weighting of them.

    Attributes:
        kind: the kind of the pool.
        size: number of members, M.
        rows: number of rows, N.
    """

    kind: ClassVar[Kind]

    @property
    def size(self) -> int: ...

    @property
    def rows(self) -> int: ...

    def fit(self, rows: np.ndarray) -> np.ndarray:
        """Return the weights that are best on some rows, (blocks, M)."""
        ...

    def alone(self, member: int) -> np.ndarray:
        """Return the weights with which one member answers by itself, (blocks, M)."""
        ...

    def losses(self, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the loss of each of some rows, (R,)."""
        ...


def choose(
    pool: Pool,
    members: Sequence[str],
    groups: Sequence[Hashable] | None = None,
    weights: np.ndarray | None = None,
    chosen_on: str = "folds",
) -> Blend:
    """Choose between a pool and its best single member.

    The pool is adopted if its cross-fitted gain over the best single member exceeds one standard error.

    Args:
        pool: predictions that no member was fitted on.
        members: key of each member.
        groups: group of each row, (N,): rows of one group stay together, and count as one for the standard error.
        weights: how much each row counts, (N,); None = all the same.
        chosen_on: what the rows are, for the record.

    Example:
        >>> from unrolled.blending.log_pool import LogPool
        >>> draw = np.random.default_rng(0)
        >>> truth = draw.integers(0, 2, 400)
        >>> logits = (2.0 * truth - 1.0)[None] + draw.normal(size=(2, 400)) * 2  # two models with errors of their own
        >>> right = 1 / (1 + np.exp(-logits))
        >>> found = choose(LogPool(np.stack([1 - right, right], 2), truth), ["one", "other"])
        >>> found.adopted, found.gain > found.standard_error
        (True, True)
    """
    every = np.arange(pool.rows)
    counts = np.ones(pool.rows) if weights is None else np.asarray(weights, dtype=np.float64)
    singles = np.stack([pool.losses(pool.alone(member), every) for member in range(pool.size)])  # (M, N)
    best = int(np.argmin(singles @ counts))
    names = every if groups is None else _numbered(groups)
    gain = error = 0.0
    if pool.size > 1 and len(np.unique(names)) >= LEAST_ROWS:
        pooled = np.empty(pool.rows)
        for held in _folds(names):
            pooled[held] = pool.losses(pool.fit(every[~held]), every[held])
        gain, error = _mean_and_error(singles[best] - pooled, counts, names)
    adopted = bool(gain > error)
    chosen = pool.fit(every) if adopted else pool.alone(best)
    rows = tuple(tuple(map(float, row)) for row in np.atleast_2d(chosen))
    return Blend(
        pool.kind, tuple(members), rows, members[best], float(gain), float(error), adopted, pool.rows, chosen_on
    )


def _numbered(groups: Sequence[Hashable]) -> np.ndarray:
    """Return a number per group."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def _folds(names: np.ndarray) -> list[np.ndarray]:
    """Return which rows each fold holds, (N,) bool each; a group is in one fold."""
    groups = np.random.default_rng(0).permutation(np.unique(names))
    return [np.isin(names, part) for part in np.array_split(groups, FOLDS)]


def _mean_and_error(gains: np.ndarray, counts: np.ndarray, names: np.ndarray) -> tuple[float, float]:
    """Return the weighted mean of gains and its standard error, over groups of rows."""
    _, place = np.unique(names, return_inverse=True)
    total = np.bincount(place, weights=counts * gains)  # (G,)
    size = np.bincount(place, weights=counts)  # (G,)
    mean = total.sum() / size.sum()
    apart = total - mean * size  # linearised: the error of a ratio of sums
    share = len(total) / max(len(total) - 1, 1)
    return float(mean), float(np.sqrt(share * (apart**2).sum()) / size.sum())
