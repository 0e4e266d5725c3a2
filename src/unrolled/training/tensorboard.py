"""TensorBoard files of a training run."""

import time
from typing import Any

from unrolled.errors import ArtifactError, OptionError, message, reason
from unrolled.training.callbacks import Callback
from unrolled.training.history import Row
from unrolled.training.run_state import RunState

WRITE_EVERY = 1.0  # minimum seconds between points of updates


def summary_writer() -> Any:
    """Return torch's class that writes event files.

    Raises:
        OptionError: the tensorboard package is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as fault:
        raise OptionError(
            message(
                "tensorboard",
                expected="the tensorboard package",
                received="it is not installed",
                remedy="pip install 'unrolled[track]'",
            )
        ) from fault
    return SummaryWriter


class TensorBoard(Callback):
    """A callback that writes losses, learning rate and gradient norm for TensorBoard.

    Args:
        folder: folder for the event files.

    Raises:
        OptionError: the tensorboard package is not installed.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.make: Any = summary_writer()
        self.writer: Any = None
        self.written_at = 0.0

    def on_train_start(self, trainer: RunState) -> None:
        try:
            # points after the update from which a resumed run starts are dropped
            self.writer = self.make(self.folder, purge_step=trainer.at.update or None)
        except OSError as fault:
            raise ArtifactError(
                message(
                    "tensorboard",
                    expected="a folder that can be written",
                    received=f"{self.folder} ({reason(fault)})",
                )
            ) from fault

    def on_update(self, trainer: RunState) -> None:
        now = time.perf_counter()
        if now - self.written_at >= WRITE_EVERY:
            self.written_at = now
            for name, value in (("loss", trainer.loss), ("grad_norm", trainer.grad_norm)):
                self.writer.add_scalar(f"update/{name}", value, trainer.at.update)

    def on_validation(self, trainer: RunState, row: Row) -> None:
        for name in ("train_loss", "validation_loss", "learning_rate", "grad_norm", "steps_per_second"):
            value = getattr(row, name)
            if value is not None:
                self.writer.add_scalar(f"row/{name}", value, row.update)

    def on_train_end(self, trainer: RunState) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None
