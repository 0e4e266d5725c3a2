"""Simple features of each step of a sequence, to find units that track one of them."""

from collections.abc import Callable, Sequence

import numpy as np

Features = dict[str, np.ndarray]  # (T,) by name
OPENING, CLOSING = "([{<", ")]}>"
VOWELS = set("aeiouyAEIOUY")


def text_features(steps: Sequence[str]) -> Features:
    """Compute features of a text after each of its steps.

    Args:
        steps: input of each step: a character, a word, or nothing, (T,). Straight and curly double quotes open and
            close; brackets are counted by depth.

    Returns:
        (T,) by name.

    Example:
        >>> facts = text_features(list('a "b" (c)'))
        >>> facts["inside quotes"].astype(int).tolist()
        [0, 0, 1, 1, 0, 0, 0, 0, 0]
        >>> facts["bracket depth"].astype(int).tolist()
        [0, 0, 0, 0, 0, 0, 1, 1, 0]
    """
    text = "".join(steps)
    ends = np.cumsum([len(step) for step in steps], dtype=int)  # characters read after each step
    walked = {name: np.concatenate([[0.0], walk(text)]) for name, walk in WALKS.items()}  # from before the first one
    return {name: values[ends] for name, values in walked.items()} | {"steps so far": _count(len(steps))}


def number_features(values: Sequence[float] | np.ndarray) -> Features:
    """Compute features of a series of numbers after each of its steps.

    Args:
        values: (T,); missing ones are NaN and count as 0.

    Returns:
        (T,) by name.

    Example:
        >>> number_features([1.0, -3.0, 2.0])["running mean"].tolist()
        [1.0, -1.0, 0.0]
    """
    x = np.nan_to_num(np.asarray(values, dtype=float))
    before = np.concatenate([x[:1], x[:-1]])
    facts = {
        "value": x,
        "size": np.abs(x),
        "sign": np.sign(x),
        "change": x - before,
        "value before": before,
        "running mean": np.cumsum(x) / np.arange(1, len(x) + 1),
        "running maximum": np.maximum.accumulate(x) if len(x) else x,
    }
    return facts | {"steps so far": _count(len(x))}


def _count(length: int) -> np.ndarray:
    return np.arange(1, length + 1, dtype=float)


# ---- walks: one value after each character of a text -------------------------------------------------


def _each(test: Callable[[str], bool]) -> Callable[[str], list[float]]:
    return lambda text: [float(test(character)) for character in text]


def _since(test: Callable[[str], bool]) -> Callable[[str], list[float]]:
    """Make a walk that counts the characters since the test last held; 0 at such a character."""

    def walk(text: str) -> list[float]:
        values, count = [], 0
        for character in text:
            count = 0 if test(character) else count + 1
            values.append(float(count))
        return values

    return walk


def _inside_quotes(text: str) -> list[float]:
    values, inside = [], False
    for character in text:
        inside = {"“": True, "”": False, '"': not inside}.get(character, inside)
        values.append(float(inside))
    return values


def _bracket_depth(text: str) -> list[float]:
    values, depth = [], 0
    for character in text:
        depth = max(0, depth + (character in OPENING) - (character in CLOSING))
        values.append(float(depth))
    return values


WALKS: dict[str, Callable[[str], list[float]]] = {
    "inside quotes": _inside_quotes,
    "bracket depth": _bracket_depth,
    "position in line": _since(lambda character: character == "\n"),
    "position in word": _since(lambda character: not character.isalnum()),
    "since the last space": _since(str.isspace),
    "is a space": _each(str.isspace),
    "is a vowel": _each(VOWELS.__contains__),
    "is a capital": _each(str.isupper),
    "is a digit": _each(str.isdigit),
    "ends a sentence": _each(".!?".__contains__),
}
