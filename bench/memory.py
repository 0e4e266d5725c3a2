"""Memory for training on a text that is too large to be held in memory.

A text is generated into a temporary file; a language model is trained on it for a few minutes in a separate process,
whose peak resident size is reported.

Run: python bench/memory.py --megabytes 1000
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WORDS = 50_000
CHUNK_WORDS = 200_000
LIMIT_MEGABYTES = 1500

LEARN = """
import json, resource, sys
from pathlib import Path
import unrolled as ur
model = ur.LanguageModel(unit=sys.argv[2], hidden_size=64)
model.fit(Path(sys.argv[1]), minutes=float(sys.argv[3]))
model.save(Path(sys.argv[1]).with_suffix(".model"))
print(json.dumps({
    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "updates": model.history_.rows[-1].update,
}))
"""


def write_text(path: Path, megabytes: int, seed: int = 0) -> None:
    """Random words of an artificial language, Zipf-distributed, in sentences and lines."""
    random = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlcumwfgypbvk"))
    words = ["".join(letters[random.integers(0, len(letters), size)]) for size in random.integers(2, 10, WORDS)]
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1_000_000:
            picks = (random.zipf(1.3, CHUNK_WORDS) - 1) % WORDS
            lines = np.array_split(picks, CHUNK_WORDS // 12)
            file.write("".join(" ".join(words[pick] for pick in line).capitalize() + ".\n" for line in lines))


def main() -> None:
    """Write the text, train, and print how much memory it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--unit", default="characters", choices=["characters", "words", "subwords"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        write_text(path, options.megabytes)
        start = time.perf_counter()
        command = [sys.executable, "-c", LEARN, str(path), options.unit, str(options.minutes)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        seconds = time.perf_counter() - start
    found = json.loads(answer)
    print(
        f"{options.megabytes:,} MB of text, {options.unit}: at most {found['megabytes']:,.0f} MB resident "
        f"in {seconds:.0f} s and {found['updates']:,} updates"
    )
    if found["megabytes"] > LIMIT_MEGABYTES:
        raise SystemExit(f"more than the {LIMIT_MEGABYTES:,} MB that were promised")


if __name__ == "__main__":
    main()
