"""Inspection of a fitted task: a report of what happens inside the network, for one sequence."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.arrangements.direct_forecast import DirectForecast
from unrolled.arrangements.many_to_many import NextStep
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.batch import Batch
from unrolled.codecs.base import Codec
from unrolled.errors import DataError, OptionError, message, whole_number
from unrolled.inspection.features import Features, number_features, text_features
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.record import Inspection
from unrolled.inspection.saliency import saliency
from unrolled.inspection.states import states
from unrolled.inspection.tracking import Tracked, tracking_units
from unrolled.inspection.unfolding import unfold
from unrolled.metrics.scores import IGNORED, Scores
from unrolled.pauses import pause
from unrolled.ragged import Ragged
from unrolled.tasks.shared.mistakes import mistakes

LONGEST = 400  # steps of the chosen sequence, if every step has an answer of its own: more would not fit a picture
FLOWING, LONGEST_FLOW = 32, 2_000  # sequences whose gradients are measured, and maximum steps of each
TRACKED = 10_000  # steps used to find units that follow a feature


def look_inside(
    network: Any,
    examples: Any,
    row: int,
    scores: Scores,
    codecs: Mapping[str, Codec],
    classes: Sequence[Any],
    bptt_steps: int,
    given: Tensor | None = None,
) -> Inspection:
    """Unfold a network over one sequence, and report its states and what its answer depends on.

    Args:
        network: an arrangement.
        examples: the encoded data.
        row: index of the sequence.
        scores: scores on the whole data.
        codecs: codecs of the inputs that are read step by step, by the input's name.
        classes: names of the answers; empty if an answer is no class, or is decoded by the codec.
        bptt_steps: the training option of that name.
        given: log probabilities of a blend, (B, V), whose mistakes are reported instead of the network's.
    """
    batch = as_read(examples)
    row = whole_number("row", row, 0, batch.batch_size - 1)
    one = batch.select(torch.tensor([row]))
    if not one.num_steps:
        raise DataError(message("row", expected="a sequence with at least one step", received=f"{row}, an empty one"))
    one = one.slice_time(0, LONGEST) if isinstance(one.targets, Ragged) else one
    labels = labels_of(one, codecs)
    answers = _answers(one, codecs, classes)
    truncation = _truncation(network, bptt_steps)
    parts: list[Callable[[], Any]] = [
        partial(unfold, network, one, labels=labels, answers=answers, bptt_steps=truncation, values=True),
        lambda: states(network, one).of_stack(),
        partial(saliency, network, one),
        partial(gradient_flow, network, _few(batch), bptt_steps=truncation),
        partial(mistakes, network, batch, lambda single: labels_of(single, codecs), classes, given),
        partial(tracked, network, batch, codecs),
    ]
    return Inspection(scores, tuple(labels), *map(_after_pause, parts))


def _after_pause(part: Callable[[], Any]) -> Any:
    pause()
    return part()


def _few(batch: Batch) -> Batch:
    """Return a few sequences, cut if they are long: enough for a meaningful loss."""
    return batch.select(torch.arange(min(FLOWING, batch.batch_size))).slice_time(0, LONGEST_FLOW)


def _truncation(network: Any, bptt_steps: int) -> int:
    """Return the `bptt_steps` that apply: to streams that predict the next step, and to single answers."""
    streams = isinstance(network, NextStep | DirectForecast) and not isinstance(network, OneToMany)
    return bptt_steps if streams or isinstance(network, ManyToOne) else 0


def as_read(examples: Any) -> Batch:
    """Return encoded data as a batch that the network can read.

    Raises:
        OptionError: a text that is read lazily.
    """
    if not isinstance(examples, Batch):
        raise OptionError(
            message("data", expected="data that fits in memory", received="a text read lazily", remedy="give a part")
        )
    return examples.expanded()


def labels_of(one: Batch, codecs: Mapping[str, Codec]) -> list[str]:
    """Return what each step of one sequence reads, by the first input that has names; empty if none has."""
    for name, codec in codecs.items():
        values = one.inputs.get(name)
        if isinstance(values, Ragged) and codec.spec.kind == "index":
            return _spelt(codec, values.values)
    return []


def tracked(network: Any, batch: Batch, codecs: Mapping[str, Codec]) -> tuple[Tracked, ...]:
    """Return units that follow a feature of the text, or the first number of each step."""
    some = _some(batch)
    sequences = [some.select(torch.tensor([row])) for row in range(some.batch_size)]
    features = [_features(one, codecs) for one in sequences if one.num_steps]
    if not features:
        return ()
    joined = {name: np.concatenate([one[name] for one in features]) for name in features[0]}
    return tracking_units(states(network, some).of_stack(), joined)


def _some(batch: Batch) -> Batch:
    """Return the first sequences, of at most TRACKED steps; a long one is cut."""
    within = int((batch.lengths.cumsum(0) <= TRACKED).sum())
    return batch.select(torch.arange(max(1, within))).slice_time(0, TRACKED)


def _features(one: Batch, codecs: Mapping[str, Codec]) -> Features:
    labels = labels_of(one, codecs)
    if labels:
        return text_features(labels)
    first = next(value for value in one.inputs.values() if isinstance(value, Ragged))
    values = first.values.flatten(1)  # (T, F)
    # for pictures their brightness, for other vectors their first number
    followed = values.float().mean(1) if len(first.feature_shape) > 1 else values[:, 0]
    return number_features(followed.numpy(force=True))


def _answers(one: Batch, codecs: Mapping[str, Codec], classes: Sequence[Any]) -> list[str]:
    """Return the true answers in words; empty if answers are numbers or sets."""
    targets = one.targets.values if isinstance(one.targets, Ragged) else one.targets
    if targets is None or targets.is_floating_point() or targets.ndim > 1:
        return []
    if len(classes):
        return ["" if int(index) == IGNORED else str(classes[int(index)]) for index in targets]
    return _spelt(next(iter(codecs.values())), targets)


def _spelt(codec: Codec, indices: Tensor) -> list[str]:
    """Return what each index stands for; nothing for one beyond the codec's, such as a text's boundary."""
    size = codec.spec.size
    single = Ragged(indices.clamp(max=size - 1), torch.ones(len(indices), dtype=torch.int64))
    said = [value[0] if isinstance(value, list) else value for value in codec.decode(single)]
    return [str(value) if int(index) < size else "" for index, value in zip(indices, said, strict=True)]
