"""Documents: texts that are read lazily, so that memory stays constant however long they are."""

import codecs
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.schema import Schema
from unrolled.data.source import Source
from unrolled.errors import DataError, OptionError, message

KINDS = ("document", "lines", "files")
BLOCK_BYTES = 1 << 16
LONGEST_WORD = 1000
PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


class Span:
    """A range of bytes of one file, cut between characters.

    Args:
        path: the file.
        start: first byte.
        stop: byte after the last one.
    """

    __slots__ = ("path", "start", "stop")

    def __init__(self, path: Path, start: int, stop: int) -> None:
        self.path, self.start, self.stop = path, start, stop

    def pieces(self) -> Iterator[str]:
        """Yield the text in pieces of bounded size.

        Raises:
            DataError: bytes that are not UTF-8; the message names file and byte.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
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
                    held = len(decoder.getstate()[0])
                    raise not_text(self.path, place - held + fault.start) from fault
                if not place:
                    text = text.removeprefix("\ufeff")  # a byte order mark is not text
                place += len(block)
                if text:
                    yield text
        if decoder.getstate()[0]:
            raise not_text(self.path, self.stop - len(decoder.getstate()[0]))


class Documents(Source):
    """Texts from files, never in memory as a whole; each record is {"text": str}.

    Args:
        paths: the files.
        kind: "document" (each file is one text), "lines" (each line is one) or "files" (like "document", for a folder).
        column: name of the text column.

    Raises:
        DataError: no file, or only empty ones.
    """

    def __init__(self, paths: Sequence[Path], kind: str = "document", column: str = "text") -> None:
        if kind not in KINDS:
            raise OptionError(message("kind", expected=f"one of {KINDS}", received=kind))
        for path in paths:
            refuse_packed(path)
        spans = [Span(path, 0, size_of(path)) for path in paths]
        self._set(spans, kind, column)
        if not self.len_bytes:
            raise DataError(
                message("text", expected="at least one character", received=f"empty: {', '.join(map(str, paths))}")
            )

    def _set(self, spans: list[Span], kind: str, column: str) -> None:
        self.spans, self.kind, self.column = spans, kind, column
        self._count: int | None = None

    def around(self, spans: list[Span]) -> "Documents":
        """Return documents of the same kind over other spans."""
        part = Documents.__new__(Documents)
        part._set([span for span in spans if span.stop > span.start], self.kind, self.column)
        return part

    @property
    def columns(self) -> list[str]:
        return [self.column]

    @property
    def kinds(self) -> Mapping[str, Any]:
        return {self.column: pl.String()}

    def cast(self, schema: Schema) -> "Documents":
        return self  # texts have no other kind

    @property
    def len_bytes(self) -> int:
        """Return the number of bytes of all texts together."""
        return sum(span.stop - span.start for span in self.spans)

    @property
    def single(self) -> bool:
        """Whether everything is one text."""
        return self.kind != "lines" and len(self) == 1

    def texts(self) -> Iterator[Iterator[str]]:
        """Yield every document as an iterator of pieces of bounded size."""
        if self.kind == "lines":
            for span in self.spans:
                yield from ((line,) for line in _lines(span))  # type: ignore[misc]
        else:  # the spans of one file are one text
            for _, spans in groupby(self.spans, key=lambda span: span.path):
                yield chain.from_iterable(span.pieces() for span in spans)

    def pieces(self) -> Iterator[dict[str, Any]]:
        """Yield all text as records of bounded size, cut between words, for counting."""
        for text in self.texts():
            for piece in at_spaces(text):
                yield {self.column: piece}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for text in self.texts():
            yield {self.column: "".join(text)}

    def __len__(self) -> int:
        if self.kind != "lines":
            return sum(1 for _ in groupby(self.spans, key=lambda span: span.path))
        if self._count is None:
            self._count = sum(1 for _ in self.texts())
        return self._count

    def split(
        self, test: float = 0.2, seed: int = 0, stratify: str | None = None, group: str | None = None
    ) -> tuple["Documents", "Documents"]:
        """Split into two parts without reading the text: the end of a text or of its lines, or whole files at random.

        Args:
            test: share of the bytes, or of the files, that goes to the second part.
            seed: determines which files.
            stratify: refused, texts have no labels.
            group: refused, like stratify.
        """
        if stratify is not None or group is not None:
            raise OptionError(message("split", expected="neither stratify nor group for texts", received="one of them"))
        if not 0 < test < 1:
            raise OptionError(message("test", expected="a share in (0, 1)", received=test))
        if self.kind == "files" and len(self.spans) > 1:
            order = np.random.default_rng(seed).permutation(len(self.spans))
            held = set(order[: min(max(1, round(len(order) * test)), len(order) - 1)].tolist())
            parts = [
                [span for place, span in enumerate(self.spans) if (place in held) is side] for side in (False, True)
            ]
            return self.around(parts[0]), self.around(parts[1])
        cut = round(self.len_bytes * (1 - test))
        return self.around(self.cut(0, cut)), self.around(self.cut(cut, self.len_bytes))

    def spread(self, share: float, stretches: int) -> tuple["Documents", "Documents"]:
        """Split into two parts, the second made of stretches at equal distances; the rest of a text stays one text.

        Args:
            share: share of the bytes that goes to the second part.
            stretches: number of stretches.
        """
        edges = stretches_of(self.len_bytes, share, stretches)
        places = [0, *(place for edge in edges for place in edge), self.len_bytes]
        spans = [self.cut(start, stop) for start, stop in pairwise(places)]
        kept, held = (list(chain.from_iterable(spans[side::2])) for side in (0, 1))
        return self.around(kept), self.around(held)

    def cut(self, start: int, stop: int) -> list[Span]:
        """Return the spans between two bytes of all texts end to end, moved to the next character or line."""
        spans, place = [], 0
        for span in self.spans:
            size = span.stop - span.start
            left, right = max(0, start - place), min(size, stop - place)
            if left < right or (right > 0 and left < size):
                first = _align(span, span.start + left, self.kind == "lines")
                last = _align(span, span.start + right, self.kind == "lines")
                if first < last:
                    spans.append(Span(span.path, first, last))
            place += size
        return spans


def stretches_of(length: int, share: float, stretches: int) -> list[tuple[int, int]]:
    """Return the end of each of `stretches` equal parts of a length; together they are `share` of it."""
    edges = [
        (round(length * (part + 1 - share) / stretches), round(length * (part + 1) / stretches))
        for part in range(stretches)
    ]
    return [(start, stop) for start, stop in edges if start < stop]


def _align(span: Span, place: int, lines: bool) -> int:
    """Return the next byte at or after `place` at which a character, or a line, begins."""
    if place <= span.start:
        return span.start
    if place >= span.stop:
        return span.stop
    with open_file(span.path) as file:
        if lines:
            file.seek(place - 1)
            file.readline()
            return min(file.tell(), span.stop)
        file.seek(place)
        following = file.read(4)
    at_end = len(following) if len(following) < 4 else 0
    ahead = next((offset for offset, byte in enumerate(following) if byte & 0xC0 != 0x80), at_end)
    return min(place + ahead, span.stop)


def _lines(span: Span) -> Iterator[str]:
    """Yield the lines without their ends; empty lines are left out."""
    rest = ""
    for piece in span.pieces():
        *whole, rest = (rest + piece).split("\n")
        yield from (line.rstrip("\r") for line in whole if line.rstrip("\r"))
    if rest.rstrip("\r"):
        yield rest.rstrip("\r")


def not_text(path: Path, place: int) -> DataError:
    """Return the error for bytes that are not UTF-8."""
    return DataError(
        message(
            str(path),
            expected="text in UTF-8",
            received=f"other bytes at position {place}",
            remedy="convert it, for example with iconv -f latin1 -t utf8",
        )
    )


def open_file(path: Path) -> Any:
    """Open a file for reading bytes; a missing or locked file gives a clear error."""
    try:
        return path.open("rb")
    except OSError as fault:
        raise unreadable(path, fault) from fault


def whole_bytes(path: Path) -> bytes:
    """Return the content of a small file; gzip is unpacked.

    Raises:
        DataError: missing, a damaged gzip file, or a file that is packed in another way.
    """
    refuse_packed(path, unpacked=("gzip",))
    try:
        with open_file(path) as file:
            raw = file.read()
        if path.suffix.lower() != ".gz" and not raw.startswith(b"\x1f\x8b"):
            return raw
        return gzip.decompress(raw)
    except IsADirectoryError as fault:
        raise unreadable(path, fault) from fault
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(message(str(path), expected="a gzip file", received=str(fault))) from fault


def refuse_packed(path: Path, unpacked: Sequence[str] = ()) -> None:
    """Refuse a file that begins like a packed one, whatever its name is.

    Args:
        path: the file.
        unpacked: names of packings that the reader unpacks.

    Raises:
        DataError: a packed file, or one that cannot be opened.
    """
    try:
        with open_file(path) as file:
            start = file.read(max(map(len, PACKED)))
    except OSError as fault:
        raise unreadable(path, fault) from fault
    for magic, name in PACKED.items():
        if start.startswith(magic) and name not in unpacked:
            remedy = "unpack it first" + (", for example with gunzip" if name == "gzip" else "")
            raise DataError(message(str(path), expected="an unpacked file", received=f"a {name} file", remedy=remedy))


def whole_text(path: Path) -> str:
    """Return a whole small file as text, with Unix line ends; `.gz` is unpacked.

    Raises:
        DataError: missing, empty or not UTF-8.
    """
    raw = whole_bytes(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise not_text(path, fault.start) from fault
    if not text.strip():
        raise DataError(message(str(path), expected="at least one row", received="an empty file"))
    return text.replace("\r\n", "\n")


def plain_suffix(path: Path) -> str:
    """Return the suffix of a file name in lower case, without a last `.gz`."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == ".gz" else suffix


def size_of(path: Path) -> int:
    """Return the size of a file in bytes."""
    try:
        return path.stat().st_size
    except OSError as fault:
        raise unreadable(path, fault) from fault


def unreadable(path: Path, fault: OSError) -> DataError:
    """Return the error for a file that cannot be opened."""
    return DataError(message("file", expected="one that can be read", received=f"{path} ({fault.strerror or fault})"))


def at_spaces(pieces: Iterator[str]) -> Iterator[str]:
    """Yield the same text in pieces that end between words, except words of more than 1,000 characters."""
    rest = ""
    for piece in pieces:
        text = rest + piece
        cut = max(text.rfind(" "), text.rfind("\n")) + 1
        if len(text) - cut > LONGEST_WORD:
            cut = len(text)  # a text without spaces must not accumulate in memory
        if cut:
            yield text[:cut]
        rest = text[cut:] if cut else text
    if rest:
        yield rest
