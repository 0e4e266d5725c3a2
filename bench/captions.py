"""Image captioning: names of emoji from their pictures, tested on a vendor, concepts and combinations not in training.

Run: python bench/captions.py FOLDER [--seeds 3] [--size 32] [--hidden 256] [--fit '{"epochs": 20}']

FOLDER contains files of these npm packages (artwork of Apple, Google, Meta and Twitter under their own licences; CLDR
names under the Unicode licence):

    mkdir FOLDER && cd FOLDER
    for v in apple facebook google twitter; do
        npm pack emoji-datasource-$v@16.0.0
        tar xzf emoji-datasource-$v-16.0.0.tgz --strip-components=2 package/img/$v/64
    done
    npm pack emojibase-data@16.0.3 && tar xzf emojibase-data-16.0.3.tgz --strip-components=2 package/en/data.json

A concept is an emoji with all its skin tones and genders: "teacher", "man teacher: dark skin tone" and so on are one.
All random choices are made by a hash, in the same way for every vendor. Three sets are left out of training:

- combinations: one variant in six of each concept that has at least six; all their words occur in other names.
- concepts: one concept in ten, with all its variants.
- vendor: the pictures of one vendor, with names that the other vendors have in training; and its combinations.

The nearest-picture baseline answers with a name from training, so it cannot name a new combination or concept exactly.
"""

import argparse
import json
import statistics
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import unrolled as ur
from unrolled.metrics.scores import Scores

VENDORS = ("apple", "facebook", "google", "twitter")
TESTED = 600  # pictures of a part at most
PERSONS = {0x1F468, 0x1F469, 0x1F9D1, 0x2640, 0x2642}  # man, woman, person and the signs of gender
TONES = set(range(0x1F3FB, 0x1F400))
JOINS = {0x200D, 0xFE0F}
SHOWN = ("exact", "bleu", "cider_d")
Record = dict[str, Any]


class Emoji(NamedTuple):
    """One emoji.

    Args:
        code: its code points.
        name: in CLDR, such as "man teacher: dark skin tone".
    """

    code: tuple[int, ...]
    name: str

    @property
    def concept(self) -> tuple[int, ...]:
        """The name without skin tones and genders."""
        return tuple(sorted(set(self.code) - TONES - JOINS - PERSONS)) or (0,)


def read_emoji(path: Path) -> list[Emoji]:
    """All emoji; each skin tone is a separate emoji."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    flat = [variant for row in rows for variant in (row, *row.get("skins", []))]
    return [Emoji(_code(row["hexcode"]), row["label"]) for row in flat]


def _code(text: str) -> tuple[int, ...]:
    return tuple(int(part, 16) for part in text.split("-"))


def draw(kind: str, value: object) -> float:
    """A number from 0 to 1, the same for the same value on every machine."""
    return zlib.crc32(f"{kind} {value}".encode()) / 2**32


def split(emoji: Sequence[Emoji], folder: Path, vendor: str) -> dict[str, list[Record]]:
    """Records of the training data and of each held-out part, in random order."""
    variants: dict[tuple[int, ...], int] = defaultdict(int)
    for one in emoji:
        variants[one.concept] += 1
    parts: dict[str, list[Record]] = defaultdict(list)
    for one in emoji:
        if draw("concept", one.concept) < 0.1:
            kind = "concepts"
        elif variants[one.concept] >= 6 and draw("variant", one.name) < 1 / 6:
            kind = "combinations"
        else:
            kind = "train"
        for drawn_by in VENDORS:
            path = _picture(folder / drawn_by / "64", one.code)
            if path is not None:
                own = drawn_by == vendor
                part = {"train": "vendor", "combinations": "vendor's combinations"}.get(kind, "") if own else kind
                parts[part].append({"picture": str(path), "caption": one.name, "vendor": drawn_by})
    parts.pop("", None)  # concepts of the vendor are more of the same
    words = {word for record in parts["train"] for word in record["caption"].split()}
    for part in ("combinations", "vendor's combinations"):
        parts[part] = [record for record in parts[part] if words.issuperset(record["caption"].split())]
    return {
        part: sorted(rows, key=lambda row: draw("order", (row["vendor"], row["caption"])))
        for part, rows in parts.items()
    }


def _picture(folder: Path, code: tuple[int, ...]) -> Path | None:
    """The file of an emoji; a variation selector may or may not be part of its name."""
    plain = [point for point in code if point != 0xFE0F]
    for points in (code, plain, [*plain, 0xFE0F]):
        path = folder / ("-".join(f"{point:04x}" for point in points) + ".png")
        if path.exists():
            return path
    return None


def measure(parts: dict[str, list[Record]], seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One model: scores of every part, and some of its answers."""
    pictures = ur.Pictures("picture", size=options.size)
    model = ur.Captioner(pictures, hidden_size=options.hidden, **options.model)
    start = time.perf_counter()
    model.fit(parts["train"], seed=seed, **options.fit)
    seconds = time.perf_counter() - start
    scores: dict[str, Scores] = {}
    shown: dict[str, list[tuple[str, str]]] = {}
    for part, rows in parts.items():
        some = rows[:TESTED]
        scores[part] = model.evaluate(some)
        answers = model.predict(some[:8])
        shown[part] = [(row["caption"], answer) for row, answer in zip(some, answers, strict=False)]
    if options.out:
        model.save(Path(options.out) / f"seed-{seed}")
    return {"seconds": seconds, "scores": scores, "shown": shown}


def main() -> None:
    """Train and print one table per part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--size", type=int, default=32, help="pixels per side")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--vendor", default="facebook", choices=VENDORS, help="the vendor that is held out")
    parser.add_argument("--train", type=int, default=0, help="maximum number of training pictures; 0 = all")
    parser.add_argument("--fit", type=json.loads, default={}, help='training options as JSON, such as {"epochs": 5}')
    parser.add_argument("--model", type=json.loads, default={}, help="further options of the captioner as JSON")
    parser.add_argument("--out", default="", help="folder in which the models are saved")
    options = parser.parse_args()
    parts = split(read_emoji(options.folder / "data.json"), options.folder, options.vendor)
    parts["train"] = parts["train"][: options.train or None]
    print(", ".join(f"{part}: {len(rows):,}" for part, rows in parts.items()), "pictures", flush=True)
    runs = [measure(parts, seed, options) for seed in range(options.seeds)]
    print(f"{statistics.mean(run['seconds'] for run in runs):.0f} s of training")
    for part in parts:
        print(f"\n{part:52}" + "  ".join(f"{metric:>7}" for metric in SHOWN))
        tables = [{"captioner": run["scores"][part].model, **run["scores"][part].baselines} for run in runs]
        for name in tables[0]:
            means = [statistics.mean(table[name][metric] for table in tables) for metric in SHOWN]
            print(f"  {name:50}" + "  ".join(f"{mean:7.2f}" for mean in means))
        if len(runs) > 1:
            print("  exact per seed: " + ", ".join(f"{table['captioner']['exact']:.2f}" for table in tables))
        for truth, answer in runs[0]["shown"][part]:
            print(f"    {answer!r} instead of {truth!r}")
    print(*runs[0]["scores"]["train"].notes, sep="\n")


if __name__ == "__main__":
    main()
