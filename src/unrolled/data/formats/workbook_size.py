"""Bounds on workbooks: the bytes that they unpack to, their texts, and the cells between those that are filled."""

import lzma
import zipfile
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from pathlib import Path
from string import digits
from xml.parsers import expat

from unrolled.data.formats.binary_cells import BinaryCells
from unrolled.data.in_memory import FEW_CELLS, SPARSEST
from unrolled.data.spans import size_of
from unrolled.data.unpacked_size import MOST_BOUND, copy_unpacked, most_unpacked, too_large
from unrolled.errors import DataError, message, reason

_SHARED = ("xl/sharedstrings.xml", "xl/sharedstrings.bin")  # the texts that cells share
_BLOCK = 1 << 20  # bytes
_LOOK = 100  # bytes that show whether a part is XML
_ROOTS = ("worksheet", "document-content")  # elements with which sheets begin
_REPEATED = ("number-rows-repeated", "number-columns-repeated")
_FAULTS = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, UnicodeDecodeError, zlib.error,
           lzma.LZMAError, expat.ExpatError)  # fmt: skip


def check_workbook(path: Path) -> int:
    """Refuse a workbook that would need far more memory than its file explains; return its formulas without a result.

    All of it is unpacked once, in pieces. A sheet is a full rectangle in memory, so one value in a far corner, or one
    that is repeated over many rows, is refused; and so are texts that cells share, where they are too long together.
    Workbooks of before 2007 (.xls) have bounds of their own.

    Args:
        path: the file.

    Raises:
        DataError: more bytes than `most_unpacked`, too many cells for the values in it, or a damaged archive.
    """
    if not zipfile.is_zipfile(path):
        return 0
    most = most_unpacked(size_of(path))
    try:
        with zipfile.ZipFile(path) as archive:
            done = unsolved = texts = shared = 0
            lengths: list[int] = []
            for part in sorted(archive.infolist(), key=lambda part: part.filename.lower() not in _SHARED):
                part.file_size = MOST_BOUND  # what the archive says of it may be too little
                cells, done = _cells_of(archive, part, path, lengths, done)
                _check(cells.count(), cells.filled, path, part.filename)
                unsolved += cells.unsolved
                lengths = cells.texts or lengths
                texts += cells.text_bytes
                shared += cells.shared
            if shared * max(lengths, default=0) + texts > most:  # rarely: the texts themselves are counted
                for part in archive.infolist():
                    texts += _shared_bytes(archive, part, lengths)
            if texts > most:
                raise too_large(path, most)
        return unsolved
    except DataError:
        raise
    except _FAULTS as fault:
        received = reason(fault, "a damaged one, or none")
        raise DataError(message(str(path), expected="a workbook with a filled sheet", received=received)) from fault


def _cells_of(
    archive: zipfile.ZipFile, part: zipfile.ZipInfo, path: Path, lengths: Sequence[int], done: int
) -> tuple["_XmlCells | BinaryCells", int]:
    """Return the cells of a part, and the number of bytes that were unpacked up to its end."""
    with archive.open(part) as source:
        start = source.read(_LOOK)
        cells = _XmlCells() if _is_xml(start) else BinaryCells(lengths)
        cells.read(start)
        return cells, copy_unpacked(source.read, cells.read, path, done + len(start))


def _shared_bytes(archive: zipfile.ZipFile, part: zipfile.ZipInfo, lengths: Sequence[int]) -> int:
    """Return the bytes of the shared texts of a sheet in XML, as often as cells have them."""
    with archive.open(part) as source:
        if not _is_xml(start := source.read(_LOOK)):
            return 0
        texts = _SharedTexts(lengths)
        texts.read(start)
        while block := source.read(_BLOCK):
            texts.read(block)
        return texts.total


def _check(cells: int, filled: int, path: Path, part: str) -> None:
    """Refuse a sheet with far more cells than values."""
    if cells > SPARSEST * filled + FEW_CELLS:
        remedy = "delete the rows and columns behind the table"
        received = f"{cells:,} cells for {filled:,} values in {part}"
        expected = "a sheet of which most cells are filled"
        raise DataError(message(str(path), expected=expected, received=received, remedy=remedy))


def _is_xml(start: bytes) -> bool:
    return start[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) or start.removeprefix(BOM_UTF8).lstrip().startswith(b"<")


