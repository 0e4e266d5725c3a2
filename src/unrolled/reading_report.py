"""The reading report: what one call of `predict` or `evaluate` met that its model does not know.

The counts belong to the call, not to the model or its codecs: they are kept in a `Tally` that only the code which runs
within this call finds, so that two threads that ask one model do not mix theirs. Source: PEP 567, context variables.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

MOST_UNKNOWN = 0.2  # share of unknown tokens above which answers and scores say little
SHOWN = 3  # unknown values that are named
LOOKED_AT = 64  # unknown values of which those are chosen, and whose other spellings are looked up
# other spellings of a value that training may have seen, the plainest first
SPELLINGS: dict[str, Callable[[str], str]] = {
    "in lower case": str.lower,
    "in upper case": str.upper,
    "with a capital letter": str.capitalize,
    "without the blanks around them": str.strip,
    "in lower case, without the blanks around them": lambda text: text.strip().lower(),
    "in the Unicode form NFC": lambda text: normalize("NFC", text),
    "in the Unicode form NFD": lambda text: normalize("NFD", text),
}
LONGEST = 40  # characters of an unknown value that are shown
# what is counted, and the unit of the whole that it is a part of
COUNTED = {
    "missing values": "values",
    "gaps filled": "rows",
    "unseen series": "series",
    "unseen users": "users",
    "unseen labels": "labels",
    "rows left out": "rows",
    "times that did not fit": "rows",
    "recordings cut off": "recordings",
}
# of these a large share is warned of; gaps in the values and new users are nothing that a model cannot read, and
# labels are warned of by their column
WARNED = ("gaps filled", "unseen series", "rows left out", "times that did not fit", "recordings cut off")

# counts that single events can add to
OF_EVENTS = ("missing values", "gaps filled", "unseen series", "rows left out", "times that did not fit")


class UnrolledWarning(UserWarning):
    """A warning that unrolled gives on purpose: much is unknown to a model, or a part of it is left out."""


@dataclass
class Share:
    """The tokens of one column, and those of them that are unknown.

    Args:
        unit: what a token is: characters, words, values, items.
        tokens: number of tokens.
        unknown: number of unknown ones.
        examples: some of the unknown values, each once, as text.
        looked_at: how many of the values were looked at.
        spelt: how many of those would be known in another spelling, by its name in `SPELLINGS`.
        served: number of unknown ones that are answered as well as known ones.
    """

    unit: str
    tokens: int = 0
    unknown: int = 0
    examples: list[str] = field(default_factory=list)
    looked_at: int = 0
    spelt: Counter[str] = field(default_factory=Counter)
    served: int = 0

    @property
    def share(self) -> float:
        """Unknown share of the tokens; 0 without tokens."""
        return self.unknown / self.tokens if self.tokens else 0.0

    @property
    def alarming(self) -> bool:
        """Whether too much is unknown; a single unknown token counts only if nothing else was read.

        What is answered as well as a known one does not count, unless it is one in another spelling.
        """
        lost = self.unknown if self.hint else self.unknown - self.served
        return lost > MOST_UNKNOWN * self.tokens and (lost > 1 or self.tokens == 1)

    def learn(self, examples: Sequence[Any], known: Callable[[Any], bool]) -> None:
        """Add examples of unknown values; `known` returns whether the vocabulary has a value."""
        for value in examples[: LOOKED_AT - self.looked_at]:
            shown = str(value)[:LONGEST]
            if len(self.examples) < SHOWN and shown not in self.examples:
                self.examples.append(shown)
            if isinstance(value, str):
                self.spelt.update(name for name, spell in SPELLINGS.items() if known(spell(value)))
            self.looked_at += 1

    @property
    def hint(self) -> str:
        """The spelling in which more than half of the unknown values would be known; empty if there is none."""
        name, count = max(self.spelt.items(), key=lambda pair: pair[1], default=("", 0))
        return f"most are known {name}" if 2 * count > self.looked_at else ""

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return {
            "tokens": self.tokens,
            "unit": self.unit,
            "unknown": self.unknown,
            "share": self.share,
            "examples": list(self.examples),
            "hint": self.hint,
        }

    def part(self) -> dict[str, Any]:
        """Return the share, the whole that it is a share of, examples and the hint, as plain values."""
        return {
            "share": self.share,
            "of": self.tokens,
            "unit": self.unit,
            "examples": list(self.examples),
            "hint": self.hint,
        }


class Tally:
    """The counts of one call.

    Args:
        owner: the task that is asked.
        codecs: its codecs; those of its baselines are not counted.
    """

    def __init__(self, owner: Any, codecs: Sequence[Any] = ()) -> None:
        self.owner = owner
        self.counts: dict[str, Share] = {name: Share(unit) for name, unit in COUNTED.items()}
        self.columns: dict[str, list[Share]] = {}
        self.labels: dict[str, Share] = {}  # true labels by column: they are no tokens that the model reads
        self.empty: dict[Any, int] = {}  # records without a step, by the codec that counted them
        self._shares: dict[Any, Share] = {}
        self.read_by(codecs)

    def read_by(self, codecs: Sequence[Any]) -> None:
        """Count for these codecs from now on."""
        self._codecs = {id(codec): codec for codec in codecs}

    def counts_for(self, codec: Any) -> bool:
        """Return whether a codec is one of the task's own."""
        return id(codec) in self._codecs

    def share(self, column: str, unit: str, key: Any) -> Share:
        """Return the counts of one reader of a column, such as a codec; `key` identifies it."""
        if key not in self._shares:
            self._shares[key] = Share(unit)
            self.columns.setdefault(column, []).append(self._shares[key])
        return self._shares[key]

    @property
    def unknown(self) -> int:
        """Number of unknown tokens in all columns."""
        return sum(share.unknown for share in list(self._shares.values()))

    def unknown_lines(self) -> list[str]:
        """Return a sentence for each column with unknown tokens, and for each count that is not 0, with examples."""
        columns = [
            f"column {column!r}: {one.unknown:,} unknown {one.unit}, such as {', '.join(map(repr, one.examples))}"
            for column, shares in list(self.columns.items())
            for one in shares
            if one.unknown
        ]
        return columns + [_part(name, one.unknown, one.part()) for name, one in self.counts.items() if one.unknown]

    def alarms(self) -> list[str]:
        """Return a sentence for each column of which too much is unknown to everything that reads it."""
        least = [(column, min(shares, key=lambda one: one.share)) for column, shares in self.columns.items()]
        columns = [_sentence(column, one.to_json()) for column, one in (*least, *self.labels.items()) if one.alarming]
        parts = [_part(name, one.unknown, one.part()) for name, one in self.counts.items() if self._alarms(name, one)]
        return [f"{sentence}; answers and scores may say little" for sentence in columns + parts]

    @staticmethod
    def _alarms(name: str, one: Share) -> bool:
        return name in WARNED and one.alarming

    def report(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        columns = {
            column + (f" ({one.unit})" if place else ""): one.to_json()
            for column, shares in self.columns.items()
            for place, one in enumerate(shares)
        }
        tokens, unknown = (sum(one[name] for one in columns.values()) for name in ("tokens", "unknown"))
        totals = {"tokens": tokens, "unknown": unknown, "share unknown": unknown / tokens if tokens else 0.0}
        empty = {"empty records": max(self.empty.values(), default=0)}
        counts = {name: one.unknown for name, one in self.counts.items()}
        shares = {name: one.part() for name, one in self.counts.items() if one.unknown}
        return {**totals, "columns": columns, **empty, **counts, "shares": shares, "warnings": self.alarms()}


_current: ContextVar[Tally | None] = ContextVar("tally", default=None)
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
_said: ContextVar[set[str] | None] = ContextVar("said", default=None)


def current() -> Tally | None:
    """Return the tally of the call that runs; None outside of one."""
    return _current.get()


def report_so_far() -> dict[str, Any]:
    """Return the report of the call that runs; empty outside of one."""
    tally = current()
    return {} if tally is None else tally.report()


def is_quiet() -> bool:
    """Return whether warnings are left to the caller, see `quietly`."""
    return _quiet.get()


def note(
    what: str,
    count: int,
    of: int,
    examples: Sequence[Any] = (),
    known: Callable[[Any], bool] = lambda _: False,
    served: int = 0,
) -> None:
    """Add to one of the counts in `COUNTED`; without effect outside of a call.

    Args:
        what: its name.
        count: what to add.
        of: number of those that were looked at, such as all rows.
        examples: some of those that count, each once.
        known: returns whether training saw a value, for the case in which most would be known.
        served: how many of `count` are answered as well as others; no warning counts them.

    Example:
        >>> with counted(Tally(None)) as tally:
        ...     note("gaps filled", 3, of=12)
        >>> tally.report()["gaps filled"], tally.report()["shares"]["gaps filled"]["share"]
        (3, 0.25)
    """
    tally = current()
    if tally is not None:
        share = tally.counts[what]
        share.unknown += int(count)
        share.tokens += int(of)
        share.served += int(served)
        share.learn(examples, known)


def note_unseen(
    names: Sequence[Any], known: Collection[Any], what: str = "unseen series", served: Collection[Any] = ()
) -> None:
    """Count the series or users that were asked about, and those that training never saw; see `note`.

    Args:
        names: a name of each; None where it has none.
        known: the names that training saw.
        what: the count in `COUNTED`.
        served: names that are answered as well as known ones, if training never saw them.
    """
    unseen = [name for name in names if name not in known]
    named = [name for name in unseen if name not in (None, "")]
    note(what, len(unseen), len(names), named, known.__contains__, sum(name in served for name in unseen))


def note_tokens(
    column: str, unit: str, tokens: int, unknown: int, examples: Sequence[Any], known: Callable[[Any], bool]
) -> None:
    """Count the tokens of a column that no codec reads, such as items; without effect outside of a call.

    Args:
        column: its name.
        unit: what a token is.
        tokens: number of tokens.
        unknown: number of unknown ones.
        examples: some of the unknown values, each once.
        known: returns whether the vocabulary has a value.
    """
    tally = current()
    if tally is not None:
        share = tally.share(column, unit, column)
        share.tokens += tokens
        share.unknown += unknown
        share.learn(examples, known)


def note_labels(column: str, labels: int, unseen: Sequence[Any], known: Callable[[Any], bool]) -> None:
    """Count the true labels of a column, and those that training never saw; without effect outside of a call.

    Args:
        column: its name.
        labels: number of labels.
        unseen: those that training never saw, one for each occurrence.
        known: returns whether training saw a label.
    """
    tally = current()
    if tally is not None and labels:
        share = tally.labels.setdefault(column, Share("labels"))
        share.tokens += labels
        share.unknown += len(unseen)
        share.learn(list(dict.fromkeys(unseen)), known)
        note("unseen labels", len(unseen), labels)


@contextmanager
def counted(tally: Tally) -> Generator[Tally]:
    """Count into a tally while the block runs."""
    token = _current.set(tally)
    try:
        yield tally
    finally:
        _current.reset(token)


def uncounted() -> AbstractContextManager[Tally]:
    """Count nothing while the block runs, such as where a baseline reads the same values again."""
    return counted(Tally(None))


@contextmanager
def quietly() -> Generator[None]:
    """Give no warnings of unknown values while the block runs; scores and reports still name them."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


@contextmanager
def each_once() -> Generator[None]:
    """Give each warning of `warn_once` once while the block runs, such as a `fit` that reads its data several times."""
    token = _said.set(set() if (outer := _said.get()) is None else outer)
    try:
        yield
    finally:
        _said.reset(token)


def warn_once(what: str, text: str, stacklevel: int = 2) -> None:
    """Warn of something in the data; within `each_once` one time only.

    Args:
        what: what is warned of, however often it occurs.
        text: the warning.
        stacklevel: as in `warnings.warn`, counted from the caller.
    """
    said = _said.get()
    if said is not None and what in said:
        return
    if said is not None:
        said.add(what)
    warnings.warn(text, UnrolledWarning, stacklevel=stacklevel + 1)


def lines_of(report: Mapping[str, Any]) -> list[str]:
    """Return a report as sentences: the columns with unknown values, and the counts that are not 0.

    Example:
        >>> part = {"share": 0.25, "of": 8, "unit": "rows", "examples": [], "hint": ""}
        >>> lines_of({"columns": {}, "gaps filled": 2, "rows left out": 0, "shares": {"gaps filled": part}})
        ['gaps filled: 2, 25.0% of 8 rows']
    """
    found = [_sentence(name, one) for name, one in report.get("columns", {}).items() if one["unknown"]]
    shares = report.get("shares", {})  # reports of older models have none
    return found + [
        _part(name, report[name], shares.get(name)) for name in ("empty records", *COUNTED) if report.get(name)
    ]


def _part(name: str, count: int, part: Mapping[str, Any] | None) -> str:
    """Return a count as a sentence, with its share where that is known."""
    share = f", {part['share']:.1%} of {part['of']:,} {part['unit']}{_shown(part)}" if part else ""
    return f"{name}: {count:,}{share}"


def _sentence(column: str, one: Mapping[str, Any]) -> str:
    column = column.removesuffix(f" ({one['unit']})")  # the unit follows
    return f"column {column!r}: {one['share']:.1%} of {one['tokens']:,} {one['unit']} are unknown{_shown(one)}"


def _shown(one: Mapping[str, Any]) -> str:
    """Return the examples and the hint of a share."""
    shown = ", such as " + ", ".join(map(repr, one["examples"])) if one["examples"] else ""
    return shown + (f"; {one['hint']}" if one["hint"] else "")
