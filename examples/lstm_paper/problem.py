"""What a problem of the paper is: sequences, a criterion, and the figures that were published."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import Output
from unrolled.ragged import Ragged


@dataclass(frozen=True)
class Problem:
    """One experiment.

    A run is solved when at most `allowed` of the last `window` training sequences were answered wrongly, each judged
    before the update it led to, and, where there is an exam, every sequence of that is answered correctly too.

    Args:
        name: what the command line calls it.
        source: the paper and its section.
        setup: sequences and criterion, in one line for the table.
        published: what the paper reports, in one line for the table.
        inputs: what one step holds.
        output: what the raw answers mean; its loss is what training lowers.
        per_step: True for an answer at every step, False for one at the end.
        draw: from a number of sequences and a random generator to a Batch.
        correct: from raw answers and their Batch to (B,) bool.
        lag: steps over which something has to be remembered, at most; gates start out able to.
        window: training sequences that the criterion looks back on.
        allowed: how many of them may be wrong.
        exam: fresh sequences that must all be right, and with them the whole pool; 0 = none.
        pool: sequences of a fixed training set; 0 = every training sequence is new.
        hidden_size: units of each cell, H.
        learning_rate: of Adam.
        batch_size: sequences of one update.
        limit: training sequences after which a run counts as failed.
        shows_loss: report the loss on fresh sequences, as the source does, beside the runs solved.
    """

    name: str
    source: str
    setup: str
    published: str
    inputs: Spec
    output: Output
    per_step: bool
    draw: Callable[[int, np.random.Generator], Batch]
    correct: Callable[[Tensor, Batch], Tensor]
    lag: int
    window: int = 2000
    allowed: int = 0
    exam: int = 0
    pool: int = 0
    hidden_size: int = 32
    learning_rate: float = 5e-3
    batch_size: int = 32
    limit: int = 100_000
    shows_loss: bool = False


def one_hot_within(raw: Tensor, targets: Tensor, tolerance: float) -> Tensor:
    """Whether every output unit is within `tolerance` of its target 0 or 1: (M, V), (M,) to (M,) bool."""
    wanted = torch.nn.functional.one_hot(targets, raw.shape[1])  # (M, V)
    return (raw.softmax(1) - wanted).abs().amax(1) < tolerance


def number_within(raw: Tensor, batch: Batch, tolerance: float) -> Tensor:
    """Whether the number after the last step is within `tolerance` of its target: (B,) bool."""
    assert isinstance(batch.targets, Tensor)
    return (raw - batch.targets).abs()[:, 0] < tolerance


def at_all_steps(right: Tensor, batch: Batch) -> Tensor:
    """Whether a sequence is right at all its steps: (N,) to (B,) bool."""
    wrong = torch.zeros(batch.batch_size).index_add(0, steps_of(batch).sequence_ids, (~right).float())
    return wrong == 0


def steps_of(batch: Batch) -> Ragged:
    """The inputs of a batch, which has one column."""
    steps = batch.inputs["x"]
    assert isinstance(steps, Ragged)
    return steps
