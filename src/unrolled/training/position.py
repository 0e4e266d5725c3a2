"""Where a run is: everything countable that a checkpoint must remember."""

from dataclasses import dataclass


@dataclass
class Position:
    """How far training has come.

    Args:
        epoch: whole epochs done.
        batch: batches of the present epoch done.
        update: updates made.
        seconds: spent, earlier sessions of a resumed run included.
        learning_rate: at the last update.
    """

    epoch: int = 0
    batch: int = 0
    update: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0


@dataclass
class Tally:
    """Sums since the last row of the history.

    Args:
        loss: summed loss.
        count: what it is divided by.
        norm: summed gradient norms.
        updates: updates made.
        steps: real time steps.
        since: seconds into the run when the sums began.
    """

    loss: float = 0.0
    count: float = 0.0
    norm: float = 0.0
    updates: int = 0
    steps: int = 0
    since: float = 0.0
