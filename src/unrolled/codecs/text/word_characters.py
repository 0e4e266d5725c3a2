"""The characters of each word: an inner sequence per step, with repeated words stored once."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch

from unrolled.batch import Nested
from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.text.characters import UNKNOWN, character_at, choose_characters, look_up, lookup_table, spell
from unrolled.codecs.text.words import join_words, tokens_of
from unrolled.codecs.values import chunks, nothing_to_learn, unflatten
from unrolled.ragged import Ragged


class WordCharacters(Codec):
    """A codec of words as sequences of their characters, which shows endings and rare words.

    Splits words like `Words`, so that both can be used for one column.

    Args:
        column: text (str), which is split into words, or lists of tokens, which are used unchanged.
        embedding_size: width of a learnt vector per character.
        min_count: keep characters seen at least this often; the others share index 0.

    Example:
        >>> codec = WordCharacters("text").fit([{"text": "to be or not to be"}])
        >>> nested = codec.encode([{"text": "to be or not to be"}])
        >>> nested.index.values.tolist(), nested.pieces.lengths.tolist()
        ([0, 1, 2, 3, 0, 1], [2, 2, 2, 3])
    """

    name = "word_characters"
    opens_files = False
    unit = "characters"
    characters_: str
    lists_: bool

    def __init__(self, column: str, embedding_size: int = 32, min_count: int = 1) -> None:
        self.column = column
        self.embedding_size = embedding_size
        self.min_count = min_count

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def takes_text(self) -> bool:
        return not self.lists_

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("nested", len(self.characters_) + 1, self.embedding_size, unknown_index=UNKNOWN)

    def fit(self, records: Iterable[Record]) -> Self:
        lists: bool | None = None

        def tokens() -> Iterator[str]:
            nonlocal lists
            for start, chunk in chunks(records):
                found, _, lists = tokens_of(chunk, self.column, start, lists)
                yield from (token for token in found if token)

        characters = choose_characters(tokens(), min_count=self.min_count)
        if not characters:
            raise nothing_to_learn(self.columns, f"some text with a character seen {self.min_count} times")
        return self._learn(characters_=characters, lists_=lists)

    def encode(self, records: Sequence[Record]) -> Nested:
        self._require_fit()
        tokens, lengths, _ = tokens_of(records, self.column, 0, self.lists_)
        words = [token or "" for token in tokens]
        seen: dict[str, int] = {}
        index = np.fromiter((seen.setdefault(word, len(seen)) for word in words), dtype=np.int64, count=len(words))
        values, sizes = look_up(self._table, list(seen))
        unknown = np.flatnonzero(values == UNKNOWN)
        self._count(unknown=len(unknown))
        self._tell(lengths, len(values), unknown, character_at(list(seen), sizes), self.characters_.__contains__)
        return Nested(
            Ragged(torch.from_numpy(index), torch.from_numpy(lengths)),
            Ragged(torch.from_numpy(values), torch.from_numpy(sizes)),
        )

    def decode(self, encoded: Ragged | Nested) -> list[Any]:
        self._require_fit()
        if not isinstance(encoded, Nested):  # plain words, one inner sequence each
            encoded = Nested(Ragged(torch.arange(len(encoded)), torch.tensor([len(encoded)])), encoded)
        words = [spell(self.characters_, piece.numpy(force=True)) for piece in encoded.pieces]
        tokens = [words[index] for index in encoded.index.values.tolist()]
        sentences = unflatten(tokens, encoded.lengths.tolist(), per_step=True)
        return sentences if self.lists_ else [join_words(sentence) for sentence in sentences]

    @cached_property
    def _table(self) -> np.ndarray:
        return lookup_table(self.characters_)
