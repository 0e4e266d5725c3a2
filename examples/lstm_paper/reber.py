"""Experiment 1, embedded Reber grammar: predict the next symbol; the last but one repeats the second.

B -> T -> [a string of Reber's grammar] -> T -> E       and the same with P in place of both T
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lstm_paper.problem import Bar, Problem, steps_of, worst_step
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import ClassOutput
from unrolled.ragged import Ragged

SYMBOLS = "BTPSXVE"
# node: what may follow, and where that leads; a string begins with B into node 1 and ends with E out of node 6
REBER = {1: {"T": 2, "P": 3}, 2: {"S": 2, "X": 4}, 3: {"T": 3, "V": 5}, 4: {"X": 3, "S": 6}, 5: {"P": 4, "V": 6}}


def reber_string(rng: np.random.Generator) -> str:
    """Return a string of Reber's grammar, each way on with the same probability."""
    node, written = 1, "B"
    while node != 6:
        symbol = str(rng.choice(list(REBER[node])))
        node, written = REBER[node][symbol], written + symbol
    return written + "E"


def embedded_string(rng: np.random.Generator) -> str:
    """Return a string of the embedded grammar."""
    outer = str(rng.choice(["T", "P"]))
    return "B" + outer + reber_string(rng) + outer + "E"


def legal_after(string: str) -> list[set[str]]:
    """Return what the embedded grammar allows after each symbol of one of its strings but the last."""
    inside: list[set[str]] = []
    node = 1
    for symbol in string[3:-3]:  # between the inner B and the inner E
        inside.append(set(REBER[node]))
        node = REBER[node][symbol]
    return [{"T", "P"}, {"B"}, *inside, {"E"}, {string[1]}, {"E"}]


def batch_of(strings: Sequence[str]) -> Batch:
    """Strings as symbols in and next symbols out."""
    numbers = [torch.tensor([SYMBOLS.index(symbol) for symbol in string]) for string in strings]
    inputs = Ragged.from_sequences([string[:-1] for string in numbers])
    return Batch({"x": inputs}, targets=Ragged.from_sequences([string[1:] for string in numbers]))


def draw(count: int, rng: np.random.Generator) -> Batch:
    """So many strings; some come several times, as the grammar's short strings are few."""
    return batch_of([embedded_string(rng) for _ in range(count)])


def error(raw: Tensor, batch: Batch) -> Tensor:
    """0 where at every step the legal symbols are the most active ones, else 1: (B,)."""
    strings = ["".join(SYMBOLS[number] for number in row) + "E" for row in steps_of(batch)]
    allowed = [legal for string in strings for legal in legal_after(string)]
    legal = torch.tensor([[symbol in step for symbol in SYMBOLS] for step in allowed])  # (N, V)
    weakest = raw.masked_fill(~legal, torch.inf).amin(1)
    strongest = raw.masked_fill(legal, -torch.inf).amax(1)
    return worst_step((weakest <= strongest).float(), batch)


EMBEDDED_REBER = Problem(
    name="reber",
    source="1997, experiment 1",
    setup="256 strings to learn, 256 others to test; "
    "the legal next symbols are the most active ones at every step of all 512",
    published="LSTM 97 to 100 % of runs, 8,440 to 39,740 sequences; Elman 0 % (over 200,000); "
    "recurrent cascade-correlation 50 %, 182,000",
    inputs=Spec("index", len(SYMBOLS)),
    output=ClassOutput(len(SYMBOLS)),
    per_step=True,
    draw=draw,
    error=error,
    lag=20,
    recent=Bar(256),
    exam=Bar(256),
    pool=256,
    batch_size=8,
)
