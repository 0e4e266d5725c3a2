"""Image captioning: sentences about drawn shapes, also for combinations that are not in training.

Run: python examples/captions.py [--seed 0] [--out captions.png] [--epochs 10]
"""

from pathlib import Path

import numpy as np
from example import arguments

import unrolled as ur
from unrolled.plots.attention_maps import draw_sheet

SIDE, SIZE = 32, 10  # of a scene and of a thing, in pixels
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 70, 220),
    "yellow": (235, 190, 20),
    "purple": (150, 50, 190),
    "black": (20, 20, 20),
}
SHAPES = ("square", "disc", "cross", "frame", "bar", "pole")
NEVER = set(zip(COLOURS, SHAPES, strict=True))  # a red square and so on: in no scene of training


def stencil(shape: str) -> np.ndarray:
    """Return the mask of a shape's pixels, (SIZE, SIZE)."""
    down, right = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    far = np.maximum(abs(down), abs(right))
    painted = {
        "square": far < SIZE,
        "disc": down**2 + right**2 < (SIZE / 2) ** 2,
        "cross": np.minimum(abs(down), abs(right)) < SIZE / 6,
        "frame": far > SIZE / 4,
        "bar": abs(down) < SIZE / 5,
        "pole": abs(right) < SIZE / 5,
    }
    return painted[shape]


def scene(new: bool, rng: np.random.Generator) -> dict[str, object]:
    """Draw one shape on white, of a known or a new combination, with its caption."""
    chosen = [(colour, shape) for colour in COLOURS for shape in SHAPES if ((colour, shape) in NEVER) == new]
    colour, shape = chosen[rng.integers(len(chosen))]
    low, right = (bool(rng.integers(2)) for _ in range(2))
    room = SIDE // 2 - SIZE
    top, left = rng.integers(0, room + 1) + low * SIDE // 2, rng.integers(0, room + 1) + right * SIDE // 2
    pixels = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    pixels[top : top + SIZE, left : left + SIZE][stencil(shape)] = COLOURS[colour]
    where = f"{'bottom' if low else 'top'} {'right' if right else 'left'}"
    return {"picture": pixels, "caption": f"a {colour} {shape} at the {where}"}


def main(seed: int, out: Path, epochs: int | None = None) -> float:
    """Train on 2,000 pictures, then caption 200 of known and 200 of new combinations."""
    rng = np.random.default_rng(seed)
    known, new = ([scene(is_new, rng) for _ in range(count)] for is_new, count in ((False, 2200), (True, 200)))
    model = ur.Captioner(ur.Pictures("picture", size=SIDE), hidden_size=64, dropout=0.0)
    model.fit(known[200:], epochs=epochs or 10, learning_rate=4e-3, batch_size=32, seed=seed)
    scores = model.evaluate(known[:200])
    print(f"Known combinations:\n{scores}\n")
    print(f"New combinations, such as {new[0]['caption']!r}:\n{model.evaluate(new)}")
    draw_sheet(model.workings(new[:8]), out)
    print(f"picture: {out}")
    return scores.model["exact"]


if __name__ == "__main__":
    main(**arguments(__doc__, "captions.png", epochs=int))
