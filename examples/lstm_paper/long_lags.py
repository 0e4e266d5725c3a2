"""Experiments 2a and 2b: the last symbol repeats the first, with p - 1 others between them.

2a   y a1 a2 ... a99 y    or    x a1 a2 ... a99 x       what lies between is always the same
2b   the same, but each symbol between is drawn from a1 to a99
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from lstm_paper.problem import Bar, Problem, one_hot_error, worst_step
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import IGNORED, ClassOutput
from unrolled.ragged import Ragged

P = 100  # the lag; symbols 0 to 98 are a1 to a99, 99 is x and 100 is y
TOLERANCE = 0.25


def draw(count: int, rng: np.random.Generator, regular: bool, lag: int = P) -> Batch:
    """Sequences of `lag` symbols, and the symbol after each; only the last one counts where none can be foreseen."""
    if regular:
        between = np.tile(np.arange(lag - 1), (count, 1))
    else:
        between = rng.integers(0, lag - 1, (count, lag - 1))
    first = rng.integers(lag - 1, lag + 1, (count, 1))
    inputs = np.concatenate([first, between], 1)  # (B, T)
    targets = np.concatenate([between if regular else np.full_like(between, IGNORED), first], 1)  # (B, T)
    lengths = [lag] * count
    return Batch(
        {"x": Ragged(torch.from_numpy(inputs).flatten(), lengths)},
        targets=Ragged(torch.from_numpy(targets).flatten(), lengths),
    )


def error_at_all_steps(raw: Tensor, batch: Batch) -> Tensor:
    """Return the largest error of an output unit at any step, (B,)."""
    assert isinstance(batch.targets, Ragged)
    return worst_step(one_hot_error(raw, batch.targets.values), batch)


def error_at_end(raw: Tensor, batch: Batch) -> Tensor:
    """Return the largest error of an output unit at the last step, (B,)."""
    assert isinstance(batch.targets, Ragged)
    return one_hot_error(batch.targets.with_values(raw).last(), batch.targets.last())


def _problem(name: str, source: str, regular: bool, setup: str, published: str) -> Problem:
    return Problem(
        name=name,
        source=source,
        setup=f"{P} steps, {setup} within {TOLERANCE} of its target on 10,000 sequences",
        published=published,
        inputs=Spec("index", P + 1),
        output=ClassOutput(P + 1),
        per_step=True,
        draw=partial(draw, regular=regular),
        error=error_at_all_steps if regular else error_at_end,
        tolerance=TOLERANCE,
        lag=P,
        recent=Bar(64),
        exam=Bar(10_000),
        late=regular,
        learning_rate=2e-2 if regular else 5e-3,
        batch_size=8,
    )


NOISE_FREE = _problem(
    "lag-regular",
    "1997, experiment 2a",
    True,
    "the same 99 symbols between; at every step every output",
    "LSTM 100 % of 18 runs, 5,040 sequences; BPTT and RTRL 0 %; neural sequence chunker 33 %, 32,400",
)
NO_REGULARITY = _problem(
    "lag-random",
    "1997, experiment 2b",
    False,
    "99 random symbols between; at the last step every output",
    "LSTM 100 % of 18 runs, 5,680 sequences",
)
