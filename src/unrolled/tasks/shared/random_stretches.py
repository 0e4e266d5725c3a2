"""Batches of short stretches of long sequences at random places, drawn anew in each epoch."""

from collections.abc import Iterator

import numpy as np
import torch

from unrolled.batch import Batch

STRETCH = 64  # steps per stretch
ROWS = 16  # stretches per update
LEAST = 8  # least number of updates per epoch


class Stretches:
    """As many stretches per epoch as needed to read everything once, and at least `LEAST` batches of them.

    Args:
        examples: whole sequences.
        batch_size: stretches per batch.
        seed: determines the draw, together with the epoch's number.
    """

    def __init__(self, examples: Batch, batch_size: int, seed: int) -> None:
        self.examples, self.batch_size, self.seed = examples, batch_size, seed
        self.lengths = examples.lengths.numpy()

    def __len__(self) -> int:
        return max(LEAST, -(-int(self.lengths.sum()) // (STRETCH * self.batch_size)))

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on."""
        rng = np.random.default_rng([self.seed, index])
        chances = self.lengths / self.lengths.sum()
        for number in range(len(self)):
            series = rng.choice(len(self.lengths), self.batch_size, p=chances)
            first = rng.integers(np.maximum(self.lengths[series] - STRETCH, 0) + 1)
            if number >= start:
                chosen = self.examples.select(torch.from_numpy(series))
                stops = np.minimum(first + STRETCH, self.lengths[series])
                yield chosen.slice_time(torch.from_numpy(first), torch.from_numpy(stops))
