"""Course: when a run evaluates its losses, at which rate it learns, and when it ends. `Limited` has a known length."""

from collections.abc import Mapping
from typing import Any, Protocol

from unrolled.training.history import Recipe
from unrolled.training.options import AUTO, TrainingOptions
from unrolled.training.run_state import RunState
from unrolled.training.schedules import make_schedule


class Course(Protocol):
    """The plan of a run, asked by the trainer after every update.

    Attributes:
        chooses: whether the weights of the lowest watched loss are kept; if not, the last ones are.
        by_updates: whether evaluations are due by updates, within an epoch as at its end.
        averages: whether an average of the weights may be what is kept.
    """

    chooses = True
    by_updates = False
    averages = False

    def progress(self, run: RunState) -> float:
        """Return the share of the run that is over, 0 to 1."""
        ...

    def rate(self, run: RunState) -> float:
        """Return the factor of the learning rate for the next update."""
        ...

    def due(self, run: RunState) -> bool:
        """Return whether to evaluate now, after an update."""
        ...

    def due_after_epoch(self, run: RunState) -> bool:
        """Return whether to evaluate at the end of an epoch."""
        ...

    def end(self, run: RunState) -> str:
        """Return why the run is over, see `History.stopped`; empty while it is not."""
        ...

    def evaluated(self, run: RunState) -> None:
        """Take note of an evaluation, the last row of the history."""

    def recipe(self, run: RunState) -> Recipe | None:
        """Return how the kept weights of a finished run were made; None if that cannot be repeated by updates."""
        return None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore what `to_json` returned."""


class Limited(Course):
    """A run of a number of epochs, of a time budget, or of both, whichever ends first.

    Args:
        options: `epochs`, `minutes`, `patience`, `schedule` and `warmup` are read.
    """

    def __init__(self, options: TrainingOptions) -> None:
        self.epochs, self.patience = options.epochs, options.patience
        self.budget = 60.0 * options.minutes
        self.schedule = make_schedule("cosine" if options.schedule == AUTO else options.schedule, options.warmup)

    def progress(self, run: RunState) -> float:
        """Return the share of the epochs or of the time, whichever is further."""
        by_epochs = run.epochs_done(-0.5 * run.pending) / self.epochs if self.epochs else 0.0
        # the clock ends when the last evaluation must begin
        by_clock = run.at.seconds / max(self.budget - run.validation.cost, 1e-9) if self.budget else 0.0
        return min(1.0, max(by_epochs, by_clock))

    def rate(self, run: RunState) -> float:
        """Return the value of the schedule at this share of the run."""
        return self.schedule(self.progress(run))

    def due(self, run: RunState) -> bool:
        """Return whether a share of the time budget has passed since the last evaluation."""
        return run.validation.due(run.at.seconds, self.budget)

    def due_after_epoch(self, run: RunState) -> bool:
        """Return True, unless evaluations would take too much of a time budget."""
        return run.validation.affordable(run.at.seconds, self.budget)

    def end(self, run: RunState) -> str:
        """Return "epochs", "minutes" or "patience" when one of them is over."""
        at, rows = run.at, run.history.rows
        if self.epochs and at.epoch >= self.epochs:
            return "epochs"
        if self.budget and at.seconds + run.validation.cost + run.pace >= self.budget:
            return "minutes"
        # patience is counted only right after an evaluation at the end of an epoch
        evaluated = bool(rows) and at.batch == 0 and rows[-1].update == at.update
        return "patience" if self.patience and evaluated and run.stopping.is_over(at.epoch) else ""
