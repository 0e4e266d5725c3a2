"""Series with anomalies of ten kinds planted in them, and where; and sequences of events with odd ones among them."""

from typing import NamedTuple

import numpy as np
import polars as pl

from unrolled.data.source import Table

PERIOD = 24
NOISE = 0.06
CALM = 1000  # steps without an anomaly at the front
STEPS = 1400
FIRST, LAST = 1200, 1259  # of an anomaly that lasts
KINDS = (
    "point spike",
    "level shift",
    "trend change",
    "variance change",
    "frequency change",
    "missing beat",
    "flat line",
    "contextual point",
    "correlation break",
    "slow drift",
)


class Planted(NamedTuple):
    """A series and the truth about it."""

    values: np.ndarray  # (T, V)
    labels: np.ndarray  # (T,)

    def table(self, start: int = 0, stop: int | None = None) -> Table:
        """As hours from a Monday on, with a label column."""
        hours = np.datetime64("2024-01-01T00", "us") + np.arange(len(self.labels)) * np.timedelta64(1, "h")
        columns = {f"x{v}": self.values[:, v] for v in range(self.values.shape[1])}
        frame = pl.DataFrame({"hour": hours, **columns, "label": self.labels.astype(int)})
        return Table(frame[start:stop], time="hour")


def plant(kind: str, seed: int = 0) -> Planted:
    """A daily wave with noise, and, for a correlation, a second variable that follows it; one anomaly at the end."""
    rng = np.random.default_rng(seed)
    steps = np.arange(STEPS)
    inside = (steps >= FIRST) & (steps <= LAST)
    since = np.clip(steps - FIRST, 0, LAST - FIRST + 1)
    wave = np.sin(2 * np.pi * steps / PERIOD)
    noise = NOISE * rng.normal(size=STEPS)
    labels = inside.copy()
    if kind == "point spike":
        labels = steps == FIRST
        wave[labels] += 1.5
    elif kind == "level shift":
        wave[inside] += 2.0
    elif kind == "trend change":
        wave += 0.06 * since * inside
    elif kind == "variance change":
        noise[inside] *= 6
    elif kind == "frequency change":
        wave[inside] = np.sin(2 * np.pi * (FIRST + 3.0 * since[inside]) / PERIOD)
    elif kind == "missing beat":
        labels = (steps >= FIRST) & (steps < FIRST + PERIOD // 2)  # a day's upper half stays away
        wave[labels] = 0.0
    elif kind == "flat line":
        wave[inside], noise[inside] = wave[FIRST - 1], 0.0
    elif kind == "contextual point":
        labels = steps == FIRST + 6  # where the wave is highest, a value as when it is lowest
        wave[labels] = -1.0
    elif kind == "correlation break":
        shared = 0.8 * rng.normal(size=STEPS)  # each variable looks as before by itself
        one, other = wave + shared + noise, wave + np.where(inside, -shared, shared) + NOISE * rng.normal(size=STEPS)
        return Planted(np.stack([one, other], 1), labels)
    elif kind == "slow drift":
        wave += 3.0 * np.minimum(since / (LAST - FIRST + 1), 1.0) * inside
    else:
        raise ValueError(kind)
    return Planted((wave + noise)[:, None], labels)


def event_log(users: int = 6, steps: int = 300, odd: float = 0.01, seed: int = 0) -> Table:
    """Each user goes round a ring of six pages; an odd event jumps to the page across."""
    rng = np.random.default_rng(seed)
    pages = ["home", "list", "item", "cart", "pay", "done"]
    rows = []
    for user in range(users):
        place = int(rng.integers(6))
        for step in range(steps):
            strange = step > 60 and rng.random() < odd
            place = (place + (3 if strange else 1)) % 6
            rows.append({"user": f"u{user}", "time": float(step), "page": pages[place], "label": int(strange)})
    return Table(pl.DataFrame(rows), time="time", group="user")
