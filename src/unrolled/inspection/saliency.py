"""Saliency: the importance of each step for an answer, by input gradients and by leaving the step out."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import ShapeError, message
from unrolled.pauses import pause
from unrolled.ragged import Ragged

ROWS = 64  # copies of the sequence per batch, each without another step


@dataclass(frozen=True)
class Saliency:
    """The importance of each step of one sequence for one answer; positive steps support it.

    Args:
        gradient: gradient times input, summed over the features of a step, (T,).
        occlusion: by how much the score falls when the step's features are zero, (T,).
        at: the step of the answer, from 0; None for an answer to the whole sequence.
        score: the explained number: the log probability (nats) of the model's own answer, or the sum of its numbers.
    """

    gradient: tuple[float, ...]
    occlusion: tuple[float, ...]
    at: int | None
    score: float

    @property
    def agreement(self) -> float:
        """Correlation of the two measures over the steps; NaN where one of them is constant."""
        one, other = np.array(self.gradient), np.array(self.occlusion)
        return float(np.corrcoef(one, other)[0, 1]) if one.std() and other.std() else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Convert the saliency to plain values."""
        return {
            "gradient": list(self.gradient),
            "occlusion": list(self.occlusion),
            "at": self.at,
            "score": self.score,
        }


def saliency(model: Any, batch: Batch, row: int = 0, at: int = -1) -> Saliency:
    """Compute the input saliency of one answer, in two ways that should agree.

    Both use the encoded, embedded input of each step: the gradient measures the effect of a small change, occlusion
    that of removing the step. For a model that is linear in its inputs the two are the same. Occlusion reads the
    sequence T times.

    Args:
        model: an arrangement, such as `task.network_`.
        batch: encoded sequences.
        row: index of the sequence.
        at: the step whose answer to explain, negative from the end; ignored if there is one answer per sequence.

    Raises:
        ShapeError: no such sequence, an empty one, or no such step.

    Sources: gradient times input: A. Shrikumar, P. Greenside and A. Kundaje, "Learning Important Features Through
    Propagating Activation Differences", ICML 2017, section 2.2; occlusion: M. Zeiler and R. Fergus, "Visualizing and
    Understanding Convolutional Networks", ECCV 2014, section 4.2.

    Example:
        >>> from unrolled.arrangements.many_to_one import ManyToOne
        >>> from unrolled.codecs.base import Spec
        >>> from unrolled.nn.heads import NumberOutput
        >>> from unrolled.nn.inputs import InputLayer
        >>> from unrolled.nn.stack import Stack
        >>> model = ManyToOne(InputLayer({"x": Spec("vector", 3)}), Stack(3, 4), NumberOutput())
        >>> seen = saliency(model, Batch({"x": Ragged(torch.randn(5, 3), [5])}))
        >>> len(seen.gradient), len(seen.occlusion)
        (5, 5)
    """
    if not 0 <= row < batch.batch_size or not int(batch.lengths[row]):
        raise ShapeError(message("row", expected="a sequence with at least one step", received=row))
    one = batch.select(torch.tensor([row]))
    length = one.num_steps
    if not -length <= at < length:
        raise ShapeError(message("at", expected=f"a step of {length}", received=at))
    at %= length
    was_training = model.training
    model.eval()
    try:
        score, gradient = _gradient(model, one, at)
        with torch.no_grad():
            stepwise = isinstance(_raw(model, one), Ragged)
        occluded = torch.cat([_occluded(model, one, at, steps, score) for steps in torch.arange(length).split(ROWS)])
    finally:
        model.train(was_training)
    return Saliency(_floats(gradient), _floats(score.value - occluded), at if stepwise else None, float(score.value))


@dataclass(frozen=True)
class _Score:
    """The score of one fixed answer from a row of raw numbers; `value` is that of the unchanged sequence."""

    of: Callable[[Tensor], Tensor]
    value: Tensor


def _score_of(output: Any, raw: Tensor) -> _Score:
    """Return the log probability of the given answer where answers are classes, else the sum of the numbers."""
    answer = output.predict(raw.detach())  # (1, ...)
    if answer.is_floating_point():
        of = lambda rows: output.predict(rows).flatten(1).sum(1)  # noqa: E731
    else:
        of = lambda rows: -output.loss(rows, answer.expand(len(rows), *answer.shape[1:]))  # noqa: E731
    return _Score(of, of(raw)[0])


def _gradient(model: Any, one: Batch, at: int) -> tuple[_Score, Tensor]:
    seen: list[Tensor] = []

    def watch(inputs: Ragged) -> Ragged:
        seen.append(inputs.values.detach().requires_grad_())
        return inputs.with_values(seen[0])

    with _inputs_through(model, watch), torch.enable_grad():
        score = _score_of(model.output, _answer(_raw(model, one), at))
        (gradient,) = torch.autograd.grad(score.value, seen[0])  # (T, F)
    values = seen[0].detach()
    return _Score(score.of, score.value.detach()), (gradient * values).sum(1)


def _occluded(model: Any, one: Batch, at: int, steps: Tensor, score: _Score) -> Tensor:
    """Return the score of the same answer without each of these steps, (len(steps),)."""
    pause()
    copies = one.select(torch.zeros(len(steps), dtype=torch.int64))

    def leave_out(inputs: Ragged) -> Ragged:
        gone = inputs.positions == steps.to(inputs.values.device)[inputs.sequence_ids]  # (N,)
        return inputs.with_values(inputs.values.masked_fill(gone[:, None], 0))

    with _inputs_through(model, leave_out), torch.no_grad():
        return score.of(_answer(_raw(model, copies), at))


def _raw(model: Any, batch: Batch) -> Ragged | Tensor:
    return model(batch)[0]


def _answer(raw: Ragged | Tensor, at: int) -> Tensor:
    """Return the raw numbers of one step of every sequence, or of every sequence: (B, width)."""
    return raw.values[raw.offsets[:-1].to(raw.values.device) + at] if isinstance(raw, Ragged) else raw


@contextmanager
def _inputs_through(model: Any, change: Callable[[Ragged], Ragged]) -> Any:
    """Change the outputs of the model's input layer while the context lasts."""
    here = get_ident()  # other threads may ask the same model meanwhile
    hook = model.inputs.register_forward_hook(lambda module, given, made: change(made) if get_ident() == here else made)
    try:
        yield
    finally:
        hook.remove()


def _floats(values: Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
