"""The Numenta Anomaly Benchmark: our scorer compared with published scores, and detectors with each other.

Run: python bench/nab.py check --results FOLDER
     python bench/nab.py others --results FOLDER --data FOLDER
     python bench/nab.py score --data FOLDER [--only NAME ...] [--seeds 1] [--out FILE]

`check` reads FOLDER, a copy of the benchmark's repository (labels/, results/, config/), evaluates the stored anomaly
scores of other detectors, at the best threshold and at the published one, and prints them next to the published ones.
`others` evaluates them on the files that are in the second folder only, without and with the quiet rule below.
`score` reads FOLDER/data and FOLDER/labels, runs our detector and every baseline over the files that are there, each
with the same settings for all files, and prints the scores of the three profiles. The first 15 % of each file (at most
750 rows) are for training; our detector then scores every row before it learns from it, in parts of 100 rows. After a
score, the next 100 rows give no alarm unless their score is higher (`unrolled.metrics.anomalies.quiet`), for every
detector; the scores without that rule are printed, too.
"""

import argparse
import json
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
import polars as pl

import unrolled as ur
from unrolled.baselines.anomalies import IsolationForestWindows, MovingZScore, SeasonalResidual
from unrolled.baselines.base import Baseline
from unrolled.metrics.anomalies.nab import PROFILES, ScoredFile, nab_score, probation_rows, window_rows
from unrolled.metrics.anomalies.quiet import loudest
from unrolled.tasks.detection.likelihood import QUIET

RANDOM = 30  # draws of random scores
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


def answers_of(folder: Path, detector: str, only: Collection[str] | None = None) -> Iterator[ScoredFile]:
    """The scores of a published detector on every file, or on some."""
    for name, windows in windows_of(folder).items():
        if only is not None and name not in only:
            continue
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


def others(folder: Path, data: Path) -> None:
    only = series_of(data, [])
    for detector in sorted(json.loads((folder / "results" / "final_results.json").read_text())):
        files = list(answers_of(folder, detector, only))
        quiet = [ScoredFile(loudest(one.scores, QUIET), one.windows) for one in files]
        for rule, answers in (("", files), (f"  quiet {QUIET}", quiet)):
            profiles = "  ".join(f"{nab_score(answers, profile).score:6.2f}" for profile in PROFILES.values())
            print(f"{detector + rule:34} {profiles}", flush=True)


def series_of(folder: Path, only: list[str]) -> dict[str, pl.DataFrame]:
    """The files that are there and have windows in the labels, by their name there."""
    known = windows_of(folder)
    paths = sorted((folder / "data").rglob("*.csv"))
    named = {path.relative_to(folder / "data").as_posix(): path for path in paths}
    wanted = {name: path for name, path in named.items() if name in known and (not only or path.stem in only)}
    return {name: pl.read_csv(path, schema_overrides={"value": pl.Float64}) for name, path in wanted.items()}


def ours(frame: pl.DataFrame, seed: int) -> np.ndarray:
    """Our detector with the defaults and continual learning."""
    table = ur.Table(frame, time="timestamp")
    rows = probation_rows(len(table))
    detector = ur.Detector("value").fit(table.select(range(rows)), seed=seed, baselines=False)
    found = detector.follow(table.select(range(rows, len(table))))
    scores = np.concatenate([np.zeros(rows), found["score"].fill_null(0.0).to_numpy()])
    # a repeated time is one row of the table; the file's other row gets the same score
    return scores[np.searchsorted(table.frame["timestamp"].to_numpy(), times_of(frame))]


def rival(baseline: Baseline, frame: pl.DataFrame) -> np.ndarray:
    """A baseline fitted on the probation."""
    values = frame["value"].to_numpy()[:, None]
    start = values[: probation_rows(len(values))]
    scaled = (values - np.median(start)) / (start.std() or 1.0)
    return baseline.fit([scaled[: len(start)]], []).predict([scaled])[0]


def one_day(frame: pl.DataFrame) -> int:
    """Rows of a day."""
    return round(float(np.timedelta64(1, "D") / np.median(np.diff(times_of(frame)))))


DETECTORS: dict[str, Callable[[pl.DataFrame, int], np.ndarray]] = {
    "unrolled": ours,
    "moving z-score": lambda frame, _: rival(MovingZScore(), frame),
    "seasonal residual": lambda frame, _: rival(SeasonalResidual(one_day(frame)), frame),
    "change": lambda frame, _: rival(SeasonalResidual(1), frame),
    "isolation forest": lambda frame, _: rival(IsolationForestWindows(), frame),
}


def score(folder: Path, only: list[str], seeds: int, out: Path | None, chosen: list[str]) -> None:
    frames, windows = series_of(folder, only), windows_of(folder)
    print(f"{len(frames)} files, {sum(len(windows[name]) for name in frames)} windows, quiet {QUIET} rows", flush=True)
    kept: dict[str, dict[str, list[float]]] = {}
    for detector in chosen or list(DETECTORS):
        for seed in range(seeds if detector == "unrolled" else 1):
            began = time.perf_counter()
            found = {name: DETECTORS[detector](frame, seed) for name, frame in frames.items()}
            seconds = time.perf_counter() - began
            kept[f"{detector} {seed}"] = {name: scores.tolist() for name, scores in found.items()}
            for rule, quiet in (("", QUIET), ("  every score", 1)):
                files = [scored(frames[name], loudest(one, quiet), windows[name]) for name, one in found.items()]
                best = nab_score(files)
                profiles = "  ".join(f"{nab_score(files, profile).score:6.2f}" for profile in PROFILES.values())
                print(
                    f"{detector + rule:34} {profiles}   {best.found} found, {best.false_alarms} false "
                    f"at {best.threshold:.3g}, {seconds:.0f} s",
                    flush=True,
                )
    draws = [
        [scored(frame, loudest(np.random.default_rng(seed).random(len(frame)), QUIET), windows[name])
         for name, frame in frames.items()]
        for seed in range(RANDOM)
    ]  # fmt: skip
    means = [np.mean([nab_score(files, profile).score for files in draws]) for profile in PROFILES.values()]
    print(f"{f'random numbers, mean of {RANDOM}':34} {'  '.join(f'{mean:6.2f}' for mean in means)}", flush=True)
    if out is not None:
        out.write_text(json.dumps(kept))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check")
    checking.add_argument("--results", type=Path, required=True)
    comparing = commands.add_parser("others")
    comparing.add_argument("--results", type=Path, required=True)
    comparing.add_argument("--data", type=Path, required=True)
    scoring = commands.add_parser("score")
    scoring.add_argument("--data", type=Path, required=True)
    scoring.add_argument("--only", nargs="*", default=[], help="stems of files")
    scoring.add_argument("--detectors", nargs="*", default=[], choices=list(DETECTORS))
    scoring.add_argument("--seeds", type=int, default=1)
    scoring.add_argument("--out", type=Path, help="JSON file for every score of every row")
    options = parser.parse_args()
    if options.command == "check":
        check(options.results)
    elif options.command == "others":
        others(options.results, options.data)
    else:
        score(options.data, options.only, options.seeds, options.out, options.detectors)


if __name__ == "__main__":
    main()
