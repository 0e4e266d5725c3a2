"""Two tasks with an exact rule, letter by letter: sums of numbers, and reversed strings; several seeds.

Run: python bench/letters.py [--only sums backwards] [--seeds 3] [--epochs 12] [--positions false]

Sums: 20,000 pairs of three-digit numbers for training, 2,000 others for testing. Backwards: 10,000 strings of 1 to 40
random letters for training, 1,000 others for testing. Every seed has its own data. One thread; both wall clock and CPU
seconds are printed, since other programs may share the machine.
"""

import argparse
import random
import statistics
import string
import time

import numpy as np
import torch

import unrolled as ur

Texts = tuple[list[str], list[str]]


def sums(seed: int) -> tuple[Texts, Texts]:
    """Different pairs of numbers of three digits as "110+25", and their sums."""
    drawn = np.random.default_rng(seed).choice(900 * 900, 22_000, replace=False)
    pairs = [(100 + int(pair) // 900, 100 + int(pair) % 900) for pair in drawn]
    read, written = [f"{a}+{b}" for a, b in pairs], [str(a + b) for a, b in pairs]
    return (read[2000:], written[2000:]), (read[:2000], written[:2000])


def backwards(seed: int) -> tuple[Texts, Texts]:
    """Different strings of 1 to 40 letters, and the same from the end."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < 11_000:
        found["".join(draw.choices(string.ascii_lowercase, k=draw.randint(1, 40)))] = None
    read = list(found)
    draw.shuffle(read)  # short strings are soon all found, and the last ones would be longer
    written = [text[::-1] for text in read]
    return (read[1000:], written[1000:]), (read[:1000], written[:1000])


TASKS = {"sums": (sums, 12), "backwards": (backwards, 6)}


def main() -> None:
    """Train, predict, and print the share of answers with every letter right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=0, help="0 = 12 for sums, 6 for strings")
    parser.add_argument(
        "--positions", choices=["true", "false"], default="true", help="whether attention knows positions"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.only:
        make, epochs = TASKS[name]
        shares = []
        for seed in range(options.seeds):
            train, (read, written) = make(seed)
            model = ur.Translator(hidden_size=128, dropout=0.0, decoder={"positions": options.positions == "true"})
            clock, processor = time.perf_counter(), time.process_time()
            model.fit(*train, epochs=options.epochs or epochs, batch_size=32, learning_rate=3e-3, seed=seed)
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            scores = model.evaluate(read, written)
            shares.append(scores.model["exact"])
            rival = max(values["exact"] for values in scores.baselines.values())
            seconds = f"{clock:.0f} s, {processor:.0f} of the processor"
            print(f"{name}, seed {seed}: {seconds}, exact {shares[-1]:.4f}, best baseline {rival:.4f}", flush=True)
        print(f"{name}: exact {statistics.mean(shares):.4f}, from {min(shares):.4f} to {max(shares):.4f}", flush=True)


if __name__ == "__main__":
    main()
