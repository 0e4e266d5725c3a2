"""Experiment 4, adding: the sum of the two marked numbers, given once at the end."""

from functools import partial

import numpy as np

from lstm_paper.marked_pairs import marked_pairs
from lstm_paper.problem import Problem, number_within
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import NumberOutput

TOLERANCE = 0.04


def draw(count: int, rng: np.random.Generator, shortest: int) -> Batch:
    """Numbers in [-1, 1]; the target is 0.5 + (X1 + X2) / 4, which lies in [0, 1]."""
    pairs, first, second = marked_pairs(count, rng, shortest, lowest=-1.0, neutral=0.0)
    return Batch({"x": pairs}, targets=(0.5 + (first + second) / 4)[:, None])


def _problem(shortest: int, published: str, limit: int) -> Problem:
    return Problem(
        name=f"adding-{shortest}",
        source="1997, experiment 4",
        setup=f"{shortest} to {shortest + shortest // 10} steps; the last 2,000 sequences within {TOLERANCE}",
        published=published,
        inputs=Spec("vector", 2),
        output=NumberOutput(),
        per_step=False,
        draw=partial(draw, shortest=shortest),
        correct=partial(number_within, tolerance=TOLERANCE),
        lag=shortest,
        limit=limit,
    )


ADDING_100 = _problem(100, "LSTM: 74,000 sequences; then 1 of 2,560 wrong", limit=150_000)
ADDING_500 = _problem(500, "LSTM: 209,000 sequences; then 0 of 2,560 wrong", limit=400_000)
ADDING_1000 = _problem(1000, "LSTM: 853,000 sequences; then 1 of 2,560 wrong", limit=1_000_000)
