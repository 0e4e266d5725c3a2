"""Documents: texts that are read lazily, so that memory stays constant however long they are."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.contents import refuse_content
from unrolled.data.encodings import SAMPLE_BYTES, UTF_8, decoded, encoding_of
from unrolled.data.schema import Schema
from unrolled.data.source import Source
from unrolled.data.spans import Span, aligned, lines_of, open_file, unreadable, whole_span
from unrolled.data.unpacked_size import copy_unpacked
from unrolled.errors import DataError, OptionError, message, reason

KINDS = ("document", "lines", "files")
LONGEST_WORD = 1000
PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
_ZLIB = (b"x\x01", b"x\x9c", b"x\xda")  # with which polars unpacks a table, even if it is text


class Documents(Source):
    """Texts from files, never in memory as a whole; each record is {"text": str}.

    Args:
        paths: the files.
        kind: "document" (each file is one text), "lines" (each line is one) or "files" (like "document", for a folder).
        column: name of the text column.
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.

    Raises:
        OptionError: an encoding that is unknown, or in which characters cannot be found from the middle of a text.
        DataError: no file, or only empty ones.
    """

    def __init__(
        self, paths: Sequence[Path], kind: str = "document", column: str = "text", encoding: str | None = None
    ) -> None:
        if kind not in KINDS:
            raise OptionError(message("kind", expected=f"one of {KINDS}", received=kind))
        for path in paths:
            refuse_packed(path)
        spans = [whole_span(path, encoding) for path in paths]
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
                yield from ((line,) for line in lines_of(span))  # type: ignore[misc]
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
                first = aligned(span, span.start + left, self.kind == "lines")
                last = aligned(span, span.start + right, self.kind == "lines")
                if first < last:
                    spans.append(Span(span.path, first, last, span.encoding))
            place += size
        return spans


def stretches_of(length: int, share: float, stretches: int) -> list[tuple[int, int]]:
    """Return the end of each of `stretches` equal parts of a length; together they are `share` of it."""
    edges = [
        (round(length * (part + 1 - share) / stretches), round(length * (part + 1) / stretches))
        for part in range(stretches)
    ]
    return [(start, stop) for start, stop in edges if start < stop]


def whole_bytes(path: Path, table: bool = False) -> bytes:
    """Return the content of a small file; gzip is unpacked.

    Args:
        path: the file.
        table: whether other kinds of text than tables are refused, such as a web page.

    Raises:
        DataError: missing, a damaged gzip file or one that holds too much, or a file that is packed in another way.
    """
    refuse_packed(path, unpacked=("gzip",), text=table)
    try:
        with open_file(path) as file:
            raw = file.read()
        if path.suffix.lower() != ".gz" and not raw.startswith(b"\x1f\x8b"):
            return raw
        unpacked = io.BytesIO()
        with gzip.open(io.BytesIO(raw)) as source:
            copy_unpacked(source.read, unpacked.write, path)
        return unpacked.getvalue()
    except IsADirectoryError as fault:
        raise unreadable(path, fault) from fault
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(message(str(path), expected="a gzip file", received=reason(fault))) from fault


def refuse_packed(path: Path, unpacked: Sequence[str] = (), own: str = "", text: bool = False) -> None:
    """Refuse a file that begins like a packed one, or like one of another kind, whatever its name is.

    Args:
        path: the file.
        unpacked: names of packings that the reader unpacks.
        own: the kind of file that the reader reads, see `contents.CONTENTS`.
        text: whether other kinds of text are refused too, such as a web page.

    Raises:
        DataError: such a file, or one that cannot be opened.
    """
    try:
        refuse_content(path, (own,), text)
        with open_file(path) as file:
            start = file.read(max(map(len, PACKED)))
    except OSError as fault:
        raise unreadable(path, fault) from fault
    for magic, name in PACKED.items():
        if start.startswith(magic) and name not in unpacked:
            remedy = "unpack it first" + (", for example with gunzip" if name == "gzip" else "")
            raise DataError(message(str(path), expected="an unpacked file", received=f"a {name} file", remedy=remedy))


def whole_text(path: Path, encoding: str | None = None, feeds_alone: bool = False) -> str:
    r"""Return a whole small file as text, in which `\n`, `\r\n` and `\r` are all `\n`; `.gz` is unpacked.

    Args:
        path: the file.
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.
        feeds_alone: a single `\r` ends no line where there is any `\n`, as in files whose lines are counted.

    Raises:
        OptionError: an unknown encoding.
        DataError: missing, empty or in another encoding.
    """
    return text_of_bytes(whole_bytes(path), path, encoding, feeds_alone)


def text_of_bytes(raw: bytes, path: Path, encoding: str | None = None, feeds_alone: bool = False) -> str:
    """Return the bytes of a file as text, as `whole_text` does; the path is for error messages."""
    text = decoded(raw, path, encoding)
    if not text.strip():
        raise DataError(message(str(path), expected="at least one row", received="an empty file"))
    carriage = "\r" if not feeds_alone or "\n" not in text else "\r\n"
    return text.replace("\r\n", "\n").replace(carriage, "\n")


def in_utf8(path: Path, encoding: str | None = None) -> Path | bytes:
    """Return a file for a reader that knows UTF-8 alone: the path itself, or its converted bytes.

    Args:
        path: the file.
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.

    Raises:
        OptionError: an unknown encoding.
        DataError: missing, or in another encoding.
    """
    with open_file(path) as file:
        start = file.read(SAMPLE_BYTES)
    plain = encoding_of(start, path, encoding).name == UTF_8.name
    if plain and not start.startswith(_ZLIB):
        return path
    raw = whole_bytes(path)
    text = raw if plain else decoded(raw, path, encoding).encode()
    return codecs.BOM_UTF8 + text if text.startswith(_ZLIB) else text


def plain_suffix(path: Path) -> str:
    """Return the suffix of a file name in lower case, without a last `.gz`."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == ".gz" else suffix


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
