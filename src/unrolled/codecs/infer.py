"""Choice of codecs for a table from its first records."""

import copy
import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from unrolled.codecs.base import Codec, Record
from unrolled.codecs.media.audio import Audio
from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.media.video import Video
from unrolled.codecs.record import Record as Columns
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.tables.time import TimeFeatures
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.words import Words
from unrolled.codecs.values import values_of
from unrolled.data.files import kind_of_all
from unrolled.data.plain_values import is_picture
from unrolled.errors import DataError, message

_LOOK_AT = 1000  # records
_TRY_ON = 50
_MANY = 1000  # columns with more distinct texts are no categories
_FILM = 3  # axes of an array that is a film
_SHORT = 40  # longer texts, in characters, are no categories
_WORDY = 3  # texts with more words than this on average are read as words


def infer_codecs(
    records: Iterable[Record], target: str | Collection[str] | None = None, ignore: Collection[str] = ()
) -> list[Codec]:
    """Return unfitted codecs for the columns of a table; print them to see what was chosen.

    Names of sound files become Audio, of pictures and films Pictures and Video, by their suffixes; text of several
    words Words; few short texts that repeat Categories; other text Characters; numbers one Numbers per length; lists of
    tokens Words; lists of vectors Frames; times TimeFeatures. Columns without any value are left out.

    Args:
        records: a source, or any records; the first 1,000 are looked at.
        target: the column or columns to predict, which are no inputs.
        ignore: further columns that are no inputs.

    Raises:
        DataError: nothing to choose from, or sequences of unequal lengths, which no model can read together.

    Example:
        >>> infer_codecs([{"review": "Slow start, but a great ending.", "stars": 4}] * 9, target="stars")
        [Words('review')]
    """
    sample = list(islice(records, _LOOK_AT))
    left_out = {target} if isinstance(target, str) else set(target or ())
    left_out |= set(ignore)
    columns = [column for column in (sample[0] if sample else {}) if column not in left_out]
    codecs: list[Codec] = []
    numbers: dict[tuple[int, ...] | None, list[str]] = {}
    for column in columns:
        values = [value for value in values_of(sample, column) if value is not None]
        codec = _choose(column, values)
        if codec is Numbers:
            numbers.setdefault(_lengths(values_of(sample, column)), []).append(column)
        elif isinstance(codec, Codec):
            codecs.append(codec)
    codecs += [Numbers(names[0] if len(names) == 1 else names) for names in numbers.values()]
    if not codecs:
        raise DataError(message("inputs", expected="at least one column with values", received=columns,
                                remedy="name the inputs yourself"))  # fmt: skip
    if len(codecs) > 1:
        Columns(copy.deepcopy(codecs)).fit(sample[:_TRY_ON]).encode_all(sample[:_TRY_ON])  # lengths must agree
    return codecs


def _choose(column: str, values: Sequence[Any]) -> Codec | type[Numbers] | None:
    """Return a codec, or Numbers itself: the caller groups columns of numbers."""
    if not values:
        return None
    first = values[0]
    if is_picture(first):
        return Pictures(column)
    if isinstance(first, np.ndarray) and first.ndim >= _FILM:
        return Video(column)
    if isinstance(first, str):
        return _for_text(column, [str(value) for value in values])
    if isinstance(first, Mapping) and first.keys() >= {"array", "sampling_rate"}:
        return Audio(column)
    if hasattr(first, "__len__"):
        element = next((item for value in values for item in value if item is not None), None)
        if element is None:
            return None
        if isinstance(element, str):
            return Words(column)
        if hasattr(element, "__len__"):
            return Frames(column)
        first = element
    return TimeFeatures(column) if isinstance(first, dt.date) else Numbers


def _for_text(column: str, texts: Sequence[str]) -> Codec:
    seen = _for_files(column, texts)
    if seen is not None:
        return seen
    count, distinct = len(texts), len(set(texts))
    if all(map(_is_time, texts[:_TRY_ON])):
        return TimeFeatures(column)
    words = sum(len(text.split()) for text in texts) / count
    few = distinct <= max(0.05 * count, min(10, count / 3)) and distinct <= _MANY
    if few and words <= _WORDY and max(map(len, texts)) <= _SHORT:
        return Categories(column)
    return Words(column) if words > _WORDY else Characters(column)


def _for_files(column: str, names: Sequence[str]) -> Codec | None:
    """Return the codec for names of recordings, pictures or films by their suffixes; a GIF is taken for a film."""
    kind = kind_of_all(names)
    if kind == "sound":
        return Audio(column)
    if kind == "film" or all(name.lower().endswith(".gif") for name in names):
        return Video(column)
    return Pictures(column) if kind == "picture" else None


def _is_time(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return "-" in text  # eight digits are more likely a number


def _lengths(values: Sequence[Any]) -> tuple[int, ...] | None:
    """Return the length of every list, None for a column of single values."""
    if not any(hasattr(value, "__len__") for value in values):
        return None
    return tuple(0 if value is None else len(value) for value in values)
