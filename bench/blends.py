"""The blend of a classifier against its parts: accuracy and log loss on classification sets, at defaults.

Run: python bench/blends.py --data FOLDER [--more FOLDER] [--only NAME ...] [--seeds 3]

FOLDER contains ucr/, surname_lang/, uci_sentences/ and indoor_movement/; `--more` is a folder of further pairs
NAME_TRAIN.ts and NAME_TEST.ts. Nothing is tuned: every set is fitted with `answer="blend"` and defaults otherwise. One
line per set and seed: the network alone, the best baseline by each metric, the blend, and the weights. The last line
counts the runs where the blend is within one standard error of its best part in accuracy, and no worse in log loss.
"""

import argparse
import csv
import io
import math
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quality import surname_parts

import unrolled as ur

Parts = tuple[Any, Any, dict[str, Any]]  # train, test, options of the classifier


def pair(folder: Path, name: str) -> Parts:
    """A data set of the UCR/UEA archive, official split."""
    train, test = (ur.read_ts(folder / f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
    return train, test, {"target": "label"}


def surnames(data: Path) -> Parts:
    """Surnames to languages, stratified split."""
    train, test = surname_parts(data, seed=0)
    return train, test, {"inputs": ur.Characters("name", embedding_size=32), "target": "language"}


def sentences(data: Path) -> Parts:
    """Sentences of film reviews, positive or negative; every fifth is tested."""
    lines = (data / "uci_sentences" / "imdb_labelled.txt").read_text(encoding="utf-8-sig").split("\n")
    rows = [dict(zip(("text", "y"), line.rsplit("\t", 1), strict=True)) for line in lines if "\t" in line]
    return [row for at, row in enumerate(rows) if at % 5], rows[::5], {"inputs": ur.Words("text"), "target": "y"}


def movements(data: Path) -> Parts:
    """Signals of four beacons, whether a person changes the room; every fifth is tested."""
    with zipfile.ZipFile(data / "indoor_movement" / "IndoorMovement.zip") as packed:
        read = {
            name.rpartition("/")[2]: packed.read(name).decode() for name in packed.namelist() if name.endswith("csv")
        }
    labels = {
        row[0]: row[1].strip() for row in csv.reader(io.StringIO(read["MovementAAL_target.csv"])) if row[0].isdigit()
    }
    rows = []
    for number, label in labels.items():
        steps = [
            list(map(float, row))
            for row in csv.reader(io.StringIO(read[f"MovementAAL_RSS_{number}.csv"]))
            if row[0][0] != "#"
        ]
        rows.append({"x": steps, "y": f"class {label}"})
    return [row for at, row in enumerate(rows) if at % 5], rows[::5], {"target": "y"}


def sets_of(data: Path, more: Path | None) -> dict[str, Callable[[], Parts]]:
    """The data sets that are there, by name."""
    found: dict[str, Callable[[], Parts]] = {}
    for folder in (data / "ucr", *([] if more is None else [more])):
        for path in sorted(folder.glob("*_TRAIN.ts")):
            name = path.name.removesuffix("_TRAIN.ts")
            found[name] = lambda folder=folder, name=name: pair(folder, name)
    for name, read in {"surname_lang": surnames, "uci_sentences": sentences, "indoor_movement": movements}.items():
        if (data / name).exists():
            found[name] = lambda read=read: read(data)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--more", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    good = sure = total = 0
    for name, read in sets_of(given.data, given.more).items():
        if given.only and name not in given.only:
            continue
        for seed in range(given.seeds):
            train, test, options = read()
            start = time.perf_counter()
            model = ur.Classifier(answer="blend", **options).fit(train, seed=seed)
            seconds = time.perf_counter() - start
            scores = model.evaluate(test)
            network = scores.network or scores.model
            best = max(one["accuracy"] for one in scores.baselines.values())
            least = min(one["log_loss"] for one in scores.baselines.values())
            mine, lost = scores.model["accuracy"], scores.model["log_loss"]
            top = max(best, network["accuracy"])
            good += mine >= top - math.sqrt(top * (1 - top) / scores.n)
            sure += lost <= min(least, network["log_loss"])
            total += 1
            cells = [
                f"{network['accuracy']:.3f}/{network['log_loss']:.3f}",
                f"{best:.3f}/{least:.3f}",
                f"{mine:.3f}/{lost:.3f}",
            ]
            weights = {key: round(model.blend_.weight_of(key), 2) for key in model.blend_.used} if model.blend_ else {}
            print(f"{name:<24}{seed:>2}  " + "  ".join(cells), f" {seconds:.0f} s ", weights, flush=True)
    print(f"{total} runs: accuracy within a standard error of the best part in {good}, log loss no worse in {sure}")


if __name__ == "__main__":
    main()
