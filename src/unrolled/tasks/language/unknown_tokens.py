"""The probability of an unknown token: that of the unknown class, times that of its spelling.

A model has one class for everything outside of its vocabulary. Counted as one token, a text in another alphabet would
be nearly certain: every character is that class. So the class is spread over what it may stand for: an unknown
character over all others of Unicode, evenly; an unknown word by its letters, each as frequent as in the words of the
vocabulary. Model and baselines pay the same for it. Bytes and subwords have no such class.

Sources: the model of the spelling of unknown words in P. F. Brown et al., "An Estimate of an Upper Bound for the
Entropy of English", Computational Linguistics 18, 1992; method C of I. H. Witten and T. C. Bell, "The Zero-Frequency
Problem", IEEE Transactions on Information Theory 37, 1991, for letters that no word has.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from unrolled.codecs.base import Codec
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.pieces import PieceCodec
from unrolled.codecs.text.words import Words
from unrolled.ragged import Ragged

ASSIGNED = 154_998  # characters of Unicode 16.0


class UnknownTokens:
    """The nats of the spelling of unknown tokens.

    Args:
        codec: a fitted codec of characters, words or subwords.

    Example:
        >>> codec = Characters("text").fit([{"text": "abc"}])
        >>> spelt = UnknownTokens(codec).nats([{"text": "a?"}], codec.encode([{"text": "a?"}]))
        >>> round(float(spelt[0]), 3), round(math.log(154_998 - 3), 3)
        (11.951, 11.951)
    """

    def __init__(self, codec: Codec | PieceCodec) -> None:
        self.codec = codec

    def nats(self, records: Sequence[Mapping[str, Any]], tokens: Ragged) -> np.ndarray:
        """Return the nats that spelling the unknown tokens of each record adds, (B,).

        Args:
            records: the texts.
            tokens: their tokens, one sequence per record; an end token may follow.
        """
        owners = np.repeat(np.arange(tokens.batch_size), tokens.lengths.numpy())
        index = self.codec.spec.unknown_index
        places = np.flatnonzero(tokens.values.numpy() == index) if index is not None else np.zeros(0, dtype=np.int64)
        if not len(places):
            return np.zeros(tokens.batch_size)
        if isinstance(self.codec, Characters):
            each = np.full(len(places), math.log(max(ASSIGNED - len(self.codec.characters_), 1)))
        else:
            assert isinstance(self.codec, Words)
            pieces = self.codec.pieces(records)
            within = places - tokens.offsets.numpy()[owners[places]]
            rows = zip(owners[places].tolist(), within.tolist(), strict=True)
            each = np.array([self._spelling(pieces[row][place]) for row, place in rows])
        return np.bincount(owners[places], weights=each, minlength=tokens.batch_size)

    def _spelling(self, word: str) -> float:
        """Return the nats of a word's letters and of its end."""
        letters, new = self._letters
        return letters[""] + sum(letters.get(letter, new) for letter in word)

    @cached_property
    def _letters(self) -> tuple[dict[str, float], float]:
        """The nats of each letter in the vocabulary's words, of their end "", and of any other character."""
        assert isinstance(self.codec, Words)
        counts = Counter(letter for word in self.codec.words_ for letter in word)
        counts[""] = len(self.codec.words_)
        total = math.log(counts.total() + len(counts))
        new = total - math.log(len(counts)) + math.log(max(ASSIGNED - len(counts) + 1, 1))
        return {letter: total - math.log(count) for letter, count in counts.items()}, new
