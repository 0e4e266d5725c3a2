"""History: the course of a training run, as plain records that JSON can hold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One evaluation of the losses.

    Args:
        epoch: epochs trained so far; a fraction within an epoch.
        update: updates made so far.
        seconds: seconds since training began, earlier sessions of a resumed run included.
        train_loss: mean over the data trained on since the row before.
        validation_loss: mean over the validation data; None without them.
        learning_rate: learning rate of the last update.
        grad_norm: mean norm of the gradient before clipping, since the row before.
        steps_per_second: real time steps per second of training since the row before.
        averaged: whether the validation loss is that of the average of the weights, the lower one of the two.
    """

    epoch: float
    update: int
    seconds: float
    train_loss: float
    validation_loss: float | None
    learning_rate: float
    grad_norm: float
    steps_per_second: float
    averaged: bool = False

    @property
    def watched(self) -> float:
        """Loss that decides: of validation if there is any, else of training."""
        return self.train_loss if self.validation_loss is None else self.validation_loss


@dataclass
class History:
    """The result of `Trainer.run`.

    Args:
        rows: one per evaluation of the losses, in order.
        stopped: why training ended: "epochs", "minutes", "patience", "interrupted" or "callback"; empty before that.
        interrupted: True when Ctrl-C ended it.

    Example:
        >>> history = History([Row(1.0, 10, 0.5, 2.0, 1.5, 0.001, 0.7, 900.0)], stopped="epochs")
        >>> History.from_json(history.to_json()) == history, history.best.update
        (True, 10)
    """

    rows: list[Row] = field(default_factory=list)
    stopped: str = ""
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def best(self) -> Row | None:
        """Row of the lowest deciding loss, whose weights are the ones kept; None without rows."""
        return min(self.rows, key=lambda row: row.watched, default=None)

    def column(self, name: str) -> list[Any]:
        """Return one value of every row, by its name in `Row`."""
        return [getattr(row, name) for row in self.rows]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "History":
        """Restore what `to_json` returned."""
        rows = [Row(**row) for row in data["rows"]]
        return cls(rows, data["stopped"], data["interrupted"])
