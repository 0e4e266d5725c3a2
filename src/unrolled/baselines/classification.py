"""Baselines for the class of a whole sequence: probabilities (B, K) of class indices."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from unrolled.baselines.base import Linear, partly, sample, softmax
from unrolled.baselines.number_steps import MeanSteps, NumberSteps, SummarySteps, WindowSteps, fitted, summary
from unrolled.baselines.steps import BothSteps, ClassBaseline, Columns, NoSteps, Steps
from unrolled.baselines.text_steps import LONGEST, Counts, NGramSteps, StartSteps, WordSteps, marked_text
from unrolled.baselines.values import Example, series, size_of, tokens
from unrolled.metrics.scores import IGNORED

MAX_ROWS = 50_000  # sequences that a linear baseline is fitted on, so that its time is bounded
MAX_FEATURES = 50_000
LONGEST_WINDOW = 50
LONGEST_TEXT = 1000  # positions of the positional model
SCALE = 5.0  # length of a row of n-grams: one of unit length would need weights that the penalty suppresses


def _labelled(inputs: Sequence[Example], targets: Sequence[int]) -> tuple[list[Example], list[int]]:
    """Leave out the examples with an unknown class."""
    rows = [row for row, target in enumerate(targets) if target != IGNORED]
    return [inputs[row] for row in rows], [targets[row] for row in rows]


class Majority(ClassBaseline):
    """The frequency of each class in the training data, for every input."""

    key = "majority"
    name = "majority class"

    def __init__(self, size: int) -> None:
        self.size = size

    def fit(self, inputs: Sequence[Example], targets: Sequence[int]) -> Self:
        _, targets = _labelled(inputs, targets)
        counts = np.bincount(np.asarray(targets, dtype=np.int64), minlength=self.size) + 1e-3
        self.shares_ = counts / counts.sum()
        return self

    def predict(self, inputs: Sequence[Example]) -> np.ndarray:
        return np.tile(self.shares_, (len(inputs), 1))

    def steps(self, columns: Columns) -> Steps:
        return NoSteps()

    def shares(self, features: None) -> np.ndarray:
        return self.shares_

    def state(self) -> dict[str, Any]:
        return {"size": self.size, "shares": self.shares_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["size"]))
        baseline.shares_ = np.asarray(state["shares"])
        return baseline


class LinearBaseline(ClassBaseline):
    """Features and logistic regression; a subclass defines the features.

    Args:
        size: number of classes, K.
        balanced: let rare classes count as much as frequent ones.
    """

    arrays: ClassVar[tuple[str, ...]] = ()  # learnt attributes that `_features` needs, besides the weights
    values: ClassVar[tuple[str, ...]] = ()
    features: ClassVar[tuple[str, ...]]  # learnt attributes with one entry per feature
    most: ClassVar[int] = 20_000_000  # maximum number of characters, tokens or numbers to fit on

    def __init__(self, size: int, balanced: bool = False) -> None:
        self.size = size
        self.balanced = balanced

    def fit(self, inputs: Sequence[Example], targets: Sequence[int]) -> Self:
        inputs, targets = _labelled(inputs, targets)
        # short sequences count as more units, so that at most MAX_ROWS of them are used
        costs = [max(size_of(example), self.most // MAX_ROWS) for example in inputs]
        rows = sample(costs, self.most)
        self.name = partly(type(self).name, len(rows), len(inputs), "sequences")
        kept = [inputs[row] for row in rows]
        self._learn(kept)
        features = self._features(kept).astype(np.float32)  # enough for fitting, and quicker
        self.linear_ = Linear.fit(features, [targets[row] for row in rows], self.size, self.balanced)
        return self

    def predict(self, inputs: Sequence[Example]) -> np.ndarray:
        return self.linear_.predict(self._features(inputs)) if len(inputs) else np.zeros((0, self.size))

    def shares(self, features: Any) -> np.ndarray:
        return self.linear_.predict_one(*self._values(features))

    def _values(self, features: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the values of one record's features, and the rows of their weights; None = all in order."""
        raise NotImplementedError

    def _learn(self, inputs: Sequence[Example]) -> None:
        raise NotImplementedError

    def _features(self, inputs: Sequence[Example]) -> Any:
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        learnt = {name: getattr(self, f"{name}_") for name in (*self.arrays, *self.values)}
        own = {"size": self.size, "balanced": self.balanced, "name": self.name}
        return {**own, **learnt, "weights": self.linear_.weights, "bias": self.linear_.bias}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["size"]), bool(state["balanced"]))
        baseline.name = state.get("name", cls.name)
        for name in (*cls.arrays, *cls.values):
            setattr(baseline, f"{name}_", state[name])
        baseline.linear_ = Linear(np.asarray(state["weights"]), np.asarray(state["bias"]))
        baseline._check_width()
        return baseline

    def _check_width(self) -> None:
        """Refuse features that do not match the weights: another number of them, or a repeated one."""
        named = [getattr(self, f"{name}_") for name in self.features]
        width = sum(map(len, named))
        if (self.linear_.weights.shape, self.linear_.bias.shape) != ((width, self.size), (self.size,)):
            raise ValueError(f"the weights of {self.key} are not {width} x {self.size}")
        words = [word for names in named if isinstance(names, list) for word in names if isinstance(word, str)]
        if len(set(words)) < len(words):
            raise ValueError(f"a feature of {self.key} occurs twice")


