"""Exact retrieval from a large catalogue, block by block, so that a million items fit in memory.

It only needs a function that scores queries against a range of items.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.errors import whole_number
from unrolled.pauses import pause
from unrolled.ragged import Ragged

Score = Callable[[Tensor, int, int], Tensor]  # queries (M, D), start, stop -> (M, stop - start)
QUERIES, BLOCK = 256, 65_536  # queries and items scored at once
NOTHING = -1  # in place of an item, if fewer than k are left


@dataclass(frozen=True, eq=False)
class Filters:
    """Items that may not be answered.

    Args:
        barred: the items that each query may not be answered with, ragged (M,); None bars nothing.
        allowed: which items may be answered at all, (V,) bool; None allows all.
    """

    barred: Ragged | None = None
    allowed: Tensor | None = None

    def select(self, rows: Tensor) -> "Filters":
        """Return the filters of some queries."""
        return self if self.barred is None else Filters(self.barred.select(rows), self.allowed)

    def apply(self, scores: Tensor, start: int) -> Tensor:
        """Set the scores of items that may not be answered to -inf, in place; the items begin at `start`."""
        if self.allowed is not None:
            scores.masked_fill_(~self.allowed[start : start + scores.shape[1]], -torch.inf)
        if self.barred is not None:
            items, rows = self.barred.values, self.barred.sequence_ids
            here = (items >= start) & (items < start + scores.shape[1])
            scores[rows[here], items[here] - start] = -torch.inf
        return scores


FREE = Filters()


def best_items(score: Score, queries: Tensor, size: int, k: int, filters: Filters = FREE) -> tuple[Tensor, Tensor]:
    """Return the k items with the highest scores for each query.

    Args:
        score: returns scores of queries against items start <= i < stop.
        queries: query vectors, (M, D).
        size: number of items, V.
        k: number of items to return.
        filters: items that may not be answered.

    Returns:
        Items (M, k), best first, `NOTHING` where fewer are left; and their scores (M, k), -inf there.

    Example:
        >>> table = torch.tensor([[0.0], [2.0], [1.0]])
        >>> best_items(lambda q, start, stop: q @ table[start:stop].T, torch.ones(1, 1), 3, 2)[0]
        tensor([[1, 2]])
    """
    k = whole_number("k", k, least=1)
    found, values = [], []
    for rows in torch.arange(len(queries)).split(QUERIES):
        some, own = queries[rows], filters.select(rows)
        items = torch.zeros(len(rows), 0, dtype=torch.int64)
        scores = torch.zeros(len(rows), 0, dtype=queries.dtype)
        for start, block in _blocks(score, some, size, own):
            best, places = block.topk(min(k, block.shape[1]), 1)
            scores, items = torch.cat([scores, best], 1), torch.cat([items, places + start], 1)
            scores, kept = scores.topk(min(k, scores.shape[1]), 1)
            items = items.gather(1, kept)
        found.append(items.masked_fill(scores == -torch.inf, NOTHING))
        values.append(scores)
    if not found:
        return torch.zeros(0, k, dtype=torch.int64), torch.zeros(0, k)
    missing = max(0, k - size)
    items, scores = torch.cat(found), torch.cat(values)
    pad = torch.nn.functional.pad
    return pad(items, (0, missing), value=NOTHING), pad(scores, (0, missing), value=-torch.inf)


def true_ranks(score: Score, queries: Tensor, size: int, targets: Tensor, filters: Filters = FREE) -> Tensor:
    """Return the rank of each true item among all that may be answered, from 1; the mean rank in a tie.

    Args:
        score: returns scores of queries against items start <= i < stop.
        queries: query vectors, (M, D).
        size: number of items, V.
        targets: the true items, (M,); each may be answered, whatever the filters are.
        filters: items that may not be answered.

    Example:
        >>> table = torch.tensor([[0.0], [2.0], [1.0]])
        >>> true_ranks(lambda q, start, stop: q @ table[start:stop].T, torch.ones(3, 1), 3, torch.arange(3))
        tensor([3., 1., 2.], dtype=torch.float64)
    """
    ranks = torch.zeros(len(queries), dtype=torch.float64)
    for rows in torch.arange(len(queries)).split(QUERIES):
        some, true, own = queries[rows], targets[rows], filters.select(rows)
        reached = torch.zeros(len(rows), dtype=queries.dtype)
        for start, block in _blocks(score, some, size, FREE):
            here = (true >= start) & (true < start + block.shape[1])
            reached[here] = block[here, true[here] - start]
        better = torch.ones(len(rows), dtype=torch.float64)
        for start, block in _blocks(score, some, size, own):
            here = (true >= start) & (true < start + block.shape[1])
            block[here, true[here] - start] = -torch.inf  # it does not compete with itself
            better += (block > reached[:, None]).sum(1) + 0.5 * (block == reached[:, None]).sum(1)
        ranks[rows] = better
    return ranks


def _blocks(score: Score, queries: Tensor, size: int, filters: Filters) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, size, BLOCK):
        pause()
        stop = min(size, start + BLOCK)
        yield start, filters.apply(score(queries, start, stop), start)
