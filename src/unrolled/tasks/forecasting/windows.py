"""Batches of stretches of series: random windows, drawn anew in each epoch and converted to inputs when needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from unrolled.batch import Batch
from unrolled.data.batching import BatchSource, Buckets, Lanes
from unrolled.ragged import Ragged
from unrolled.tasks.forecasting.step_features import SeriesSteps
from unrolled.training.options import TrainingOptions

MIN_BATCHES = 8  # per epoch: a short series gets more windows, so that an epoch has more than one update


@dataclass(frozen=True, eq=False)
class Examples(Batch):
    """Row numbers of `steps`, one sequence per stretch of a series; a negative one, -1 - row, is lead-in."""

    steps: SeriesSteps | None = None

    def expanded(self, longest: int | None = None) -> Batch:
        assert self.steps is not None
        rows = Batch(self.inputs)
        return self.steps.expand(rows if longest is None else rows.slice_time(0, longest))


def whole_series(steps: SeriesSteps) -> Examples:
    """Return all rows to learn from, one sequence per series."""
    rows = steps.origins()
    lengths = np.bincount(steps.owner.numpy()[rows], minlength=len(steps.lengths))
    return Examples({"row": Ragged(torch.from_numpy(rows), torch.from_numpy(lengths))}, steps=steps)


def held_out(steps: SeriesSteps, unread: Sequence[int]) -> Examples:
    """Return the rows whose forecasts reach beyond the first `unread` steps of each series, with a lead-in."""
    stretches = []
    length = steps.plan.context_length
    for start, count, old in zip(steps.starts.tolist(), steps.lengths.tolist(), unread, strict=True):
        for begin in range(start + max(old - 1, 0), start + count - 1, length):
            lead_in = np.arange(max(start, begin - length), begin)
            stretches.append(np.concatenate([-1 - lead_in, np.arange(begin, min(begin + length, start + count - 1))]))
    return Examples({"row": Ragged.from_sequences(stretches)}, steps=steps)


def deal(examples: Examples, options: TrainingOptions, batch_size: int, shuffle: bool) -> BatchSource:
    """Return batches to train on (windows or, with bptt_steps, lanes) or all stretches in turn to validate on."""
    size = options.batch_size or batch_size
    if not shuffle:
        return Expanded(examples, Buckets(examples, size, seed=options.seed, shuffle=False))
    if options.bptt_steps:
        return Expanded(examples, Lanes(Batch(examples.inputs), size, options.bptt_steps, seed=options.seed))
    return Expanded(examples, Windows(examples, size, options.seed))


class Windows:
    """Stretches of at most two context lengths at random places, as many as needed to read everything once.

    Args:
        examples: whole series.
        batch_size: windows per batch.
        seed: determines the draw, together with the epoch's number.
    """

    def __init__(self, examples: Examples, batch_size: int, seed: int) -> None:
        assert examples.steps is not None
        self.rows = examples.inputs["row"]
        self.batch_size = batch_size
        self.seed = seed
        self.size = 2 * examples.steps.plan.context_length

    def __len__(self) -> int:
        total = int(self.rows.lengths.sum())
        return max(MIN_BATCHES, -(-total // (self.size * self.batch_size)))

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on."""
        assert isinstance(self.rows, Ragged)
        rng = np.random.default_rng([self.seed, index])
        lengths = self.rows.lengths.numpy()
        shares = lengths / lengths.sum()
        for number in range(len(self)):
            series = rng.choice(len(lengths), self.batch_size, p=shares)
            # a window may extend beyond either end, so that the first and last steps are drawn as often as others
            left = rng.integers(1 - self.size // 2, np.maximum(lengths[series] - self.size // 2, 1) + 1)
            first = np.minimum(np.maximum(left, 0), np.maximum(lengths[series] - 2, 0))
            last = np.minimum(np.maximum(left + self.size, first + 2), lengths[series])
            if number >= start:
                chosen = self.rows.select(series)
                yield Batch({"row": chosen.slice(torch.from_numpy(first), torch.from_numpy(last))})


class Expanded:
    """Batches of row numbers, converted to inputs and targets."""

    def __init__(self, examples: Examples, batches: BatchSource) -> None:
        assert examples.steps is not None
        self.steps = examples.steps
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on."""
        for batch in self.batches.epoch(index, start):
            yield self.steps.expand(batch)
