"""Speed of the readers of tables, as a ratio to polars' own readers of the same file.

Both read the whole file and decide the kind of each column. `polars.read_csv` and `polars.read_ndjson` look at the
first 100 rows; with infer_schema_length=None they look at all rows, as our readers do. Runs are interleaved, and the
medians are compared: of the time on a clock, and of processor time, which other programs hardly change.

Run: python bench/reading.py --csv 1000 --jsonl 200
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

import unrolled as ur

ROWS = 200_000  # written at once


def write_csv(path: Path, megabytes: int) -> None:
    """Write rows of codes with leading zeros, names, whole numbers, decimals and times."""
    draw = np.random.default_rng(0)
    with path.open("wb") as file:
        while file.tell() < megabytes * 1_000_000:
            codes = pl.Series(draw.integers(0, 999, ROWS)).cast(pl.String).str.zfill(5)
            table = pl.DataFrame(
                {
                    "code": codes,
                    "name": draw.choice(np.array(["alpha", "beta", "gamma, delta"]), ROWS),
                    "count": draw.integers(0, 100, ROWS),
                    "price": draw.normal(size=ROWS).round(2),
                    "load": draw.normal(size=ROWS),
                    "day": np.datetime64("2024-01-01") + draw.integers(0, 365, ROWS).astype("m8[D]"),
                }
            )
            table.write_csv(file, include_header=not file.tell())


def write_jsonl(path: Path, megabytes: int) -> None:
    """Write records with a text, a list of 30 numbers and a label."""
    draw = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1_000_000:
            for values in draw.normal(size=(10_000, 30)).round(4).tolist():
                record = {"text": "to be or not to be", "v": values, "y": int(values[0] > 0)}
                file.write(json.dumps(record) + "\n")


def compare(name: str, path: Path, ours: Callable[..., Any], theirs: Callable[..., Any], runs: int) -> None:
    """Print the median times of our reader and of polars', with and without a look at all rows."""
    readers = {
        "ours": lambda: ours(path),
        "polars, first rows": lambda: theirs(path),
        "polars, all rows": lambda: theirs(path, infer_schema_length=None),
    }
    seconds: dict[str, list[tuple[float, float]]] = {reader: [] for reader in readers}
    for _ in range(runs):
        for reader, read in readers.items():
            start, began = time.perf_counter(), processor_seconds()
            try:
                read()
            except pl.exceptions.ComputeError:
                continue  # a later row does not have the kind of the first ones
            seconds[reader].append((time.perf_counter() - start, processor_seconds() - began))
    took = {reader: tuple(map(median, zip(*found, strict=True))) for reader, found in seconds.items() if found}
    size = path.stat().st_size / 1e6
    print(f"\n{name}, {size:,.0f} MB, median of {runs}")
    for reader, (clock, processor) in took.items():
        print(
            f"  {reader:<20} {clock:7.2f} s, {processor:7.2f} s of processors   {size / clock:7.0f} MB per second   "
            f"ours: {took['ours'][0] / clock:.2f} times, {took['ours'][1] / processor:.2f} of processors"
        )


def processor_seconds() -> float:
    """Return the time that the processors have spent on this program, in all of its threads."""
    times = os.times()
    return times.user + times.system


def main() -> None:
    """Write the files, read them, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--csv", type=int, default=1000, help="megabytes of CSV")
    parser.add_argument("--jsonl", type=int, default=200, help="megabytes of JSONL")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table, records = Path(folder) / "a.csv", Path(folder) / "a.jsonl"
        write_csv(table, options.csv)
        compare("CSV", table, ur.read_csv, pl.read_csv, options.runs)
        table.unlink()
        write_jsonl(records, options.jsonl)
        compare("JSONL", records, ur.read_jsonl, pl.read_ndjson, options.runs)


if __name__ == "__main__":
    main()
