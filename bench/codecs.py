"""Speed of codecs: text and numbers to tensors.

Run: python bench/codecs.py
"""

import time
from typing import Any

import numpy as np

from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.words import Words

TEXT = [{"x": "the quick brown fox jumps over the lazy dog, again and again " * 1600} for _ in range(20)]
VALUES = np.random.default_rng(0).normal(size=1_000_000)


def rate(codec: Any, records: list[dict[str, Any]], size: float) -> float:
    """Units per second, the best of three, after a fit."""
    codec.fit(records)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        codec.encode(records)
        best = min(best, time.perf_counter() - start)
    return size / best


def main() -> None:
    """Print one line per codec."""
    megabytes = sum(len(record["x"]) for record in TEXT) / 1e6
    for codec in (Characters("x"), Words("x"), Subwords("x", 300)):
        print(f"{codec!r:28} {rate(codec, TEXT, megabytes):8.1f} MB of text per second")
    forms: dict[str, list[dict[str, Any]]] = {
        "one list": [{"x": VALUES.tolist()}],
        "lists of 10": [{"x": row} for row in VALUES.reshape(-1, 10).tolist()],
        "arrays of 100": [{"x": row} for row in VALUES.reshape(-1, 100)],
        "scalars": [{"x": value} for value in VALUES.tolist()],
    }
    for form, records in forms.items():
        print(
            f"{'Numbers, ' + form:28} {rate(Numbers('x'), records, len(VALUES) / 1e6):8.1f} million numbers per second"
        )


if __name__ == "__main__":
    main()
