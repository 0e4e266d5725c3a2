"""Spans of text files: ranges of bytes, cut where a character or a line begins."""

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unrolled.data.encodings import SAMPLE_BYTES, UTF_8, Encoding, encoding_of, not_text
from unrolled.errors import DataError, OptionError, message, reason

BLOCK_BYTES = 1 << 16


class Span:
    """A range of bytes of one file, cut between characters.

    Args:
        path: the file.
        start: first byte.
        stop: byte after the last one.
        encoding: how bytes stand for characters.
    """

    __slots__ = ("encoding", "path", "start", "stop")

    def __init__(self, path: Path, start: int, stop: int, encoding: Encoding = UTF_8) -> None:
        self.path, self.start, self.stop, self.encoding = path, start, stop, encoding

    def pieces(self) -> Iterator[str]:
        """Yield the text in pieces of bounded size.

        Raises:
            DataError: bytes that are not text in this encoding; the message names file and byte.
        """
        decoder = codecs.getincrementaldecoder(self.encoding.name)()
        with open_file(self.path) as file:
            file.seek(self.start)
            place = self.start
            while place < self.stop:
                block = file.read(min(BLOCK_BYTES, self.stop - place))
                if not block:
                    break
                try:
                    text = decoder.decode(block)
                except UnicodeDecodeError as fault:
                    held = decoder.getstate()[0]
                    around = (held + block)[fault.start : fault.start + SAMPLE_BYTES]
                    raise not_text(self.path, place - len(held) + fault.start, around, self.encoding.name) from fault
                place += len(block)
                if text:
                    yield text
        if rest := decoder.getstate()[0]:
            raise not_text(self.path, self.stop - len(rest), rest, self.encoding.name)


def whole_span(path: Path, given: str | None = None) -> Span:
    """Return the span of a whole file, without its byte order mark.

    Args:
        path: the file.
        given: the user's choice of an encoding; None = UTF-8, or what a byte order mark says.

    Raises:
        OptionError: an encoding that is unknown, or in which characters cannot be found from the middle of a text.
        DataError: a file that cannot be read.
    """
    with open_file(path) as file:
        encoding = encoding_of(file.read(SAMPLE_BYTES), path, given)
    if not encoding.unit:
        raise OptionError(
            message(
                "encoding",
                expected="a Unicode encoding, or one of one byte per character, for texts",
                received=encoding.name,
                remedy=f"convert the file, for example with iconv -f {encoding.name} -t utf8",
            )
        )
    return Span(path, encoding.mark, size_of(path), encoding)


def aligned(span: Span, place: int, lines: bool) -> int:
    """Return the next byte at or after `place` at which a character, or a line, begins."""
    place += (span.start - place) % span.encoding.unit
    if place <= span.start:
        return span.start
    if place >= span.stop:
        return span.stop
    with open_file(span.path) as file:
        if lines:
            return min(_next_line(file, span.encoding, place), span.stop)
        file.seek(place)
        following = file.read(4)
    if span.encoding.name.startswith("utf-16"):
        high = following[1 if span.encoding.name == "utf-16-le" else 0]
        return place + 2 if 0xDC <= high < 0xE0 else place  # the second half of a pair of surrogates
    if span.encoding != UTF_8._replace(mark=span.encoding.mark):
        return place
    at_end = len(following) if len(following) < 4 else 0
    ahead = next((offset for offset, byte in enumerate(following) if byte & 0xC0 != 0x80), at_end)
    return min(place + ahead, span.stop)


def _next_line(file: Any, encoding: Encoding, place: int) -> int:
    """Return the next byte at or after `place` at which a line begins, or the end of the file."""
    feed, carriage = "\n".encode(encoding.name), "\r".encode(encoding.name)
    ends = re.compile(b"%b|%b|%b" % tuple(map(re.escape, (carriage + feed, feed, carriage))))
    base = place - encoding.unit
    file.seek(base)
    while block := file.read(BLOCK_BYTES):
        for found in ends.finditer(block):
            if found.start() % encoding.unit:
                continue  # parts of two characters
            cut = found[0] == carriage and found.end() == len(block) and file.read(encoding.unit) == feed
            return base + found.end() + (encoding.unit if cut else 0)
        base += len(block)
    return base


def lines_of(span: Span) -> Iterator[str]:
    r"""Yield the lines without their ends, `\n`, `\r\n` or `\r`; empty lines are left out."""
    ends = io.IncrementalNewlineDecoder(None, translate=True)
    rest: list[str] = []
    for piece in span.pieces():
        first, *others = ends.decode(piece).split("\n")
        rest.append(first)
        for line in others:
            if whole := "".join(rest):
                yield whole
            rest = [line]
    if whole := "".join(rest):
        yield whole


def open_file(path: Path) -> Any:
    """Open a file for reading bytes; a missing or locked file gives a clear error."""
    try:
        return path.open("rb")
    except OSError as fault:
        raise unreadable(path, fault) from fault


def size_of(path: Path) -> int:
    """Return the size of a file in bytes."""
    try:
        return path.stat().st_size
    except OSError as fault:
        raise unreadable(path, fault) from fault


def unreadable(path: Path, fault: OSError) -> DataError:
    """Return the error for a file that cannot be opened."""
    return DataError(message("file", expected="one that can be read", received=f"{path} ({reason(fault)})"))
