"""Batches of whole sequences of similar length, or lanes for truncated back-propagation."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import ceil
from typing import Protocol

import torch
from torch import Tensor

from unrolled.batch import Batch, Nested
from unrolled.errors import OptionError, message
from unrolled.ragged import Ragged

PADDING = -1  # a step of a lane that has no data left
POOL_BATCHES = 50  # sequences are sorted by length within pools of this many batches, so that batches stay random


class BatchSource(Protocol):
    """Batches, epoch by epoch; the same seed and epoch give the same batches."""

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on."""
        ...

    def __len__(self) -> int:
        """Return the number of batches per epoch; an estimate if the data are read lazily."""
        ...


class Buckets:
    """Batches of whole sequences of similar length; each epoch yields every sequence exactly once.

    Args:
        examples: all examples as one Batch.
        batch_size: sequences per batch, B; the last batch may hold fewer.
        seed: determines the order, together with the epoch's number.
        shuffle: False yields batches in order of length, the same in every epoch.

    Example:
        >>> import torch
        >>> examples = Batch({"x": Ragged(torch.arange(6), torch.tensor([1, 2, 3]))})
        >>> [batch.batch_size for batch in Buckets(examples, 2, shuffle=False).epoch(0)]
        [2, 1]
    """

    def __init__(self, examples: Batch, batch_size: int, seed: int = 0, shuffle: bool = True) -> None:
        _at_least_one(batch_size=batch_size)
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle

    def __len__(self) -> int:
        return ceil(self.examples.batch_size / self.batch_size)

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on."""
        for rows in self._order(index)[start:]:
            yield self.examples.select(rows)

    def _order(self, index: int) -> list[Tensor]:
        lengths = self.examples.sizes
        if not self.shuffle:
            return list(torch.argsort(lengths, stable=True).split(self.batch_size))
        generator = _generator(self.seed, index)
        order = torch.randperm(len(lengths), generator=generator)
        batches: list[Tensor] = []
        for pool in order.split(POOL_BATCHES * self.batch_size):
            batches += pool[torch.argsort(lengths[pool], stable=True)].split(self.batch_size)
        return [batches[place] for place in torch.randperm(len(batches), generator=generator)]


class Lanes:
    """Lanes for truncated back-propagation: each reads sequences one after another, `steps` steps per batch.

    Every batch except an epoch's first carries the state of the one before; `reset` marks each sequence's first step.
    A single sequence is first cut into as many parts as there are lanes, and each part starts anew. A lane that
    has no data left gives rows of length 0.

    Args:
        examples: sequences with per-step inputs and targets; per-sequence values are refused.
        lanes: rows of every batch, B.
        steps: steps of every batch, the last ones of an epoch may be shorter.
        seed: determines the order and where windows begin, together with the epoch's number.
        shuffle: False keeps the order and begins every window at the first step.

    Raises:
        OptionError: sizes below 1, or examples with per-sequence columns or targets.
    """

    def __init__(self, examples: Batch, lanes: int, steps: int, seed: int = 0, shuffle: bool = True) -> None:
        _at_least_one(lanes=lanes, steps=steps)
        if examples.statics or isinstance(examples.targets, Tensor):
            raise OptionError(
                message(
                    "bptt_steps",
                    expected="0 for data with one value or answer for a whole sequence",
                    received=steps,
                    remedy="leave bptt_steps out, or use columns and targets with one value for each step",
                )
            )
        self.examples = examples
        self.lanes = lanes
        self.steps = steps
        self.seed = seed
        self.shuffle = shuffle

    def __len__(self) -> int:
        return self._num_windows

    @cached_property
    def _num_windows(self) -> int:  # cached: it is needed at every update, and a plan looks at every sequence
        return ceil(max(sum(size for _, size in lane) for lane in self._plan(0)) / self.steps)

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on."""
        order, begins = _lay_out(self._plan(index))  # (lanes, T) both
        # a random first window shifts the start of all later windows
        generator = _generator(self.seed, index)
        first = int(torch.randint(1, self.steps + 1, (1,), generator=generator)) if self.shuffle else self.steps
        edges = [0, *range(first, order.shape[1], self.steps), order.shape[1]]
        for number, (left, right) in enumerate(pairwise(edges)):
            if number >= start:
                window = order[:, left:right]
                real = window != PADDING
                yield self._gather(window[real], real.sum(1), begins[:, left:right][real], carries=number > 0)

    def _plan(self, index: int) -> list[list[tuple[int, int]]]:
        """Return for each lane the pieces it reads, as (first step, number of steps)."""
        starts, lengths = self.examples.lengths.cumsum(0) - self.examples.lengths, self.examples.lengths
        pieces = [(int(s), int(n)) for s, n in zip(starts, lengths, strict=True) if n]
        generator = _generator(self.seed, index)
        if len(pieces) < self.lanes:
            pieces = _cut(pieces, self.lanes)
        if self.shuffle:
            pieces = [pieces[place] for place in torch.randperm(len(pieces), generator=generator)]
        lanes: list[list[tuple[int, int]]] = [[] for _ in range(self.lanes)]
        loads = [(0, lane) for lane in range(self.lanes)]
        heapify(loads)
        for piece in pieces:  # the lane with the least work takes the next piece
            load, lane = heappop(loads)
            lanes[lane].append(piece)
            heappush(loads, (load + piece[1], lane))
        return lanes

    def _gather(self, steps: Tensor, lengths: Tensor, reset: Tensor, carries: bool) -> Batch:
        def take(value: Ragged | Nested) -> Ragged | Nested:
            if isinstance(value, Nested):
                return replace(value, index=Ragged(value.index.values[steps], lengths))
            return Ragged(value.values[steps], lengths)

        targets = self.examples.targets
        return Batch(
            {name: take(value) for name, value in self.examples.inputs.items()},
            targets=Ragged(targets.values[steps], lengths) if isinstance(targets, Ragged) else None,
            reset=reset,
            carries=carries,
        )


def _lay_out(plan: list[list[tuple[int, int]]]) -> tuple[Tensor, Tensor]:
    """Return the step of the data that each lane reads at each time, and where its pieces begin: (lanes, T) both."""
    longest = max(sum(size for _, size in lane) for lane in plan)
    order = torch.full((len(plan), longest), PADDING)
    begins = torch.zeros(len(plan), longest, dtype=torch.bool)
    for row, lane in enumerate(plan):
        starts, sizes = torch.tensor(lane, dtype=torch.int64).view(-1, 2).unbind(1)
        ends = sizes.cumsum(0)
        total = int(sizes.sum())
        order[row, :total] = torch.arange(total) + torch.repeat_interleave(starts - (ends - sizes), sizes)
        begins[row, ends - sizes] = True
    return order, begins


def _cut(pieces: list[tuple[int, int]], parts: int) -> list[tuple[int, int]]:
    """Cut few sequences into about as many parts of about equal length, so that every lane has data."""
    total = sum(size for _, size in pieces)
    longest = max(1, ceil(total / parts))
    cut = []
    for start, size in pieces:
        count = max(1, round(size / longest))
        edges = [start + size * place // count for place in range(count + 1)]
        cut += [(left, right - left) for left, right in pairwise(edges) if right > left]
    return cut


def _generator(seed: int, index: int) -> torch.Generator:
    """Return a generator whose numbers depend on the seed and the epoch alone."""
    return torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**63)


def _at_least_one(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise OptionError(message(name, expected="an integer >= 1", received=size))
