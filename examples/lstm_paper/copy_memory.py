"""Copy memory as S. Bai et al. have it: ten digits, a long pause, and then the same ten again.

in    d1 ... d10   0 0 ... 0   9 9 ... 9        digits 1 to 8, T - 1 blanks, eleven signs to speak
out    0 ... 0     0 0 ... 0   0 d1 ... d10
"""

import numpy as np
import torch
from torch import Tensor

from lstm_paper.problem import Problem, worst_step
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import ClassOutput
from unrolled.ragged import Ragged

PAUSE, DIGITS = 1000, 10


def draw(count: int, rng: np.random.Generator, pause: int = PAUSE) -> Batch:
    """Sequences of pause + 20 symbols, and what to say at each step."""
    digits = rng.integers(1, 9, (count, DIGITS))
    speak, blank = np.full((count, DIGITS + 1), 9), np.zeros((count, pause + DIGITS), dtype=np.int64)
    inputs = np.concatenate([digits, blank[:, : pause - 1], speak], 1)  # (B, T)
    targets = np.concatenate([blank, digits], 1)  # (B, T)
    lengths = [inputs.shape[1]] * count
    return Batch(
        {"x": Ragged(torch.from_numpy(inputs).flatten(), lengths)},
        targets=Ragged(torch.from_numpy(targets).flatten(), lengths),
    )


def error(raw: Tensor, batch: Batch) -> Tensor:
    """0 where the most probable symbol is the right one at every step, else 1: (B,)."""
    assert isinstance(batch.targets, Ragged)
    return worst_step((raw.argmax(1) != batch.targets.values).float(), batch)


COPY_MEMORY = Problem(
    name="copy-memory",
    source="2018, table 1",
    setup=f"{PAUSE + 2 * DIGITS} steps; nats per step on fresh sequences (to stop: the last 2,000 without a mistake)",
    published="LSTM 0.0204, GRU 0.0197, plain recurrent net 0.0202",
    inputs=Spec("index", 10),
    output=ClassOutput(10),
    per_step=True,
    draw=draw,
    error=error,
    lag=PAUSE + DIGITS,
    hidden_size=64,
    limit=200_000,
    shows="loss",
)
