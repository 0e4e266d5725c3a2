"""Run the experiments that are missing, and write the page.

Run: make lstm-paper, or, in the folder examples: python -m lstm_paper [--quick] [--problems order-2 ...]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from lstm_paper.models import CELLS
from lstm_paper.page import SEEDS, page
from lstm_paper.problems import PROBLEMS, QUICK
from lstm_paper.results import add, read
from lstm_paper.training import run
from unrolled.report.whole_files import write_whole

DOCS = Path(__file__).parents[2] / "docs"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="lstm_paper", description=(__doc__ or "").splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--problems", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS), metavar="NAME")
    which.add_argument("--quick", dest="problems", action="store_const", const=list(QUICK), help=", ".join(QUICK))
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--seeds", type=int, default=SEEDS, help="number of runs of each problem and cell")
    parser.add_argument("--out", type=Path, default=DOCS / "lstm-paper.jsonl", help="file of the results")
    parser.add_argument("--page", type=Path, default=DOCS / "lstm-paper.md")
    return parser.parse_args(words)


def write_page(results: Path, file: Path) -> None:
    """Write the page of all results so far."""
    write_whole(file, page(read(results)))


def main(words: Sequence[str] | None = None) -> int:
    """Run what is missing; return 130 after Ctrl-C, as shells do."""
    asked = arguments(words)
    torch.set_num_threads(1)  # small networks: one thread is faster than threads that wait for each other
    done = {result.run for result in read(asked.out)}
    wanted = [(p, cell, seed) for p in asked.problems for seed in range(asked.seeds) for cell in asked.cells]
    missing = [one for one in wanted if one not in done]
    print(f"{len(missing)} runs to go, {len(wanted) - len(missing)} done before; page: {asked.page}", flush=True)
    write_page(asked.out, asked.page)
    for name, cell, seed in missing:
        try:
            result = run(PROBLEMS[name], cell, seed)
        except KeyboardInterrupt:  # between two updates, or a second Ctrl-C
            result = None
        if result is None:
            return 130
        add(asked.out, result)
        write_page(asked.out, asked.page)
        ending = "solved after" if result.solved else "not solved in"
        print(f"{name}, {cell}, seed {seed}: {ending} {result.sequences:,} sequences, {result.seconds} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
