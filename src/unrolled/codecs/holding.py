"""Columns that arrive in pieces: which part can be encoded at once, and which part must wait for the next piece.

A text may be cut anywhere, inside a word, inside a surrogate pair, or, as bytes, inside a code point. What has to
wait is a value, so that a stream's state can carry it; the parts that are released, piece by piece, encode to the
same steps as the whole text.
"""

import codecs
import re
from typing import Any, Protocol

import numpy as np

from unrolled.codecs.base import Codec
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.tables.time import TimeFeatures
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.word_characters import WordCharacters
from unrolled.codecs.text.words import Words, word_spans
from unrolled.codecs.values import bad_value
from unrolled.errors import DataError, UnsupportedError, message
from unrolled.state_forms import Chars, Exactly, FixedParts, Form, Octets

_HIGH = "\ud800", "\udbff"  # first halves of surrogate pairs
_SIGMA = "\u03a3"  # its lower case depends on the next letter
_HALF = 3  # maximum number of bytes of an incomplete character
LONGEST_HELD = 65_536  # maximum number of characters that wait, so that a state has bounded size
_LOOK_BACK = 1000  # characters of a word that decide the lower case of a sigma: more than any word has


class Holder(Protocol):
    """A rule for putting a column together from pieces."""

    empty: Any  # what waits before the first piece
    waits: bool  # whether a piece may have to wait
    form: Form  # form of what waits

    def push(self, piece: Any, held: Any) -> tuple[Any, Any]:
        """Return what can be encoded now, in the column's own form, and what has to wait."""
        ...

    def rest(self, held: Any) -> Any:
        """Return what waited, if nothing follows."""
        ...

    def count(self, piece: Any) -> int:
        """Return the number of places between which a piece can be cut by slices; 1 where it cannot."""
        ...


class HeldSteps:
    """Values of single steps: a piece is one value, or a list of values.

    Args:
        vectors: whether a step is itself a list.
    """

    empty, waits = (), False
    form: Form = Exactly(())

    def __init__(self, vectors: bool = False) -> None:
        self.vectors = vectors

    def push(self, piece: Any, held: Any) -> tuple[Any, Any]:
        return (piece if self._are_several(piece) else [piece]), held

    def rest(self, held: Any) -> Any:
        return []

    def count(self, piece: Any) -> int:
        return len(piece) if self._are_several(piece) else 1

    def _are_several(self, piece: Any) -> bool:
        if isinstance(piece, np.ndarray):
            return piece.ndim == 1 + self.vectors
        if not isinstance(piece, list | tuple):
            return False
        return not self.vectors or not len(piece) or isinstance(piece[0], list | tuple | np.ndarray)


class Text:
    """A text that may be cut anywhere; bytes of an incomplete character and text that may still change wait.

    Args:
        column: name of the column, for errors.
    """

    empty: Any = (b"", "")
    waits = False
    form: Form = FixedParts(Octets(_HALF), Chars(LONGEST_HELD))

    def __init__(self, column: str) -> None:
        self.column = column

    def push(self, piece: Any, held: Any) -> tuple[str, Any]:
        half, text = held
        if isinstance(piece, bytes):
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            decoder.setstate((half, 0))
            text, half = text + decoder.decode(piece), decoder.getstate()[0]
        elif piece is None or isinstance(piece, str):
            text = _paired(text + (piece or ""))
        else:
            raise bad_value(self.column, 0, "text", type(piece).__name__)
        cut = self._settled(text)
        if len(text) - cut > LONGEST_HELD:
            raise DataError(
                message(f"column {self.column!r}", expected=f"a word of at most {LONGEST_HELD:,} characters",
                        received="a longer one")
            )  # fmt: skip
        return text[:cut], (half, text[cut:])

    def rest(self, held: Any) -> str:
        half, text = held
        return text + half.decode("utf-8", "replace")

    def count(self, piece: Any) -> int:
        return len(piece) if isinstance(piece, str | bytes) else 1

    def _settled(self, text: str) -> int:
        """Return the number of characters that no later text can change."""
        return len(text) - (_HIGH[0] <= text[-1:] <= _HIGH[1])


