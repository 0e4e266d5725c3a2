"""Lines of a table of separated values that need a word: too many values, too few, or a quote out of place."""

import contextlib
import csv
import io
import mmap
import re
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

from unrolled.errors import DataError, message

SEPARATORS = (";", "\t", "|")  # that a table may have in place of commas
_SHOWN = 40  # characters of a line
_LINES, _CHARACTERS = 100_000, 1 << 24  # that are searched for lines with too few values
_PIECE = 1 << 19  # bytes of a line that are looked at together: a line may be the whole of a body or file


class _Pieces:
    """Give the lines of a table one by one, and a line that is too long to be held in pieces.

    `number` is the line that was given last, from 1, and `is_cut` says that it goes on; `characters` counts all.
    """

    def __init__(self, data: Path | bytes) -> None:
        self.data, self.number, self.characters, self.is_cut = data, 0, 0, False

    def __iter__(self) -> Generator[str]:
        with io.BytesIO(self.data) if isinstance(self.data, bytes) else self.data.open("rb") as file:
            while block := file.read(_PIECE) + file.readline(_PIECE):
                goes_on = len(block) == 2 * _PIECE and not block.endswith(b"\n")
                for piece in io.StringIO(block.decode(errors="replace"), newline=""):
                    self.number, self.characters = self.number + (not self.is_cut), self.characters + len(piece)
                    self.is_cut = goes_on and not piece.endswith(("\n", "\r"))
                    yield piece


def refuse_longer_lines(data: Path | bytes, separator: str, quote: str | None) -> None:
    """Refuse a table in which a line has more values than the first one, and say which; else return.

    Args:
        data: the file, or its bytes in UTF-8.
        separator: one character.
        quote: character around values that hold separators; None = none.

    Raises:
        DataError: such a line.
    """
    pieces = _Pieces(data)
    lines = _values(pieces, separator, quote)
    try:
        first = next(lines, [])
        width, other = len(first), next((sign for sign in SEPARATORS if any(sign in name for name in first)), None)
        above = (
            f"put quotes around values that hold {separator!r}; if lines stand above the names of columns, remove them"
        )
        remedy = above if other is None else f"if {other!r} stands between values, give separator={other!r}"
        remedy += ", and decimal=',' for numbers such as 1,5" if other == ";" else ""
        for values in lines:
            if len(values) > width:
                received = f"at least {len(values)}" if pieces.is_cut else f"{len(values)}"
                raise DataError(message(f"line {pieces.number}", expected=f"{width} values, as in the first line",
                                        received=received, remedy=remedy))  # fmt: skip
            if pieces.is_cut:  # where its last value ends is not known
                return
    except csv.Error:
        return


def short_lines(data: Path | bytes, separator: str, quote: str | None, width: int) -> tuple[str, ...]:
    r"""Return a note if lines of a table have too few values, with their number and the first; else nothing.

    The first 100,000 lines or 16 million characters are looked at. Lines without any value do not count.

    Args:
        data: the file, or its bytes in UTF-8.
        separator: one character or several.
        quote: character around values that hold separators; None = none.
        width: values in a whole line.

    Example:
        >>> short_lines(b"a,b,c\n1,2,3\n4,5\n", ",", '"', 3)
        ('line 3 has 2 of 3 values; the others are missing',)
    """
    pieces, sign = _Pieces(data), separator if len(separator) == 1 else "\x1f"
    found, line, count = 0, 0, 0  # the first of the lines found, and its number of values
    with contextlib.suppress(csv.Error):  # what was found before counts
        for values in _values((piece.replace(separator, sign) for piece in pieces), sign, quote):
            if pieces.is_cut or pieces.number > _LINES or pieces.characters > _CHARACTERS:
                break
            if len(values) < width and any(value.strip() for value in values):
                line, count = (line, count) if found else (pieces.number, len(values))
                found += 1
    if found > 1:
        shown = f"the first, line {line}, has {count} of {width} values"
        return (f"{found:,} lines have too few values, and the others are missing; {shown}",)
    return (f"line {line} has {count} of {width} values; the others are missing",) if found else ()


def refuse_quotes(data: Path | bytes, separator: str, quote: str | None) -> None:
    """Refuse a table in which a quote is within a value, or does not end, and say where; else return.

    Args:
        data: the file, or its bytes in UTF-8.
        separator: one character.
        quote: character around values that hold separators; None = none.

    Raises:
        DataError: such a line.
    """
    if not quote:
        return
    sides = re.escape(separator + quote)
    within, opened, pieces = re.compile(f"[^{sides}]{quote}[^{sides}]"), None, _Pieces(data)
    for piece in pieces:
        bare = piece.rstrip("\r\n")
        if within.search(bare):
            raise _misplaced(pieces.number, bare)
        if bare.count(quote) % 2:
            opened = None if opened else (pieces.number, bare)
    if opened:
        raise _misplaced(*opened)


def refuse_escaped_quotes(data: Path | bytes, separator: str, quote: str) -> None:
    r"""Refuse a table in which a quote within a quoted value has a backslash before it, and say where; else return.

    Args:
        data: the file, or its bytes in UTF-8.
        separator: one character.
        quote: character around values that hold separators.

    Raises:
        DataError: such a line.

    Example:
        >>> refuse_escaped_quotes(b'a,b\n"C:\\",2\n', ",", '"')
    """
    sign, between = quote.encode(), separator.encode()
    signs = {b"q": sign, b"s": re.escape(between)}
    quoted = re.compile(rb"(?:^|%(s)s)%(q)s[^%(q)s]*+(?:%(q)s%(q)s[^%(q)s]*+)*+%(q)s" % signs, re.MULTILINE)
    with _looked_at(data) as raw:
        if raw.find(b"\\" + sign) < 0:
            return
        end = _escaped(quoted, raw, (b"", between, b"\r", b"\n"))
        if end is None:
            return
        number = raw[:end].count(b"\n") + 1
        line = raw[raw.rfind(b"\n", 0, end) + 1 : end].decode(errors="replace")
    remedy = f"write a quote within a value twice, {quote}{quote}, instead of a backslash before it"
    raise DataError(message(f"line {number}", expected="quotes around whole values", received=repr(line[-_SHOWN:]),
                            remedy=remedy))  # fmt: skip


def _escaped(quoted: re.Pattern[bytes], raw: Any, after: tuple[bytes, ...]) -> int | None:
    """Return where the first quoted value ends that does so by a backslash and a quote, within its line."""
    for found in quoted.finditer(raw):
        end = found.end()
        if raw[end - 2 : end - 1] == b"\\" and raw[end : end + 1] not in after:
            return end
    return None


@contextlib.contextmanager
def _looked_at(data: Path | bytes) -> Generator[Any]:
    """Give bytes, or a file that is mapped into memory."""
    if isinstance(data, bytes) or not data.stat().st_size:
        yield data if isinstance(data, bytes) else b""
        return
    with data.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped


def _values(lines: Iterable[str], separator: str, quote: str | None) -> Iterator[list[str]]:
    quotes: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    return csv.reader(lines, delimiter=separator, **quotes)


def _misplaced(number: int, line: str) -> DataError:
    remedy = 'write a quote that belongs to a text twice, and quotes around the text: "5"" pipe"'
    return DataError(message(f"line {number}", expected="quotes around whole values", received=repr(line[:_SHOWN]),
                             remedy=remedy))  # fmt: skip
