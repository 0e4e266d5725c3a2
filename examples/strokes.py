"""Generate pen strokes point by point: spirals and figures of eight, with the pen lifted between them.

Run: python examples/strokes.py [--seed 0] [--out strokes.png]
"""

from pathlib import Path

import numpy as np
from example import arguments

import unrolled as ur
from unrolled.plots.shapes import draw_shapes


def curve(rng: np.random.Generator) -> np.ndarray:
    """Return a spiral or a figure of eight of random size and turns, with about equal distances of points: (T, 2)."""
    size, turns, way = rng.uniform(0.8, 1.4), rng.uniform(1.5, 2.5), rng.choice([-1, 1])
    if rng.random() < 0.5:
        angle = np.linspace(0, 2 * np.pi * turns, 300) + rng.uniform(0, 2 * np.pi)
        places = np.linspace(0.1, 1, 300)[:, None] * np.stack([np.cos(angle), way * np.sin(angle)], 1)
    else:
        angle = np.linspace(0, 2 * np.pi, 300)
        places = np.stack([np.sin(angle), way * np.sin(2 * angle)], 1)
    gone = np.append(0, np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1)))
    even = np.linspace(0, gone[-1], int(gone[-1] / 0.3))
    return size * np.stack([np.interp(even, gone, places[:, axis]) for axis in (0, 1)], 1)


def make(count: int, seed: int) -> list[dict[str, list[list[float]]]]:
    """Return one or more curves next to each other: the step to each point, and 1 if the pen is lifted after it."""
    rng = np.random.default_rng(seed)
    records = []
    for _ in range(count):
        strokes = [curve(rng) + np.array([3.0 * place, 0.0]) for place in range(rng.geometric(0.5))]
        steps = np.diff(np.concatenate(strokes) + rng.normal(0, 0.02, (sum(map(len, strokes)), 2)), axis=0, prepend=0)
        lifts = np.concatenate([np.arange(len(stroke)) == len(stroke) - 1 for stroke in strokes])
        records.append({"pen": np.column_stack([steps, lifts]).tolist()})
    return records


def main(seed: int, out: Path, epochs: int = 30) -> float:
    """Train on 1,500 drawings, score 200 new ones, and generate some more."""
    data, fresh = make(1500, seed), make(200, seed + 1)
    model = ur.SequenceModel("pen", output="mixture", cell="gru", hidden_size=96, dropout=0.0)
    model.fit(data, epochs=epochs, learning_rate=1e-2, max_grad_norm=10.0, batch_size=25, seed=seed)
    scores = model.evaluate(fresh)
    print(scores)
    drawn = model.draw(8, temperature=0.3, seed=seed)
    given = [record["pen"] for record in data[:4]]
    draw_shapes({"training data": given, "drawn by the network": drawn}, out, offsets=True, across=4)
    print(f"picture: {out}")
    return scores.difference


if __name__ == "__main__":
    main(**arguments(__doc__, "strokes.png"))
