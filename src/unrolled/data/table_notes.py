"""Notes on a table that was read: numbers written as texts, odd values among numbers, and names that need a look."""

import re
from collections.abc import Iterator

import polars as pl

from unrolled.data.missing import MARKS

_FEWEST = 2  # rows that can be counted
LOOKED_AT = 100  # values of a column of text that are looked at
_SIGNS = r"[€$£¥%‰]|USD|EUR|GBP|CHF"
# digits in groups, with a decimal sign, a currency or a percent sign, in the brackets of book-keeping
_NUMBER = re.compile(
    rf"\(?\s*(?:{_SIGNS})?\s*[-+\u2212]?\s*(?:{_SIGNS})?\s*"
    rf"\d{{1,3}}(?:[,.'\u2019 \u00a0\u202f]?\d{{3}})*(?:[.,]\d+)?\s*(?:{_SIGNS})?\s*\)?"
)
_LIST = re.compile(r"\[[\s\S]*\]")
_DIGITS = re.compile(r"\d+")
_PLAIN = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
MOST_ODD = 1 / 3  # share of texts among numbers that are odd ones
_STAND_INS = {float(nines) for nines in (99, 999, 9999, 99999, 999999, 99.9, 999.9, 9999.9, 999.99, 1e20, 1e36)}
FAR = 2  # of the distance between all others
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
        if texts and all(map(_LIST.fullmatch, texts)) and any("..." in text for text in texts):
            remedy = "save whole lists, such as array.tolist()"
            yield f"column {name!r} is text: '...' stands for values that were not written; {remedy}"
        elif texts and all(map(_NUMBER.fullmatch, texts)) and not all(map(_DIGITS.fullmatch, texts)):
            shown = next(text for text in texts if not _DIGITS.fullmatch(text))
            remedy = "write 1234.5, or give decimal=',' for a decimal comma"
            yield f"column {name!r} is text: {shown!r} is no plain number; {remedy}"
        else:
            yield from _odd_text(frame[name])
    elif kind.is_numeric():
        yield from _stand_in(frame[name])
    found = _REPEATED.fullmatch(name)
    if found is not None and found[1] in frame.columns:
        yield f"the name {found[1]!r} is repeated: a further column of this name is called {name!r}"
    if _UNNAMED.fullmatch(name) and counts_rows(frame, name):
        yield f"column {name!r} only counts the rows; leave it out of what is learnt from"


def _odd_text(column: pl.Series) -> Iterator[str]:
    """Name the first of few texts among numbers: a second line of names, a unit, a comment or a sum at the end."""
    parts = [column] if len(column) <= 2 * LOOKED_AT else [column.head(LOOKED_AT), column.tail(LOOKED_AT)]
    texts = [text for part in parts for text in part.to_list()]
    known = [text for text in texts if text is not None and text.strip() not in MARKS]
    odd = [text for text in known if not _PLAIN.fullmatch(text)]
    if not odd or len(odd) > MOST_ODD * len(known) or len(known) - len(odd) < _FEWEST:
        return
    row = texts.index(odd[0])
    row += max(0, len(column) - len(texts)) if row >= LOOKED_AT and len(parts) > 1 else 0
    remedy = f"leave the line out if it is none of the table, or give missing=[{odd[0]!r}]"
    yield f"column {column.name!r} is text because of {odd[0]!r} in row {row}; other values are numbers; {remedy}"


def _stand_in(column: pl.Series) -> Iterator[str]:
    """Name a number such as -9999 that occurs several times, far away from all others."""
    for found in (column.min(), column.max()):
        if found is None or abs(float(found)) not in _STAND_INS:  # type: ignore[arg-type]
            continue
        others = column.filter(column != found)
        low, high = others.min(), others.max()
        times = len(column) - len(others) - column.null_count()
        if low is None or times < _FEWEST:
            continue
        span = float(high) - float(low)  # type: ignore[arg-type]
        nearest = min(abs(float(found) - float(low)), abs(float(found) - float(high)))  # type: ignore[arg-type]
        if 0 < span < FAR * nearest and nearest > abs(float(found)) / 2:  # type: ignore[arg-type]
            yield (
                f"column {column.name!r} holds {found:g} {times:,} times, far from all other values; "
                f"if it stands for missing ones, give missing=[{found:g}]"
            )


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
