"""The text that a model writes: its codec, the token that starts and ends it, and conversion from tokens to text."""

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
SUBWORDS = 4000  # default vocabulary size
UNITS = {"characters": Characters, "words": Words, "subwords": partial(Subwords, size=SUBWORDS)}
# subwords need text to learn from; below this many words of it, whole words are learnt faster
ENOUGH_WORDS = 50_000
SAMPLE = 2_000  # texts used to choose the unit


def text_codec(column: str | Codec, unit: str, texts: Iterable[Any]) -> Codec:
    """Return an unfitted codec for a column of texts.

    Args:
        column: a column's name, or a codec of words, characters or subwords.
        unit: characters, words, subwords or auto: characters if texts are single words, subwords if there is
            much text, words otherwise.
        texts: the column's values, used for auto.

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
    """Return the unit that suits texts.

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
    """A text as tokens; one token beyond those of the codec starts and ends every text.

    Args:
        codec: a fitted codec of words, characters or subwords.
        longest: number of tokens of the longest text of the training data, including its end.
    """

    def __init__(self, codec: Any, longest: int) -> None:
        self.codec: PieceCodec = codec
        self.longest = longest

    @classmethod
    def fit(cls, codec: Codec, source: Source) -> "TargetText":
        """Learn the codec and the maximum length of texts."""
        codec.fit(source)
        lengths = codec.encode(list(source)).lengths
        return cls(codec, int(lengths.max()) + 1 if len(lengths) else 1)

    @property
    def column(self) -> str:
        """Name of the column of texts."""
        return self.codec.columns[0]

    @property
    def boundary(self) -> int:
        """Token before the first and after the last token."""
        return self.codec.spec.size

    @property
    def size(self) -> int:
        """Number of tokens, V."""
        return self.boundary + 1

    @property
    def unknown(self) -> int | None:
        """Token for pieces that are not in the vocabulary; None if there is none."""
        return self.codec.spec.unknown_index

    @cached_property
    def entries(self) -> list[str]:
        """Piece of each token."""
        return self.codec.entries

    @cached_property
    def index(self) -> dict[str, int]:
        """Token of each known piece."""
        return {piece: token for token, piece in enumerate(self.entries) if token != self.unknown}

    def encode(self, records: Sequence[Mapping[str, Any]], copies: Copies | None = None) -> tuple[Ragged, Ragged]:
        """Return the inputs and the targets of all steps: both (N,) ragged.

        An unknown piece is no target, unless it can be copied.
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
        """Set copies as targets of unknown pieces that their source holds."""
        for row, pieces in enumerate(self.codec.pieces(records)):
            first = int(tokens.offsets[row])
            for place, piece in enumerate(pieces):
                if int(tokens.values[first + place]) == self.unknown:
                    copied = copies.index_of(row, piece)
                    if copied is not None:
                        wanted[first + place] = copied

    def decode(self, tokens: Sequence[int], row: int = 0, copies: Copies | None = None) -> Any:
        """Return the text of tokens; tokens beyond the vocabulary are copied from a source."""
        return self.codec.join(self.pieces(tokens, row, copies))

    def pieces(self, tokens: Sequence[int], row: int = 0, copies: Copies | None = None) -> list[str]:
        """Return the piece of each token."""
        return [
            self.entries[token] if token < self.boundary or copies is None else copies.piece(row, token)
            for token in tokens
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"codec": self.codec.to_json(), "longest": self.longest}  # type: ignore[attr-defined]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TargetText":
        """Restore what `to_json` returned."""
        return cls(codec_from_json(data["codec"]), data["longest"])