class BagOfWords(LinearBaseline):
    """The words that occur, without their order; then logistic regression."""

    key = "bag_of_words"
    name = "bag of words + logistic regression"
    values = features = ("vocabulary",)
    vocabulary_: list[str]

    def _learn(self, inputs: Sequence[Example]) -> None:
        self.vocabulary_ = _vocabulary(inputs)

    def _features(self, inputs: Sequence[Example]) -> Any:
        return _bags(inputs, self.vocabulary_)

    def steps(self, columns: Columns) -> Steps:
        return WordSteps(columns, self.vocabulary_)

    def _values(self, features: Counts) -> tuple[np.ndarray, np.ndarray]:
        return np.log1p(features.times), features.places


def _vocabulary(inputs: Sequence[Example]) -> list[str]:
    """Return the most frequent words, at least one."""
    bags = inputs if any(map(tokens, inputs)) else [*inputs, {"": "nothing"}]
    return _counter(max_features=MAX_FEATURES).fit(bags).get_feature_names_out().tolist()


def _bags(inputs: Sequence[Example], vocabulary: list[str]) -> Any:
    """Return log(1 + count) of each word, sparse, (M, D)."""
    return _counter(vocabulary=vocabulary).transform(inputs).log1p()


def _counter(**options: Any) -> Any:
    return CountVectorizer(**{"analyzer": tokens, "dtype": np.float64, **options})


class CharacterNGrams(LinearBaseline):
    """The runs of one to four characters that occur; then logistic regression."""

    key = "character_ngrams"
    name = "character n-grams + logistic regression"
    arrays = ("idf",)
    values = features = ("vocabulary",)
    vocabulary_: list[str]
    most = 4_000_000

    def _learn(self, inputs: Sequence[Example]) -> None:
        counter = self._counter(max_features=MAX_FEATURES)
        counter.fit([*map(marked_text, inputs), " "])
        self.vocabulary_ = counter.get_feature_names_out().tolist()
        self.idf_ = counter.idf_

    def _features(self, inputs: Sequence[Example]) -> Any:
        counter = self._counter(vocabulary=self.vocabulary_)
        counter.idf_ = np.asarray(self.idf_)
        return counter.transform(map(marked_text, inputs)) * SCALE

    def steps(self, columns: Columns) -> Steps:
        return NGramSteps(columns, self.vocabulary_)

    def _values(self, features: Counts) -> tuple[np.ndarray, np.ndarray]:
        found = (1 + np.log(features.times)) * np.asarray(self.idf_)[features.places]
        return found * (SCALE / max(float(np.sqrt(found @ found)), 1e-300)), features.places

    def _counter(self, **options: Any) -> Any:
        fixed = {"analyzer": "char", "ngram_range": (1, LONGEST), "lowercase": False, "sublinear_tf": True}
        return TfidfVectorizer(**{**fixed, **options})


class PositionalNaiveBayes(ClassBaseline):
    """The character at each position, as if positions were independent; for texts of one length, such as DNA.

    Positions after the first 1000 are ignored.
    """

    key = "positional_naive_bayes"
    name = "positional naive Bayes"

    def __init__(self, size: int) -> None:
        self.size = size

    def fit(self, inputs: Sequence[Example], targets: Sequence[int]) -> Self:
        inputs, targets = _labelled(inputs, targets)
        rows = [_codes(marked_text(example)) for example in inputs]
        self.alphabet_ = np.unique(np.concatenate(rows))
        counts = np.ones((max(map(len, rows)), len(self.alphabet_), self.size))
        for row, target in zip(rows, targets, strict=True):
            counts[np.arange(len(row)), np.searchsorted(self.alphabet_, row), target] += 1
        self.logs_ = np.log(counts / counts.sum(1, keepdims=True))
        priors = np.bincount(targets, minlength=self.size) + 1e-3
        self.prior_ = np.log(priors / priors.sum())
        return self

    def predict(self, inputs: Sequence[Example]) -> np.ndarray:
        return np.array([self.shares(marked_text(example)) for example in inputs]).reshape(len(inputs), self.size)

    def steps(self, columns: Columns) -> Steps:
        return StartSteps(columns, LONGEST_TEXT)

    def shares(self, features: str) -> np.ndarray:
        row = _codes(features)[: len(self.logs_)]
        place = np.minimum(np.searchsorted(self.alphabet_, row), len(self.alphabet_) - 1)
        known = self.alphabet_[place] == row
        return softmax(self.prior_[None] + self.logs_[np.flatnonzero(known), place[known]].sum(0))[0]

    def state(self) -> dict[str, Any]:
        return {"size": self.size, "alphabet": self.alphabet_, "logs": self.logs_, "prior": self.prior_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["size"]))
        baseline.alphabet_ = np.asarray(state["alphabet"])
        baseline.logs_, baseline.prior_ = np.asarray(state["logs"]), np.asarray(state["prior"])
        return baseline


