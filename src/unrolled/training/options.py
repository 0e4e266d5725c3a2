"""All training options, each defined once: type, default and text. The API and the command line read this."""

import math
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from unrolled.errors import OptionError, finite_number, message, share_number, single, unknown, whole_number
from unrolled.places import local_path
from unrolled.training.schedules import SCHEDULES

DEFAULT_MAX_GRAD_NORM = 1.0
MOST, MAX_SEED = 2**31 - 1, 2**63 - 1  # maximum of a whole number; of a seed
LARGEST = 1e308
SHARES = ("warmup", "validation", "average")
AUTO = "auto"
PRECISIONS = ("float32", "bfloat16", "auto")


@dataclass(frozen=True)
class TrainingOptions:
    """The options of training. Every option can be given to `fit(...)` and on the command line as `--option`.

    Args:
        epochs: passes over the training data; 0 trains until `minutes` are over, as does giving only `minutes`. With
            neither, training goes on until the loss of the held-out data no longer improves, see `patience`; after two
            minutes it ends once it has made ten passes.
        minutes: time budget in minutes, validation included; 0 means no limit. Schedules then follow the clock.
        batch_size: sequences (or lanes of a stream) per batch; 0 lets the task choose.
        bptt_steps: maximum time steps that gradients flow back (truncated back-propagation); 0 goes back to the start.
        learning_rate: the optimiser's highest step size; 0 takes the task's default, else the optimiser's.
        optimizer: name in torch.optim, such as adam, adamw, sgd or rmsprop.
        momentum: for the optimisers that have one; 0 keeps the optimiser's own.
        weight_decay: decay of weight matrices, as the optimiser defines it; biases and embeddings never decay.
        schedule: course of the learning rate: constant, linear, cosine, onecycle, step, exponential. auto is a cosine
            with epochs or minutes; without them the rate is constant, and falls once the loss no longer improves.
        warmup: share of the run over which the learning rate rises from zero; without epochs or minutes, share of the
            300 updates that such a run makes at least.
        max_grad_norm: clip the gradient's norm to this; 0 does not clip.
        clip_value: clip every element of the gradient to [-clip_value, clip_value]; 0 does not clip.
        clip_band: keep the gradient's norm within (low, high), scaling it up or down, instead of max_grad_norm.
        accumulate: batches whose gradients are added before one update.
        precision: float32, bfloat16 for autocast with float32 weights, or auto for bfloat16 if it is fast.
        patience: stop after this many epochs without a better validation loss; 0 never stops early with epochs or
            minutes. Without them the learning rate then falls before the end, and 0 means a third of all updates.
        validation: share of the training data held out for validation, at most 1,000 records, 50,000 characters of
            text or 10,000 events of a log; 0 uses the training loss instead.
        average: decay of an exponential moving average of the weights, which is then what is kept; 0 = no average.
        seed: seed of all random numbers.
        device: cpu, cuda, or auto for a GPU if there is one.
        checkpoint: folder for checkpoints; empty writes none.
        checkpoint_minutes: minutes between checkpoints; 0 writes one after every update.
        refit: train anew on all rows, the held-out ones included, for as many updates as the run needed; only without
            epochs and minutes. None does it for data of at most 100,000 time steps, if no limit ended the run.
        resume: continue from the newest checkpoint in the checkpoint folder, or start if there is none.
        tensorboard: folder for TensorBoard files; empty writes none.
        progress: show a progress line with loss, steps per second and the time left; None shows one after five seconds
            on a terminal or in a notebook.

    Raises:
        OptionError: a value of the wrong type or outside its range, or options that exclude each other.

    Example:
        >>> TrainingOptions(epochs=3, optimizer="sgd", momentum=0.9).epochs
        3
        >>> TrainingOptions.from_keywords({"minutes": 3}).epochs  # until the minutes are over
        0
    """

    epochs: int = 0
    minutes: float = 0.0
    batch_size: int = 0
    bptt_steps: int = 0
    learning_rate: float = 0.0
    optimizer: str = "adamw"
    momentum: float = 0.0
    weight_decay: float = 0.01
    schedule: str = AUTO
    warmup: float = 0.05
    max_grad_norm: float = DEFAULT_MAX_GRAD_NORM
    clip_value: float = 0.0
    clip_band: tuple[float, float] | None = None
    accumulate: int = 1
    precision: str = "float32"
    patience: int = 0
    validation: float = 0.1
    average: float = 0.0
    seed: int = 0
    device: str = "auto"
    checkpoint: str = ""
    checkpoint_minutes: float = 1.0
    refit: bool | None = None
    resume: bool = False
    tensorboard: str = ""
    progress: bool | None = None

    @classmethod
    def from_keywords(cls, given: dict[str, Any], defaults: dict[str, Any] | None = None) -> "TrainingOptions":
        """Return options from keywords and a task's own defaults; an unknown name suggests the nearest one.

        A limit that the user gives replaces a conflicting default: `minutes` alone trains as many epochs as fit, and
        `clip_band` replaces the default `max_grad_norm`.
        """
        known = [option.name for option in fields(cls)]
        for name in given:
            if name not in known:
                raise unknown("fit", name, known)
        chosen = {**(defaults or {}), **given}
        if given.get("minutes") and "epochs" not in given:
            chosen["epochs"] = 0
        if given.get("epochs") and "minutes" not in given:
            chosen["minutes"] = 0.0
        if given.get("clip_band") is not None:
            if given.get("max_grad_norm"):
                raise _band_and_norm(given["max_grad_norm"])
            chosen["max_grad_norm"] = 0.0
        elif given.get("max_grad_norm"):
            chosen["clip_band"] = None
        return cls(**chosen)

    @property
    def until_done(self) -> bool:
        """Whether the run has no length, and ends when it no longer improves."""
        return not self.epochs and not self.minutes

    def __post_init__(self) -> None:
        for option in fields(self):
            checked = _typed(option.name, option.type, getattr(self, option.name))
            object.__setattr__(self, option.name, checked)
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.schedule not in (AUTO, *SCHEDULES):
            raise unknown("schedule", self.schedule, [AUTO, *SCHEDULES])
        if self.until_done and self.schedule not in (AUTO, "constant"):
            raise OptionError(
                message(
                    "schedule",
                    expected="auto or constant for a run whose length is not known",
                    received=self.schedule,
                    remedy="give epochs or minutes",
                )
            )
        if self.clip_band is not None and self.max_grad_norm not in (0, DEFAULT_MAX_GRAD_NORM):
            raise _band_and_norm(self.max_grad_norm)
        if self.refit and not self.until_done:
            raise OptionError(
                message(
                    "refit",
                    expected="None or False with epochs or minutes",
                    received=True,
                    remedy="leave out the limit, so that training finds the number of updates",
                )
            )
        for name in ("checkpoint", "tensorboard"):
            local_path(getattr(self, name), name, OptionError)
        if self.resume and not self.checkpoint:
            raise OptionError(
                message("resume", expected="a folder to resume from", received=True, remedy="give checkpoint=FOLDER")
            )


