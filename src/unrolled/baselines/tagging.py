"""Baselines for one label per step: lists of labels."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Self

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier

from unrolled.baselines.base import Baseline, Linear, partly, sample

BITS = 17  # of the hashed features of a window
WINDOW = 2  # neighbours on each side
MAX_STEPS = 300_000  # steps that a window tagger is fitted on
MAX_UPDATES = 30_000_000  # steps times labels times passes, so that the time is bounded
MAX_PASSES = 20


class MostFrequentTag(Baseline):
    """Each word's most frequent label in training, else that of its lower case, else the most frequent label of all.

    Among equally frequent labels, the first in order is chosen.
    """

    key = "most_frequent_tag"
    name = "most frequent label per value"

    def fit(self, inputs: Sequence[Sequence[str]], targets: Sequence[Sequence[Any]]) -> Self:
        counts: dict[str, Counter[Any]] = defaultdict(Counter)
        folded: dict[str, Counter[Any]] = defaultdict(Counter)
        overall: Counter[Any] = Counter()
        for words, labels in zip(inputs, targets, strict=True):
            for word, label in zip(words, labels, strict=True):
                if label is None:  # unknown
                    continue
                overall[label] += 1
                counts[word][label] += 1
                folded[word.lower()][label] += 1
        self.default_ = _most_frequent(overall)
        self.labels_ = {word: _most_frequent(counter) for word, counter in {**folded, **counts}.items()}
        return self

    def predict(self, inputs: Sequence[Sequence[str]]) -> list[list[Any]]:
        known, default = self.labels_, self.default_
        return [[known[w] if w in known else known.get(w.lower(), default) for w in words] for words in inputs]

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels_, "default": self.default_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.labels_, baseline.default_ = dict(state["labels"]), state["default"]
        return baseline


def _most_frequent(counts: Counter[Any]) -> Any:
    """Return the label with the highest count; None without counts."""
    return min(counts, key=lambda label: (-counts[label], str(label)), default=None)


class WindowTagger(Baseline):
    """A step, its neighbours and its ending, hashed to features; then logistic regression.

    Words are fitted by averaged stochastic gradient descent, one label against the rest. Steps that are all numbers
    are read as numbers, standardised, together with their distances from both ends.
    """

    key = "window_tagger"
    name = f"window of {2 * WINDOW + 1} + logistic regression"

    def fit(self, inputs: Sequence[Sequence[str]], targets: Sequence[Sequence[Any]]) -> Self:
        total = sum(map(len, inputs))
        rows = sample([len(words) for words in inputs], MAX_STEPS)
        kept = [inputs[row] for row in rows]
        self.name = partly(type(self).name, sum(map(len, kept)), total, "steps")
        self.labels_ = sorted({label for row in targets for label in row} - {None}, key=str)
        self.numeric_ = all(_is_number(word) for words in kept for word in words)
        self.mean_, self.scale_ = np.zeros(1), np.ones(1)
        index = {label: place for place, label in enumerate(self.labels_)}
        flat = [label for row in rows for label in targets[row]]
        known = [place for place, label in enumerate(flat) if label is not None]
        wanted = [index[flat[place]] for place in known]
        if self.numeric_:
            raw = self._features(kept)
            self.mean_, spread = raw.mean(0), raw.std(0)
            self.scale_ = np.where(spread > 0, spread, 1.0)
            self.linear_ = Linear.fit(self._features(kept)[known], wanted, len(self.labels_))
        else:
            self.linear_ = _descend(self._features(kept)[known], wanted, len(self.labels_))
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
            rows = list(chain.from_iterable(map(_number_windows, inputs)))
            raw = np.array(rows, dtype=np.float64).reshape(len(rows), 2 * WINDOW + 4)
            return (raw - self.mean_) / self.scale_
        options: dict[str, Any] = {"input_type": "string", "dtype": np.float32}
        return FeatureHasher(2**BITS, **options).transform(chain.from_iterable(map(_word_windows, inputs)))

    def state(self) -> dict[str, Any]:
        own = {"labels": self.labels_, "numeric": self.numeric_, "name": self.name}
        learnt = {"mean": self.mean_, "scale": self.scale_, "bias": self.linear_.bias}
        weights = self.linear_.weights
        rows = np.flatnonzero(weights.any(1))  # most hashed features never occur in a small text
        return {**own, **learnt, "features": len(weights), "rows": rows, "weights": weights[rows]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.labels_, baseline.numeric_ = list(state["labels"]), bool(state["numeric"])
        baseline.name = state["name"]
        baseline.mean_, baseline.scale_ = np.asarray(state["mean"]), np.asarray(state["scale"])
        weights = np.zeros((int(state["features"]), len(baseline.labels_)), dtype=np.float32)
        weights[np.asarray(state["rows"])] = state["weights"]
        baseline.linear_ = Linear(weights, np.asarray(state["bias"]))
        return baseline


def _descend(features: Any, targets: list[int], size: int) -> Linear:
    """Fit one logistic regression per label, in as many passes as MAX_UPDATES allows."""
    labels = np.asarray(targets)
    seen = np.unique(labels)
    if len(seen) < 2 or size < 2:
        return Linear.fit(features, targets, size)
    passes = int(np.clip(MAX_UPDATES // (len(labels) * len(seen)), 2, MAX_PASSES))
    fixed: dict[str, Any] = {"loss": "log_loss", "average": True, "tol": None, "random_state": 0}
    model: Any = SGDClassifier(alpha=0.2 / len(labels), max_iter=passes, **fixed).fit(features, labels)
    weights = np.zeros((features.shape[1], size), dtype=np.float32)
    bias = np.full(size, -30.0, dtype=np.float32)
    if len(seen) == 2:  # scikit-learn has one row of weights for two labels: those of the first are zero
        weights[:, seen[1]], bias[seen] = model.coef_[0], [0.0, model.intercept_[0]]
    else:
        weights[:, seen], bias[seen] = model.coef_.T, model.intercept_
    return Linear(weights, bias)


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
    numbers = [float(word) if _is_number(word) else 0.0 for word in words]
    values = [0.0] * WINDOW + numbers + [0.0] * WINDOW
    total = len(words)
    return [[*values[place : place + 2 * WINDOW + 1], place, total - place, place / total] for place in range(total)]


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