def _codes(text: str) -> np.ndarray:
    """Return the code points of a text, at most LONGEST_TEXT."""
    return np.array([ord(character) for character in text[:LONGEST_TEXT]], dtype=np.int64)


class _SeriesBaseline(LinearBaseline):
    """One row of standardised features of the numbers of a record, with missing ones at the mean."""

    arrays = ("mean", "scale")
    values = ("window", "channels")
    features = ("mean",)
    window_: int
    channels_: int
    stepping: ClassVar[type[NumberSteps]]

    def steps(self, columns: Columns) -> Steps:
        return self.stepping(columns, self.channels_, self._row)

    def _values(self, features: Any) -> tuple[np.ndarray, np.ndarray | None]:
        return self._standardised(features), None

    def _learn(self, inputs: Sequence[Example]) -> None:
        arrays = [series(example) for example in inputs]
        self.channels_ = max(array.shape[1] for array in arrays)
        self.window_ = int(min(max(1, np.median([len(array) for array in arrays])), LONGEST_WINDOW))
        rows = self._rows(arrays)
        known = ~np.isnan(rows)
        count = np.maximum(known.sum(0), 1)
        self.mean_ = np.where(known, rows, 0).sum(0) / count
        spread = np.sqrt((np.where(known, rows - self.mean_, 0) ** 2).sum(0) / count)
        self.scale_ = np.where(spread > 0, spread, 1.0)

    def _features(self, inputs: Sequence[Example]) -> np.ndarray:
        return self._standardised(self._rows([series(example) for example in inputs]))

    def _standardised(self, rows: np.ndarray) -> np.ndarray:
        return np.nan_to_num((rows - self.mean_) / self.scale_).clip(-1e6, 1e6)

    def _rows(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([self._row(fitted(array, self.channels_)) for array in arrays]).reshape(len(arrays), -1)

    def _row(self, array: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class FixedWindow(_SeriesBaseline):
    """The last steps in one row, as many as a typical sequence has; then logistic regression."""

    key = "fixed_window"
    name = "fixed window + logistic regression"

    def steps(self, columns: Columns) -> Steps:
        return WindowSteps(columns, self.channels_, self._row, self.window_)

    def _row(self, array: np.ndarray) -> np.ndarray:
        last = array[-self.window_ :]
        return np.pad(last, ((self.window_ - len(last), 0), (0, 0)), constant_values=np.nan).ravel()


class SummaryStatistics(_SeriesBaseline):
    """Mean, spread, extremes, first and last value of every channel; then logistic regression."""

    key = "summary_statistics"
    name = "summary statistics + logistic regression"
    stepping = SummarySteps

    def _row(self, array: np.ndarray) -> np.ndarray:
        if len(array) > 1 and not np.isnan(array).any():
            rows = summary(array).T
        else:
            rows = [summary(column[~np.isnan(column)][:, None])[:, 0] for column in array.T]
        return np.array([*np.ravel(rows), len(array)])


class MeanSpectrum(_SeriesBaseline):
    """The average loudness of each band of pitch over time; then logistic regression."""

    key = "mean_spectrum"
    name = "mean spectrum + logistic regression"
    stepping = MeanSteps

    def _row(self, array: np.ndarray) -> np.ndarray:
        return array.mean(0) if len(array) else np.full(array.shape[1], np.nan)


class EveryColumn(SummaryStatistics):
    """Words of columns of words and summary statistics of columns of numbers; then logistic regression."""

    key = "every_column"
    name = "words and numbers + logistic regression"
    values = (*SummaryStatistics.values, "vocabulary")
    features = ("mean", "vocabulary")
    vocabulary_: list[str]

    def _learn(self, inputs: Sequence[Example]) -> None:
        super()._learn(inputs)
        self.vocabulary_ = _vocabulary(inputs)

    def _features(self, inputs: Sequence[Example]) -> Any:
        return hstack([_bags(inputs, self.vocabulary_), csr_matrix(super()._features(inputs))], format="csr")

    def steps(self, columns: Columns) -> Steps:
        return BothSteps(WordSteps(columns, self.vocabulary_), super().steps(columns))

    def _values(self, features: tuple[Counts, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        words, numbers = features
        size = len(self.vocabulary_)
        places = np.concatenate([words.places, np.arange(size, size + len(self.mean_))])
        return np.concatenate([np.log1p(words.times), self._standardised(numbers)]), places
