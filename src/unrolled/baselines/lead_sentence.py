"""A baseline for summaries: the first sentence of the source."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from unrolled.baselines.base import Baseline

_CLOSING = "\"'\u2019\u201d\u00bb)\\]\u300d\u300f"
# a full stop with what closes a quotation; those of scripts without spaces; the end of a line
_ENDS = re.compile(f"(?P<spaced>[.!?\u2026\u061f\u0964]++[{_CLOSING}]*+)|[\u3002\uff01\uff1f]++[{_CLOSING}]*+|\n")
ABBREVIATION = 1  # letters of a word whose full stop ends no sentence, as in "J. Doe"


class LeadSentence(Baseline):
    """The first sentence of the source, which summaries of news rarely beat by much.

    Source: the lead baseline of R. Nallapati, F. Zhai and B. Zhou, "SummaRuNNer", AAAI 2017, section 4.2, of one
    sentence instead of three.

    Example:
        >>> LeadSentence().fit([], []).predict(["Rain fell. Then the sun came.", "No end"])
        ['Rain fell.', 'No end']
    """

    key = "lead_sentence"
    name = "first sentence of the source"

    def fit(self, inputs: Sequence[str], targets: Sequence[str]) -> Self:
        return self

    def predict(self, inputs: Sequence[str]) -> list[str]:
        return [first_sentence(text) for text in inputs]

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls()


def first_sentence(text: str) -> str:
    """Return the text up to the end of its first sentence; all of it if there is no end.

    A full stop ends a sentence if white space and no small letter follow, and if its word is no initial.

    Example:
        >>> first_sentence('J. Doe paid 3.50 for it. "Why?"'), first_sentence("雨が降った。晴れた。")
        ('J. Doe paid 3.50 for it.', '雨が降った。')
    """
    text = text.strip()
    for end in _ENDS.finditer(text):
        if end["spaced"] is None or _ends(text, end):
            return text[: end.end()].strip()
    return text


def _ends(text: str, end: re.Match[str]) -> bool:
    """Return whether a sign between words ends a sentence."""
    rest = text[end.end() : end.end() + 2]
    if rest and (not rest[0].isspace() or rest[1:].islower()):
        return False
    before = text[max(0, end.start() - ABBREVIATION - 1) : end.start()]
    is_initial = before[-1:].isupper() and not before[:-1].isalnum()
    return not (is_initial and end["spaced"] == "." and rest)
