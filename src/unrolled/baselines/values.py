"""Access to the raw values of records, by their kind, for baselines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from unrolled.codecs.text.words import split_words

Example = Mapping[str, Any]
PICTURE_AXES = (3, 4)  # of an array: channels, height, width, and in a film the frames before them
LARGEST = 1e100  # squares of larger numbers overflow


def texts(example: Example) -> Iterator[tuple[str, str]]:
    """Yield the columns that hold text."""
    return ((column, value) for column, value in example.items() if isinstance(value, str))


def is_number(value: Any) -> bool:
    """Return whether a value is a number or a missing one."""
    return value is None or (isinstance(value, int | float | np.number) and not isinstance(value, bool))


def is_series(value: Any) -> bool:
    """Return whether a value is a sequence of numbers or of vectors."""
    if isinstance(value, np.ndarray):
        return value.ndim in (1, 2) and value.dtype.kind in "biuf"
    if not isinstance(value, list | tuple):
        return False
    return all(is_number(step) or (isinstance(step, list | tuple) and all(map(is_number, step))) for step in value)


def has_numbers(inputs: Sequence[Example]) -> bool:
    """Return whether any column holds sequences of numbers, or numbers that are no categories."""
    return has_series(inputs) or any(
        isinstance(value, float | np.floating) for example in inputs[:100] for value in example.values()
    )


def has_words(inputs: Sequence[Example]) -> bool:
    """Return whether any column holds texts, or sequences of them."""
    return any(
        isinstance(value, str) or (isinstance(value, list | tuple) and any(isinstance(step, str) for step in value))
        for example in inputs[:100]
        for value in example.values()
    )


def films(example: Example) -> list[np.ndarray]:
    """Return the columns that hold films or pictures, (T, C, S, S) uint8 each; a picture is a film of one frame."""
    arrays = [value for value in example.values() if isinstance(value, np.ndarray) and value.ndim in PICTURE_AXES]
    return [array if array.ndim == max(PICTURE_AXES) else array[None] for array in arrays]


def size_of(example: Example) -> int:
    """Return the number of characters, tokens and numbers in a record, the cost of reading it; at least 1."""
    return 1 + sum(
        np.size(v) if isinstance(v, np.ndarray) else len(v) if hasattr(v, "__len__") else 1 for v in example.values()
    )


def has_series(inputs: Sequence[Example]) -> bool:
    """Return whether any column holds sequences of numbers."""
    return any(is_series(value) and len(value) for example in inputs[:100] for value in example.values())


def tokens(example: Example) -> list[str]:
    """Return everything in a record that can be counted: words, tokens, whole numbers, categories."""
    bag: list[str] = []
    for column, value in example.items():
        if isinstance(value, np.ndarray) and value.dtype.kind not in "biuf":
            value = value.tolist()
        if isinstance(value, str):
            bag += [f"{column}:{word.lower()}" for word in split_words(value)]
        elif isinstance(value, list | tuple):
            bag += [f"{column}:{step}" for step in value if isinstance(step, str | int | bool)]
        elif value is not None and not isinstance(value, float | np.floating | np.ndarray):
            bag.append(f"{column}:{value}")
    return bag


def series(example: Example) -> np.ndarray:
    """Return all number columns side by side, (T, F); a single number counts as a constant; missing values are NaN."""
    parts: list[np.ndarray] = []
    for value in example.values():
        if is_series(value):
            array = np.asarray([step if not is_number(step) else _float(step) for step in value], dtype=np.float64)
            parts.append(array.reshape(len(value), -1) if len(value) else np.zeros((0, 1)))
        elif is_number(value):
            parts.append(np.full((1, 1), _float(value)))
    if not parts:
        return np.zeros((0, 1))
    steps = max(map(len, parts))
    joined = np.concatenate([_stretch(part, steps) for part in parts if part.shape[1]], axis=1)
    return np.clip(joined, -LARGEST, LARGEST)


def _stretch(part: np.ndarray, steps: int) -> np.ndarray:
    if len(part) == steps:
        return part
    return np.repeat(part, steps, axis=0) if len(part) == 1 else np.full((steps, part.shape[1]), np.nan)


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)
