"""A progress line on the error stream."""

import math
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from unrolled.training.callbacks import Callback
from unrolled.training.history import Row
from unrolled.training.run_state import RunState

REFRESH = 0.25  # seconds; drawing more often would cost training time
PRINT = 5.0  # seconds between two lines where evaluations follow each other quickly


class ProgressLine(Callback):
    """A bar with loss, steps per second and the time left; in a file, a pipe or a notebook, lines of evaluations.

    Args:
        console: where to write; by default the error stream.
        after: seconds of training before anything is shown.
    """

    def __init__(self, console: Console | None = None, after: float = 0.0) -> None:
        self.console = console or Console(stderr=True)
        self.after = after
        self.bar: Progress | None = None
        self.task = TaskID(0)
        self.loss = math.nan
        self.drawn_at = 0.0
        self.shows = False
        self.waits_until = 0.0
        self.printed_at = -PRINT

    def on_train_start(self, trainer: RunState) -> None:
        self.loss = math.nan
        self.shows, self.printed_at = False, -PRINT
        self.waits_until = trainer.at.seconds + self.after
        self._show_when_due(trainer)

    def _show_when_due(self, trainer: RunState) -> None:
        if self.shows or trainer.at.seconds < self.waits_until:
            return
        self.shows = True
        if self.console.is_terminal:
            # no refreshing thread: it would compete with training for a core
            self.bar = Progress(
                BarColumn(bar_width=24), TextColumn("{task.description}"), console=self.console, auto_refresh=False
            )
            self.task = self.bar.add_task("starting", total=1.0)
            self.bar.start()

    def on_update(self, trainer: RunState) -> None:
        self.loss = trainer.loss if math.isnan(self.loss) else 0.9 * self.loss + 0.1 * trainer.loss
        self._show_when_due(trainer)
        now = time.perf_counter()
        if self.bar is not None and now - self.drawn_at >= REFRESH:
            self.drawn_at = now
            self.bar.update(self.task, completed=trainer.progress, description=self._text(trainer), refresh=True)

    def on_validation(self, trainer: RunState, row: Row) -> None:
        if not self.shows or (trainer.course.by_updates and row.seconds - self.printed_at < PRINT):
            return
        self.printed_at = row.seconds
        watched = "" if row.validation_loss is None else f"  validation {row.validation_loss:.4f}"
        line = f"epoch {row.epoch:.4g}  update {row.update}  train {row.train_loss:.4f}{watched}"
        line += f"  {row.steps_per_second:,.0f} steps/s  {_clock(row.seconds)}"
        self.console.print(line, highlight=False, soft_wrap=True)

    def on_train_end(self, trainer: RunState) -> None:
        if self.bar is not None:
            said = f"{self._place(trainer)}  {_clock(trainer.at.seconds)}"
            self.bar.update(self.task, completed=trainer.progress, description=said)
            self.bar.stop()
            self.bar = None

    def _text(self, trainer: RunState) -> str:
        tally = trainer.tally
        pace = tally.steps / max(trainer.at.seconds - tally.since, 1e-9)
        done = trainer.progress
        left = f"{_clock(trainer.at.seconds * (1.0 - done) / done)} left" if done > 0 else "? left"
        if trainer.options.until_done and trainer.course.chooses:  # the end is not known before the decay
            left = f"best {trainer.at.update - trainer.stopping.best_update:,} updates ago"
        return f"{self._place(trainer)}  {pace:,.0f} steps/s  {left}"

    def _place(self, trainer: RunState) -> str:
        if trainer.options.until_done:
            return f"update {trainer.at.update:,}  loss {self.loss:.4f}"
        most = trainer.options.epochs
        epoch = trainer.at.epoch + 1  # of the next update; after the last one there is none
        where = f"{min(epoch, most)}/{most}" if most else str(epoch)
        return f"epoch {where}  loss {self.loss:.4f}"


def is_watched() -> bool:
    """Return whether the error stream is a terminal or a notebook, where a person sees a line that changes."""
    console = Console(stderr=True)
    return console.is_terminal or console.is_jupyter


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
