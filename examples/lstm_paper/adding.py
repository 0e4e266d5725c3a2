"""Experiment 4, adding: the sum of the two marked numbers, given once at the end."""

from torch import Tensor

from lstm_paper.marked_pairs import TOLERANCE, marked_problem
from lstm_paper.problem import Bar, Problem

MEAN = 0.01


def scaled_sum(first: Tensor, second: Tensor) -> Tensor:
    """0.5 + (X1 + X2) / 4, which lies in [0, 1]: (B,), (B,) to (B,)."""
    return 0.5 + (first + second) / 4


def _problem(shortest: int, published: str, limit: int) -> Problem:
    return marked_problem(
        name=f"adding-{shortest}",
        source="1997, experiment 4",
        setup=f"{shortest} to {shortest + shortest // 10} steps; the last 2,000 sequences within {TOLERANCE}, "
        f"their mean error below {MEAN}",
        published=published,
        target=scaled_sum,
        shortest=shortest,
        lowest=-1.0,
        neutral=0.0,
        recent=Bar(2000, mean=MEAN),
        limit=limit,
    )


ADDING_100 = _problem(100, "LSTM: 74,000 sequences; then 1 of 2,560 wrong", limit=150_000)
ADDING_500 = _problem(500, "LSTM: 209,000 sequences; then 0 of 2,560 wrong", limit=400_000)
ADDING_1000 = _problem(1000, "LSTM: 853,000 sequences; then 1 of 2,560 wrong", limit=400_000)
