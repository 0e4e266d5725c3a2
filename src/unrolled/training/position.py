"""The position of a run: all counts that a checkpoint must store."""

from dataclasses import dataclass


@dataclass
class Position:
    """The progress of training.

    Args:
        epoch: number of whole epochs done.
        batch: number of batches of the present epoch done.
        update: number of updates made.
        seconds: time spent, earlier sessions of a resumed run included.
        learning_rate: learning rate of the last update.
        steps: number of real time steps trained on.
    """

    epoch: int = 0
    batch: int = 0
    update: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0
    steps: int = 0


@dataclass
class LossSums:
    """Sums since the last row of the history.

    Args:
        loss: summed loss.
        count: number that it is divided by.
        norm: summed gradient norms.
        updates: number of updates made.
        steps: number of real time steps.
        since: seconds into the run when the sums began.
    """

    loss: float = 0.0
    count: float = 0.0
    norm: float = 0.0
    updates: int = 0
    steps: int = 0
    since: float = 0.0
