"""History: the course of a training run, as plain records that JSON can hold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

ENDINGS = {
    "": "",
    "epochs": "all epochs done",
    "minutes": "the time is over",
    "patience": "no longer better",
    "learnt": "hardly any loss is left",
    "unwatched": "the passes that are made without held-out data are over; give epochs to train longer",
    "updates": "the most updates that are made without a limit of yours; give epochs or minutes to train longer",
    "cap": "the two minutes that training takes without a limit of yours are over; give minutes to train longer",
    "repeated": "as many updates as the run before",
    "interrupted": "interrupted",
    "callback": "stopped by a callback",
}


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


@dataclass(frozen=True)
class Recipe:
    """How the kept weights of a finished run were made, to be repeated on other data.

    Args:
        constant: updates before the decay.
        falling: updates of the decay that were made.
        decay: its whole length.
        averaged: whether the average of the weights was kept.
    """

    constant: int
    falling: int
    decay: int
    averaged: bool


@dataclass
class History:
    """The result of `Trainer.run`.

    Args:
        rows: one per evaluation of the losses, in order.
        stopped: why training ended, one of `ENDINGS`; empty before that.
        interrupted: True when Ctrl-C ended it.
        recipe: how the kept weights were made, if the run had no length; None otherwise.
        refitted: number of records on which the model was then trained anew, by the same recipe; 0 if it was not.

    Example:
        >>> history = History([Row(1.0, 10, 0.5, 2.0, 1.5, 0.001, 0.7, 900.0)], stopped="epochs")
        >>> History.from_json(history.to_json()) == history, history.best.update
        (True, 10)
    """

    rows: list[Row] = field(default_factory=list)
    stopped: str = ""
    interrupted: bool = False
    recipe: Recipe | None = None
    refitted: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def best(self) -> Row | None:
        """Row of the lowest deciding loss, whose weights are the ones kept; None without rows."""
        return min(self.rows, key=lambda row: row.watched, default=None)

    @property
    def ending(self) -> str:
        """Why training ended, in words; empty before that."""
        anew = f"; then trained anew on all {self.refitted:,} records" if self.refitted else ""
        return ENDINGS[self.stopped] + anew

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
        recipe = data.get("recipe")  # older models lack it
        made = None if recipe is None else Recipe(**recipe)
        return cls(rows, data["stopped"], data["interrupted"], made, data.get("refitted", 0))
