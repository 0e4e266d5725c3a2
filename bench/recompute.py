"""What recomputing saves and costs while an LSTM trains on one long sequence; each run in a process of its own.

Run: python bench/recompute.py
"""

import argparse

from processes import LONG_PEAK, ask

LENGTHS = (10_000, 30_000, 100_000)


def compare(steps: int) -> str:
    """A line about one sequence of so many steps, I64 H128."""
    program = LONG_PEAK.replace("100_000", str(steps))
    stored, again = (ask(program, way) for way in ("keep", "recompute"))
    return (
        f"{steps:>8,} steps: peak beyond the start {stored[1]:.0f} MB, with recompute {again[1]:.0f} MB; "
        f"time {stored[2]:.2f} s, with recompute {again[2]:.2f} s, ratio {again[2] / stored[2]:.2f}"
    )


def main() -> None:
    """Measure, and print a line for each length."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=LENGTHS)
    for steps in parser.parse_args().steps:
        print(compare(steps), flush=True)


if __name__ == "__main__":
    main()