class _XmlCells:
    """The filled cells of a sheet in XML, and the rectangle around them; a part that is no sheet has none."""

    def __init__(self) -> None:
        self.unsolved = 0  # formulas without a result
        self.texts: list[int] = []  # bytes of the shared texts of this part
        self.shared = self.text_bytes = 0  # cells with a shared text; bytes of texts that a sheet repeats
        self.filled = self.repeated = self.last_row = self.last_column = 0
        self.letters: set[str] = set()  # of columns with a filled cell
        self._row = self._column = self._repeats = self._times = 0
        self._place: str | None = None  # of the last cell, such as B7; None where it follows the one before
        self._root, self._damaged = "", False
        self._last, self._formula = "", False  # the element before; whether the cell has a formula without a result
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start

    def read(self, block: bytes) -> None:
        """Read the next bytes of the XML; a part that is no sheet may be damaged."""
        try:
            if not self._damaged:
                self._parser.Parse(block)
        except expat.ExpatError:
            if self._root in ("", *_ROOTS):
                raise
            self._damaged = True

    def count(self) -> int:
        """Return the number of cells of the rectangle around the filled ones."""
        return max(self.last_row * max([self.last_column, *map(_number, self.letters)]), self.repeated)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        self._root = self._root or name
        if name == "c":
            self.shared += attributes.get("t") == "s"
            self._formula = False
            self._place = attributes.get("r")
            self._column += self._place is None
        elif name in ("v", "is"):  # a cell of .xlsx that is filled
            self.filled += 1
            if self._formula:
                self._parser.CharacterDataHandler = self._solve
            if self._place is not None:
                letters = self._place.rstrip(digits)
                self.letters.add(letters)
                self._row = int(self._place[len(letters) :][:9] or 0)  # more digits than any sheet has
            else:
                self.last_column = max(self.last_column, self._column)
            self.last_row = max(self.last_row, self._row)
        elif name == "f" and self._last == "c":
            self._formula = True
            self.unsolved += 1
        elif name == "row":
            written = attributes.get("r", "")
            self._row, self._column = int(written[:9]) if written.isdecimal() else self._row + 1, 0
        elif name == "si":
            self.texts.append(0)
            self._parser.CharacterDataHandler = self._measure
        elif name in ("table-row", "table-cell"):
            self._repeat(name, {key.rpartition(":")[2]: value for key, value in attributes.items()})
        self._last = name

    def _solve(self, text: str) -> None:
        """Count a formula as solved if text follows it within its cell."""
        if self._formula and text.strip():
            self._formula = False
            self.unsolved -= 1
        self._parser.CharacterDataHandler = None

    def _measure(self, text: str) -> None:
        """Count the bytes of a shared text."""
        self.texts[-1] += len(text.encode())

    def _multiply(self, text: str) -> None:
        """Count the bytes of a text that a sheet repeats."""
        self.text_bytes += len(text.encode()) * self._times

    def _repeat(self, name: str, attributes: dict[str, str]) -> None:
        """Count the cells of .ods, of which a row and a cell may stand for many."""
        rows, columns = (int(found[:9]) if (found := attributes.get(key, "1")).isdecimal() else 1 for key in _REPEATED)
        if name == "table-row":
            self._repeats = rows
        elif "value-type" not in attributes:
            self._parser.CharacterDataHandler = None
        else:
            self.filled += 1
            self._times = self._repeats * columns
            self.repeated += self._times
            self._parser.CharacterDataHandler = self._multiply if self._times > 1 else None


class _SharedTexts:
    """The bytes of the shared texts of a sheet in XML.

    Args:
        lengths: bytes of the shared texts.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths, self.total = lengths, 0
        self._shares, self._damaged = False, False
        self._written = ""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end

    def read(self, block: bytes) -> None:
        """Read the next bytes of the XML; a part that is no sheet may be damaged."""
        try:
            if not self._damaged:
                self._parser.Parse(block)
        except expat.ExpatError:
            self._damaged = True

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            self._shares = attributes.get("t") == "s"
        elif name == "v" and self._shares:
            self._written = ""
            self._parser.CharacterDataHandler = self._note

    def _note(self, text: str) -> None:
        self._written = (self._written + text)[:_LOOK]

    def _end(self, tag: str) -> None:
        if self._parser.CharacterDataHandler is not None:
            self._parser.CharacterDataHandler = None
            place = int(self._written) if self._written.strip().isdecimal() else len(self.lengths)
            self.total += self.lengths[place] if place < len(self.lengths) else 0


def _number(letters: str) -> int:
    """Return the place of a column, such as 28 for AB; letters that no sheet has count like the last ones."""
    place = 0
    for letter in letters[:4].upper():
        place = place * 26 + ord(letter) - ord("A") + 1  # 26 letters
    return place
