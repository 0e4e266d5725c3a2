"""Callback: empty hooks into the loop, which a subclass fills in."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from unrolled.batch import Batch
from unrolled.errors import OptionError, message
from unrolled.training.history import Row
from unrolled.training.run_state import RunState


class Callback:
    """Empty hooks, in the order in which the loop calls them. `trainer.stop()` ends training after the update.

    Example:
        >>> class PrintNorm(Callback):
        ...     def on_update(self, trainer):
        ...         print(trainer.at.update, trainer.grad_norm)
    """

    def on_train_start(self, trainer: RunState) -> None:
        """Run once, when everything is ready and a checkpoint, if any, is loaded."""

    def on_epoch_start(self, trainer: RunState) -> None:
        """Run before the first batch of an epoch, or the first one after a resume."""

    def on_batch_start(self, trainer: RunState, batch: Batch) -> None:
        """Run before the forward pass."""

    def on_grad_computed(self, trainer: RunState, named_parameters: Sequence[tuple[str, nn.Parameter]]) -> None:
        """Run between backward and step: `.grad` holds the gradient of the mean loss, not yet clipped."""

    def on_update(self, trainer: RunState) -> None:
        """Run after the optimiser's step."""

    def on_validation(self, trainer: RunState, row: Row) -> None:
        """Run after each evaluation of the losses; `row` is also the last of `trainer.history.rows`."""

    def on_epoch_end(self, trainer: RunState) -> None:
        """Run after a whole epoch and, usually, its evaluation of the losses."""

    def on_train_end(self, trainer: RunState) -> None:
        """Run once at the end of training, even after an error; the model then holds the weights that are kept."""


def check_callbacks(given: Any) -> None:
    """Refuse anything but a list of callbacks.

    Args:
        given: the argument `callbacks` of `fit`.

    Raises:
        OptionError: no list or tuple, or an item in it that is no `Callback`.

    Example:
        >>> check_callbacks([Callback()])
    """
    expected = "a list of unrolled.Callback"
    if not isinstance(given, list | tuple):
        raise OptionError(message("callbacks", expected=expected, received=given))
    for one in given:
        if not isinstance(one, Callback):
            raise OptionError(message("callbacks", expected=expected, received=one))
