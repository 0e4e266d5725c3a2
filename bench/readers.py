"""Readers of a classifier: what recurrent layers, convolutions and poolings reach alone, without a blend.

Run: python bench/readers.py --data FOLDER [--only NAME ...] [--readers NAME ...] [--seeds 3] [--epochs 20]

FOLDER contains indoor_movement/, surname_lang/, uci_sentences/ and ucr/ as other benches read them; ucr/ may hold any
further set of the UCR/UEA archive as NAME_TRAIN.ts and NAME_TEST.ts, or as NAME_TRAIN.txt with a label and numbers in
each line; dna/ may hold splice.data and promoters.data of the UCI repository. A set that is not there is left out.

The default was chosen on `CHOSEN_ON`, by a third of the training part that was held out; no test part was looked at.
All other sets only show it. Official splits where there are any, else a third of the records, drawn once.
"""

import argparse
import csv
import io
import json
import re
import statistics
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import unrolled as ur

CHOSEN_ON = ("OSULeaf",)
READERS: dict[str, dict[str, Any]] = {
    "default": {},
    "recurrent": {"convolutions": False},
    "recurrent, max": {"convolutions": False, "pooling": "max"},
    "convolutions": {"cell": "conv"},
    "both, max": {"pooling": "max"},
    "both, attention": {"pooling": "attention"},
}
Parts = tuple[Any, Any]


def archive(data: Path, name: str) -> Parts:
    """A set of the UCR/UEA archive, official split."""
    parts = []
    for part in ("TRAIN", "TEST"):
        table = data / "ucr" / f"{name}_{part}.ts"
        parts.append(ur.read_ts(table) if table.exists() else _rows(data / "ucr" / f"{name}_{part}.txt"))
    return parts[0], parts[1]


def _rows(path: Path) -> list[dict[str, Any]]:
    lines = [re.findall(r"[^,\s]+", line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{"series": [float(v) for v in line[1:]], "label": f"{float(line[0]):.0f}"} for line in lines if line]


def drawn(records: list[dict[str, Any]]) -> Parts:
    """Split records without an official split, always in the same way."""
    return ur.as_source(records).split(test=1 / 3, seed=0, stratify="label")


def dna(data: Path, name: str) -> Parts:
    """Sequences of a class, a name and letters."""
    lines = (data / "dna" / f"{name}.data").read_text(encoding="utf-8").splitlines()
    return drawn([{"dna": dna.strip(), "label": label.strip()} for label, _, dna in csv.reader(lines)])


def sentences(data: Path, name: str) -> Parts:
    """Sentences with a tab and 0 or 1 at the end."""
    lines = (data / "uci_sentences" / name).read_text(encoding="utf-8-sig").splitlines()
    pairs = [line.rpartition("\t") for line in lines]
    return drawn([{"text": text.strip(), "label": label} for text, _, label in pairs if label.strip() in ("0", "1")])


def surnames(data: Path) -> Parts:
    """Surnames of 18 languages, each pair once."""
    found = {
        (name.strip(), path.stem)
        for path in (data / "surname_lang" / "data" / "names").glob("*.txt")
        for name in path.read_text(encoding="utf-8").split("\n")
        if name.strip() and path.stem.isalpha()
    }
    return drawn([{"name": name, "label": language} for name, language in sorted(found)])


def indoor(data: Path) -> Parts:
    """Four strengths of radio signals of a person who changes rooms or does not."""
    with zipfile.ZipFile(data / "indoor_movement" / "IndoorMovement.zip") as files:
        (target,) = (name for name in files.namelist() if "target" in name)
        known = list(csv.reader(io.StringIO(files.read(target).decode())))[1:]
        records = []
        for number, label in known:
            lines = csv.reader(io.StringIO(files.read(f"dataset/MovementAAL_RSS_{number}.csv").decode()))
            steps = [[float(value) for value in line] for line in list(lines)[1:] if line]
            records.append({"signals": steps, "label": label.strip()})
    return drawn(records)


def sets(data: Path) -> dict[str, Callable[[], Parts]]:
    """The sets that are in a folder."""
    ucr = sorted({path.name.rpartition("_")[0] for path in (data / "ucr").glob("*_TRAIN.*")})
    found: dict[str, Callable[[], Parts]] = {name: lambda name=name: archive(data, name) for name in ucr}
    for path in sorted((data / "dna").glob("*.data")):
        found[path.stem] = lambda name=path.stem: dna(data, name)
    for path in sorted((data / "uci_sentences").glob("*.t[sx][vt]")):
        found[path.stem] = lambda name=path.name: sentences(data, name)
    if (data / "surname_lang").exists():
        found["surnames"] = lambda: surnames(data)
    if (data / "indoor_movement").exists():
        found["indoor_movement"] = lambda: indoor(data)
    return found


def main() -> None:
    """Print the accuracy of each reader on each set, and of the best baseline."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of sets; all by default")
    parser.add_argument("--readers", nargs="*", default=list(READERS), choices=list(READERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of the default")
    parser.add_argument("--json", type=Path, help="file for one line of JSON per run")
    options = parser.parse_args()
    training = {} if options.epochs is None else {"epochs": options.epochs}
    print(f"{'set':28s}" + "".join(f"{name:>18s}" for name in options.readers) + f"{'best baseline':>18s}", flush=True)
    for name, read in sets(options.data).items():
        if options.only and name not in options.only:
            continue
        train, test = read()
        cells, best = [], 0.0
        for reader in options.readers:
            values = []
            for seed in range(options.seeds):
                start = time.perf_counter()
                model = ur.Classifier(target="label", **READERS[reader]).fit(train, seed=seed, **training)
                scores = model.evaluate(test)
                values.append(scores.model["accuracy"])
                best = max(best, *(rival["accuracy"] for rival in scores.baselines.values()))
                if options.json:
                    run = {"set": name, "reader": reader, "seed": seed, "accuracy": values[-1]}
                    run |= {"seconds": time.perf_counter() - start, "scores": scores.to_json()}
                    with options.json.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(run) + "\n")
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(f"{statistics.mean(values):10.3f} ± {spread:.3f}")
        mark = " *" if name in CHOSEN_ON else ""
        print(f"{name + mark:28s}" + "".join(f"{cell:>18s}" for cell in cells) + f"{best:18.3f}", flush=True)
    print("* chosen on a held-out third of its training part")


if __name__ == "__main__":
    main()
