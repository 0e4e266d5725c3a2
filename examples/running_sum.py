"""Tagging: label each step with whether the running sum has crossed a threshold.

The threshold is a quarter of the sequence's length; a bidirectional LSTM knows the length, since it reads both ways.

Run: python examples/running_sum.py [--seed 0] [--out running_sum.png]
"""

from pathlib import Path

import numpy as np
from example import arguments, show

import unrolled as ur


def make(count: int, seed: int) -> list[dict[str, list[object]]]:
    """Return random numbers in [0, 1) and, for each step, whether their sum has passed a quarter of the length."""
    rng = np.random.default_rng(seed)
    records: list[dict[str, list[object]]] = []
    for length in rng.integers(8, 20, count):
        values = rng.random(length)
        crossed = ["over" if total > length / 4 else "under" for total in values.cumsum()]
        records.append({"values": values.tolist(), "crossed": list(crossed)})
    return records


def main(seed: int, out: Path) -> float:
    """Train on 4,000 sequences, test on 1,000 new ones."""
    model = ur.Tagger(inputs=ur.Numbers("values"), target="crossed", hidden_size=32, dropout=0.0)
    model.fit(make(4000, seed), epochs=15, learning_rate=5e-3, seed=seed)
    fresh = make(1000, seed + 1)
    scores = model.evaluate(fresh)
    print(scores)
    shown = fresh[:20]
    over = model.classes_.tolist().index("over")
    rows = {}
    for number, (record, shares) in enumerate(zip(shown, model.predict_proba(shown), strict=True)):
        truth = record["crossed"].index("over") if "over" in record["crossed"] else len(shares)
        row = np.full(20, np.nan)
        row[: len(shares)] = shares[:, over]
        rows[f"{number}: crosses at {truth}"] = row.tolist()
    show(out, "Probability that the sum has crossed the threshold", heatmap=rows, x="step")
    return scores.model["accuracy"]


if __name__ == "__main__":
    main(**arguments(__doc__, "running_sum.png"))
