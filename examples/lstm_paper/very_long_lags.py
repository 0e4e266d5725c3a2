"""Experiment 2c, very long lags: the second symbol says what comes after the trigger, q or more random steps later.

b  x|y  (q + k random symbols)  e  ->  x|y        k is geometric: 0 with probability 1/10, 9 on average
"""

from functools import partial

import numpy as np
import torch

from lstm_paper.problem import Bar, Problem, class_error
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import ClassOutput
from unrolled.ragged import Ragged

TOLERANCE = 0.2


def draw(count: int, rng: np.random.Generator, lag: int, distractors: int) -> Batch:
    """Sequences of b, x or y, at least `lag` distractors, e; the distractors come first in the alphabet."""
    begin, end, x = distractors, distractors + 1, distractors + 2
    lengths = lag + rng.geometric(0.1, count) - 1 + 3
    stops = lengths.cumsum()
    starts = stops - lengths
    symbols = rng.integers(0, distractors, stops[-1])
    answers = rng.integers(0, 2, count)
    symbols[starts], symbols[starts + 1], symbols[stops - 1] = begin, x + answers, end
    return Batch({"x": Ragged(torch.from_numpy(symbols), torch.from_numpy(lengths))}, targets=torch.from_numpy(answers))


def _problem(lag: int, distractors: int, published: str) -> Problem:
    return Problem(
        name=f"very-long-lag-{lag}",
        source="1997, experiment 2c",
        setup=f"{lag} or more steps of {distractors} random symbols; "
        f"both outputs within {TOLERANCE} of their targets on 10,000 sequences",
        published=published,
        inputs=Spec("index", distractors + 4, embedding_size=16),
        output=ClassOutput(2),
        per_step=False,
        draw=partial(draw, lag=lag, distractors=distractors),
        error=class_error,
        tolerance=TOLERANCE,
        lag=lag,
        recent=Bar(64),
        exam=Bar(10_000),
    )


LAG_100 = _problem(100, 100, "LSTM: 31,000 sequences")
LAG_1000 = _problem(1000, 1000, "LSTM: 49,000 sequences")
