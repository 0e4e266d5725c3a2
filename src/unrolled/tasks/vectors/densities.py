"""Scores of densities, in the units of the user's own column."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.codecs.tables.frames import Frames
from unrolled.metrics.number_scores import density_scores
from unrolled.metrics.scores import Scores
from unrolled.nn.mixture import MixtureOutput
from unrolled.ragged import Ragged

Answers = tuple[list[np.ndarray], list[np.ndarray]]  # per sequence its costs (T + 1,) and predicted means (T, V)


def density_answers(answers: Iterable[tuple[Tensor, Any]], output: MixtureOutput, examples: Batch) -> Answers:
    """Return, for each sequence, the nats of every step, the end included, and the predicted mean of each frame.

    Args:
        answers: row indices of the examples, and the network's raw numbers for them, a Ragged.
        output: the output that gives those numbers their meaning.
        examples: encoded, with targets as `ended` gives.
    """
    costs: list[np.ndarray] = [np.empty(0)] * examples.batch_size
    means: list[np.ndarray] = [np.empty(0)] * examples.batch_size
    assert isinstance(examples.targets, Ragged)
    for rows, raw in answers:
        for row, sequence in zip(rows.tolist(), raw, strict=True):
            costs[row] = output.loss(sequence, examples.targets[row]).numpy()
            means[row] = output.describe(sequence)[:-1, : output.size].numpy()
    return costs, means


def scores_in_own_units(codec: Frames, truth: Sequence[np.ndarray], answers: Mapping[str, Answers]) -> Scores:
    """Return the scores of densities of scaled numbers: the scale of each number divides its density.

    Args:
        codec: the codec that scaled the numbers.
        truth: the frames, scaled, (T, V) each; NaN is missing.
        answers: costs and means by name, the model's under "".
    """
    scale = np.array(codec.scaling_)[1]  # (V,)
    units = [(~np.isnan(frames) * np.log(scale)).sum() for frames in truth]
    numbers = [column for column in range(len(scale)) if column not in codec.switches_]
    plain = {
        name: (
            [np.append(cost, unit) for cost, unit in zip(costs, units, strict=True)],
            [frames[:, numbers] for frames in in_own_units(codec, means)],
        )
        for name, (costs, means) in answers.items()
    }
    return density_scores([frames[:, numbers] for frames in in_own_units(codec, truth)], plain)


def in_own_units(codec: Frames, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return frames, (T, V) each, in the units and the form of the column."""
    return [
        np.asarray(codec.decode(Ragged(torch.as_tensor(frames), torch.tensor([len(frames)])))[0])
        if len(frames)
        else np.empty((0, codec.spec.size))
        for frames in sequences
    ]
