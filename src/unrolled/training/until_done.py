"""Training until it is done: a constant rate while the loss falls, then a decay of the rate from the best weights.

The rate rises, stays, and falls once the watched loss has stopped improving; so the schedule needs no length. All
decisions are counted in updates, so that epochs of 5 updates and of 50,000 are trained alike and the same run gives
the same weights; only a run that reaches its limit in time depends on the speed of the machine.

Source: A. Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS 2024:
a constant rate with a short decay is as good as a cosine whose length was known before.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from unrolled.training.course import Course
from unrolled.training.history import Recipe
from unrolled.training.options import TrainingOptions
from unrolled.training.run_state import RunState
from unrolled.training.schedules import FLOOR

LEAST_UPDATES = 300  # the decay never starts earlier
MOST_UPDATES = 30_000  # the decay starts now at the latest, if the data were seen `PASSES` times
PATIENCE = 1 / 3  # share of all updates without an improvement after which the decay starts
GAIN = 1 / 500  # share of the whole improvement so far that counts as another one
DECAY = 1 / 4  # updates of the decay, as a share of those that led to the best weights
LEAST_DECAY = 50
CAP_MINUTES, PASSES = 2.0, 10  # minutes after which a run ends that has seen its data this many times
UNWATCHED_PASSES = 80  # passes before the decay without held-out data, whose loss would say when to stop
LEARNT = 1 / 200  # share of the first loss at which hardly anything is left to learn
LOOK_UPDATES, LOOK_GROWTH = 20, 0.05  # updates between two evaluations: this many, or this share of those so far
STEPS_PER_LOOK = 6  # training steps per held-out step between two evaluations: they take a tenth of the time or less
RISING, CONSTANT, FALLING = 0.0, 0.8, 1.0  # shares of the run, for what follows progress


@dataclass
class Phase:
    """The place of a run in its course; a checkpoint stores it.

    Args:
        next_look: number of updates at which the losses are evaluated next.
        first: watched loss of the first evaluation; None before that.
        mark: watched loss of the last improvement that counted.
        mark_update: updates at which it was found.
        decay_from: updates at which the decay started; -1 before that.
        decay_updates: length of the decay.
        origin: updates that led to the weights from which the decay started.
        reason: why the decay started.
    """

    next_look: int
    first: float | None = None
    mark: float = math.inf
    mark_update: int = 0
    decay_from: int = -1
    decay_updates: int = 0
    origin: int = 0
    reason: str = ""


class UntilDone(Course):
    """A run that ends by itself: see the constants of this module.

    Args:
        options: `warmup` (a share of the least number of updates), `patience` (epochs, instead of a share of the
            updates) and `schedule` are read; "constant" has no decay.
    """

    by_updates = averages = True

    def __init__(self, options: TrainingOptions) -> None:
        self.rising = max(1, round(options.warmup * LEAST_UPDATES)) if options.warmup else 0
        self.patience, self.decays = options.patience, options.schedule != "constant"
        self.phase = Phase(LOOK_UPDATES)

    @property
    def falling(self) -> bool:
        """Whether the decay has started."""
        return self.phase.decay_from >= 0

    def progress(self, run: RunState) -> float:
        """Return a number that never falls and is 1 at the end; before the decay, the end is not known."""
        update, phase = run.at.update, self.phase
        known = phase.decay_from if self.falling else update
        share = CONSTANT * known / (known + LEAST_UPDATES)
        if not self.falling:
            return share
        return share + (1.0 - share) * min(1.0, (update - known) / max(phase.decay_updates, 1))

    def rate(self, run: RunState) -> float:
        """Return 1, less during the first updates and in the decay."""
        update, phase = run.at.update, self.phase
        if self.falling:
            return decayed((update - phase.decay_from) / max(phase.decay_updates, 1))
        return min(1.0, (update + 1) / (self.rising + 1))

    def due(self, run: RunState) -> bool:
        """Return whether the next evaluation is due: by updates, or because a limit is reached."""
        return run.at.update >= self.phase.next_look or (not self.falling and self._limit(run) != "")

    def due_after_epoch(self, run: RunState) -> bool:
        """Return False: the end of an epoch means nothing here."""
        return False

    def end(self, run: RunState) -> str:
        """Return why the decay started, once it is over."""
        phase = self.phase
        return phase.reason if self.falling and run.at.update >= phase.decay_from + phase.decay_updates else ""

    def evaluated(self, run: RunState) -> None:
        """Start the decay when the watched loss has stopped improving or a limit is reached."""
        phase, update = self.phase, run.at.update
        loss = run.history.rows[-1].watched
        if phase.first is None:
            phase.first = loss
        if loss < phase.mark - GAIN * max(phase.first - phase.mark, 0.0) or math.isinf(phase.mark):
            phase.mark, phase.mark_update = loss, update
        if not self.falling:
            reason = self._limit(run) or self._flat(run)
            if reason:
                self._start_decay(run, reason)
        phase.next_look = update + self._pause(run)

    def _flat(self, run: RunState) -> str:
        """Return why there is nothing more to gain, if so."""
        update, since, phase = run.at.update, run.at.update - self.phase.mark_update, self.phase
        if self.patience:
            return "patience" if since >= self.patience * run.updates_per_epoch else ""
        if update < LEAST_UPDATES:
            return ""
        if 0 <= run.history.rows[-1].watched < LEARNT * (phase.first or 0.0):
            return "learnt"
        watched = run.validation.validate is not None  # a training loss falls as long as one trains
        return "patience" if watched and since >= PATIENCE * update else ""

    def _limit(self, run: RunState) -> str:
        """Return which limit is reached, if any."""
        at = run.at
        if run.validation.validate is None and at.update >= LEAST_UPDATES and at.epoch >= UNWATCHED_PASSES:
            return "unwatched"
        if at.epoch < PASSES:
            return ""
        if at.update >= MOST_UPDATES:
            return "updates"
        # the decay takes a share of the time so far
        return "cap" if at.seconds * (1.0 + DECAY) >= 60.0 * CAP_MINUTES else ""

    def _start_decay(self, run: RunState, reason: str) -> None:
        phase, update = self.phase, run.at.update
        phase.reason, phase.decay_from = reason, update
        phase.origin = run.stopping.best_update
        if self.decays:
            phase.decay_updates = max(LEAST_DECAY, round(DECAY * phase.origin))
            run.restart_from_best()

    def _pause(self, run: RunState) -> int:
        """Return the updates until the next evaluation."""
        update, validation = run.at.update, run.validation
        by_steps = STEPS_PER_LOOK * validation.steps * update / max(run.at.steps, 1)
        if validation.validate is None:  # the mean training loss of a whole epoch, if epochs are short
            by_steps = min(run.updates_per_epoch, 10 * LOOK_UPDATES)
        pause = max(LOOK_UPDATES, LOOK_GROWTH * update, by_steps)
        if not self.falling:
            return math.ceil(pause)
        left = self.phase.decay_from + self.phase.decay_updates - update
        return max(1, min(math.ceil(max(self.phase.decay_updates / 8, by_steps)), left))

    def recipe(self, run: RunState) -> Recipe | None:
        """Return how the weights that are kept were made."""
        phase, best = self.phase, run.history.best
        if best is None:
            return None
        if not self.falling or best.update <= phase.decay_from:
            return Recipe(best.update, 0, 0, best.averaged)
        return Recipe(phase.origin, best.update - phase.decay_from, phase.decay_updates, best.averaged)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self.phase) | {"mark": None if math.isinf(self.phase.mark) else self.phase.mark}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore what `to_json` returned; a checkpoint of a run with a length has nothing to restore."""
        if data:
            self.phase = Phase(**{**data, "mark": math.inf if data["mark"] is None else data["mark"]})


