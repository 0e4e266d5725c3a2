"""The Numenta Anomaly Benchmark: the scorer beside published scores, and detectors beside each other.

Run: python bench/nab.py check --results FOLDER

`check` reads FOLDER, a copy of the benchmark's repository (labels/, results/, config/), scores the anomaly scores that
other detectors left there, at the best threshold and at the published one, and prints them beside the published scores.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from unrolled.anomaly_metrics.nab import PROFILES, ScoredFile, nab_score, window_rows

PUBLISHED = {
    "standard": "standard",
    "reward_low_FP": "reward_low_FP_rate",
    "reward_low_FN": "reward_low_FN_rate",
}


def windows_of(folder: Path) -> dict[str, list[list[str]]]:
    """The labelled windows of every file, by its name."""
    return json.loads((folder / "labels" / "combined_windows.json").read_text())


def times_of(frame: pl.DataFrame) -> np.ndarray:
    text = frame["timestamp"].cast(pl.String).str.slice(0, 19)
    return text.str.to_datetime("%Y-%m-%d %H:%M:%S").to_numpy()


def scored(frame: pl.DataFrame, scores: np.ndarray, windows: list[list[str]]) -> ScoredFile:
    edges = [tuple(np.datetime64(edge.replace(" ", "T")) for edge in window) for window in windows]
    return ScoredFile(scores, window_rows(times_of(frame), edges))


def answers_of(folder: Path, detector: str) -> Iterator[ScoredFile]:
    """What a published detector said about every file."""
    for name, windows in windows_of(folder).items():
        path = Path(name)
        frame = pl.read_csv(folder / "results" / detector / path.parent / f"{detector}_{path.name}")
        yield scored(frame, frame["anomaly_score"].to_numpy(), windows)


def check(folder: Path) -> None:
    published = json.loads((folder / "results" / "final_results.json").read_text())
    thresholds = json.loads((folder / "config" / "thresholds.json").read_text())
    print(f"{'detector':18} {'profile':14} {'published':>9} {'at its threshold':>16} {'at the best':>11}")
    for detector, scores in sorted(published.items()):
        if not (folder / "results" / detector).is_dir():
            continue
        files = list(answers_of(folder, detector))
        for profile, name in PUBLISHED.items():
            best = nab_score(files, PROFILES[profile]).score
            there = nab_score(files, PROFILES[profile], thresholds[detector][name]["threshold"]).score
            print(f"{detector:18} {profile:14} {scores[name]:9.2f} {there:16.2f} {best:11.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check")
    checking.add_argument("--results", type=Path, required=True)
    options = parser.parse_args()
    check(options.results)


if __name__ == "__main__":
    main()
