"""Spacing of punctuation: whether a sign follows its neighbour without a space, learnt from the training texts."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

LOOKED_AT = 1_000_000  # characters of the training texts that are used
HALF = 0.5
LEAST = 3  # least number of occurrences of a neighbourhood

Spacing = Mapping[str, Mapping[str, float]]


def is_word(token: str) -> bool:
    """Return whether a token contains a letter or a digit, and so is no sign."""
    return any(letter.isalnum() for letter in token)


def learn_spacing(texts: Iterable[str], split: Callable[[str], list[str]]) -> dict[str, dict[str, float]]:
    """Return how often signs stand directly after a word, before a word, and before another sign.

    Args:
        texts: as they are written.
        split: splits a text into tokens.

    Returns:
        Shares in [0, 1]: "after" a word by sign, "before" a word by sign, and "signs" by the two signs side by side.

    Example:
        >>> learn_spacing(["% s", "%s", "%s"] * 3, lambda text: ["%", "s"])["before"]
        {'%': 0.6666666666666666}
    """
    close: dict[str, Counter[str]] = {"after": Counter(), "before": Counter(), "signs": Counter()}
    met: dict[str, Counter[str]] = {"after": Counter(), "before": Counter(), "signs": Counter()}
    left_over = LOOKED_AT
    for text in texts:
        text = text[:left_over]
        left_over -= len(text)
        place = 0
        spans = []
        for token in split(text):
            place = text.index(token, place)
            spans.append((token, place, place + len(token)))
            place += len(token)
        for (left, _, end), (right, start, _) in pairwise(spans):
            kind, key = neighbourhood(left, right)
            if kind:
                met[kind][key] += 1
                close[kind][key] += start == end
    return {
        kind: {key: close[kind][key] / count for key, count in counts.items() if count >= LEAST}
        for kind, counts in met.items()
    }


def neighbourhood(left: str, right: str) -> tuple[str, str]:
    """Return the key of the share for two tokens; empty for two words."""
    if is_word(left):
        return ("", "") if is_word(right) else ("after", right)
    return ("before", left) if is_word(right) else ("signs", left + right)


def are_close(left: str, right: str, spacing: Spacing) -> bool | None:
    """Return whether two tokens mostly stand without a space; None if that is unknown."""
    kind, key = neighbourhood(left, right)
    share = spacing.get(kind, {}).get(key)
    return None if share is None else share > HALF
