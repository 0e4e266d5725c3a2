"""Text as words, in any script; or columns that are already lists of tokens."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from typing import Any, Self

import numpy as np
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.text.spacing import LOOKED_AT, Spacing, are_close, learn_spacing
from unrolled.codecs.text.vocabulary import UNKNOWN, BoundedCounter, index_of, look_up
from unrolled.codecs.values import bad_value, chunks, flatten, holds_lists, nothing_to_learn, unflatten, values_of
from unrolled.pauses import paused
from unrolled.ragged import Ragged

UNKNOWN_WORD = "<unknown>"
# scripts without spaces, in which each sign is a token: kana, Han and their extensions
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CLOSING = frozenset(".,;:!?%)]}\u2026\u2019\u201d\u00bb\u3002\u3001\uff0c\uff01\uff1f")
_OPENING = frozenset("([{\u201c\u2018\u00ab#$\u00a3\u20ac@")
_BETWEEN = frozenset("-/_\u2010\u2011")


class Words(Codec):
    """A codec of texts as sequences of words and punctuation marks; unknown words share index 0.

    Args:
        column: text (str), which is split into words, or lists of tokens, which are used unchanged.
        max_size: keep at most this many words, the most frequent; None keeps all.
        min_count: keep words seen at least this often.
        lowercase: ignore case.
        embedding_size: width of a learnt vector per word; 0 = one-hot.

    Example:
        >>> codec = Words("review").fit([{"review": "Great, isn't it?"}])
        >>> codec.decode(codec.encode([{"review": "isn't it  great?"}]))
        ["isn't it <unknown>?"]
        >>> codec.report()
        {'unknown': 1}
    """

    name = "words"
    opens_files = False
    unit = "words"
    words_: list[str]
    lists_: bool
    spacing_: Spacing = {}  # the value in a codec saved by an earlier version

    def __init__(
        self,
        column: str,
        max_size: int | None = 20_000,
        min_count: int = 1,
        lowercase: bool = False,
        embedding_size: int = 100,
    ) -> None:
        self.column = column
        self.max_size = max_size
        self.min_count = min_count
        self.lowercase = lowercase
        self.embedding_size = embedding_size

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def takes_text(self) -> bool:
        return not self.lists_

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("index", len(self.words_) + 1, self.embedding_size, unknown_index=UNKNOWN)

    def fit(self, records: Iterable[Record]) -> Self:
        counter = BoundedCounter()
        lists, some, size = None, [], 0
        for start, chunk in chunks(records):
            tokens, _, lists = tokens_of(chunk, self.column, start, lists, self.lowercase)
            counter.update(token for token in tokens if token is not None)
            if not lists and size < LOOKED_AT:
                texts = [text for text in values_of(chunk, self.column) if text is not None]
                some += texts
                size += sum(map(len, texts))
        words = counter.most_frequent(self.max_size, self.min_count)
        if not words:
            raise nothing_to_learn(self.columns, f"a word seen {self.min_count} times")
        spacing = {} if lists else learn_spacing(some, split_words)
        return self._learn(words_=words, lists_=lists, spacing_=spacing)

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        tokens, lengths, _ = tokens_of(records, self.column, 0, self.lists_, self.lowercase)
        values = look_up(self._index, tokens)
        unknown = np.flatnonzero(values == UNKNOWN)
        self._count(unknown=len(unknown))
        named = unknown[[tokens[place] is not None for place in unknown.tolist()]]
        missing = len(unknown) - len(named)
        self._tell(lengths, len(values), named, tokens.__getitem__, self._index.__contains__, missing)
        return Ragged(torch.from_numpy(values), torch.from_numpy(lengths))

    def decode(self, encoded: Ragged) -> list[Any]:
        self._require_fit()
        entries = self.entries
        words = [entries[index] for index in encoded.values.tolist()]
        sentences = unflatten(words, encoded.lengths.tolist(), per_step=True)
        return [self.join(sentence) for sentence in sentences]

    def pieces(self, records: Sequence[Record]) -> list[list[str]]:
        """Return each record's words; a missing one in a list is unknown."""
        self._require_fit()
        tokens, lengths, _ = tokens_of(records, self.column, 0, self.lists_, self.lowercase)
        words = [UNKNOWN_WORD if token is None else token for token in tokens]
        return unflatten(words, lengths.tolist(), per_step=True)

    @property
    def entries(self) -> list[str]:
        """Return the word of each index."""
        return [UNKNOWN_WORD, *self.words_]

    def join(self, pieces: Sequence[str]) -> Any:
        """Join words to the form of the column."""
        return list(pieces) if self.lists_ else join_words(pieces, self.spacing_)

    @cached_property
    def _index(self) -> dict[str, int]:
        return index_of(self.words_)


