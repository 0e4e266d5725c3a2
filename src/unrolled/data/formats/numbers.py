"""Numbers in files of series: written values, missing ones, and the line of one that is neither."""

import math
from pathlib import Path

from unrolled.errors import DataError, message

MISSING = ("", "?", "nan", "na", "null")  # in any case


def number(word: str, path: str | Path, line: int) -> float | None:
    """Return a written number, or None for a mark of a missing one; "nan" is missing too.

    Args:
        word: the text; blanks around it do not count.
        path: for error messages.
        line: for error messages.

    Raises:
        DataError: neither; the message names the line.

    Example:
        >>> number(" 1e2 ", "a.ts", 1), number("?", "a.ts", 1)
        (100.0, None)
    """
    word = word.strip()
    if word.lower() in MISSING:
        return None
    try:
        found = float(word)
    except ValueError:
        found = math.nan
    if math.isfinite(found) and "_" not in word:  # Python reads 1_000, no other program does
        return found
    raise DataError(message(f"{path}, line {line}", expected="a number", received=repr(word[:40])))


def numbers(text: str, path: str | Path, line: int) -> list[float | None]:
    """Return numbers between commas; an empty place is a missing number, and an empty text is no number at all.

    Args:
        text: such as "1,,3".
        path: for error messages.
        line: for error messages.

    Raises:
        DataError: a word that is no number; the message names the line.

    Example:
        >>> numbers("1,,3", "a.ts", 1), numbers(" ", "a.ts", 1)
        ([1.0, None, 3.0], [])
    """
    if not text.strip():
        return []
    words = text.split(",")
    try:  # by far the commonest case, at three times the speed
        found: list[float | None] = [float(word) for word in words]
    except ValueError:
        return [number(word, path, line) for word in words]
    plain = "_" not in text and all(value is not None and math.isfinite(value) for value in found)
    return found if plain else [number(word, path, line) for word in words]
