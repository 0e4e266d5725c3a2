"""The lecture's echo task: read five random numbers, one-hot, and output the second.

Run: python examples/echo.py [--seed 0] [--out echo.png]
"""

from pathlib import Path

import numpy as np
from example import arguments, show

import unrolled as ur

LENGTH, NUMBERS, ECHOED = 5, 25, 1


def make(count: int, seed: int) -> list[dict[str, object]]:
    """Return sequences of random numbers, each labelled with its second number."""
    numbers = np.random.default_rng(seed).integers(0, NUMBERS, (count, LENGTH))
    return [{"numbers": row.tolist(), "second": int(row[ECHOED])} for row in numbers]


def main(seed: int, out: Path) -> float:
    """Train for about half a minute, then test on 1,000 new sequences."""
    model = ur.Classifier(
        inputs=ur.Categories("numbers", embedding_size=0),
        target="second",
        cell="lstm",
        hidden_size=64,
        dropout=0.0,
        bidirectional=False,
        pooling="last",
    )
    model.fit(make(10_000, seed), epochs=15, batch_size=64, learning_rate=5e-3, seed=seed)
    fresh = make(1000, seed + 1)
    scores = model.evaluate(fresh)
    print(scores)
    shares = model.predict_proba(fresh[:25])
    rows = {f"{record['numbers']}": row for record, row in zip(fresh[:25], shares, strict=True)}
    show(
        out,
        "Predicted probabilities for each sequence",
        heatmap=rows,
        x="number",
        columns=[int(c) for c in model.classes_],
    )
    return scores.model["accuracy"]


if __name__ == "__main__":
    main(**arguments(__doc__, "echo.png"))
