"""Next-item recommendation: sessions whose first click decides the last item, with other clicks in between.

A first-order Markov chain knows the last click, item neighbours know which items occur together; a recurrent network
remembers the first click.

Run: python examples/next_product.py [--seed 0] [--out next_product.png]
"""

from pathlib import Path

import numpy as np
from example import arguments

import unrolled as ur
from unrolled.plots.recall import draw_recall

DOORS, SHELVES = 20, 50  # ways in, and things to look at


def sessions(count: int, seed: int, shop: str = "") -> list[list[str]]:
    """Return sessions: a door, a walk along 3 to 8 shelves, the till, and the item that belongs to the door."""
    rng = np.random.default_rng(seed)
    made = []
    for door in rng.integers(DOORS, size=count):
        steps = np.cumsum(rng.choice([1, 1, 2, 7], size=rng.integers(3, 9))) + rng.integers(SHELVES)
        looked = [f"{shop}shelf {step % SHELVES}" for step in steps]
        made.append([f"{shop}door {door}", *looked, "till", f"{shop}gift {door}"])
    return made


def main(seed: int, out: Path) -> float:
    """Train on 3,000 sessions, predict the last item of 500 new ones."""
    model = ur.Recommender(user=None, item="x")
    model.fit(sessions(3000, seed), epochs=15, seed=seed)
    scores = model.evaluate(sessions(500, seed + 1))
    print(scores)
    draw_recall(scores, out)
    print(f"picture: {out}")
    return scores.model["hr_1"]


if __name__ == "__main__":
    main(**arguments(__doc__, "next_product.png"))
