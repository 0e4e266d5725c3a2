"""Why a table of separated values cannot be read: the line that has too many values, or a quote out of place."""

import contextlib
import csv
import io
import mmap
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

from unrolled.errors import DataError, message

SEPARATORS = (";", "\t", "|")  # that a table may have in place of commas
_SHOWN = 40  # characters of a line
_PIECE = 1 << 19  # bytes of a line that are looked at together: a line may be the whole of a body or file


class _Pieces:
    """Give the lines of a table one by one, and a line that is too long to be held in pieces.

    `number` is the line that was given last, from 1; `is_cut` says that it goes on.
    """

    def __init__(self, data: Path | bytes) -> None:
        self.data, self.number, self.is_cut = data, 0, False

    def __iter__(self) -> Generator[str]:
        with io.BytesIO(self.data) if isinstance(self.data, bytes) else self.data.open("rb") as file:
            while block := file.read(_PIECE) + file.readline(_PIECE):
                goes_on = len(block) == 2 * _PIECE and not block.endswith(b"\n")
                for piece in io.StringIO(block.decode(errors="replace"), newline=""):
                    self.number += not self.is_cut
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
    quotes: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    pieces = _Pieces(data)
    lines = csv.reader(pieces, delimiter=separator, **quotes)
    try:
        first = next(lines, [])
        width, other = len(first), next((sign for sign in SEPARATORS if any(sign in name for name in first)), None)
        remedy = "" if other is None else f"if {other!r} stands between values, give separator={other!r}"
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


def _misplaced(number: int, line: str) -> DataError:
    remedy = 'write a quote that belongs to a text twice, and quotes around the text: "5"" pipe"'
    return DataError(message(f"line {number}", expected="quotes around whole values", received=repr(line[:_SHOWN]),
                             remedy=remedy))  # fmt: skip
