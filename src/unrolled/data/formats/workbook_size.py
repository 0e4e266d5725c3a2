"""Bounds on workbooks: the bytes that they unpack to, and the cells between those that are filled."""

import lzma
import zipfile
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from string import digits
from xml.parsers import expat

from unrolled.data.formats.binary_cells import BinaryCells
from unrolled.data.in_memory import FEW_CELLS, SPARSEST
from unrolled.data.unpacked_size import MOST_BOUND, copy_unpacked
from unrolled.errors import DataError, message

_LOOK = 100  # bytes that show whether a part is XML
_ROOTS = ("worksheet", "document-content")  # elements with which sheets begin
_REPEATED = ("number-rows-repeated", "number-columns-repeated")
_FAULTS = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, UnicodeDecodeError, zlib.error,
           lzma.LZMAError, expat.ExpatError)  # fmt: skip


def check_workbook(path: Path) -> int:
    """Refuse a workbook that would need far more memory than its file explains; return its formulas without a result.

    All of it is unpacked once, in pieces. A sheet is a full rectangle in memory, so one value in a far corner, or one
    that is repeated over many rows, is refused. Workbooks of before 2007 (.xls) have bounds of their own.

    Args:
        path: the file.

    Raises:
        DataError: more bytes than `most_unpacked`, too many cells for the values in it, or a damaged archive.
    """
    if not zipfile.is_zipfile(path):
        return 0
    try:
        with zipfile.ZipFile(path) as archive:
            done = unsolved = 0
            for part in archive.infolist():
                part.file_size = MOST_BOUND  # what the archive says of it may be too little
                with archive.open(part) as source:
                    start = source.read(_LOOK)
                    cells = _XmlCells() if _is_xml(start) else BinaryCells()
                    cells.read(start)
                    done = copy_unpacked(source.read, cells.read, path, done + len(start))
                    _check(cells.count(), cells.filled, path, part.filename)
                    unsolved += cells.unsolved
        return unsolved
    except DataError:
        raise
    except _FAULTS as fault:
        received = str(fault).partition("\n")[0] or "a damaged file"
        raise DataError(message(str(path), expected="a workbook with a filled sheet", received=received)) from fault


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
        self.filled = self.repeated = self.last_row = self.last_column = 0
        self.letters: set[str] = set()  # of columns with a filled cell
        self._row = self._column = self._repeats = 0
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
        elif name in ("table-row", "table-cell"):
            self._repeat(name, {key.rpartition(":")[2]: value for key, value in attributes.items()})
        self._last = name

    def _solve(self, text: str) -> None:
        """Count a formula as solved if text follows it within its cell."""
        if self._formula and text.strip():
            self._formula = False
            self.unsolved -= 1
        self._parser.CharacterDataHandler = None

    def _repeat(self, name: str, attributes: dict[str, str]) -> None:
        """Count the cells of .ods, of which a row and a cell may stand for many."""
        rows, columns = (int(found[:9]) if (found := attributes.get(key, "1")).isdecimal() else 1 for key in _REPEATED)
        if name == "table-row":
            self._repeats = rows
        elif "value-type" in attributes:
            self.filled += 1
            self.repeated += self._repeats * columns


def _number(letters: str) -> int:
    """Return the place of a column, such as 28 for AB; letters that no sheet has count like the last ones."""
    place = 0
    for letter in letters[:4].upper():
        place = place * 26 + ord(letter) - ord("A") + 1  # 26 letters
    return place
