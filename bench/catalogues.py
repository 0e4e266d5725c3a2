"""Translation of program messages from catalogues (.po, .mo): by data size, with and without attention.

Run: python bench/catalogues.py FOLDER [--accelerators _&] [--words 10] [--sizes 2000 8000 0] [--seeds 1]

FOLDER contains catalogues of one language, such as /usr/share/locale/de/LC_MESSAGES. Messages that differ only in case
or in the punctuation at their end count as one, so that no test message is in training. 1,000 messages are tested.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

import unrolled as ur
from unrolled.metrics.texts.text_scores import text_scores

TESTED = 1000
SHOWN = ("bleu", "chrf", "exact")
Pairs = list[tuple[str, str]]


def messages(folder: Path, accelerators: str, words: int) -> Pairs:
    """Different messages of one line and at most `words` words, with their first translations, in random order."""
    found: dict[str, tuple[str, str]] = {}
    for record in ur.read_po(folder, accelerators):
        source, target = record["source"].strip(), record["target"].strip()
        if "\n" not in source + target and len(source.split()) <= words:
            found.setdefault(source.casefold().strip(" .:;,…!?"), (source, target))
    pairs = [found[key] for key in sorted(found)]
    random.Random(0).shuffle(pairs)
    return pairs


def measure(train: Pairs, test: Pairs, attention: str, unit: str, seed: int, fit: dict[str, Any]) -> dict[str, Any]:
    """One model with three kinds of search, compared with the baselines."""
    model = ur.Translator(attention=attention, unit=unit)
    start = time.perf_counter()
    model.fit(*map(list, zip(*train, strict=True)), seed=seed, **fit)
    seconds = time.perf_counter() - start
    read, truth = map(list, zip(*test, strict=True))
    scores = model.evaluate(read, truth)
    ways = {"greedy": {"beam_size": 1}, "beam 4, no length penalty": {"length_penalty": 0.0}}
    others = {name: text_scores(truth, model.predict(read, **way), {}).model for name, way in ways.items()}
    rows = {f"{attention}, beam 4": scores.model}
    rows |= {f"{attention}, {name}": values for name, values in others.items()} | dict(scores.baselines)
    return {"seconds": seconds, "rows": rows, "notes": scores.notes, "shown": model.predict(read[:5])}


def main() -> None:
    """Train and print one table per data size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--accelerators", default="_&", help="characters that mark keyboard shortcuts, to be removed")
    parser.add_argument("--words", type=int, default=10, help="maximum number of words of a message")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[2000, 8000, 0], help="numbers of training messages; 0 = all"
    )
    parser.add_argument("--attention", nargs="*", default=["additive", "multiplicative", "none"])
    parser.add_argument("--unit", default="auto")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--fit", type=json.loads, default={}, help='training options as JSON, such as {"epochs": 5}')
    parser.add_argument("--json", type=Path, help="JSON file for all scores")
    options = parser.parse_args()
    pairs = messages(options.folder, options.accelerators, options.words)
    test, rest = pairs[:TESTED], pairs[TESTED:]
    words = statistics.mean(len(source.split()) for source, _ in test)
    print(f"{len(rest):,} training messages, {len(test):,} test messages, {words:.1f} words on average")
    record = []
    for size in options.sizes:
        train = rest[: size or len(rest)]
        for attention in options.attention:
            runs = [measure(train, test, attention, options.unit, seed, options.fit) for seed in range(options.seeds)]
            record.append({"size": len(train), "attention": attention, "runs": runs})
            seconds = statistics.mean(run["seconds"] for run in runs)
            print(
                f"\n{len(train):,} messages, {seconds:.0f} s of training"
                + " " * 14
                + "  ".join(f"{m:>7}" for m in SHOWN)
            )
            for name in runs[0]["rows"]:
                means = [statistics.mean(run["rows"][name][metric] for run in runs) for metric in SHOWN]
                print(f"{name:52}" + "  ".join(f"{mean:7.2f}" for mean in means))
            for (source, target), answer in zip(test, runs[0]["shown"], strict=False):
                print(f"    {source!r}: {answer!r} instead of {target!r}")
            print(*runs[0]["notes"], sep="\n", flush=True)
            if options.json:
                options.json.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
