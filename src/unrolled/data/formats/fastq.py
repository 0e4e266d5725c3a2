"""FASTQ: reads of a sequencer, with the quality of each letter."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from unrolled.data.documents import whole_text
from unrolled.data.formats.fasta import split_name
from unrolled.data.lists import list_column
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.errors import DataError, OptionError, message
from unrolled.places import local_path

OFFSETS = (33, 64)
_LAST_SIGN = 126
_OLD = (26, 51, 73)  # qualities as they appear if a file of offset 64 is read with 33: least, and range of the most


@from_anywhere()
def read_fastq(path: str | Path, offset: int = 33, encoding: str | None = None) -> Table:
    r"""Read FASTQ: columns `id`, `description`, `sequence` and `quality`, a list of whole numbers (Phred).

    Letters and qualities may go over several lines.

    Args:
        path: the file: .fastq or .fq; `.gz` is unpacked.
        offset: code of the sign of quality 0: 33, or 64 in files of Illumina's devices from before 2011.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        OptionError: another offset.
        DataError: missing, empty or damaged; the message names the line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "reads.fastq"
        >>> _ = file.write_text("@read1\nACG\n+\n!+5\n")
        >>> list(read_fastq(file))
        [{'id': 'read1', 'description': '', 'sequence': 'ACG', 'quality': [0, 10, 20]}]
    """
    if offset not in OFFSETS:
        raise OptionError(message("offset", expected="33 or 64", received=offset))
    lines = [line.rstrip(" \t") for line in whole_text(local_path(path), encoding).rstrip("\n").split("\n")]
    rows: list[tuple[str, str, str, list[int]]] = []
    place = 0
    while place < len(lines):
        if not lines[place]:
            place += 1
            continue
        letters, signs, stop = _read(lines, place, path)
        codes = [ord(sign) - offset for sign in signs]
        if min(codes, default=0) < 0 or max(codes, default=0) > _LAST_SIGN - offset:
            expected = f"signs from {chr(offset)} to {chr(_LAST_SIGN)}"
            raise DataError(message(f"{path}, line {stop}", expected=expected, received=repr(signs[:40])))
        rows.append((*split_name(lines[place][1:]), letters, codes))
        place = stop
    if not rows:
        raise DataError(message(str(path), expected="at least one read", received="none"))
    *texts, qualities = zip(*rows, strict=True)
    columns = dict(zip(("id", "description", "sequence"), texts, strict=True))
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    table = Table(frame.with_columns(list_column(qualities, pl.Int64).alias("quality")))
    known = [code for codes in qualities for code in codes]
    if offset == OFFSETS[0] and known and min(known) >= _OLD[0] and _OLD[1] <= max(known) <= _OLD[2]:
        table.notes = (
            f"qualities from {min(known)} to {max(known)} are unusual; if the file is of before 2011, give offset=64",
        )
    return table


def _read(lines: Sequence[str], start: int, path: str | Path) -> tuple[str, str, int]:
    """Return the letters and the signs of the read that begins at a line, and the line after it."""
    if not lines[start].startswith("@"):
        raise _expected("a line that begins with @", lines, start, path)
    place, letters = start + 1, []
    while place < len(lines) and not lines[place].startswith(("+", "@")):
        letters.append(lines[place])
        place += 1
    if place == len(lines) or not lines[place].startswith("+"):
        raise _expected("a line that begins with +, after the letters", lines, place, path)
    if lines[place] not in ("+", "+" + lines[start][1:]):
        raise _expected(f"+ alone, or with the name {lines[start][1:40]!r}", lines, place, path)
    length, place, signs, count = sum(map(len, letters)), place + 1, [], 0
    while place < len(lines) and (count < length or not (signs or length)):
        signs.append(lines[place])
        count += len(lines[place])
        place += 1
    if count != length:
        raise _expected(f"{length} signs, one for each letter", lines, place - 1, path, f"{count} up to here")
    return "".join(letters), "".join(signs), place


def _expected(expected: str, lines: Sequence[str], place: int, path: str | Path, received: str = "") -> DataError:
    shown = received or (repr(lines[place][:40]) if place < len(lines) else "the end of the file")
    return DataError(message(f"{path}, line {min(place, len(lines) - 1) + 1}", expected=expected, received=shown))
