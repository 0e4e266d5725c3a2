"""Validation during a run: the validation loss, the time it takes, and the best weights so far."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.errors import DataError, message
from unrolled.training.bptt import detach
from unrolled.training.distributed import Processes
from unrolled.training.weights import Weights, copy_weights

LOOK_EVERY = 0.1  # share of a time budget between two evaluations within an epoch
LOOK_SHARE = 0.05  # maximum share of a time budget that evaluations take


class Batches(Protocol):
    """A source of batches: the same batches for the same epoch.

    `start` skips that many batches, for a resumed run; the length is the number of batches per epoch, or an estimate.
    """

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]: ...

    def __len__(self) -> int: ...


Validate = Callable[[], float] | Batches | None


class Watch:
    """The validation of a run, which keeps the best weights.

    Args:
        validate: batches to compute the loss on, a function that returns a loss, or None.
        processes: the processes that share the work.
        device: device of the batches.
        autocast: makes the context in which the model computes.
    """

    def __init__(
        self, validate: Validate, processes: Processes, device: torch.device, autocast: Callable[[], Any]
    ) -> None:
        self.validate = validate
        self.processes = processes
        self.device = device
        self.autocast = autocast
        self.best: Weights | None = None
        self.best_loss = math.inf
        self.best_epoch = 0.0
        self.looks = 0
        self.looked_at = 0.0  # seconds into the run at the last evaluation
        self.cost = 0.0  # seconds that the last evaluation took

    def due(self, seconds: float, budget: float) -> bool:
        """Return whether to evaluate now, within an epoch: only with a time budget, about ten times in all."""
        return budget > 0 and seconds - self.looked_at >= max(LOOK_EVERY * budget, self.cost / LOOK_SHARE)

    def affordable(self, seconds: float, budget: float) -> bool:
        """Return whether to evaluate at the end of an epoch: always, unless it would take too much of a time budget."""
        return budget == 0 or seconds - self.looked_at >= self.cost / LOOK_SHARE

    def loss(self, model: nn.Module) -> float | None:
        """Return the validation loss, the same in every process; None without validation data."""
        started = time.perf_counter()
        if self.validate is None:
            return None
        was_training = model.training
        model.eval()
        try:
            # validation may happen at any moment of a timed run, so it must not change the random numbers
            devices = [self.device] if self.device.type == "cuda" else []
            with torch.no_grad(), torch.random.fork_rng(devices=devices):
                if hasattr(self.validate, "epoch"):
                    total, count = self._sums(model, cast(Batches, self.validate))
                else:
                    value = cast(Callable[[], float], self.validate)() if self.processes.first else 0.0
                    total, count = float(value), float(self.processes.first)
        finally:
            model.train(was_training)
        spent = time.perf_counter() - started if self.processes.first else 0.0
        total, count, self.cost = self.processes.sum(total, count, spent)
        if not count:
            raise DataError(message("validation", expected="data with targets", received="none"))
        return total / count

    def _sums(self, model: nn.Module, batches: Batches) -> tuple[float, float]:
        total, count, state = 0.0, 0.0, None
        for whole in batches.epoch(0):
            batch = self.processes.shard(whole)
            if not len(batch):
                continue
            batch = batch if self.device.type == "cpu" else batch.to(self.device)
            with self.autocast():
                result = model.loss(batch, state if batch.carries else None)  # type: ignore[operator]
            total += float(result.total)
            count += float(result.count)
            state = detach(result.state)
        return total, count

    def note(self, loss: float, epoch: float, seconds: float, weights: Mapping[str, Tensor]) -> None:
        """Record an evaluation, and its weights if they are the best."""
        self.looks += 1
        self.looked_at = seconds
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            self.best = copy_weights(weights)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a checkpoint; the weights are stored separately."""
        return {
            "best_loss": self.best_loss if self.looks else None,
            "best_epoch": self.best_epoch,
            "looks": self.looks,
            "looked_at": self.looked_at,
            "cost": self.cost,
        }

    def restore(self, data: Mapping[str, Any], best: Weights | None) -> None:
        """Restore what `to_json` returned."""
        self.best_loss = math.inf if data["best_loss"] is None else data["best_loss"]
        self.best_epoch, self.looks = data["best_epoch"], data["looks"]
        self.looked_at, self.cost = data["looked_at"], data["cost"]
        self.best = best or self.best
