"""Folds: which rows each of several fits leaves out, so that every prediction is of rows that were not fitted on."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np


class Fold(NamedTuple):
    """The rows of one fit, in order.

    Args:
        fitted: rows that are fitted on.
        held: rows that are predicted.
    """

    fitted: np.ndarray
    held: np.ndarray


def stratified_folds(labels: Sequence[Hashable], count: int, seed: int = 0) -> list[Fold]:
    """Return folds with the same share of each label, up to one row.

    Example:
        >>> [fold.held.tolist() for fold in stratified_folds("aabb", 2)]
        [[0, 2], [1, 3]]
    """
    rng, places = np.random.default_rng(seed), defaultdict(list)
    for row, label in enumerate(labels):
        places[label].append(row)
    dealt = np.concatenate([rng.permutation(rows) for rows in places.values()])
    part = np.empty(len(labels), dtype=np.int64)
    part[dealt] = np.arange(len(labels)) % count  # dealt out in turn, label after label
    return _folds_of(part, count)


def group_folds(groups: Sequence[Hashable], count: int, seed: int = 0) -> list[Fold]:
    """Return folds that keep all rows of a group together.

    Example:
        >>> [fold.held.tolist() for fold in group_folds("abab", 2)]
        [[0, 2], [1, 3]]
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    dealt = np.random.default_rng(seed).permutation(len(names)) % count
    return _folds_of(dealt[[names[name] for name in groups]], count)


def expanding_folds(rows: int, count: int) -> list[Fold]:
    """Return folds for rows in order of time: each is fitted on all rows before those that it predicts.

    Example:
        >>> [(fold.fitted.tolist(), fold.held.tolist()) for fold in expanding_folds(6, 2)]
        [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])]
    """
    parts = np.array_split(np.arange(rows), count + 1)
    return [Fold(np.arange(part[0]), part) for part in parts[1:] if len(part)]


def _folds_of(part: np.ndarray, count: int) -> list[Fold]:
    """Return a fold for each part that has rows."""
    return [
        Fold(np.flatnonzero(part != one), np.flatnonzero(part == one)) for one in range(count) if (part == one).any()
    ]
