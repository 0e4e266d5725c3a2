"""A baseline for the next item or place: a mixture of the user's own habits and of what all users do."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.items import LinkedItems, followers, last_known

LATE = 0.2  # share of each history, its last part, on which the weights are chosen
MAX_WEIGHED = 20_000  # events on which they are chosen
LONGEST = 1_000  # last events of a history that are its habits
ROUNDS = 30  # of expectation maximisation


class HabitMixture(LinkedItems):
    """A weighted mixture of own frequency, own transitions, the transitions of all users, and popularity.

    The weights are those under which the late events of the training data are most probable, where the transitions of
    all users are counted in the early ones; then these are counted in all events.

    Source: weights of a mixture by held-out data: F. Jelinek and R. Mercer, "Interpolated Estimation of Markov Source
    Parameters from Sparse Data", Pattern Recognition in Practice, 1980, section 3.

    Example:
        >>> days = [np.array([0, 1, 2] * 5), np.array([3, 1, 4] * 5)]
        >>> HabitMixture(5).fit(days, []).predict([np.array([3, 1, 4, 3, 1])]).argmax(1)
        array([4])
    """

    key = "habit_mixture"
    name = "own habits and Markov, mixed"
    weights_: np.ndarray  # of own frequency, own transitions, all users' transitions, popularity: (4,), their sum is 1

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Choose the weights, then count everything; `targets` are not used."""
        cuts = [len(one) - round(LATE * len(one)) for one in inputs]
        self._count_all([one[:cut] for one, cut in zip(inputs, cuts, strict=True)])
        self.weights_ = np.full(4, 0.25)
        late = [(row, place) for row, cut in enumerate(cuts) for place in range(max(cut, 1), len(inputs[row]))]
        late = [(row, place) for row, place in late if inputs[row][place] < self.size]
        if len(late) > MAX_WEIGHED:
            late = [late[one] for one in np.random.default_rng(0).permutation(len(late))[:MAX_WEIGHED]]
        if late:
            said = np.array([self._said_of(inputs[row][:place], int(inputs[row][place])) for row, place in late])
            for _ in range(ROUNDS):
                shares = said * self.weights_ + 1e-12
                self.weights_ = (shares / shares.sum(1, keepdims=True)).mean(0)
        self._count_all(inputs)
        return self

    def _count_all(self, inputs: Sequence[np.ndarray]) -> None:
        self.popular_ = self._count(inputs)
        self.links_ = followers(inputs, self.size)

    def _said_of(self, history: np.ndarray, item: int) -> tuple[float, float, float, float]:
        """Return what each part says of one item: four probabilities."""
        own, after = _habits(history)
        last = last_known(history, self.size)
        left, right = (0, 0) if last < 0 else self.links_.indptr[last : last + 2]
        counts = self.links_.data[left:right]
        there = float(counts[self.links_.indices[left:right] == item].sum())
        return (
            float((own == item).mean()) if len(own) else 0.0,
            float((after == item).mean()) if len(after) else 0.0,
            there / max(float(counts.sum()), 1.0),
            float(self.popular_[item] / max(self.popular_.sum(), 1e-12)),
        )

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the probability of each item, (M, V)."""
        frequency, transition, shared, popular = self.weights_
        scores = np.tile(popular * self.popular_ / max(self.popular_.sum(), 1e-12), (len(inputs), 1)).astype(np.float64)
        for row, history in enumerate(inputs):
            for weight, items in zip((frequency, transition), _habits(history), strict=True):
                known = items[items < self.size]
                np.add.at(scores[row], known, weight / max(len(items), 1))
            last = last_known(history, self.size)
            if last >= 0:
                left, right = self.links_.indptr[last : last + 2]
                counts = self.links_.data[left:right]
                scores[row, self.links_.indices[left:right]] += shared * counts / max(float(counts.sum()), 1.0)
        return scores

    def state(self) -> dict[str, Any]:
        return {**super().state(), "weights": self.weights_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = super().from_state(state)
        baseline.weights_ = np.asarray(state["weights"])
        return baseline


def _habits(history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the events of a history, and those that followed an earlier event with its last item."""
    own = history[-LONGEST:]
    return own, own[1:][own[:-1] == own[-1]] if len(own) else own
