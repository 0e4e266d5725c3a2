"""A baseline for the next item: a linear model from the items of a history to all others, in closed form."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from unrolled.baselines.base import partly
from unrolled.baselines.items import LinkedItems, linked_scores, visits_of

MAX_ITEMS = 2_000  # most frequent items that are linked: their matrix is inverted, in about 2 s and 100 MB
STRONGEST = 200  # links kept per item
STRENGTH = 1.0  # of the L2 penalty, in units of the mean number of sessions with an item


class LinearItems(LinkedItems):
    """Items that a ridge regression without self-links predicts from the others of a session (EASE).

    Source: H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, section 3; the penalty grows with
    the log, as in its table 1.

    Example:
        >>> sessions = [np.array([0, 1]), np.array([1, 0]), np.array([2, 3]), np.array([3, 2])]
        >>> LinearItems(4).fit(sessions, []).predict([np.array([0])]).argmax(1)
        array([1])
    """

    key = "linear_items"
    name = "linear item model"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Solve for the links of the most frequent items; `targets` are not used."""
        self.popular_ = self._count(inputs)
        visits, _ = visits_of(inputs, self.size)
        counts = np.asarray(visits.sum(0)).ravel()
        frequent = np.sort(np.argsort(-counts, kind="stable")[:MAX_ITEMS])
        self.name = partly(type(self).name, len(frequent), self.size, "items")
        known: Any = visits.tocsc()[:, frequent]
        together = (known.T @ known).toarray().astype(np.float64)  # (K, K)
        together[np.diag_indices(len(frequent))] += STRENGTH * max(counts[frequent].mean(), 1.0)
        inverse = np.linalg.inv(together)
        links = -inverse / np.diag(inverse)
        np.fill_diagonal(links, 0)
        if len(frequent) > STRONGEST:
            least = np.partition(np.abs(links), -STRONGEST, axis=1)[:, -STRONGEST, None]
            links[np.abs(links) < least] = 0
        rows, columns = links.nonzero()
        values = links[rows, columns].astype(np.float32)
        self.links_ = csr_array((values, (frequent[rows], frequent[columns])), shape=(self.size, self.size))
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return sums of links, with less weight on earlier events, plus a little popularity, (M, V)."""
        return linked_scores(self, inputs)
