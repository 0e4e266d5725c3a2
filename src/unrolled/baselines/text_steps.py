"""Steps of texts: counts of words and of character n-grams, and the first characters."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from unrolled.baselines.steps import Columns, Steps
from unrolled.baselines.values import Example, texts, tokens
from unrolled.codecs.holding import WordText
from unrolled.state_forms import Also, Array, Chars, FixedParts, Flag, Form

LONGEST = 4  # characters of the longest n-gram
MOST_TIMES = 2**31 - 1
_BLANKS = re.compile(r"\s\s+")  # one blank for each run of several, as in scikit-learn's CountVectorizer


class Counts(NamedTuple):
    """How often each feature occurred.

    Args:
        places: of the features that occurred, in order, (D,) int32.
        times: of each, (D,) int32, at least 1.
    """

    places: np.ndarray
    times: np.ndarray

    def plus(self, places: Iterable[int]) -> "Counts":
        """Return the counts with further occurrences."""
        found = np.fromiter(places, dtype=np.int32)
        if not len(found):
            return self
        new, more = np.unique(found, return_counts=True)
        every = np.union1d(self.places, new)
        times = np.zeros(len(every), dtype=np.int32)
        times[np.searchsorted(every, self.places)] = self.times
        times[np.searchsorted(every, new)] += more.astype(np.int32)
        return Counts(every, times)


NONE = Counts(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32))


def counts_form(size: int) -> Form:
    """Return the form of counts of at most `size` features."""
    places = Array(["int32"], (None,), most=size, low=0, high=size - 1)
    times = Array(["int32"], (None,), most=size, low=1, high=MOST_TIMES)
    return Also(FixedParts(places, times), _in_order, "places in order, each with its count")


def _in_order(value: tuple[np.ndarray, np.ndarray]) -> bool:
    places, times = value
    return len(places) == len(times) and bool((np.diff(places) > 0).all())


class WordSteps(Steps):
    """Counts of the words and tokens of a vocabulary; the last words of a text may still change, and wait.

    Args:
        columns: of the records.
        vocabulary: words as `values.tokens` returns them, one per feature.
    """

    def __init__(self, columns: Columns, vocabulary: list[str]) -> None:
        self._columns = columns
        self._place = {word: place for place, word in enumerate(vocabulary)}
        self._holders = {name: WordText(name) for name in columns.texts}
        self.initial = (*NONE,), tuple(holder.empty for holder in self._holders.values())
        held = FixedParts(*(holder.form for holder in self._holders.values()))
        self.form = FixedParts(counts_form(len(vocabulary)), held)

    def step(self, piece: Example, state: Any) -> Any:
        counts, held = state
        ready: dict[str, Any] = {name: piece[name] for name in self._columns.lists}
        waiting = []
        for (name, holder), before in zip(self._holders.items(), held, strict=True):
            ready[name], after = holder.push(piece[name], before)
            waiting.append(after)
        return (*Counts(*counts).plus(self._found(ready)),), tuple(waiting)

    def read(self, piece: Example, state: Any) -> Counts:
        counts, held = state
        rest = {name: holder.rest(one) for (name, holder), one in zip(self._holders.items(), held, strict=True)}
        return Counts(*counts).plus(self._found({**rest, **self._columns.single(piece)}))

    def _found(self, example: Example) -> Iterable[int]:
        places = map(self._place.get, tokens(example))
        return [place for place in places if place is not None]


class NGramSteps(Steps):
    """Counts of the character n-grams of `marked_text`.

    Of every growing text the state holds its first and last three characters with the mark of its start, whether
    there are others between them, and the blanks at its end, which may become one.

    Args:
        columns: of the records.
        vocabulary: n-grams, one per feature.
    """

    def __init__(self, columns: Columns, vocabulary: list[str]) -> None:
        self._columns = columns
        self._place = {gram: place for place, gram in enumerate(vocabulary)}
        starts = self._found(["^"] * len(columns.texts))
        self.initial = (*NONE.plus(starts),), tuple(("^", False, "") for _ in columns.texts)
        ends = FixedParts(Chars(2 * (LONGEST - 1)), Flag(), Chars(2))
        known = Also(ends, _are_ends, "the ends of a text")
        self.form = FixedParts(counts_form(len(vocabulary)), FixedParts(*(known for _ in columns.texts)))

    def step(self, piece: Example, state: Any) -> Any:
        counts, before = state
        after, grams = [], []
        for name, (ends, cut, blanks) in zip(self._columns.texts, before, strict=True):
            text = blanks + piece[name]
            body = text.rstrip()
            blanks = text[len(body) :]
            blanks = blanks if len(blanks) < 2 else "  "
            new = _BLANKS.sub(" ", body)
            tail = ends[-(LONGEST - 1) :]
            whole = tail + new
            grams += [
                whole[end - size : end]
                for end in range(len(tail) + 1, len(whole) + 1)
                for size in range(1, min(LONGEST, end) + 1)
            ]
            if cut or len(ends) + len(new) > 2 * (LONGEST - 1):
                first = (ends + new)[: LONGEST - 1]
                ends, cut = first + whole[-(LONGEST - 1) :], True
            else:
                ends += new
            after.append((ends, cut, blanks))
        return (*Counts(*counts).plus(self._found(grams)),), tuple(after)

    def read(self, piece: Example, state: Any) -> Counts:
        counts, ends = state
        known = dict(zip(self._columns.texts, ends, strict=True))
        single = self._columns.single(piece)
        signs: list[tuple[str, str]] = []  # each character, and the text whose n-grams are counted already
        for name in self._columns.names:
            if name in known:
                start, cut, blanks = known[name]
                between = [("", "")] * cut  # characters that no n-gram across an end reaches
                half = LONGEST - 1 if cut else len(start)
                inner = [(sign, name) for sign in start]
                added = [*inner[:half], *between, *inner[half:], *_plain(f"{_BLANKS.sub(' ', blanks)}$")]
            elif isinstance(single.get(name), str):
                added = _plain(f"^{_BLANKS.sub(' ', single[name])}$")
            else:
                continue
            signs += [*(_plain(" ") if signs else []), *added]
        return Counts(*counts).plus(self._found(_across(signs or _plain(" "))))

    def _found(self, grams: Iterable[str]) -> list[int]:
        return [place for place in map(self._place.get, grams) if place is not None]


def _plain(text: str) -> list[tuple[str, str]]:
    return [(sign, "") for sign in text]


def _across(signs: list[tuple[str, str]]) -> Iterable[str]:
    """Yield the n-grams that are not within one text whose n-grams are counted already."""
    for start in range(len(signs)):
        for end in range(start + 1, min(start + LONGEST, len(signs)) + 1):
            part = signs[start:end]
            owners = {owner for _, owner in part}
            if all(sign for sign, _ in part) and (len(owners) > 1 or "" in owners):
                yield "".join(sign for sign, _ in part)


def _are_ends(value: tuple[str, bool, str]) -> bool:
    ends, cut, blanks = value
    return ends.startswith("^") and (not cut or len(ends) == 2 * (LONGEST - 1)) and not blanks.strip()


class StartSteps(Steps):
    """The first characters of every growing text.

    Args:
        columns: of the records.
        longest: characters of `marked_text` that are read.
    """

    def __init__(self, columns: Columns, longest: int) -> None:
        self._columns, self._longest = columns, longest
        self.initial = ("",) * len(columns.texts)
        self.form = FixedParts(*(Chars(longest) for _ in columns.texts))

    def step(self, piece: Example, state: Any) -> Any:
        pairs = zip(self._columns.texts, state, strict=True)
        return tuple((text + piece[name])[: self._longest] for name, text in pairs)

    def read(self, piece: Example, state: Any) -> str:
        known = dict(zip(self._columns.texts, state, strict=True)) | self._columns.single(piece)
        return marked_text({name: known[name] for name in self._columns.names if name in known})[: self._longest]


def marked_text(example: Mapping[str, Any]) -> str:
    """Return all texts of a record, each with marked ends, so that beginnings and endings are features.

    Example:
        >>> marked_text({"name": "Ada", "age": 36, "town": "Bath"})
        '^Ada$ ^Bath$'
    """
    return " ".join(f"^{value}$" for _, value in texts(example)) or " "
