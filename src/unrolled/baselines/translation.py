"""Baselines that answer a text with a text by a rule: copying, the first words, the most frequent answer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import Baseline
from unrolled.metrics.texts.counted_words import first_words, written_words


class CopySource(Baseline):
    """The source text, unchanged."""

    key = "copy_source"
    name = "copy of the source"

    def fit(self, inputs: Sequence[str], targets: Sequence[str]) -> Self:
        return self

    def predict(self, inputs: Sequence[str]) -> list[str]:
        return list(inputs)

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls()


class LeadWords(Baseline):
    """The first words of the source, as many as the median answer has; a sign of an unspaced script is a word."""

    key = "lead_words"
    name = "first words of the source"

    def fit(self, inputs: Sequence[str], targets: Sequence[str]) -> Self:
        lengths = [len(written_words(text)) for text in targets]
        return self._learn(round(float(np.median(lengths))) if lengths else 0)

    def _learn(self, count: int) -> Self:
        self.count_ = count
        self.name = f"first {count:,} words of the source" if count != 1 else "first word of the source"
        return self

    def predict(self, inputs: Sequence[str]) -> list[str]:
        return [first_words(text, self.count_) for text in inputs]

    def state(self) -> dict[str, Any]:
        return {"count": self.count_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls()._learn(int(state["count"]))


class MostFrequentAnswer(Baseline):
    """The same answer to everything: the most frequent one; in a tie the alphabetically first.

    Args:
        what: name of an answer, for the baseline's name.

    Example:
        >>> MostFrequentAnswer().fit(["a", "b", "c"], ["yes", "no", "yes"]).predict(["d"])
        ['yes']
    """

    key = "most_frequent_answer"

    def __init__(self, what: str = "answer") -> None:
        self.what = what
        self.name = f"most frequent {what}"

    def fit(self, inputs: Sequence[Any], targets: Sequence[str]) -> Self:
        self.answer_ = most_frequent(targets)
        return self

    def predict(self, inputs: Sequence[Any]) -> list[str]:
        return [self.answer_] * len(inputs)

    def state(self) -> dict[str, Any]:
        return {"what": self.what, "answer": self.answer_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(state["what"])
        baseline.answer_ = state["answer"]
        return baseline


def most_frequent(texts: Iterable[str]) -> str:
    """Return the most frequent text; in a tie the alphabetically first, and an empty text if there is none."""
    counts = Counter(texts)
    return min(counts, key=lambda text: (-counts[text], text), default="")
