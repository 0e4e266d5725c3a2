"""Words of a line: only blanks and tabs are between them; rarer white space, such as U+2028, is part of a word."""

import re
from pathlib import Path

BLANKS = re.compile(r"[ \t]+")


def words(text: str) -> list[str]:
    r"""Return the words of a line.

    Args:
        text: the line, without its end.

    Example:
        >>> words(" @classLabel true\ta\x0bb ")
        ['@classLabel', 'true', 'a\x0bb']
    """
    bare = text.strip(" \t")
    return BLANKS.split(bare) if bare else []


def single_blanks(data: Path | bytes, quote: str | None) -> Path | bytes:
    r"""Return a table with one blank between the values of a line, if its first line has several blanks in a row.

    Tables in which blanks align the columns are such; in others, two blanks are around a missing value.

    Args:
        data: the file, or its bytes in UTF-8.
        quote: character around values that may hold blanks; None = none.

    Example:
        >>> single_blanks(b"  a   b\n 10  20\n", None), single_blanks(b"a b c\n1  3\n", None)
        (b'a b\n10 20\n', b'a b c\n1  3\n')
    """
    if isinstance(data, Path):
        with data.open("rb") as file:
            first = file.readline()
    else:
        first = data[: data.find(b"\n") + 1 or None]
    quoted = b"" if quote is None else b"%(q)s[^%(q)s]*%(q)s|" % {b"q": re.escape(quote).encode()}
    if b"  " not in re.sub(quoted[:-1], b"", first).rstrip() and not first.startswith(b" "):
        return data
    whole = data.read_bytes() if isinstance(data, Path) else data
    between = re.compile(quoted + rb"^ +| +$| +(?=\r?$)|( ) *", re.MULTILINE)
    return between.sub(
        lambda found: found[1] or (found[0] if quote and found[0].startswith(quote.encode()) else b""), whole
    )
