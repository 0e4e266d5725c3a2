"""Text as characters: one index per Unicode code point, looked up in bulk."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Self

import numpy as np
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.values import nothing_to_learn, text_of, texts_of, value_of
from unrolled.errors import OptionError, message
from unrolled.ragged import Ragged

UNKNOWN = 0
REPLACEMENT = "\ufffd"  # what an unknown character decodes to
_CODE_POINTS = 0x110000
_SURROGATES = slice(0xD800, 0xE000)  # halves of surrogate pairs: no file can hold them
_BLOCK = 1 << 20  # characters counted or looked up at once, so that memory stays constant


class Characters(Codec):
    """A codec of texts as sequences of characters; unknown characters share index 0.

    Args:
        column: a column of text (str); a missing text is an empty one.
        embedding_size: width of a learnt vector per character; 0 = one-hot.
        max_size: keep at most this many characters, the most frequent; None keeps all.
        min_count: keep characters seen at least this often.
        lowercase: ignore case.

    Example:
        >>> codec = Characters("name").fit([{"name": "Ada"}])
        >>> codec.encode([{"name": "dad"}]).values.tolist()
        [3, 2, 3]
        >>> codec.decode(codec.encode([{"name": "Ada"}]))
        ['Ada']
    """

    name = "characters"
    opens_files = False
    unit = "characters"
    characters_: str

    def __init__(
        self,
        column: str,
        embedding_size: int = 0,
        max_size: int | None = None,
        min_count: int = 1,
        lowercase: bool = False,
    ) -> None:
        self.column = column
        self.embedding_size = embedding_size
        self.max_size = max_size
        self.min_count = min_count
        self.lowercase = lowercase

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def takes_text(self) -> bool:
        return True

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("index", len(self.characters_) + 1, self.embedding_size, unknown_index=UNKNOWN)

    def fit(self, records: Iterable[Record]) -> Self:
        texts = (text_of(value_of(record, self.column), self.column, row) for row, record in enumerate(records))
        characters = choose_characters(self._cased(texts), self.max_size, self.min_count)
        if not characters:
            raise nothing_to_learn(self.columns, f"some text with a character seen {self.min_count} times")
        return self._learn(characters_=characters)

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        texts = list(self._cased(texts_of(records, self.column)))
        values, lengths = look_up(self._table, texts)
        unknown = np.flatnonzero(values == UNKNOWN)
        self._count(unknown=len(unknown))
        self._tell(lengths, len(values), unknown, character_at(texts, lengths), self.characters_.__contains__)
        return Ragged(torch.from_numpy(values), torch.from_numpy(lengths))

    def decode(self, encoded: Ragged) -> list[str]:
        self._require_fit()
        return [spell(self.characters_, sequence.numpy(force=True)) for sequence in encoded]

    def pieces(self, records: Sequence[Record]) -> list[list[str]]:
        """Return each record's characters."""
        return [list(text) for text in self._cased(texts_of(records, self.column))]

    @property
    def entries(self) -> list[str]:
        """Return the character of each index."""
        self._require_fit()
        return [REPLACEMENT, *self.characters_]

    def join(self, pieces: Sequence[str]) -> str:
        """Join characters to a text."""
        return "".join(pieces)

    def _cased(self, texts: Iterable[str]) -> Iterable[str]:
        return (text.lower() for text in texts) if self.lowercase else texts

    @cached_property
    def _table(self) -> np.ndarray:
        return lookup_table(self.characters_)


def choose_characters(texts: Iterable[str], max_size: int | None = None, min_count: int = 1) -> str:
    """Return the characters that get an index, in code-point order; the texts are read once, in constant memory."""
    if min_count < 1 or (max_size is not None and max_size < 1):
        raise OptionError(message("min_count, max_size", expected="numbers >= 1", received=(min_count, max_size)))
    counts = np.zeros(_CODE_POINTS, dtype=np.int64)
    for block in _blocks(texts):
        found = np.bincount(_code_points(block))
        counts[: len(found)] += found
    counts[_SURROGATES] = 0
    kept = np.flatnonzero(counts >= min_count)
    kept = kept[np.argsort(-counts[kept], kind="stable")][:max_size]
    return "".join(map(chr, np.sort(kept).tolist()))


def lookup_table(characters: str) -> np.ndarray:
    """Return the index of every code point up to the largest known one, and one last row for all above it."""
    codes = _code_points(characters)
    table = np.full(int(codes.max(initial=0)) + 2, UNKNOWN, dtype=np.int64)
    table[codes] = np.arange(1, len(codes) + 1)
    return table


def look_up(table: np.ndarray, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of all characters end to end, and the length of each text: (N,), (B,)."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    values = np.empty(int(lengths.sum()), dtype=np.int64)
    start = 0
    for block in _blocks(texts):
        stop = start + len(block)
        table.take(_code_points(block), mode="clip", out=values[start:stop])
        start = stop
    return values, lengths


def character_at(texts: Sequence[str], lengths: np.ndarray) -> Callable[[int], str]:
    """Return the function from a place in the texts, end to end, to its character."""
    ends = np.cumsum(lengths)

    def character(place: int) -> str:
        row = int(np.searchsorted(ends, place, side="right"))
        return texts[row][place - int(ends[row])]  # counted from the end of the text

    return character


def spell(characters: str, indices: np.ndarray) -> str:
    """Return the text of a sequence of indices."""
    codes = _code_points(REPLACEMENT + characters)
    return codes[indices].tobytes().decode("utf-32-le")


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _blocks(texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts end to end, in blocks of bounded size."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= _BLOCK:
            yield from _cut("".join(waiting))
            waiting, size = [], 0
    yield from _cut("".join(waiting))


def _cut(text: str) -> Iterator[str]:
    return (text[start : start + _BLOCK] for start in range(0, len(text), _BLOCK))
