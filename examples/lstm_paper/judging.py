"""The criterion of a run: judge training sequences as they pass, sit exams, and say when the problem is solved."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lstm_paper.problem import Problem
from unrolled.batch import Batch, LossSum
from unrolled.nn.heads import Output
from unrolled.ragged import Ragged
from unrolled.training.callbacks import Callback
from unrolled.training.trainer import Trainer

AT_ONCE = 50_000  # steps judged at once


class Marks(NamedTuple):
    """How an exam went."""

    errors: np.ndarray  # (B,)
    loss: float  # mean


class Judged(nn.Module):
    """A model that notes, before each update, how far off it was on the training sequences."""

    def __init__(self, problem: Problem, model: Any) -> None:
        super().__init__()
        self.problem, self.model = problem, model
        self.seen = 0
        self.errors = np.full(problem.recent.sequences, np.inf)  # of the latest sequences; unseen ones are wrong

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """Return the model's loss."""
        raw = raw_answers(self.model, batch)
        places = (self.seen + np.arange(len(batch))) % len(self.errors)
        self.errors[places] = self.problem.error(raw.detach(), batch).numpy()
        self.seen += len(batch)
        return loss_of(self.problem.output, raw, batch)

    def forget(self) -> None:
        """Judge new sequences only."""
        self.errors[:] = np.inf

    @property
    def passes(self) -> bool:
        """Whether the latest training sequences clear their bar."""
        return self.problem.recent.cleared(self.errors, self.problem.tolerance)


class Criterion(Callback):
    """Stops training when the problem is solved: by the latest training sequences, and by all exams."""

    def __init__(self, judged: Judged, exams: Sequence[Batch]) -> None:
        self.judged, self.exams, self.solved = judged, exams, False

    def on_update(self, trainer: Trainer) -> None:
        """Look after each update; an exam failed is not sat again before the window is full of new sequences."""
        if not self.judged.passes:
            return
        self.solved = all(self._passed(exam) for exam in self.exams)
        if self.solved:
            trainer.stop()
        else:
            self.judged.forget()

    def _passed(self, exam: Batch) -> bool:
        problem = self.judged.problem
        assert problem.exam is not None
        return problem.exam.cleared(examine(problem, self.judged.model, exam).errors, problem.tolerance)


def raw_answers(model: Any, batch: Batch) -> Tensor:
    """Return the model's raw answers to all steps, (N, width), or to all sequences, (B, width)."""
    raw, _ = model(batch)
    return raw.values if isinstance(raw, Ragged) else raw


def loss_of(output: Output, raw: Tensor, batch: Batch) -> LossSum:
    """Return what raw answers cost."""
    targets = batch.targets.values if isinstance(batch.targets, Ragged) else batch.targets
    assert targets is not None
    return LossSum(output.loss(raw, targets).sum(), output.count(targets))


def examine(problem: Problem, model: Any, batch: Batch) -> Marks:
    """Answer every sequence of a batch, without learning from it."""
    errors, total, count = [], 0.0, 0.0
    with torch.no_grad():
        for rows in torch.arange(len(batch)).split(max(1, AT_ONCE // int(batch.lengths.max()))):
            part = batch.select(rows)
            raw = raw_answers(model, part)
            cost = loss_of(problem.output, raw, part)
            errors.append(problem.error(raw, part))
            total, count = total + float(cost.total), count + cost.count
    return Marks(torch.cat(errors).numpy(), total / count)
