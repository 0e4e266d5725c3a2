"""Sums as text: read "110+25" letter by letter and write "135", for pairs of numbers that are not in training.

Run: python examples/sums.py [--seed 0] [--out sums.png] [--digits 3] [--epochs 12]
"""

from pathlib import Path

import numpy as np
from example import arguments, show

import unrolled as ur

TESTED, MOST = 2000, 22_000


def make(digits: int, seed: int) -> tuple[list[str], list[str]]:
    """Return different pairs of numbers of up to `digits` digits, and their sums; all pairs, or 22,000 of them."""
    low, high = 10 ** (digits - 1), 10**digits
    all_pairs = (high - low) ** 2
    drawn = np.random.default_rng(seed).choice(all_pairs, min(all_pairs, MOST), replace=False)
    pairs = [(low + int(pair) // (high - low), low + int(pair) % (high - low)) for pair in drawn]
    return [f"{a}+{b}" for a, b in pairs], [str(a + b) for a, b in pairs]


def main(seed: int, out: Path, digits: int | None = None, epochs: int | None = None) -> float:
    """Train on all but 2,000 pairs for some minutes, then test on those."""
    sums, answers = make(digits or 3, seed)
    model = ur.Translator(hidden_size=128, dropout=0.0)
    model.fit(sums[TESTED:], answers[TESTED:], epochs=epochs or 12, batch_size=32, learning_rate=3e-3, seed=seed)
    scores = model.evaluate(sums[:TESTED], answers[:TESTED])
    print(scores)
    for asked, answer in zip(sums[:5], model.predict(sums[:5]), strict=True):
        print(f"{asked} = {answer}")
    (looked,) = model.align(sums[:1])
    written = [f"{place}: {piece}" for place, piece in enumerate(looked.written, 1)]
    rows = dict(zip(written, looked.weights, strict=True))
    show(out, "Attention of each digit of the answer", heatmap=rows, x="the sum", columns=looked.read)
    return scores.model["exact"]


if __name__ == "__main__":
    main(**arguments(__doc__, "sums.png", digits=int, epochs=int))
