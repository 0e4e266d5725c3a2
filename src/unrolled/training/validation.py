"""Validation during a run: the validation loss, the time it takes, and the best weights so far."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from unrolled.batch import Batch
from unrolled.errors import DataError, message
from unrolled.training.bptt import detach
from unrolled.training.distributed import Processes

LOOK_EVERY = 0.1  # share of a time budget between two evaluations within an epoch
LOOK_SHARE = 0.05  # maximum share of a time budget that evaluations take


@runtime_checkable
class Batches(Protocol):
    """A source of batches: the same batches for the same epoch.

    `start` skips that many batches, for a resumed run; the length is the number of batches per epoch, or an estimate.
    """

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]: ...

    def __len__(self) -> int: ...


Validate = Callable[[], float] | Batches | None


class Validation:
    """The evaluation of the loss on held-out data, and its cost in time.

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
        self.looked_at = 0.0  # seconds into the run at the last evaluation
        self.cost = 0.0  # seconds that the last evaluation took
        self.steps = 0  # real time steps of the held-out data; 0 before the first evaluation, or if not known

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
                if isinstance(self.validate, Batches):
                    total, count = self._sums(model, self.validate)
                else:
                    value = self.validate() if self.processes.first else 0.0
                    total, count = float(value), float(self.processes.first)
        finally:
            model.train(was_training)
        spent = time.perf_counter() - started if self.processes.first else 0.0
        total, count, self.cost = self.processes.sum(total, count, spent)
        if not count:
            raise DataError(message("validation", expected="data with targets", received="none"))
        return total / count

    def _sums(self, model: nn.Module, batches: Batches) -> tuple[float, float]:
        total, count, state, self.steps = 0.0, 0.0, None, 0
        for whole in batches.epoch(0):
            self.steps += whole.num_steps
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

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {"looked_at": self.looked_at, "cost": self.cost, "steps": self.steps}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore what `to_json` returned."""
        self.looked_at, self.cost, self.steps = data["looked_at"], data["cost"], data.get("steps", 0)
