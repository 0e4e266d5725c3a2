"""A retrieval baseline: the answer of the most similar source text."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from unrolled.baselines.base import Baseline, partly, sample
from unrolled.baselines.translation import most_frequent
from unrolled.errors import ArtifactError, message
from unrolled.metrics.texts.counted_words import is_unspaced, words_of

MAX_ROWS = 200_000  # pairs that are searched, so that memory and time are bounded
MAX_FEATURES = 50_000
MAX_CHARACTERS = {True: 20_000_000, False: 4_000_000}  # for words, and for runs of characters, which are more numerous
LONGEST = 10_000  # characters of a text that count
TOGETHER = 64  # queries per block
WORDS, RUNS = "words", "runs of 1 to 4 characters"


class NearestSource(Baseline):
    """The answer of the most similar source in training: cosine of TF-IDF with sublinear counts.

    It counts words in lower case; if most sources are one word, or in a script without spaces, it counts
    runs of one to four characters. Its name says which. A source that occurs several times answers with its most
    frequent target, and a text that shares nothing with any source with the most frequent target of all.

    Example:
        >>> model = NearestSource().fit(["open the file", "close the door"], ["Datei öffnen", "Tür schließen"])
        >>> model.predict(["the open file"]), model.name
        (['Datei öffnen'], 'answer of the most similar source (TF-IDF of words)')
    """

    key = "nearest_source"
    name = "answer of the most similar source"
    by_words_: bool
    sources_: list[str]
    answers_: list[str]
    otherwise_: str
    _index: tuple[Any, Any] | None = None

    def fit(self, inputs: Sequence[str], targets: Sequence[str]) -> Self:
        self.by_words_ = _has_words(inputs)
        most = MAX_CHARACTERS[self.by_words_]
        rows = sample([max(min(len(text), LONGEST), most // MAX_ROWS) for text in inputs], most)
        self.name = partly(self._title(), len(rows), len(inputs), "pairs")
        known: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            known[inputs[row]].append(targets[row])
        self.sources_ = sorted(known)  # equally similar ones are ordered independently of the data's order
        self.answers_ = [most_frequent(known[source]) for source in self.sources_]
        self.otherwise_ = most_frequent(targets[row] for row in rows)
        self._index = None
        return self

    def predict(self, inputs: Sequence[str]) -> list[str]:
        if not len(inputs) or not self.answers_:
            return [self.otherwise_] * len(inputs)
        counter, known = self._indexed()
        answers: list[str] = []
        for start in range(0, len(inputs), TOGETHER):
            asked = counter.transform(inputs[start : start + TOGETHER])
            likeness = known @ asked.T.toarray()  # (K, M)
            best = likeness.argmax(0)
            found = likeness[best, np.arange(len(best))] > 0
            answers += [self.answers_[row] if hit else self.otherwise_ for row, hit in zip(best, found, strict=True)]
        return answers

    def _title(self) -> str:
        return f"{type(self).name} (TF-IDF of {WORDS if self.by_words_ else RUNS})"

    def _indexed(self) -> tuple[Any, Any]:
        """Return the counter of texts, and the counted sources (K, V); made at the first use, because it is large."""
        if self._index is None:
            options: dict[str, Any] = {"analyzer": _words if self.by_words_ else _runs, "dtype": np.float32}
            counter = TfidfVectorizer(sublinear_tf=True, max_features=MAX_FEATURES, **options)
            self._index = counter, counter.fit_transform(self.sources_)
        return self._index

    def state(self) -> dict[str, Any]:
        lists = {"sources": self.sources_, "answers": self.answers_, "otherwise": self.otherwise_}
        return {"name": self.name, "by_words": self.by_words_, **lists}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.name, baseline.by_words_ = state["name"], bool(state["by_words"])
        baseline.sources_, baseline.answers_ = list(state["sources"]), list(state["answers"])
        baseline.otherwise_ = state["otherwise"]
        if len(baseline.sources_) != len(baseline.answers_):
            expected, received = f"{len(baseline.sources_)}, one for each source", len(baseline.answers_)
            raise ArtifactError(message("answers", expected=expected, received=received))
        return baseline


def _has_words(inputs: Sequence[str]) -> bool:
    """Return whether most texts are several words with spaces between them; the first 1,000 decide."""
    some = inputs[:1000]
    return not is_unspaced(some) and 2 * sum(len(text.split()) > 1 for text in some) > len(some)


def _words(text: str) -> list[str]:
    """Return the words of a text; the text itself if it has none, for example only punctuation."""
    return words_of(text[:LONGEST]) or [text[:LONGEST].strip()]


def _runs(text: str) -> list[str]:
    marked = f"\x02{text[:LONGEST]}\x03"  # so that beginnings and endings are features
    return [marked[start : start + size] for size in range(1, 5) for start in range(len(marked) - size + 1)]
