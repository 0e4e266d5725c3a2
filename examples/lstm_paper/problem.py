"""What a problem of the paper is: sequences, a criterion, and the figures that were published."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import Output
from unrolled.ragged import Ragged

Draw = Callable[[int, np.random.Generator], Batch]


@dataclass(frozen=True)
class Bar:
    """What a number of sequences must reach together.

    Args:
        sequences: how many are looked at.
        allowed: how many of them may be wrong.
        mean: what their mean error must be below.
    """

    sequences: int
    allowed: int = 0
    mean: float = math.inf

    def cleared(self, errors: np.ndarray, tolerance: float) -> bool:
        """Whether errors (B,), one of each sequence, are small enough."""
        return int((errors >= tolerance).sum()) <= self.allowed and float(errors.mean()) < self.mean


@dataclass(frozen=True)
class Problem:
    """One experiment.

    A run is solved when the latest training sequences, each judged before the update it led to, clear the bar
    `recent`, and, where there is an exam, test sequences clear that.

    Args:
        name: what the command line calls it.
        source: the paper and its section.
        setup: sequences and criterion, in one line for the table.
        published: what the paper reports, in one line for the table.
        inputs: what one step holds.
        output: what the raw answers mean; its loss is what training lowers.
        per_step: True for an answer at every step, False for one at the end.
        draw: from a number of sequences and a random generator to a Batch.
        error: from raw answers and their Batch to how far off each sequence is, (B,); 0 or 1 for right or wrong.
        lag: steps over which something has to be remembered, at most; gates start out able to.
        tolerance: a sequence is wrong when its error is not below this.
        recent: what the latest training sequences must reach.
        exam: what test sequences must reach, and with them the whole pool; None = no exam.
        draw_exam: where test sequences come from, if not from `draw`.
        pool: sequences of a fixed training set; 0 = every training sequence is new.
        late: the read-out sees the inputs too, and the recurrent layer comes in once the error stops decreasing.
        hidden_size: units of each cell, H.
        learning_rate: of Adam.
        batch_size: sequences of one update.
        limit: training sequences after which a run counts as failed.
        shows: "loss" or "error" on fresh sequences, where the source reports it.
    """

    name: str
    source: str
    setup: str
    published: str
    inputs: Spec
    output: Output
    per_step: bool
    draw: Draw
    error: Callable[[Tensor, Batch], Tensor]
    lag: int
    tolerance: float = 0.5
    recent: Bar = Bar(2000)
    exam: Bar | None = None
    draw_exam: Draw | None = None
    pool: int = 0
    late: bool = False
    hidden_size: int = 32
    learning_rate: float = 5e-3
    batch_size: int = 32
    limit: int = 100_000
    shows: str = ""


def one_hot_error(raw: Tensor, targets: Tensor) -> Tensor:
    """Return the largest distance of an output unit from its target 0 or 1: (M, V), (M,) to (M,)."""
    return (raw.softmax(1) - one_hot(targets, raw.shape[1])).abs().amax(1)


def class_error(raw: Tensor, batch: Batch) -> Tensor:
    """Return the largest error of an output unit after the last step, (B,)."""
    assert isinstance(batch.targets, Tensor)
    return one_hot_error(raw, batch.targets)


def number_error(raw: Tensor, batch: Batch) -> Tensor:
    """How far the number after the last step is from its target, (B,)."""
    assert isinstance(batch.targets, Tensor)
    return (raw - batch.targets).abs()[:, 0]


def worst_step(errors: Tensor, batch: Batch) -> Tensor:
    """Return the largest of the errors at a sequence's steps: (N,) to (B,)."""
    return torch.zeros(len(batch)).scatter_reduce(0, steps_of(batch).sequence_ids, errors, "amax")


def steps_of(batch: Batch) -> Ragged:
    """Return the inputs of a batch, which has one column."""
    steps = batch.inputs["x"]
    assert isinstance(steps, Ragged)
    return steps
