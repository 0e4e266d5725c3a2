"""The text that a model writes: its codec, the token that starts and ends it, and tokens as text again."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.codecs.base import Codec
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.pieces import Copies, PieceCodec
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.words import Words, split_words
from unrolled.data.source import Source
from unrolled.errors import OptionError, message, unknown
from unrolled.nn.heads import IGNORED
from unrolled.ragged import Ragged

AUTO = "auto"
SUBWORDS = 4000  # where nobody says how many
UNITS = {"characters": Characters, "words": Words, "subwords": partial(Subwords, size=SUBWORDS)}
# subwords need text to learn from; below so many words of it, whole words are learnt sooner
ENOUGH_WORDS = 50_000
SAMPLE = 2_000  # texts looked at to choose the unit


def text_codec(column: str | Codec, unit: str, texts: Iterable[Any]) -> Codec:
    """An unfitted codec for a column of texts.

    Args:
        column: a column's name, or a codec of words, characters or subwords.
        unit: characters, words, subwords or auto: characters where texts are single words, subwords where there is
            much text, words elsewhere.
        texts: the column's values, to choose by.

    Raises:
        OptionError: an unknown unit, or a codec of something else.
    """
    if isinstance(column, Codec):
        if not hasattr(type(column), "pieces"):
            raise OptionError(message("target", expected="a codec of words, characters or subwords", received=column))
        return copy.deepcopy(column)
    if unit == AUTO:
        unit = choose_unit(texts)
    if unit not in UNITS:
        raise unknown("unit", unit, [AUTO, *UNITS])
    return UNITS[unit](column)


def choose_unit(texts: Iterable[Any]) -> str:
    """The unit that suits texts.

    Example:
        >>> choose_unit(["35", "7"] * 9), choose_unit(["drop a table", "join two tables"] * 9)
        ('characters', 'words')
    """
    lengths, count = [], 0
    for text in texts:
        count += 1
        if count <= SAMPLE:
            if isinstance(text, list | tuple):
                return "words"
            lengths.append(len(split_words(text or "")))
    if not lengths or np.median(lengths) < 2:
        return "characters"
    return "subwords" if np.mean(lengths) * count >= ENOUGH_WORDS else "words"


class TargetText:
    """What a model writes, as tokens; one token more than the codec has starts and ends every text.

    Args:
        codec: a fitted codec of words, characters or subwords.
        longest: tokens of the longest text of the training data, the end counted.
    """

    def __init__(self, codec: Any, longest: int) -> None:
        self.codec: PieceCodec = codec
        self.longest = longest

    @classmethod
    def fit(cls, codec: Codec, source: Source) -> "TargetText":
        """Learn the codec, and how long texts are."""
        codec.fit(source)
        lengths = codec.encode(list(source)).lengths
        return cls(codec, int(lengths.max()) + 1 if len(lengths) else 1)

    @property
    def column(self) -> str:
        """Where the texts stand."""
        return self.codec.columns[0]

    @property
    def boundary(self) -> int:
        """The token before the first and after the last."""
        return self.codec.spec.size

    @property
    def size(self) -> int:
        """Tokens, V."""
        return self.boundary + 1

    @property
    def unknown(self) -> int | None:
        """The token that stands for pieces that are not in the vocabulary; None where all are."""
        return self.codec.spec.unknown_index

    @cached_property
    def entries(self) -> list[str]:
        """The piece of each token."""
        return self.codec.entries

    @cached_property
    def index(self) -> dict[str, int]:
        """From known pieces to tokens."""
        return {piece: token for token, piece in enumerate(self.entries) if token != self.unknown}

    def encode(self, records: Sequence[Mapping[str, Any]], copies: Copies | None = None) -> tuple[Ragged, Ragged]:
        """What is read before each step, and what should be written: (N,) ragged both.

        A piece that is not known is not asked for, unless it can be copied.
        """
        tokens = self.codec.encode(records)
        wanted = tokens.values.clone()
        if self.unknown is not None:
            strange = wanted == self.unknown
            wanted[strange] = IGNORED
            if copies is not None and bool(strange.any()):
                self._copy(tokens, wanted, records, copies)
        rows = zip(tokens, tokens.with_values(wanted), strict=True)
        edge = tokens.values.new_full((1,), self.boundary)
        before, after = [], []
        for read, written in rows:
            before.append(torch.cat([edge, read]))
            after.append(torch.cat([written, edge]))
        lengths = tokens.lengths + 1
        nothing = [edge[:0]]
        return Ragged(torch.cat(before or nothing), lengths), Ragged(torch.cat(after or nothing), lengths)

    def _copy(self, tokens: Ragged, wanted: Tensor, records: Sequence[Mapping[str, Any]], copies: Copies) -> None:
        """Ask for unknown pieces where their source holds them."""
        for row, pieces in enumerate(self.codec.pieces(records)):
            first = int(tokens.offsets[row])
            for place, piece in enumerate(pieces):
                if int(tokens.values[first + place]) == self.unknown:
                    copied = copies.index_of(row, piece)
                    if copied is not None:
                        wanted[first + place] = copied

    def decode(self, tokens: Sequence[int], row: int = 0, copies: Copies | None = None) -> Any:
        """The text that tokens stand for; further ones are copied from a source."""
        return self.codec.join(self.pieces(tokens, row, copies))

    def pieces(self, tokens: Sequence[int], row: int = 0, copies: Copies | None = None) -> list[str]:
        """The piece of each token."""
        return [
            self.entries[token] if token < self.boundary or copies is None else copies.piece(row, token)
            for token in tokens
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"codec": self.codec.to_json(), "longest": self.longest}  # type: ignore[attr-defined]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TargetText":
        """The inverse of `to_json`."""
        return cls(codec_from_json(data["codec"]), data["longest"])
