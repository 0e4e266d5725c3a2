"""Baselines for the next item: scores of every item after each history of item indices."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from unrolled.baselines.base import Baseline, partly

RECENT = 0.1  # share of the events, the last ones, that count as recent
MAX_EVENTS = 2_000_000  # events that neighbours are computed from
LONGEST = 100  # last events of a session that make items neighbours
NEIGHBOURS = 100  # neighbours per item
FADING, REMEMBERED = 0.8, 20  # factor per step into the past, and number of last events that count
TIE = 1e-6  # weight of popularity next to similarity, so that items with equal similarity have an order


class ItemBaseline(Baseline):
    """The common base of the baselines for items.

    `fit` takes sequences of indices below `size`, and one number per event, such as its time, if the order in time
    across sequences matters; `predict` takes histories and gives scores (M, V), higher for more probable items.

    Args:
        size: number of items, V.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def _count(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the number of events of each item, as a share in [0, 1) of the most frequent one, (V,)."""
        counts = np.bincount(joined(sequences), minlength=self.size + 1)[: self.size].astype(np.float32)
        return counts / (counts.max() + 1)

    def state(self) -> dict[str, Any]:
        return {"size": self.size, "popular": self.popular_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["size"]))
        baseline.popular_ = np.asarray(state["popular"])
        return baseline

    popular_: np.ndarray  # (V,) in [0, 1)


class Popularity(ItemBaseline):
    """The most frequent items, for every history.

    Example:
        >>> Popularity(2).fit([np.array([1, 1, 0])], []).predict([np.array([0])]).argmax(1)
        array([1])
    """

    key = "popularity"
    name = "popularity"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Count the events of each item; `targets` are not used."""
        self.popular_ = self._count(inputs)
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the same scores after every history, (M, V)."""
        return np.tile(self.popular_, (len(inputs), 1))


class RecentPopularity(Popularity):
    """The most frequent items of the last tenth of the events."""

    key = "recent_popularity"
    name = "recent popularity"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Count the last events; `targets` give the time of each."""
        items, times = joined(inputs), np.concatenate([np.zeros(0), *targets])
        last = np.argsort(times, kind="stable")[len(items) - max(1, round(RECENT * len(items))) :]
        self.popular_ = self._count([items[last]]) + TIE * self._count(inputs)
        return self


class LinkedItems(ItemBaseline):
    """Items that are linked with those of the history, by a sparse table of links."""

    links_: csr_array  # (V, V)

    def state(self) -> dict[str, Any]:
        links = {"data": self.links_.data, "indices": self.links_.indices, "indptr": self.links_.indptr}
        return {**super().state(), "name": self.name, **links}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = super().from_state(state)
        baseline.name = state["name"]
        parts = tuple(np.asarray(state[name]) for name in ("data", "indices", "indptr"))
        baseline.links_ = csr_array(parts, shape=(baseline.size, baseline.size))
        return baseline


class MarkovItems(LinkedItems):
    """The items that most often followed the last item; the popular ones if none did.

    Example:
        >>> MarkovItems(3).fit([np.array([0, 2, 0, 2, 1])], []).predict([np.array([1, 0])]).argmax(1)
        array([2])
    """

    key = "markov_items"
    name = "first-order Markov"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Count pairs of neighbours in time; `targets` are not used."""
        self.popular_ = self._count(inputs)
        self.links_ = followers(inputs, self.size)
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return counts, plus less than 1 for popularity, (M, V)."""
        last = np.array([last_known(history, self.size) for history in inputs], dtype=np.int64)
        scores = np.tile(self.popular_, (len(inputs), 1))
        known = np.flatnonzero(last >= 0)
        if len(known):
            found: Any = _one_each(last[known], self.size) @ self.links_
            scores[known] += found.toarray()
        return scores


class ItemNeighbours(LinkedItems):
    """Items of the same sessions as those of the history, with more weight on the last ones: cosine of their sessions.

    Source: G. Linden, B. Smith and J. York, "Amazon.com Recommendations: Item-to-Item Collaborative Filtering", IEEE
    Internet Computing 7 (2003); over sessions: B. Hidasi et al., "Session-based Recommendations with Recurrent Neural
    Networks", ICLR 2016, section 4.

    Example:
        >>> sessions = [np.array([0, 1]), np.array([1, 0]), np.array([2, 3])]
        >>> ItemNeighbours(4).fit(sessions, []).predict([np.array([0])]).argsort(1)[:, -1]
        array([1])
    """

    key = "item_neighbours"
    name = "item neighbours over sessions"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Find each item's nearest neighbours; `targets` are not used."""
        self.popular_ = self._count(inputs)
        visits, used = visits_of(inputs, self.size)
        self.name = partly(type(self).name, used, sum(map(len, inputs)), "events")
        sizes = np.sqrt(np.maximum(visits.sum(0), 1)).astype(np.float32)
        visits.data /= sizes[visits.indices]
        self.links_ = _nearest(visits)
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return sums of similarities, with less weight on earlier events, plus a little popularity, (M, V)."""
        return linked_scores(self, inputs)


class OwnHistory(Popularity):
    """The most frequent items of the user's history, the latest first in a tie; then the popular ones.

    Example:
        >>> OwnHistory(4).fit([np.array([3])], []).predict([np.array([0, 1, 2, 1])]).argsort(1)[:, ::-1]
        array([[1, 2, 0, 3]])
    """

    key = "own_history"
    name = "own most frequent"

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return counts in the history, plus less than 1 for recency and popularity, (M, V)."""
        scores = TIE * super().predict(inputs)
        for row, history in enumerate(inputs):
            known = history[history < self.size]
            np.add.at(scores[row], known, 1.0)
            latest = np.zeros(len(known)) + np.arange(1, len(known) + 1) / (len(known) + 1)
            items, first = np.unique(known[::-1], return_index=True)
            scores[row, items] += 0.5 * latest[::-1][first]
        return scores


def _one_each(columns: np.ndarray, size: int) -> csr_array:
    """Return a sparse matrix with one row per entry, which has a one in that column."""
    rows = len(columns)
    return csr_array((np.ones(rows, dtype=np.float32), columns, np.arange(rows + 1)), shape=(rows, size))


def linked_scores(baseline: LinkedItems, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return summed links from the last items of each history, the last one with most weight, plus a little popularity.

    Args:
        baseline: with the links.
        inputs: histories of item indices.
    """
    size = baseline.size
    last = [history[history < size][-REMEMBERED:] for history in inputs]
    weights = np.concatenate([np.zeros(0), *(FADING ** np.arange(len(known))[::-1] for known in last)])
    edges = np.cumsum([0, *map(len, last)])
    asked = csr_array((weights.astype(np.float32), joined(last), edges), shape=(len(inputs), size))
    found: Any = asked @ baseline.links_
    return found.toarray() + TIE * baseline.popular_


def followers(sequences: Sequence[np.ndarray], size: int) -> csr_array:
    """Return how often each item followed each other one, (V, V)."""
    items, lengths = joined(sequences), np.array([len(one) for one in sequences], dtype=np.int64)
    follows = np.ones(len(items), dtype=bool)
    follows[(np.cumsum(lengths) - lengths)[lengths > 0]] = False
    before, after = items[:-1][follows[1:]], items[1:][follows[1:]]
    known = (before < size) & (after < size)
    ones = np.ones(int(known.sum()), dtype=np.float32)
    counts = csr_array((ones, (before[known], after[known])), shape=(size, size))
    counts.sum_duplicates()
    return counts


def visits_of(sequences: Sequence[np.ndarray], size: int) -> tuple[csr_array, int]:
    """Return the items of the last sessions as zeros and ones, (S, V), and the number of events they had.

    At most MAX_EVENTS events are read, and of each session the last LONGEST.
    """
    left, kept = MAX_EVENTS, []
    for session in reversed(sequences):
        if len(session) > left and kept:
            break
        kept.append(np.unique(session[-LONGEST:]))
        left -= len(session)
    items = joined(kept)
    owners = np.repeat(np.arange(len(kept)), [len(one) for one in kept])
    known = items < size
    ones = np.ones(int(known.sum()), dtype=np.float32)
    return csr_array((ones, (owners[known], items[known])), shape=(len(kept), size)), MAX_EVENTS - left


def joined(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Return sequences of item numbers as one, also of none."""
    return np.concatenate([np.zeros(0, dtype=np.int64), *sequences]).astype(np.int64)


def last_known(history: np.ndarray, size: int) -> int:
    """Return the last item below `size`, -1 where there is none."""
    known = history[history < size]
    return int(known[-1]) if len(known) else -1


def _nearest(visits: Any) -> csr_array:
    """Return for each column the most similar others: (V, V) with at most NEIGHBOURS per row, block by block."""
    size, block = visits.shape[1], 4096
    data, indices, counts = [], [], []
    columns = visits.tocsc()
    across = columns.T.tocsr()
    for start in range(0, size, block):
        part = (across[start : start + block] @ visits).tocsr()
        for row in range(part.shape[0]):
            left, right = part.indptr[row], part.indptr[row + 1]
            near, likeness = part.indices[left:right], part.data[left:right]
            others = near != start + row
            near, likeness = near[others], likeness[others]
            if len(near) > NEIGHBOURS:
                best = np.argpartition(-likeness, NEIGHBOURS)[:NEIGHBOURS]
                near, likeness = near[best], likeness[best]
            data.append(likeness)
            indices.append(near)
            counts.append(len(near))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    values = np.concatenate([np.zeros(0, dtype=np.float32), *data]).astype(np.float32)
    return csr_array((values, joined(indices), indptr), shape=(size, size))
