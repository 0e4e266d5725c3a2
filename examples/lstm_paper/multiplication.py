"""Experiment 5, multiplication: the product of the two marked numbers, given once at the end."""

from operator import mul

from lstm_paper.marked_pairs import TOLERANCE, marked_problem
from lstm_paper.problem import Bar, Problem


def _problem(most_wrong: int, published: str, limit: int) -> Problem:
    return marked_problem(
        name=f"multiplication-{most_wrong}",
        source="1997, experiment 5",
        setup=f"100 to 110 steps; fewer than {most_wrong} of the last 2,000 sequences off by {TOLERANCE} or more",
        published=published,
        target=mul,
        shortest=100,
        lowest=0.0,
        neutral=1.0,
        recent=Bar(2000, allowed=most_wrong - 1),
        limit=limit,
    )


COARSE = _problem(140, "LSTM: 482,000 sequences; then 139 of 2,560 wrong", limit=500_000)
FINE = _problem(13, "LSTM: 1,273,000 sequences; then 14 of 2,560 wrong", limit=1_300_000)