def _typed(name: str, wanted: Any, value: Any) -> Any:
    """Return the value in the option's type, or refuse it: a whole number may be a float, but a text is no number."""
    value = single(value)
    if wanted == bool | None and value is None:
        return None
    if wanted in (bool, bool | None):
        if not isinstance(value, bool):
            raise OptionError(
                message(name, expected="True or False" if wanted is bool else "True, False or None", received=value)
            )
        return value
    if wanted is int:
        return whole_number(name, value, int(name == "accumulate"), MAX_SEED if name == "seed" else MOST)
    if wanted is float:
        return share_number(name, value) if name in SHARES else finite_number(name, value, least=0)
    if wanted is str:
        if not isinstance(value, str) and not hasattr(value, "__fspath__"):
            raise OptionError(message(name, expected="a text", received=value))
        return str(value)
    return None if value is None else _band(value)


def _band(value: Any) -> tuple[float, float]:
    numbers = list(value) if isinstance(value, list | tuple) else []
    if len(numbers) == 2 and all(isinstance(n, Real) and not isinstance(n, bool) for n in numbers):
        low, high = (math.inf if number > LARGEST else number for number in numbers)  # whole numbers have no maximum
        if 0 <= low <= high and high > 0 and math.isfinite(low):
            return float(low), float(high)
    raise OptionError(message("clip_band", expected="(low, high) with 0 <= low <= high and high > 0", received=value))


def _band_and_norm(norm: object) -> OptionError:
    return OptionError(
        message(
            "max_grad_norm",
            expected="0 with clip_band, whose upper end limits the norm",
            received=norm,
            remedy="leave one of the two out",
        )
    )
