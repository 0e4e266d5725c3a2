"""A square moves over small frames: say in which direction. Every single frame looks the same in each class.

Run: python examples/moving_square.py [--seed 0] [--out moving_square.png]
"""

from pathlib import Path

import numpy as np
from example import arguments, show

import unrolled as ur

SIZE, SQUARE = 10, 3
DIRECTIONS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}


def make(count: int, seed: int) -> list[dict[str, object]]:
    """Videos of 5 to 12 noisy frames, each flattened to a vector; the square wraps around the edges."""
    rng = np.random.default_rng(seed)
    records: list[dict[str, object]] = []
    for _ in range(count):
        direction = str(rng.choice(list(DIRECTIONS)))
        frame = np.zeros((SIZE, SIZE))
        frame[:SQUARE, :SQUARE] = 1
        frame = np.roll(frame, rng.integers(0, SIZE, 2), (0, 1))
        frames = []
        for _ in range(rng.integers(5, 13)):
            frames.append((frame + rng.normal(0, 0.1, frame.shape)).flatten().tolist())
            frame = np.roll(frame, DIRECTIONS[direction], (0, 1))
        records.append({"video": frames, "direction": direction})
    return records


def main(seed: int, out: Path) -> float:
    """Train on 2,000 videos, test on 500 fresh ones."""
    model = ur.Classifier(ur.Frames("video"), "direction", hidden_size=64, bidirectional=False)
    model.fit(make(2000, seed), epochs=12, seed=seed)
    fresh = make(500, seed + 1)
    scores = model.evaluate(fresh)
    print(scores)
    video = np.array(fresh[0]["video"]).reshape(-1, SIZE, SIZE)
    strip = np.concatenate([np.pad(frame, ((0, 0), (0, 1)), constant_values=1) for frame in video], axis=1)
    rows = {" " * number: row.tolist() for number, row in enumerate(strip)}
    show(out, f"Predicted: {model.predict(fresh[:1])[0]}, true: {fresh[0]['direction']}", heatmap=rows)
    return scores.model["accuracy"]


if __name__ == "__main__":
    main(**arguments(__doc__, "moving_square.png"))
