"""Subtitles: SubRip (`.srt`) and WebVTT (`.vtt`), one row per caption."""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from unrolled.data.documents import whole_text
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.errors import DataError, message
from unrolled.places import local_path

ARROW = "-->"
_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,:](\d{1,9}))?"
_TIMES = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?")
_LONGEST = 200  # characters of a line of times; a pattern is not tried on longer ones
_TEXTLESS = ("NOTE", "STYLE", "REGION")  # blocks of WebVTT that are no captions


@from_anywhere()
def read_subtitles(path: str | Path, encoding: str | None = None) -> Table:
    r"""Read subtitles: columns `start` and `end`, in seconds, and `text`, whose lines are joined by `\n`.

    Numbers and names of captions, positions on the screen, notes and styles are left out. Marks inside a text, such as
    <i>, stay, and so do blanks at the ends of its lines. A caption without text has an empty one. The table's `notes`
    count other lines outside of captions.

    Args:
        path: the file: .srt or .vtt; `.gz` is unpacked.
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, or a line of times that cannot be read; the message names it.

    Source: https://www.w3.org/TR/webvtt1.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "film.srt"
        >>> _ = file.write_text("1\n00:00:01,500 --> 00:00:03,000\nTo be,\nor not?\n")
        >>> list(read_subtitles(file))
        [{'start': 1.5, 'end': 3.0, 'text': 'To be,\nor not?'}]
    """
    lines = whole_text(local_path(path), encoding).split("\n")
    if not lines[0].startswith("WEBVTT"):  # there, a line of blanks is a line of the caption
        lines = ["" if not line.strip(" \t") else line for line in lines]
    rows: list[tuple[float, float, str]] = []
    lost: list[int] = []  # numbers of lines that belong to no caption
    place = _blank(lines, 0) if lines[0].startswith("WEBVTT") else 0
    while place < len(lines):
        text = lines[place].strip(" \t")
        if text.split(" ")[0] in _TEXTLESS and not _has_times(lines, place):
            place = _blank(lines, place)
        elif ARROW in text:
            start, end = _times(text, place, path)
            stop = _blank(lines, place + 1)
            rows.append((start, end, "\n".join(lines[place + 1 : stop])))
            place = stop
        else:
            place += 1
            if text and not _has_times(lines, place - 1):
                lost.append(place)
    if not rows:
        expected = "at least one line of times such as 00:00:01,500 --> 00:00:03,000"
        raise DataError(message(str(path), expected=expected, received="none"))
    kinds = {"start": pl.Float64, "end": pl.Float64, "text": pl.String}
    table = Table(pl.DataFrame(rows, schema=kinds, orient="row"))
    if lost:
        table.notes = (f"{len(lost):,} lines outside of captions are left out, the first is line {lost[0]}",)
    return table


def _blank(lines: Sequence[str], place: int) -> int:
    """Return the next line that ends a block: an empty one, or that before the times of another caption."""
    while place < len(lines) and lines[place]:
        if ARROW in lines[place] and _TIMES.fullmatch(lines[place][:_LONGEST]):
            return place
        if lines[place].strip(" \t").isdecimal() and _has_times(lines, place):
            return place
        place += 1
    return place


def _has_times(lines: Sequence[str], place: int) -> bool:
    return place + 1 < len(lines) and _TIMES.fullmatch(lines[place + 1][:_LONGEST]) is not None


def _times(text: str, place: int, path: str | Path) -> tuple[float, float]:
    found = _TIMES.fullmatch(text[:_LONGEST])
    if found is None:
        expected = "times such as 00:00:01,500 --> 00:00:03,000"
        raise DataError(message(f"{path}, line {place + 1}", expected=expected, received=repr(text[:40])))
    parts = found.groups()
    start, end = (_seconds(*parts[side : side + 4]) for side in (0, 4))
    return start, end


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    whole = int((hours or "0")[:9]) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + int((fraction or "0").ljust(9, "0")) / 10**9
