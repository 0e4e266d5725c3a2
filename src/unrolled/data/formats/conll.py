"""The CoNLL format: one token per line with its labels, and a blank line after each sentence."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from unrolled.errors import DataError, message


def parse_conll(text: str, path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read one row per sentence, with one list column per field of a line.

    Fields are separated by tabs, or by blanks if no line has a tab. Lines that begin with `# ` are comments.

    Args:
        text: the file's text.
        path: for error messages.
        columns: names of the fields; default: col_0, col_1, ...

    Raises:
        DataError: a line with another number of fields.
    """
    lines = text.split("\n")  # not splitlines: a token may be one of its rarer line ends
    separator = "\t" if any("\t" in line for line in lines) else None
    sentences: list[list[list[str]]] = [[]]
    width = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            sentences.append([])
            continue
        if line.startswith("# ") and not (separator and separator in line):
            continue
        fields = line.split(separator)
        width = width or len(fields)
        if len(fields) != width:
            raise DataError(message(f"{path}, line {number}", expected=f"{width} fields", received=len(fields)))
        sentences[-1].append(fields)
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        raise DataError(message(str(path), expected="at least one token", received="none"))
    names = list(columns) if columns is not None else [f"col_{place}" for place in range(width)]
    if len(names) != width:
        raise DataError(message("columns", expected=f"{width} names for {path}", received=names))
    return pl.DataFrame(
        {
            name: pl.Series(
                [[fields[place] for fields in sentence] for sentence in sentences], dtype=pl.List(pl.String)
            )
            for place, name in enumerate(names)
        }
    )
