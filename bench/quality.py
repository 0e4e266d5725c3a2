"""Scores of the default options on real data: one line per data set, with the spread over seeds.

Run: python bench/quality.py --data FOLDER [--only NAME ...] [--seeds 3]

FOLDER contains ucr/, stocks/, surname_lang/, jsb_chorales/, ud_ewt/, tinyshakespeare/ and codenn_sql/ with the files
that the functions below name; a data set that is not there is skipped with a message.
Nothing is tuned: every task runs with its defaults, on the official split if there is one. Titles stop after 8 epochs,
since few data overfit.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import unrolled as ur


def ucr(data: Path, name: str, seed: int) -> Any:
    """A data set of the UCR/UEA archive, official split."""
    train, test = (ur.read_ts(data / "ucr" / f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
    return ur.Classifier(target="label").fit(train, seed=seed).evaluate(test)


def shakespeare(data: Path, seed: int, minutes: float) -> Any:
    """Characters of the first 90 % against the last 10 %."""
    text = (data / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    cut = int(len(text) * 0.9)
    return ur.LanguageModel().fit(text[:cut], minutes=minutes, epochs=0, seed=seed).evaluate(text[cut:])


def chorales(data: Path, seed: int) -> Any:
    """Bach's chorales, 88 keys per frame, official split."""
    from scipy.io import loadmat

    rolls = loadmat(data / "jsb_chorales" / "JSB_Chorales.mat")
    parts = [
        [{"frames": roll.tolist()} for roll in rolls[part].squeeze()] for part in ("traindata", "validdata", "testdata")
    ]
    model = ur.SequenceModel().fit(parts[0], validation_data=parts[1], seed=seed)
    return model.evaluate(parts[2])


def tags(data: Path, seed: int) -> Any:
    """Universal parts of speech of the English web treebank, official split."""
    train, dev, test = (
        ur.read_conll(data / "ud_ewt" / f"{part}.form_upos_xpos.tsv", columns=["words", "tags", "xpos"])
        for part in ("train", "dev", "test")
    )
    return ur.Tagger().fit(train, validation_data=dev, seed=seed).evaluate(test)


def surname_parts(data: Path, seed: int) -> tuple[Any, Any]:
    """Records of surnames with their language, for learning and for testing."""
    records = {}
    for path in sorted((data / "surname_lang").rglob("*.txt")):
        if path.stem.isalpha() and path.parent.name == "names":
            for name in path.read_text(encoding="utf-8").split("\n"):
                if name.strip():
                    records[name.strip(), path.stem] = {"name": name.strip(), "language": path.stem}
    return ur.as_source(list(records.values())).split(test=0.2, seed=seed, stratify="language")


def surnames(data: Path, seed: int) -> Any:
    """Surnames to 18 languages, stratified split, repeated names kept on one side."""
    train, test = surname_parts(data, seed)
    return ur.Classifier(ur.Characters("name", embedding_size=32), "language").fit(train, seed=seed).evaluate(test)


def weather(data: Path, seed: int) -> Any:
    """Daily maximum temperature in Seattle, seven days ahead; the last year is tested."""
    table = ur.read_csv(data / "stocks" / "seattle-weather.csv", time="date")
    past, recent = table.split_at("2015-01-01")
    return ur.Forecaster(target="temp_max", horizon=7).fit(past, seed=seed).evaluate(recent)


def titles(data: Path, seed: int, **options: Any) -> Any:
    """Titles of SQL queries, a small split: trained on the validation set, tested on the official test set."""
    train, test = (
        [
            {"source": fields[3].strip(), "target": fields[2].strip()}
            for line in _text(data / "codenn_sql" / "data" / "stackoverflow" / "sql" / f"{part}.txt").split("\n")
            if len(fields := line.split("\t")) > 3
        ]
        for part in ("valid", "test")
    )
    return ur.Translator(**options).fit(train, seed=seed, epochs=8).evaluate(test)


def _text(path: Path) -> str:
    if not path.exists():
        raise ur.errors.DataError(f"{path} is not there")
    return path.read_text(encoding="utf-8")


RUNS: dict[str, Callable[[Path, int], Any]] = {
    "JapaneseVowels": lambda data, seed: ucr(data, "JapaneseVowels", seed),
    "BasicMotions": lambda data, seed: ucr(data, "BasicMotions", seed),
    "weather": weather,
    "surnames": surnames,
    "chorales": chorales,
    "tags": tags,
    "titles": titles,
    "titles_without_copying": lambda data, seed: titles(data, seed, decoder={"copy": False}),
    "titles_smooth": lambda data, seed: titles(data, seed, decoder={"label_smoothing": 0.1}),
    "titles_subwords": lambda data, seed: titles(data, seed, unit="subwords"),
    "shakespeare": lambda data, seed: shakespeare(data, seed, 3),
    "shakespeare_15": lambda data, seed: shakespeare(data, seed, 15),
}


def main() -> None:
    """Run the chosen data sets and print every score with its spread."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="JSON file for all scores")
    options = parser.parse_args()
    record: dict[str, Any] = {}
    for name in options.only:
        values: list[float] = []
        for seed in range(options.seeds):
            start = time.perf_counter()
            try:
                scores = RUNS[name](options.data, seed)
            except ur.errors.DataError as fault:
                print(f"{name}: skipped, {fault}")
                break
            seconds = time.perf_counter() - start
            print(f"\n{name}, seed {seed}, {seconds:.0f} s\n{scores}", flush=True)
            values.append(scores.model[scores.leading])
            record.setdefault(name, []).append({"seed": seed, "seconds": seconds, **scores.to_json()})
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            print(f"{name}: {scores.leading} {statistics.mean(values):.4f} +- {spread:.4f} over {len(values)} seeds")
    if options.json:
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