def tokens_of(
    records: Sequence[Record], column: str, start: int = 0, lists: bool | None = None, lowercase: bool = False
) -> tuple[list[str | None], np.ndarray, bool | None]:
    """Return all tokens end to end, their number per record, and whether the column holds lists of tokens."""
    values = values_of(records, column)
    lists = holds_lists(values, column, start, lists)
    if not lists:
        values = [_split(value, column, start + row) for row, value in enumerate(paused(values))]
    tokens, lengths = flatten(values, per_step=True)
    if not set(map(type, tokens)) <= {str, type(None)}:
        ends = np.cumsum(lengths)
        step = next(step for step, token in enumerate(tokens) if not isinstance(token, str | None))
        row = start + int(np.searchsorted(ends, step, side="right"))
        remedy = "use Numbers for lists of numbers, Categories for other lists"
        raise bad_value(column, row, "text tokens", type(tokens[step]).__name__, remedy)
    if lowercase:
        tokens = [token and token.lower() for token in tokens]
    return tokens, lengths, lists


def split_words(text: str) -> list[str]:
    """Split a text in any script into words, numbers and punctuation marks; only white space is dropped.

    A word keeps its apostrophes and combining marks; each sign of a script without spaces is a token.

    Example:
        >>> split_words("Don't pay 3.50 (or more)!")
        ["Don't", 'pay', '3.50', '(', 'or', 'more', ')', '!']
    """
    return _splitting(text).findall(text)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and the end of each of `split_words(text)`."""
    return [found.span() for found in _splitting(text).finditer(text)]


def join_words(words: Iterable[str], spacing: Spacing | None = None) -> str:
    """Join words and punctuation marks to a readable text.

    Args:
        words: words and punctuation marks.
        spacing: what was learnt about marks, see `learn_spacing`; others are spaced as in English.

    Example:
        >>> join_words(["Don't", "pay", "(", "more", ")", "!"])
        "Don't pay (more)!"
        >>> join_words(["%", "s", ":", "no"], {"before": {"%": 1.0}, "after": {":": 0.1}})
        '%s : no'
    """
    joining = Joining(spacing)
    return "".join(map(joining.add, words))


class Joining:
    """A text that grows word by word.

    Args:
        spacing: as for `join_words`.

    Example:
        >>> joining = Joining()
        >>> [joining.add(word) for word in ("pay", "(", "more", ")")]
        ['pay', ' (', 'more', ')']
    """

    def __init__(self, spacing: Spacing | None = None) -> None:
        self._spacing = spacing or {}
        self._tight = True  # no space before the next word
        self._quoted = self._after_unspaced = False
        self._before = ""
        self._unspaced = re.compile(f"[{_UNSPACED}]")

    def add(self, word: str) -> str:
        """Return the text that one more word adds: the word, after a space if there is one."""
        closes = word in _CLOSING or word in _BETWEEN or (word == '"' and self._quoted)
        is_unspaced = self._unspaced.match(word) is not None
        close = self._tight or closes or (self._after_unspaced and is_unspaced)
        if self._before and '"' not in (self._before, word):  # quotation marks open and close in turn
            learnt = are_close(self._before, word, self._spacing)
            close = close if learnt is None else learnt
        self._quoted ^= word == '"'
        self._tight = word in _OPENING or word in _BETWEEN or (word == '"' and self._quoted)
        self._before, self._after_unspaced = word, is_unspaced
        return word if close else f" {word}"


def _split(value: Any, column: str, row: int) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, str):
        remedy = "use Numbers for numbers, Categories for other values"
        raise bad_value(column, row, "text or a list of tokens", type(value).__name__, remedy)
    return split_words(value)


def _splitting(text: str) -> re.Pattern[str]:
    return _ascii_pattern() if text.isascii() else _pattern()


@cache
def _pattern() -> re.Pattern[str]:
    letter = f"[^\\W{_UNSPACED}]"
    marks = _marks()
    letters = f"(?:{letter}++[{marks}]*+)++"
    word = f"{letters}(?:['\u2019]{letters})*+"
    number = r"\d++(?:[.,]\d++)++"
    sign = f"[{_UNSPACED}][{marks}]*+"
    symbol = f"[^\\w\\s][{marks}\U0001f3fb-\U0001f3ff]*+"  # an emoji keeps its skin tone ...
    return re.compile(f"{number}|{word}|{sign}|{symbol}(?:\u200d{symbol})*+")  # ... and its family


@cache
def _ascii_pattern() -> re.Pattern[str]:
    """Return the pattern of the same tokens for plain ASCII, which is several times faster."""
    return re.compile(r"\d++(?:[.,]\d++)++|\w++(?:'\w++)*+|[^\w\s\x1c-\x1f]", re.ASCII)


def _marks() -> str:
    """Return every combining mark, as ranges for a regular expression: `str.isalnum` is false for them."""
    ranges: list[list[int]] = []
    for code in (*range(0x20000), *range(0xE0000, 0xE0200)):  # no other plane holds any
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges)
