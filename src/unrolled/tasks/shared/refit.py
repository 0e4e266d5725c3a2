"""Training anew on all rows, once the held-out rows have said for how long.

The scores stay those of the model that had not seen the held-out rows; the model that answers has learnt from them too.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unrolled.data.source import Source
from unrolled.errors import OptionError, message
from unrolled.training.callbacks import Callback
from unrolled.training.options import TrainingOptions
from unrolled.training.until_done import Repeated

MOST_STEPS = 100_000  # time steps of the training data beyond which the held-out share is not worth a second run
NOTE = "from the model before it was trained anew on all rows: these rows were not learnt from"


def check_refit(settings: TrainingOptions, validation_data: Any, warm_start: bool) -> None:
    """Refuse `refit=True` where there is nothing to train anew on.

    Args:
        settings: options of the run.
        validation_data: data that the user keeps for validation.
        warm_start: whether a fitted network is trained further.

    Raises:
        OptionError: rows for validation were given, none are held out, or training goes on from fitted weights.
    """
    reasons = {
        "validation_data": validation_data is not None,
        "validation=0": not settings.validation,
        "warm_start=True": warm_start,
    }
    given = next((name for name, is_given in reasons.items() if is_given), "")
    if settings.refit and given:
        raise OptionError(
            message(
                "refit",
                expected="rows that are held out of the training data",
                received=f"refit=True with {given}",
                remedy=f"leave out refit or {given}",
            )
        )


def is_worth_refitting(task: Any, settings: TrainingOptions, steps: int) -> bool:
    """Return whether to train anew on all rows.

    Args:
        task: fitted on the rows that are not held out.
        settings: options of the run; with `refit=None` only a short run on at most 100,000 time steps is repeated.
        steps: time steps of the training data.
    """
    history = task.history_
    if history.recipe is None or settings.refit is False:
        return False
    return settings.refit is True or (steps <= MOST_STEPS and history.stopped in ("patience", "learnt", "updates"))


def refit(task: Any, source: Source, settings: TrainingOptions, callbacks: Sequence[Callback], baselines: bool) -> None:
    """Train a task anew on all rows, for as many updates as the run before needed; that model stays if this one fails.

    Args:
        task: fitted on the rows that are not held out.
        source: all rows.
        settings: options of the run; checkpoints go to a folder of their own inside the one they name.
        callbacks: hooks into the training loop.
        baselines: fit the baselines on all rows as well.
    """
    before = dict(vars(task))
    own = str(Path(settings.checkpoint) / "refit") if settings.checkpoint else ""
    options = replace(settings, checkpoint=own, tensorboard="")
    whole = False
    try:
        task._learn(source)
        examples = task._encode(source)
        task.summary_ = task._summarise(source, examples)
        task._train(examples, None, options, callbacks, course=Repeated(task.history_.recipe, options))
        if task.history_.stopped == "repeated":
            if baselines:
                task.baselines_ = task._fit_baselines(source, examples)
            whole = True
    finally:
        if not whole:
            vars(task).clear()
            vars(task).update(before)
    if whole:
        task.history_ = replace(before["history_"], refitted=len(source))
        if task.scores_ is not None:
            task.scores_ = replace(task.scores_, notes=(*task.scores_.notes, NOTE))
