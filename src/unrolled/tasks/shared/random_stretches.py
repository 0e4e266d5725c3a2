"""Dealing out short stretches of long sequences at random places, drawn afresh each epoch."""

from collections.abc import Iterator

import numpy as np
import torch

from unrolled.batch import Batch

STRETCH = 64  # steps learnt from at once
ROWS = 16  # stretches in an update
LEAST = 8  # updates in an epoch, however short the data


class Stretches:
    """As many stretches in an epoch as it takes to read everything once, and at least `LEAST` batches of them.

    Args:
        examples: whole sequences.
        batch_size: stretches in a batch.
        seed: with the epoch's number it fixes the draw.
    """

    def __init__(self, examples: Batch, batch_size: int, seed: int) -> None:
        self.examples, self.batch_size, self.seed = examples, batch_size, seed
        self.lengths = examples.lengths.numpy()

    def __len__(self) -> int:
        return max(LEAST, -(-int(self.lengths.sum()) // (STRETCH * self.batch_size)))

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""
        rng = np.random.default_rng([self.seed, index])
        chances = self.lengths / self.lengths.sum()
        for number in range(len(self)):
            series = rng.choice(len(self.lengths), self.batch_size, p=chances)
            first = rng.integers(np.maximum(self.lengths[series] - STRETCH, 0) + 1)
            if number >= start:
                chosen = self.examples.select(torch.from_numpy(series))
                stops = np.minimum(first + STRETCH, self.lengths[series])
                yield chosen.slice_time(torch.from_numpy(first), torch.from_numpy(stops))
