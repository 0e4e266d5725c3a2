"""CIDEr-D: how closely a caption agrees with several people's captions of the same picture."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from unrolled.metrics.texts.counted_words import words_of

LONGEST = 4  # words of the longest n-gram
SIGMA = 6.0  # scale, in words, of the penalty for a length that differs from the true caption's
SCALE = 10.0

Gram = tuple[str, ...]


class _Vector(NamedTuple):
    """A caption: weights of its n-grams by n - 1, their norms, and its words."""

    weights: list[dict[Gram, float]]
    norms: list[float]
    length: int


class CiderD:
    """The score of captions against the true ones of each picture; n-grams of most pictures have little weight.

    Args:
        truth: captions of each picture, at least one; the weight of an n-gram depends on the number of pictures that
            have it. With a single picture every n-gram has weight 0, and so every score is 0.

    Example:
        >>> measure = CiderD([["a red car"], ["a blue house", "the house is blue"]])
        >>> [round(float(score), 2) for score in measure(["a red car", "a red car"])]
        [7.5, 0.0]

    Reference program: `Cider` of pycocoevalcap 1.2, which is CIDEr-D. Source: R. Vedantam, C. L. Zitnick and D. Parikh,
    "CIDEr: Consensus-based Image Description Evaluation", 2015,
    sections 4 and 6.
    """

    def __init__(self, truth: Sequence[Sequence[str]]) -> None:
        counts = [[_grams(text) for text in texts] for texts in truth]
        self._pictures = len(truth)
        self._known = Counter(gram for texts in counts for gram in set().union(*texts))
        self._truth = [[self._vector(grams) for grams in texts] for texts in counts]

    def __call__(self, answers: Sequence[str]) -> np.ndarray:
        """Return the score of each answer, 0 to 10: (M,)."""
        scores = [
            SCALE * np.mean([_likeness(self._vector(_grams(answer)), true) for true in texts])
            for answer, texts in zip(answers, self._truth, strict=True)
        ]
        return np.array(scores, dtype=np.float64)

    def _vector(self, grams: Counter[Gram]) -> _Vector:
        weights: list[dict[Gram, float]] = [defaultdict(float) for _ in range(LONGEST)]
        for gram, count in grams.items():
            weights[len(gram) - 1][gram] = count * float(np.log(self._pictures / max(self._known[gram], 1)))
        norms = [float(np.sqrt(sum(weight**2 for weight in part.values()))) for part in weights]
        return _Vector(weights, norms, sum(count for gram, count in grams.items() if len(gram) == 1))


def _likeness(said: _Vector, true: _Vector) -> float:
    """Return the mean over n of the clipped cosine, reduced if the lengths differ."""
    cosines = []
    for n in range(LONGEST):
        shared = _dot(said.weights[n], true.weights[n])
        norm = said.norms[n] * true.norms[n]
        cosines.append(shared / norm if norm else 0.0)
    return float(np.mean(cosines) * np.exp(-((said.length - true.length) ** 2) / (2 * SIGMA**2)))


def _dot(said: dict[Gram, float], true: dict[Gram, float]) -> float:
    return sum(min(weight, true[gram]) * true[gram] for gram, weight in said.items() if gram in true)


def _grams(text: str) -> Counter[Gram]:
    return Counter(_runs(words_of(text)))


def _runs(words: Sequence[str]) -> Iterable[Gram]:
    for size in range(1, LONGEST + 1):
        for start in range(len(words) - size + 1):
            yield tuple(words[start : start + size])
