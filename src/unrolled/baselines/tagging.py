"""Baselines that say a label for every step: lists of labels."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.feature_extraction import FeatureHasher

from unrolled.baselines.base import Baseline, Linear

BITS = 14  # hashed features of a window
WINDOW = 2  # neighbours on each side


class MostFrequentTag(Baseline):
    """Each word's most frequent label in training; an unknown word gets the most frequent label of all."""

    key = "most_frequent_tag"
    name = "most frequent label per value"

    def fit(self, inputs: Sequence[Sequence[str]], targets: Sequence[Sequence[Any]]) -> Self:
        counts: dict[str, Counter[Any]] = defaultdict(Counter)
        for words, labels in zip(inputs, targets, strict=True):
            for word, label in zip(words, labels, strict=True):
                counts[word][label] += 1
        overall: Counter[Any] = sum(counts.values(), Counter())
        self.default_ = overall.most_common(1)[0][0]
        self.labels_ = {word: counter.most_common(1)[0][0] for word, counter in counts.items()}
        return self

    def predict(self, inputs: Sequence[Sequence[str]]) -> list[list[Any]]:
        return [[self.labels_.get(word, self.default_) for word in words] for words in inputs]

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels_, "default": self.default_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.labels_, baseline.default_ = dict(state["labels"]), state["default"]
        return baseline


class WindowTagger(Baseline):
    """A step, its neighbours and its ending, hashed to features; then logistic regression.

    Steps that are numbers enter as numbers, together with how far they are from both ends.
    """

    key = "window_tagger"
    name = f"window of {2 * WINDOW + 1} + logistic regression"

    def fit(self, inputs: Sequence[Sequence[str]], targets: Sequence[Sequence[Any]]) -> Self:
        self.labels_ = sorted({label for row in targets for label in row}, key=str)
        index = {label: place for place, label in enumerate(self.labels_)}
        self.numeric_ = all(_is_number(word) for words in inputs for word in words)
        flat = [index[label] for row in targets for label in row]
        self.linear_ = Linear.fit(self._features(inputs), flat, len(self.labels_))
        return self

    def predict(self, inputs: Sequence[Sequence[str]]) -> list[list[Any]]:
        best = self.linear_.predict(self._features(inputs)).argmax(1) if any(map(len, inputs)) else np.zeros(0, int)
        ends = np.cumsum([len(words) for words in inputs])
        return [
            [self.labels_[place] for place in best[end - len(words) : end]]
            for words, end in zip(inputs, ends, strict=True)
        ]

    def _features(self, inputs: Sequence[Sequence[str]]) -> Any:
        if self.numeric_:
            rows = [row for words in inputs for row in _number_windows(words)]
            return np.array(rows, dtype=np.float32).reshape(len(rows), 2 * WINDOW + 4)
        options: dict[str, Any] = {"input_type": "string", "dtype": np.float32}
        return FeatureHasher(2**BITS, **options).transform(row for words in inputs for row in _word_windows(words))

    def state(self) -> dict[str, Any]:
        own = {"labels": self.labels_, "numeric": self.numeric_}
        return {**own, "weights": self.linear_.weights, "bias": self.linear_.bias}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.labels_, baseline.numeric_ = list(state["labels"]), bool(state["numeric"])
        baseline.linear_ = Linear(np.asarray(state["weights"]), np.asarray(state["bias"]))
        return baseline


def _word_windows(words: Sequence[str]) -> list[list[str]]:
    padded = ["<s>"] * WINDOW + list(words) + ["</s>"] * WINDOW
    rows = []
    for place, word in enumerate(words):
        row = [f"{offset}={padded[place + offset]}" for offset in range(2 * WINDOW + 1)]
        row += [f"end={word[-size:]}" for size in (1, 2, 3)]
        row += [f"start={word[:2]}", f"upper={word[:1].isupper()}", f"digit={any(map(str.isdigit, word))}"]
        rows.append(row)
    return rows


def _number_windows(words: Sequence[str]) -> list[list[float]]:
    values = [0.0] * WINDOW + [float(word) if word else 0.0 for word in words] + [0.0] * WINDOW
    total = len(words)
    return [[*values[place : place + 2 * WINDOW + 1], place, total - place, place / total] for place in range(total)]


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
