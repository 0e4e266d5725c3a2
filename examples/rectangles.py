"""Generate rectangles point by point: a network learns where the next corner may be, and draws new rectangles.

A side goes one of two ways and has any length, so the mean of all possible corners is not a rectangle: the network
learns a density, a mixture of Gaussians, and samples from it until the shape ends.

Run: python examples/rectangles.py [--seed 0] [--out rectangles.png]
"""

from pathlib import Path

import numpy as np
from example import arguments

import unrolled as ur
from unrolled.plots.shapes import draw_shapes

JITTER, TOLERANCE = 0.003, 0.1  # of a corner's place; of a side, what a shape may miss to count as a rectangle
DRAWN = 1000


def make(count: int, seed: int) -> list[np.ndarray]:
    """Return rectangles of any place and size, from any corner, in either direction: a start and four steps, (5, 2)."""
    rng = np.random.default_rng(seed)
    shapes = []
    for _ in range(count):
        low, size = rng.uniform(0, 0.5, 2), rng.uniform(0.2, 0.5, 2)
        corners = low + size * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        corners = np.roll(corners[:: rng.choice([1, -1])], rng.integers(4), axis=0)
        corners = corners[[0, 1, 2, 3, 0]] + rng.normal(0, JITTER, (5, 2))
        shapes.append(np.diff(corners, axis=0, prepend=0))
    return shapes


def walk(like: list[np.ndarray], count: int, seed: int) -> list[np.ndarray]:
    """Return shapes of a random walk: Gaussians of the starts and of the steps of some shapes."""
    rng = np.random.default_rng(seed)
    starts, steps = np.stack([shape[0] for shape in like]), np.concatenate([shape[1:] for shape in like])
    first = rng.multivariate_normal(starts.mean(0), np.cov(starts.T), count)[:, None]
    return list(np.concatenate([first, rng.multivariate_normal(steps.mean(0), np.cov(steps.T), (count, 4))], axis=1))


def is_rectangle(shape: np.ndarray) -> bool:
    """Return whether a shape has four sides along the axes with right angles and is closed, within the tolerance."""
    if len(shape) != 5:
        return False
    sides = shape[1:]
    lengths = np.linalg.norm(sides, axis=1)
    if lengths.min() < 10 * JITTER:
        return False
    along = sides / lengths[:, None]
    parallel = np.abs(along).min(1).max() < TOLERANCE
    right = np.abs((along * np.roll(along, 1, axis=0)).sum(1)).max() < 2 * TOLERANCE
    closed = np.linalg.norm(sides.sum(0)) < TOLERANCE * lengths.max()
    return bool(parallel and right and closed)


def share(shapes: list[np.ndarray]) -> float:
    """Return the share of rectangles among the shapes."""
    return float(np.mean([is_rectangle(shape) for shape in shapes]))


def main(seed: int, out: Path) -> float:
    """Train on 4,000 rectangles, sample 1,000 new shapes, and count the rectangles among them."""
    shapes = make(4000, seed)
    model = ur.SequenceModel("steps", output="mixture", cell="gru", hidden_size=64, dropout=0.0)
    options = {"epochs": 30, "learning_rate": 1e-2, "max_grad_norm": 10.0}  # sharp densities have steep slopes
    model.fit([{"steps": shape.tolist()} for shape in shapes], seed=seed, **options)
    print(model.evaluate([{"steps": shape.tolist()} for shape in make(500, seed + 1)]))
    drawn, safer = model.draw(DRAWN, seed=seed), model.draw(DRAWN, temperature=0.5, seed=seed)
    walked = walk(shapes, DRAWN, seed)
    for name, some in {"the data": shapes, "drawn": drawn, "drawn at 0.5": safer, "random walk": walked}.items():
        print(f"rectangles among {name}: {share(some):.1%}")
    groups = {"training data": shapes[:8], "drawn by the network": drawn[:16], "drawn by a random walk": walked[:8]}
    draw_shapes(groups, out, offsets=True)
    print(f"picture: {out}")
    return share(drawn)


if __name__ == "__main__":
    main(**arguments(__doc__, "rectangles.png"))
