"""Experiments 6a and 6b, temporal order: which of X and Y stood at two (three) places far apart.

E  ...  X|Y  ...  X|Y  ...  B        all other steps are one of four distractors; one class for each order
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from lstm_paper.problem import Bar, Problem, class_error
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import ClassOutput
from unrolled.ragged import Ragged

SYMBOLS = "abcdEBXY"
DISTRACTORS, FIRST, LAST, X = 4, 4, 5, 6
TOLERANCE, MEAN = 0.3, 0.1
Places = Sequence[tuple[int, int]]  # the first and the last step at which each X or Y may stand


def draw(count: int, rng: np.random.Generator, places: Places, lengths: tuple[int, int] = (100, 110)) -> Batch:
    """Sequences of symbols; the class reads the places as the digits of a binary number, Y being 1."""
    steps = rng.integers(lengths[0], lengths[1], count, endpoint=True)
    stops = steps.cumsum()
    starts = stops - steps
    symbols = rng.integers(0, DISTRACTORS, stops[-1])
    symbols[starts], symbols[stops - 1] = FIRST, LAST
    classes = np.zeros(count, dtype=np.int64)
    for low, high in places:
        digit = rng.integers(0, 2, count)
        symbols[starts + rng.integers(low, high, count, endpoint=True)] = X + digit
        classes = 2 * classes + digit
    return Batch({"x": Ragged(torch.from_numpy(symbols), torch.from_numpy(steps))}, targets=torch.from_numpy(classes))


def _problem(name: str, source: str, places: Places, published: str, limit: int) -> Problem:
    return Problem(
        name=name,
        source=source,
        setup=f"100 to 110 steps, {len(places)} symbols, {2 ** len(places)} classes; "
        f"every output within {TOLERANCE} of its target on the last 2,000 sequences, "
        f"their mean error below {MEAN}",
        published=published,
        inputs=Spec("index", len(SYMBOLS)),
        output=ClassOutput(2 ** len(places)),
        per_step=False,
        draw=partial(draw, places=places),
        error=class_error,
        tolerance=TOLERANCE,
        recent=Bar(2000, mean=MEAN),
        lag=100,
        limit=limit,
    )


TWO_SYMBOLS = _problem(
    "order-2",
    "1997, experiment 6a",
    ((10, 20), (50, 60)),
    "LSTM: 31,390 sequences; then 1 of 2,560 wrong",
    limit=100_000,
)
THREE_SYMBOLS = _problem(
    "order-3",
    "1997, experiment 6b",
    ((10, 20), (33, 43), (66, 76)),
    "LSTM: 571,100 sequences; then 2 of 2,560 wrong",
    limit=600_000,
)
