"""A baseline for the next item: what the sessions most like this one hold."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from unrolled.baselines.base import partly
from unrolled.baselines.items import LONGEST, REMEMBERED, TIE, ItemBaseline, joined

MAX_EVENTS = 2_000_000  # events of the sessions that are kept, the latest ones
MOST_SESSIONS = 500  # latest sessions with an item that are compared
NEIGHBOURS = 100  # most similar sessions that count


class SessionNeighbours(ItemBaseline):
    """Items of the sessions that share most with the history, whose last items count most (V-SkNN).

    A question costs as much as 20 items times the 500 latest sessions with each, however long the log is.

    Source: M. Ludewig and D. Jannach, "Evaluation of Session-based Recommendation Algorithms", User Modeling and
    User-Adapted Interaction 28 (2018), section 3.2.

    Example:
        >>> sessions = [np.array([0, 1, 2]), np.array([3, 1]), np.array([4, 5])]
        >>> SessionNeighbours(6).fit(sessions, [np.arange(3.0)] * 3).predict([np.array([3])]).argmax(1)
        array([1])
    """

    key = "session_neighbours"
    name = "session neighbours"
    sessions_: csr_array  # (S, V), 1 for an item of a session; the latest session last

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Keep the latest sessions; `targets` give the time of each event."""
        self.popular_ = self._count(inputs)
        ends = [float(times[-1]) if len(times) else -np.inf for times in targets]
        left, kept = MAX_EVENTS, []
        for place in np.argsort(ends, kind="stable")[::-1]:
            if len(inputs[place]) > left and kept:
                break
            kept.append(np.unique(inputs[place][-LONGEST:]))
            left -= len(inputs[place])
        total = sum(map(len, inputs))
        self.name = partly(type(self).name, MAX_EVENTS - left, total, "events")
        kept = [session[session < self.size] for session in reversed(kept)]
        items, edges = joined(kept), np.cumsum([0, *map(len, kept)])
        self._keep(csr_array((np.ones(len(items), np.float32), items, edges), shape=(len(kept), self.size)))
        return self

    def _keep(self, sessions: csr_array) -> None:
        self.sessions_ = sessions
        lengths = np.maximum(np.diff(sessions.indptr), 1)
        across = sessions.T.tocsr()  # (V, S)
        across.sort_indices()
        sizes = np.diff(across.indptr)
        before_end = np.repeat(across.indptr[1:], sizes) - np.arange(across.nnz)
        across.data = np.where(before_end <= MOST_SESSIONS, 1 / np.sqrt(lengths[across.indices]), 0).astype(np.float32)
        across.eliminate_zeros()
        self._latest = across

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return summed similarities of the sessions with each item, plus a little popularity, (M, V)."""
        last = [history[history < self.size][-REMEMBERED:] for history in inputs]
        weights = [np.arange(1, len(known) + 1) / max(len(known), 1) for known in last]
        edges = np.cumsum([0, *map(len, last)])
        values = np.concatenate([np.zeros(0), *weights]).astype(np.float32)
        asked = csr_array((values, joined(last), edges), shape=(len(last), self.size))
        alike: Any = asked @ self._latest  # (M, S)
        for row in range(len(last)):
            own = alike.data[alike.indptr[row] : alike.indptr[row + 1]]
            if len(own) > NEIGHBOURS:
                own[own < np.partition(own, -NEIGHBOURS)[-NEIGHBOURS]] = 0
        found: Any = alike @ self.sessions_
        return found.toarray() + TIE * self.popular_

    def state(self) -> dict[str, Any]:
        sessions = {"indices": self.sessions_.indices, "indptr": self.sessions_.indptr}
        return {**super().state(), "name": self.name, **sessions}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = super().from_state(state)
        baseline.name = state["name"]
        indices, edges = np.asarray(state["indices"]), np.asarray(state["indptr"])
        ones = np.ones(len(indices), np.float32)
        baseline._keep(csr_array((ones, indices, edges), shape=(len(edges) - 1, baseline.size)))
        return baseline
