"""Experiment 5, multiplication: the product of the two marked numbers, given once at the end."""

from functools import partial

import numpy as np

from lstm_paper.marked_pairs import marked_pairs
from lstm_paper.problem import Problem, number_within
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import NumberOutput

SHORTEST, TOLERANCE = 100, 0.04


def draw(count: int, rng: np.random.Generator) -> Batch:
    """Numbers in [0, 1]; the target is X1 * X2."""
    pairs, first, second = marked_pairs(count, rng, SHORTEST, lowest=0.0, neutral=1.0)
    return Batch({"x": pairs}, targets=(first * second)[:, None])


def _problem(most_wrong: int, published: str, limit: int) -> Problem:
    return Problem(
        name=f"multiplication-{most_wrong}",
        source="1997, experiment 5",
        setup=f"100 to 110 steps; fewer than {most_wrong} of the last 2,000 sequences off by {TOLERANCE} or more",
        published=published,
        inputs=Spec("vector", 2),
        output=NumberOutput(),
        per_step=False,
        draw=draw,
        correct=partial(number_within, tolerance=TOLERANCE),
        lag=SHORTEST,
        allowed=most_wrong - 1,
        limit=limit,
    )


COARSE = _problem(140, "LSTM: 482,000 sequences; then 139 of 2,560 wrong", limit=500_000)
FINE = _problem(13, "LSTM: 1,273,000 sequences; then 14 of 2,560 wrong", limit=1_300_000)
