"""Why a table of separated values cannot be read: the line that has too many values, or a quote out of place."""

import csv
import io
import re
from typing import Any

from unrolled.errors import DataError, message

SEPARATORS = (";", "\t", "|")  # that a table may have in place of commas
_SHOWN = 40  # characters of a line


def refuse_longer_lines(text: str, separator: str, quote: str | None) -> None:
    """Refuse a table in which a line has more values than the first one, and say which; else return.

    Args:
        text: the table.
        separator: one character.
        quote: character around values that hold separators; None = none.

    Raises:
        DataError: such a line.
    """
    quotes: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, **quotes)
    try:
        first = next(lines, [])
        width, other = len(first), next((sign for sign in SEPARATORS if any(sign in name for name in first)), None)
        remedy = "" if other is None else f"if {other!r} stands between values, give separator={other!r}"
        remedy += ", and decimal=',' for numbers such as 1,5" if other == ";" else ""
        for values in lines:
            if len(values) > width:
                raise DataError(message(f"line {lines.line_num}", expected=f"{width} values, as in the first line",
                                        received=f"{len(values)}", remedy=remedy))  # fmt: skip
    except csv.Error:
        return


def refuse_quotes(text: str, separator: str, quote: str | None) -> None:
    """Refuse a table in which a quote is within a value, or does not end, and say where; else return.

    Args:
        text: the table.
        separator: one character.
        quote: character around values that hold separators; None = none.

    Raises:
        DataError: such a line.
    """
    if not quote:
        return
    sides = re.escape(separator + quote)
    within, open_line = re.compile(f"[^{sides}]{quote}[^{sides}]"), 0
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.removesuffix("\r")
        if within.search(bare):
            raise _misplaced(number, bare)
        if bare.count(quote) % 2:
            open_line = 0 if open_line else number
    if open_line:
        raise _misplaced(open_line, text.split("\n")[open_line - 1])


def _misplaced(number: int, line: str) -> DataError:
    remedy = 'write a quote that belongs to a text twice, and quotes around the text: "5"" pipe"'
    return DataError(message(f"line {number}", expected="quotes around whole values", received=repr(line[:_SHOWN]),
                             remedy=remedy))  # fmt: skip