class WordText(Text):
    """A text that is split into words: the last two may still be joined with the next piece."""

    waits = True

    def _settled(self, text: str) -> int:
        if not text or text[-1].isspace():
            return len(text)
        space = next((place for place in range(len(text) - 1, -1, -1) if text[place].isspace()), -1) + 1
        spans = word_spans(text[space:])
        return space + (spans[-2][0] if len(spans) > 1 else 0)


class SubwordText(Text):
    """A text that is split into subwords: none of them extends beyond a word and the space before it."""

    waits = True
    _EDGE = re.compile(r"(?<=\S) (?=\S)|(?<=\S[^\S ])(?=\S)")  # the text after white space decides how it is split

    def _settled(self, text: str) -> int:
        return max((found.start() for found in self._EDGE.finditer(text)), default=0)


class SmallText(Text):
    """A lower-case text; the word so far waits too, because the lower case of a sigma depends on its neighbours.

    The released pieces are in lower case.
    """

    empty: Any = (b"", "", "")
    form: Form = FixedParts(Octets(_HALF), Chars(LONGEST_HELD), Chars(_LOOK_BACK))

    def push(self, piece: Any, held: Any) -> tuple[str, Any]:
        half, text, word = held
        new, (half, text) = super().push(piece, (half, text))
        whole = word + new
        cut = len(whole)
        sigma = whole.rfind(_SIGMA)
        if sigma >= 0 and not any(letter.isspace() or letter.isalpha() for letter in whole[sigma + 1 :]):
            cut = sigma
        ready = whole.lower()[len(word.lower()) : len(whole[:cut].lower())]  # lower case depends on what follows
        start = next((place for place in range(cut - 1, -1, -1) if whole[place].isspace()), -1) + 1
        return ready, (half, whole[cut:] + text, whole[max(start, cut - _LOOK_BACK) : cut])

    def rest(self, held: Any) -> str:
        half, text, word = held
        return (word + super().rest((half, text))).lower()[len(word.lower()) :]


def holder_of(codec: Codec) -> Holder:
    """Return the rule that puts together the column of a fitted codec with one value per step.

    Raises:
        UnsupportedError: a codec that reads a file as a whole.
    """
    if isinstance(codec, Characters):
        return SmallText(codec.column) if codec.lowercase else Text(codec.column)
    if isinstance(codec, Words | WordCharacters):
        return HeldSteps() if codec.lists_ else WordText(codec.column)
    if isinstance(codec, Subwords):
        return SubwordText(codec.column)
    if isinstance(codec, Numbers | Categories | TimeFeatures):
        return HeldSteps()
    if isinstance(codec, Frames):
        return HeldSteps(vectors=True)
    raise UnsupportedError(
        f"column {codec.columns[0]!r} is read by {codec.name} from whole files, so it cannot arrive step by step; "
        "predict(data) answers for whole sequences"
    )


def text_as_read(codec: Codec, value: Any) -> Any:
    """Return a text as the pieces of a stream give it: in lower case where the codec reads it so; None is empty.

    Args:
        codec: a fitted codec with one value per step.
        value: of its column; a list is returned unchanged.
    """
    if isinstance(holder_of(codec), HeldSteps):
        return value
    text = value or ""
    return text.lower() if isinstance(holder_of(codec), SmallText) else text


def value_columns(codec: Codec) -> list[str]:
    """Return the columns of a codec that hold its sequence, without one that names the record's group."""
    group = codec.group if isinstance(codec, Numbers) else None
    return [column for column in codec.columns if column != group]


def _paired(text: str) -> str:
    """Join surrogate pairs to characters; leave single halves unchanged."""
    if not any(_HIGH[0] <= letter <= "\udfff" for letter in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
