"""Data for the models in `held_out`: scikit-learn's digits, Python's own manual, and what is made up here."""

import pydoc_data.topics
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.source import Table


@cache
def digits(step: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """scikit-learn's 8 x 8 digits, so many pixels a step, between pauses of any length: 1,300, and 497 others."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    records = []
    for row in rng.permutation(len(images)):
        steps = (images[row] / 16).reshape(-1, step)
        before, after = rng.integers(0, len(steps), 2)
        x = np.pad(steps, ((before, after), (0, 0)))
        records.append({"x": x.tolist(), "y": str(labels[row])})
    return records[:1300], records[1300:]


def both(make: Callable[[int, np.random.Generator], list[dict[str, Any]]], count: int) -> tuple[Any, Any]:
    """Records to learn from, and fresh ones."""
    return make(count, np.random.default_rng(0)), make(200, np.random.default_rng(1))


def first_symbol(steps: int, count: int = 1000) -> tuple[Any, Any]:
    """The first of so many random symbols, or up to a third fewer, after a pause of up to ten steps, is the answer."""

    def make(rows: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        records = []
        for length, pause in zip(rng.integers(2 * steps // 3, steps + 1, rows), rng.integers(0, 11, rows), strict=True):
            codes = rng.integers(0, 4, length)
            records.append({"x": np.pad(np.eye(4)[codes], ((pause, 0), (0, 0))).tolist(), "y": "abcd"[codes[0]]})
        return records

    return both(make, count)


def waves(steps: int, count: int, scale: float = 1.0) -> tuple[Any, Any]:
    """Noisy sines of two periods that are near each other, from any phase."""

    def make(rows: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        slow = rng.random(rows) < 0.5
        period, phase = np.where(slow, 12.0, 9.0)[:, None], rng.uniform(0, 6.3, (rows, 1))
        values = np.sin(2 * np.pi * np.arange(steps) / period + phase) + 0.3 * rng.normal(size=(rows, steps))
        return [
            {"x": (scale * v)[:, None].tolist(), "y": "slow" if s else "fast"}
            for v, s in zip(values, slow, strict=True)
        ]

    return both(make, count)


def events(steps: int, count: int) -> tuple[Any, Any]:
    """Which of two rare marks came first."""

    def make(rows: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        records = []
        for _ in range(rows):
            x = 0.1 * rng.normal(size=(steps, 2))
            one, other = sorted(rng.choice(steps, 2, replace=False))
            first = int(rng.integers(2))
            x[one, first], x[other, 1 - first] = 2.0, 2.0
            records.append({"x": x.tolist(), "y": "ab"[first]})
        return records

    return both(make, count)


def brackets(count: int) -> tuple[Any, Any]:
    """Each bracket is tagged with how deep it is, up to three."""

    def make(rows: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        records = []
        for _ in range(rows):
            depth, words, tags = 0, [], []
            for _ in range(int(rng.integers(10, 30))):
                up = depth == 0 or (depth < 3 and rng.random() < 0.5)
                tags.append(f"d{depth if not up else depth + 1}")
                depth += 1 if up else -1
                words.append("(" if up else ")")
            records.append({"words": words, "tags": tags})
        return records

    return both(make, count)


def crossings(count: int) -> tuple[Any, Any]:
    """At each step whether the sum so far has passed a quarter of the length: it takes both directions."""

    def make(rows: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        records = []
        for length in rng.integers(8, 40, rows):
            values = rng.random(length)
            tags = ["over" if total > length / 4 else "under" for total in values.cumsum()]
            records.append({"values": values.tolist(), "tags": tags})
        return records

    return both(make, count)


def seasons() -> tuple[Any, Any]:
    """Twenty series with a season of 12, a slower swing and noise; the last 60 of 300 steps are what comes next."""
    rng, time = np.random.default_rng(0), np.arange(300)
    frames = []
    for row in range(20):
        size, phase, slow = rng.uniform(1, 2), rng.uniform(0, 6.3), rng.uniform(0, 6.3)
        y = size * np.sin(2 * np.pi * time / 12 + phase) + np.sin(2 * np.pi * time / 77 + slow)
        y = y + 0.2 * rng.normal(size=len(time))
        frames.append(pl.DataFrame({"time": time, "y": y, "series": [str(row)] * len(time)}))
    return Table(pl.concat(frames), time="time", group="series").split_at(240)


def damped(count: int) -> tuple[Any, Any]:
    """Waves of any period that die out, as frames of one number."""

    def make(rows: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        time = np.arange(80)
        period, decay, phase = (rng.uniform(*bounds, (rows, 1)) for bounds in ((12, 25), (0.01, 0.03), (0, 6.3)))
        made = np.sin(2 * np.pi * time / period + phase) * np.exp(-decay * time)
        return [{"frames": wave[:, None].tolist()} for wave in made]

    return both(make, count)


@cache
def manual() -> tuple[str, str]:
    """Python's own manual, 150,000 characters and the next 4,000."""
    text = "\n".join(pydoc_data.topics.topics.values())
    return text[:150_000], text[150_000:154_000]


@cache
def sums() -> tuple[str, str]:
    """Additions as text."""
    rng = np.random.default_rng(0)
    lines = [f"{a}+{b}={a + b};" for a, b in rng.integers(0, 20, (9000, 2))]
    return "".join(lines[:8500]), "".join(lines[8500:])
