"""RunState: the part of a training run that callbacks and checkpoints see."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn

from unrolled.training.distributed import Processes
from unrolled.training.early_stopping import EarlyStopping
from unrolled.training.history import History
from unrolled.training.options import TrainingOptions
from unrolled.training.position import LossSums, Position
from unrolled.training.validation import Batches, Validation
from unrolled.training.weights import Average, Weights


class RunState(Protocol):
    """A training run, as callbacks and checkpoints see it; `Trainer` is one.

    Attributes:
        model: the model that is trained.
        batches: the training batches.
        options: how to train.
        at: the position: epochs, batches, updates, seconds, learning rate.
        tally: sums since the last row of the history.
        history: the losses so far.
        loss: mean loss of the last update.
        grad_norm: norm of the gradient of the last update, before clipping.
        state: the state that the next batch continues from, detached.
        callbacks: in the order in which they are called.
        progress: how much of the run is done, from 0 to 1.
        course: the plan of the run, an `unrolled.training.course.Course`.
        pending: batches whose gradients are added, and not yet used.
        pace: seconds that the last update took.
        updates_per_epoch: number of updates of an epoch.
        weights: the model's own weights by name.
        named_parameters: the parameters that are trained, by name.
        average: average of the weights; None without one.
        optimizer: the optimiser of torch.
        validation: the evaluation on held-out data.
        stopping: the best weights so far.
        processes: the processes that share the work.
        device: where the model computes.
    """

    model: nn.Module
    batches: Batches
    options: TrainingOptions
    at: Position
    tally: LossSums
    history: History
    loss: float
    grad_norm: float
    state: Any
    course: Any
    pending: int
    pace: float
    weights: Weights
    named_parameters: list[tuple[str, nn.Parameter]]
    average: Average | None
    optimizer: Any
    validation: Validation
    stopping: EarlyStopping
    processes: Processes
    device: torch.device

    @property
    def progress(self) -> float: ...

    @property
    def updates_per_epoch(self) -> int: ...

    @property
    def callbacks(self) -> Sequence[Any]: ...

    def epochs_done(self, shift: float = 0.0) -> float:
        """Return the epochs so far, with a fraction, after `shift` more batches."""
        ...

    def restart_from_best(self) -> None:
        """Write the best weights so far into the model."""

    def stop(self) -> None:
        """Ask training to end after the current update, keeping the best weights."""
