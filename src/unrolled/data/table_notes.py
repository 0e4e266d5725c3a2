"""Notes on a table that was read: numbers that are written as texts, repeated names, and a column that counts rows."""

import re
from collections.abc import Iterator

import polars as pl

_FEWEST = 2  # rows that can be counted
LOOKED_AT = 100  # values of a column of text that are looked at
_SIGNS = r"[€$£¥%‰]|USD|EUR|GBP|CHF"
# digits in groups, with a decimal sign, a currency or a percent sign, in the brackets of book-keeping
_NUMBER = re.compile(
    rf"\(?\s*(?:{_SIGNS})?\s*[-+\u2212]?\s*(?:{_SIGNS})?\s*"
    rf"\d{{1,3}}(?:[,.'\u2019 \u00a0\u202f]?\d{{3}})*(?:[.,]\d+)?\s*(?:{_SIGNS})?\s*\)?"
)
_DIGITS = re.compile(r"\d+")
_UNNAMED = re.compile(r"(Unnamed: \d+)?")
_COUNTER = re.compile(r"(?i)(unnamed: \d+)?|index|id|no|nr|row([ _]?(id|index|no|nr|number|num))?")
_REPEATED = re.compile(r"(.+)_duplicated_\d+")


def table_notes(frame: pl.DataFrame) -> tuple[str, ...]:
    """Return a sentence for each column of a table that a reader may have meant in another way.

    Args:
        frame: the table.

    Example:
        >>> table_notes(pl.DataFrame({"price": ["$5", "$1,200"]}))
        ("column 'price' is text: '$5' is no plain number; write 1234.5, or give decimal=',' for a decimal comma",)
    """
    return tuple(note for name, kind in frame.schema.items() for note in _notes(name, kind, frame))


def _notes(name: str, kind: pl.DataType, frame: pl.DataFrame) -> Iterator[str]:
    if kind == pl.String:
        texts = [text.strip() for text in frame[name].drop_nulls().head(LOOKED_AT).to_list() if text.strip()]
        if texts and all(map(_NUMBER.fullmatch, texts)) and not all(map(_DIGITS.fullmatch, texts)):
            shown = next(text for text in texts if not _DIGITS.fullmatch(text))
            remedy = "write 1234.5, or give decimal=',' for a decimal comma"
            yield f"column {name!r} is text: {shown!r} is no plain number; {remedy}"
    found = _REPEATED.fullmatch(name)
    if found is not None and found[1] in frame.columns:
        yield f"the name {found[1]!r} is repeated: a further column of this name is called {name!r}"
    if _UNNAMED.fullmatch(name) and counts_rows(frame, name):
        yield f"column {name!r} only counts the rows; leave it out of what is learnt from"


def counts_rows(frame: pl.DataFrame, name: str, group: str | None = None) -> bool:
    """Return whether a column only counts the rows: it is called so, or nothing, and holds numbers that follow.

    Args:
        frame: the table, in any order.
        name: the column.
        group: the column that identifies the series, which may be counted each by itself.

    Example:
        >>> table = pl.DataFrame({"Unnamed: 0": [0, 1, 2], "x": [0, 1, 2]})
        >>> counts_rows(table, "Unnamed: 0"), counts_rows(table, "x")
        (True, False)
    """
    column = frame[name]
    if not _COUNTER.fullmatch(name) or not column.dtype.is_integer() or len(column) < _FEWEST or column.null_count():
        return False
    if _follow(column):
        return True
    parts = [] if group is None else frame.select(group, name).partition_by(group)
    return bool(parts) and all(_follow(part[name]) for part in parts)


def _follow(numbers: pl.Series) -> bool:
    return bool((numbers.sort().diff().drop_nulls() == 1).all())
