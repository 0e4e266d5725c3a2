"""Adding as S. Bai et al. have it: 600 steps, numbers in [0, 1], the two marks anywhere."""

import numpy as np
import torch

from lstm_paper.problem import Problem, number_error
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import NumberOutput
from unrolled.ragged import Ragged

STEPS, TOLERANCE = 600, 0.1


def draw(count: int, rng: np.random.Generator, steps: int = STEPS) -> Batch:
    """Pairs of a number and a marker, 0 but at two steps; the target is the sum of the two numbers there."""
    numbers = rng.random((count, steps))
    first = rng.integers(0, steps, count)
    second = (first + rng.integers(1, steps, count)) % steps  # anywhere else
    rows, markers = np.arange(count), np.zeros((count, steps))
    markers[rows, first] = markers[rows, second] = 1.0
    pairs = torch.from_numpy(np.stack([numbers, markers], 2)).float().flatten(0, 1)  # (N, 2)
    sums = numbers[rows, first] + numbers[rows, second]
    return Batch({"x": Ragged(pairs, [steps] * count)}, targets=torch.from_numpy(sums).float()[:, None])


ADDING_600 = Problem(
    name="adding-600",
    source="2018, table 1",
    setup=f"{STEPS} steps; squared error on fresh sequences (to stop: the last 2,000 within {TOLERANCE})",
    published="LSTM 0.164, GRU 5.3e-5, plain recurrent net 0.177",
    inputs=Spec("vector", 2),
    output=NumberOutput(),
    per_step=False,
    draw=draw,
    error=number_error,
    tolerance=TOLERANCE,
    lag=STEPS,
    hidden_size=128,
    learning_rate=2e-3,
    limit=200_000,
    shows="loss",
)
