"""The filled cells of a binary sheet (.xlsb), counted by the heads of its records; and the texts that cells share."""

from collections.abc import Sequence

_ROW, _FILLED = 0, {*range(2, 12), 62}  # kinds of records: the head of a row, and cells with a value
_SHARED_TEXT, _SHARES = 19, 7  # kinds of records: a text that cells share, and a cell with one
_SHEET, _SHARED = b"\x81\x01", b"\x9f\x01"  # the records with which a sheet and the list of shared texts begin
_HEAD = 18  # bytes: at most 2 for the kind, 4 for the size, 4 with the row or the column, 4 of style, 4 with the text
_TEXT = 8  # bytes between the column and the number of the text


class BinaryCells:
    """The number of filled cells of a sheet, and the rectangle around them; a part that is no sheet has none.

    Args:
        lengths: bytes of the texts that cells share.

    Source: [MS-XLSB], section 2.1.4, "Record".

    Example:
        >>> cells = BinaryCells()
        >>> cells.read(_SHEET + bytes([0, 0, 4, 9, 0, 0, 0]) + bytes([5, 12, 3, 0, 0, 0]) + bytes(8))
        >>> cells.count(), cells.filled
        (40, 1)
    """

    def __init__(self, lengths: Sequence[int] = ()) -> None:
        self.lengths = lengths
        self.texts: list[int] = []  # bytes of the shared texts of this part
        self.text_bytes = 0  # of the shared texts, as often as cells have them
        self.shared = 0  # cells with a shared text that are still to be counted
        self.unsolved = 0  # formulas without a result: each has one here
        self.filled = self._last_row = self._last_column = self._row = 0
        self._begun, self._is_sheet = False, False
        self._rest, self._skipped = b"", 0  # the begin of a record, and bytes of one that are still to come

    def read(self, block: bytes) -> None:
        """Read the next bytes of the part."""
        data = self._rest + block
        if not self._begun and len(data) >= len(_SHEET):
            self._begun, self._is_sheet = True, data.startswith((_SHEET, _SHARED))
        if self._begun and not self._is_sheet:
            return
        place = min(self._skipped, len(data))
        self._skipped -= place
        while place + _HEAD <= len(data):
            place = self._record(data, place)
        self._skipped += max(0, place - len(data))
        self._rest = data[place:]

    def count(self) -> int:
        """Return the number of cells of the rectangle around the filled ones."""
        if self._rest:
            self.read(bytes(_HEAD))  # the end of the last record
        return self._last_row * self._last_column

    def _record(self, data: bytes, place: int) -> int:
        """Note the record that begins at a place, and return where the next one begins."""
        kind = data[place]
        place += 1
        if kind & 0x80:  # more bits follow
            kind = (kind & 0x7F) | (data[place] & 0x7F) << 7
            place += 1
        size = 0
        for shift in (0, 7, 14, 21):
            size |= (data[place] & 0x7F) << shift
            place += 1
            if not data[place - 1] & 0x80:
                break
        number = int.from_bytes(data[place : place + 4], "little")
        if kind == _ROW:
            self._row = number + 1
        elif kind == _SHARED_TEXT:
            self.texts.append(size)
        elif kind in _FILLED:
            if kind == _SHARES:
                text = int.from_bytes(data[place + _TEXT : place + _TEXT + 4], "little")
                self.text_bytes += self.lengths[text] if text < len(self.lengths) else 0
            self.filled += 1
            self._last_row = max(self._last_row, self._row)
            self._last_column = max(self._last_column, number + 1)
        return place + size
