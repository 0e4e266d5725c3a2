"""Where a run's sequences come from: an endless stream to train on, and others for its exam."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from lstm_paper.problem import Problem, steps_of
from unrolled.batch import Batch

TRAINING, EXAM, TEST, POOL = range(4)  # what a random generator is for


def draws(problem: Problem, seed: int, purpose: int) -> np.random.Generator:
    """Random numbers of a run for one purpose, the same for every cell."""
    return np.random.default_rng([seed, purpose, *problem.name.encode()])


class Stream:
    """Batches of training sequences: new ones, or drawn from the problem's pool."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem, self.seed = problem, seed
        self.pool = problem.draw(problem.pool, draws(problem, seed, POOL)) if problem.pool else None

    def __len__(self) -> int:
        return math.ceil(self.problem.limit / self.problem.batch_size)

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """Deal out the whole run as one epoch."""
        rng, size = draws(self.problem, self.seed, TRAINING), self.problem.batch_size
        for number in range(len(self)):
            if self.pool is None:
                batch = self.problem.draw(size, rng)
            else:
                batch = self.pool.select(torch.from_numpy(rng.integers(0, len(self.pool), size)))
            if number >= start:
                yield batch

    def exams(self) -> list[Batch]:
        """Return what the exam asks: test sequences, none of which is in the pool; and the pool."""
        problem, rng = self.problem, draws(self.problem, self.seed, EXAM)
        if problem.exam is None:
            return []
        wanted, draw = problem.exam.sequences, problem.draw_exam or problem.draw
        if self.pool is None:
            return [draw(wanted, rng)]
        known, rows, count = {_key(row) for row in steps_of(self.pool)}, [], wanted
        batch = self.pool
        while len(rows) < wanted:
            count *= 2
            batch = draw(count, rng)
            rows = [index for index, row in enumerate(steps_of(batch)) if _key(row) not in known]
        return [batch.select(torch.tensor(rows[:wanted])), self.pool]


def _key(row: torch.Tensor) -> tuple[float, ...]:
    return tuple(row.flatten().tolist())
