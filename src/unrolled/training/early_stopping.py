"""Early stopping: the best weights so far, and the end of training when the watched loss has stopped improving.

Source: L. Prechelt, "Early Stopping - But When?", in "Neural Networks: Tricks of the Trade", Springer 1998.
"""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from unrolled.training.weights import Weights, copy_weights


class EarlyStopping:
    """The best weights of a run, and how long ago they were found.

    Args:
        patience: whole epochs without a better loss after which training ends; 0 = never.

    Attributes:
        best: copies of the best weights; before the first evaluation, those to fall back to.
        best_loss: their loss.
        best_epoch: epochs of training after which they were found.
        best_update: number of updates after which they were found.
        evaluations: number of losses seen.

    Example:
        >>> stopping = EarlyStopping(patience=2)
        >>> for epoch, loss in enumerate([0.9, 0.7, 0.8, 0.75], 1):
        ...     stopping.add(loss, epoch, {})
        >>> stopping.best_epoch, stopping.is_over(4)
        (2, True)
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best: Weights | None = None
        self.best_loss = math.inf
        self.best_epoch = 0.0
        self.best_update = 0
        self.evaluations = 0

    def add(self, loss: float, epoch: float, weights: Mapping[str, Tensor], update: int = 0) -> None:
        """Count an evaluation, and copy its weights if they are the best.

        Args:
            loss: the watched loss; of the held-out data where there are some.
            epoch: epochs so far, with a fraction.
            weights: by name.
            update: updates so far.
        """
        self.evaluations += 1
        if loss < self.best_loss:
            self.best_loss, self.best_epoch, self.best_update = loss, epoch, update
            self.best = copy_weights(weights)

    def is_over(self, epoch: float) -> bool:
        """Return whether training should end after this many epochs."""
        return self.patience > 0 and epoch - self.best_epoch >= self.patience

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a checkpoint; the weights are stored separately."""
        return {
            "best_loss": self.best_loss if self.evaluations else None,
            "best_epoch": self.best_epoch,
            "best_update": self.best_update,
            "looks": self.evaluations,
        }

    def restore(self, data: Mapping[str, Any], best: Weights | None) -> None:
        """Restore what `to_json` returned."""
        self.best_loss = math.inf if data["best_loss"] is None else data["best_loss"]
        self.best_epoch, self.evaluations = data["best_epoch"], data["looks"]
        self.best_update = data.get("best_update", 0)
        self.best = best or self.best
