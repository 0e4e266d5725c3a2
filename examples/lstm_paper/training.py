"""One run: the library's own loop over an endless stream, stopped by the paper's criterion."""

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lstm_paper.models import make_model
from lstm_paper.problem import Problem
from lstm_paper.results import Result
from unrolled.batch import Batch, LossSum
from unrolled.nn.heads import Output
from unrolled.ragged import Ragged
from unrolled.training.callbacks import Callback
from unrolled.training.options import TrainingOptions
from unrolled.training.seeds import seed_everything
from unrolled.training.trainer import Trainer

TESTED = 2560  # fresh sequences after training, as in the paper
AT_ONCE = 50_000  # steps judged at once
TRAINING, EXAM, TEST, POOL = range(4)  # what a random generator is for


def draws(problem: Problem, seed: int, purpose: int) -> np.random.Generator:
    """Random numbers of a run for one purpose, the same for every cell."""
    return np.random.default_rng([seed, purpose, *problem.name.encode()])


class Marks(NamedTuple):
    """How an exam went."""

    wrong: int
    loss: float  # mean


class Stream:
    """Batches of training sequences: new ones, or drawn from the problem's pool."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem, self.seed = problem, seed
        self.pool = problem.draw(problem.pool, draws(problem, seed, POOL)) if problem.pool else None

    def __len__(self) -> int:
        return math.ceil(self.problem.limit / self.problem.batch_size)

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """The whole run is one epoch."""
        rng, size = draws(self.problem, self.seed, TRAINING), self.problem.batch_size
        for number in range(len(self)):
            if self.pool is None:
                batch = self.problem.draw(size, rng)
            else:
                batch = self.pool.select(torch.from_numpy(rng.integers(0, len(self.pool), size)))
            if number >= start:
                yield batch


class Judged(nn.Module):
    """A model that notes, before each update, which training sequences it answered correctly."""

    def __init__(self, problem: Problem, model: Any) -> None:
        super().__init__()
        self.problem, self.model = problem, model
        self.recent: deque[bool] = deque(maxlen=problem.window)

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """The model's loss."""
        raw = raw_answers(self.model, batch)
        self.recent.extend(self.problem.correct(raw.detach(), batch).tolist())
        return loss_of(self.problem.output, raw, batch)

    @property
    def passes(self) -> bool:
        """Whether enough of the latest training sequences were right."""
        full = len(self.recent) == self.problem.window
        return full and self.recent.count(False) <= self.problem.allowed


class Criterion(Callback):
    """Stops training when the problem is solved: by the latest training sequences, and by all exams."""

    def __init__(self, judged: Judged, exams: Sequence[Batch]) -> None:
        self.judged, self.exams, self.solved = judged, exams, False

    def on_update(self, trainer: Trainer) -> None:
        """Look after each update; an exam failed is not sat again before the window is full of new sequences."""
        if not self.judged.passes:
            return
        if any(examine(self.judged.problem, self.judged.model, exam).wrong for exam in self.exams):
            self.judged.recent.clear()
            return
        self.solved = True
        trainer.stop()


def raw_answers(model: Any, batch: Batch) -> Tensor:
    """The model's raw answers to all steps, (N, width), or to all sequences, (B, width)."""
    raw, _ = model(batch)
    return raw.values if isinstance(raw, Ragged) else raw


def loss_of(output: Output, raw: Tensor, batch: Batch) -> LossSum:
    """What raw answers cost."""
    targets = batch.targets.values if isinstance(batch.targets, Ragged) else batch.targets
    assert targets is not None
    return LossSum(output.loss(raw, targets).sum(), output.count(targets))


def examine(problem: Problem, model: Any, batch: Batch) -> Marks:
    """Answer every sequence of a batch, without learning from it."""
    wrong, total, count = 0, 0.0, 0.0
    with torch.no_grad():
        for rows in torch.arange(len(batch)).split(max(1, AT_ONCE // int(batch.lengths.max()))):
            part = batch.select(rows)
            raw = raw_answers(model, part)
            cost = loss_of(problem.output, raw, part)
            wrong += int((~problem.correct(raw, part)).sum())
            total, count = total + float(cost.total), count + cost.count
    return Marks(wrong, total / count)


def run(problem: Problem, cell: str, seed: int) -> Result | None:
    """Train one net on one problem.

    Args:
        problem: what to learn.
        cell: name in `lstm_paper.models.CELLS`.
        seed: of weights and sequences.

    Returns:
        How it ended; None when Ctrl-C ended it before it was decided.
    """
    started = time.perf_counter()
    seed_everything(seed)
    judged = Judged(problem, make_model(problem, cell))
    stream = Stream(problem, seed)
    exams = [problem.draw(problem.exam, draws(problem, seed, EXAM))] if problem.exam else []
    exams += [stream.pool] if stream.pool is not None else []
    criterion = Criterion(judged, exams)
    options = TrainingOptions(
        epochs=1,
        learning_rate=problem.learning_rate,
        optimizer="adam",
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        seed=seed,
        device="cpu",
    )
    trainer = Trainer(judged, stream, options, callbacks=[criterion])
    history = trainer.run()
    if history.interrupted and not criterion.solved:
        return None
    marks = examine(problem, judged.model, problem.draw(TESTED, draws(problem, seed, TEST)))
    return Result(
        problem=problem.name,
        cell=cell,
        seed=seed,
        solved=criterion.solved,
        sequences=trainer.at.update * problem.batch_size,
        wrong=marks.wrong,
        tested=TESTED,
        loss=marks.loss,
        limit=problem.limit,
        seconds=round(time.perf_counter() - started, 1),
    )
