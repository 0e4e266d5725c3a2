"""What experiments 4 and 5 share: pairs of a random number and a marker, and a target from the two marked numbers."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lstm_paper.problem import Bar, Problem, number_error
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import NumberOutput
from unrolled.ragged import Ragged

TOLERANCE = 0.04
Target = Callable[[Tensor, Tensor], Tensor]  # from the marked numbers, each (B,), to (B,)


class MarkedPairs(NamedTuple):
    """Sequences of pairs, and the two marked numbers of each."""

    pairs: Ragged  # (N, 2): the number, the marker
    first: Tensor  # (B,)
    second: Tensor  # (B,)


def marked_pairs(count: int, rng: np.random.Generator, shortest: int, lowest: float, neutral: float) -> MarkedPairs:
    """Sequences of `shortest` to 1.1 times as many pairs.

    One of the first ten pairs is marked with 1, and one of the first `shortest / 2 - 1` that are left. The first and
    the last marker are -1, the others 0. Where the first pair is chosen, its marker stays -1 and its number counts as
    the neutral one.

    Args:
        count: sequences, B.
        rng: where the numbers come from.
        shortest: pairs of the shortest sequence, the paper's T.
        lowest: of the numbers, which go up to 1.
        neutral: what changes no sum, or no product.
    """
    lengths = rng.integers(shortest, shortest + shortest // 10, count, endpoint=True)
    stops = lengths.cumsum()
    starts = stops - lengths
    numbers = rng.uniform(lowest, 1.0, stops[-1])
    first = rng.integers(0, 10, count)
    second = rng.integers(0, shortest // 2 - 1, count)
    second += second >= first  # among those not marked yet
    markers = np.zeros(stops[-1])
    markers[starts + first] = markers[starts + second] = 1.0
    markers[starts] = markers[stops - 1] = -1.0
    chosen = [np.where(place == 0, neutral, numbers[starts + place]) for place in (first, second)]
    pairs = torch.from_numpy(np.stack([numbers, markers], 1)).float()
    return MarkedPairs(
        Ragged(pairs, torch.from_numpy(lengths)), *(torch.from_numpy(values).float() for values in chosen)
    )


def _draw(count: int, rng: np.random.Generator, target: Target, shortest: int, lowest: float, neutral: float) -> Batch:
    made = marked_pairs(count, rng, shortest, lowest, neutral)
    return Batch({"x": made.pairs}, targets=target(made.first, made.second)[:, None])


def marked_problem(
    *,
    name: str,
    source: str,
    setup: str,
    published: str,
    target: Target,
    shortest: int,
    lowest: float,
    neutral: float,
    recent: Bar,
    limit: int,
) -> Problem:
    """Return a problem whose answer, given once at the end, is a function of the two marked numbers."""
    return Problem(
        name=name,
        source=source,
        setup=setup,
        published=published,
        inputs=Spec("vector", 2),
        output=NumberOutput(),
        per_step=False,
        draw=partial(_draw, target=target, shortest=shortest, lowest=lowest, neutral=neutral),
        error=number_error,
        tolerance=TOLERANCE,
        lag=shortest,
        recent=recent,
        limit=limit,
    )
