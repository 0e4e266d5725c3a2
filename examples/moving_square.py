"""Video classification: the direction of a moving square. Single frames look the same in every class.

A convolutional network encodes every frame and a recurrent network reads the codes; both are trained together. The mean
of the frames contains no information on the direction, so the baseline can only guess.

Run: python examples/moving_square.py [--seed 0] [--out moving_square.png]
"""

from pathlib import Path

import numpy as np
from example import arguments, show

import unrolled as ur

SIZE, SQUARE = 12, 3
DIRECTIONS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}


def make(count: int, seed: int) -> list[dict[str, object]]:
    """Return videos of 5 to 12 noisy grey frames; the square wraps around the edges."""
    rng = np.random.default_rng(seed)
    records: list[dict[str, object]] = []
    for _ in range(count):
        direction = str(rng.choice(list(DIRECTIONS)))
        frame = np.full((SIZE, SIZE), 60.0)
        frame[:SQUARE, :SQUARE] = 200
        frame = np.roll(frame, rng.integers(0, SIZE, 2), (0, 1))
        frames = []
        for _ in range(rng.integers(5, 13)):
            frames.append((frame + rng.normal(0, 15, frame.shape)).astype(np.uint8))
            frame = np.roll(frame, DIRECTIONS[direction], (0, 1))
        records.append({"clip": np.stack(frames), "direction": direction})
    return records


def main(seed: int, out: Path) -> float:
    """Train on 1,200 videos, test on 500 new ones."""
    clips = ur.Video("clip", size=SIZE, channels=1, embedding_size=32)
    model = ur.Classifier(clips, "direction", cell="gru", hidden_size=64, bidirectional=False)
    model.fit(make(1200, seed), epochs=8, seed=seed)
    fresh = make(500, seed + 1000)
    scores = model.evaluate(fresh)
    print(scores)
    film = np.asarray(fresh[0]["clip"]) / 255
    strip = np.concatenate([np.pad(frame, ((0, 0), (0, 1)), constant_values=1) for frame in film], axis=1)
    rows = {" " * number: row.tolist() for number, row in enumerate(strip)}
    show(out, f"Predicted: {model.predict(fresh[:1])[0]}, true: {fresh[0]['direction']}", heatmap=rows)
    return scores.model["accuracy"]


if __name__ == "__main__":
    main(**arguments(__doc__, "moving_square.png"))
