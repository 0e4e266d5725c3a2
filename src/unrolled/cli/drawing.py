"""`unrolled generate` for sequence models: points as lines of JSON, and a picture of them."""

import json
from typing import Any

from unrolled.errors import DataError, OptionError, message


def generate_sequences(
    task: Any,
    prompt: str,
    length: int,
    temperature: float | None,
    seed: int | None,
    count: int,
    out: str,
    offsets: bool,
) -> None:
    """Print one line of JSON per sequence, with the prompt's frames first, and draw them if a file is given."""
    start = _frames(prompt)
    if offsets and not out:
        raise OptionError(message("--offsets", expected="a picture to draw", received="no --out"))
    if task.output == "mixture":
        drawn = task.draw(count, length, temperature, seed, start)
    else:
        seeds = [None if seed is None else seed + number for number in range(count)]
        drawn = [task.generate(start, length, temperature, own) for own in seeds]
    whole = [[*start, *frames.tolist()] for frames in drawn]
    if out:
        from unrolled.plots.shapes import draw_shapes

        draw_shapes({"": whole}, out, offsets)
    for frames in whole:
        print(json.dumps({task.codec_.columns[0]: frames}))


def _frames(prompt: str) -> list[Any]:
    try:
        frames = json.loads(prompt) if prompt else []
    except json.JSONDecodeError:
        frames = None
    if not isinstance(frames, list):
        raise DataError(message("--prompt", expected="frames as JSON, such as [[0, 1], [2, 3]]", received=repr(prompt)))
    return frames