class Repeated(Course):
    """A run of as many updates as another one needed, at the same rates; its last weights are kept.

    Args:
        recipe: of the run to repeat.
        options: `warmup` is read.
    """

    chooses, by_updates = False, True

    def __init__(self, recipe: Recipe, options: TrainingOptions) -> None:
        self.made, self.averages = recipe, recipe.averaged
        self.rising = max(1, round(options.warmup * LEAST_UPDATES)) if options.warmup else 0

    @property
    def updates(self) -> int:
        """Number of updates of the whole run."""
        return self.made.constant + self.made.falling

    def progress(self, run: RunState) -> float:
        """Return the share of the updates."""
        return min(1.0, run.at.update / max(self.updates, 1))

    def rate(self, run: RunState) -> float:
        """Return the factor that the other run had at this update."""
        update, recipe = run.at.update, self.made
        if update < recipe.constant:
            return min(1.0, (update + 1) / (self.rising + 1))
        return decayed((update - recipe.constant) / max(recipe.decay, 1))

    def due(self, run: RunState) -> bool:
        """Return whether an epoch of updates has passed since the last row of the history."""
        return run.tally.updates >= max(LOOK_UPDATES, min(run.updates_per_epoch, 10 * LOOK_UPDATES))

    def due_after_epoch(self, run: RunState) -> bool:
        """Return False: rows of the history are due by updates."""
        return False

    def end(self, run: RunState) -> str:
        """Return "repeated" after the last update."""
        return "repeated" if run.at.update >= self.updates else ""


def decayed(share: float) -> float:
    """Return the factor of the learning rate at a share of the decay: a straight line from 1 to 1 %.

    Example:
        >>> decayed(0.0), round(decayed(0.5), 3), decayed(1.0)
        (1.0, 0.505, 0.01)
    """
    return FLOOR + (1.0 - FLOOR) * (1.0 - min(1.0, share))
