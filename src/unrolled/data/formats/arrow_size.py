"""Bounds on Arrow's files: what their buffers unpack to, and the cells of their batches, before they are read."""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from unrolled.data.spans import open_file, size_of
from unrolled.data.unpacked_size import check_unpacked
from unrolled.data.width import check_width
from unrolled.errors import DataError, message

CELL_BYTES = 8  # that a cell takes in memory at least; a column of nothing but nulls takes none in a file
_MAGIC, _TAIL = b"ARROW1", 10  # the last bytes of a file: the length of its footer, and the mark
_GOES_ON = 0xFFFFFFFF  # begins a message
_DICTIONARY, _BATCH = 2, 3  # kinds of messages with values
_UNPACKED = -1  # in place of the size of a buffer that is not packed
_SIZE = 8  # bytes of that size


class _Block(NamedTuple):
    """A message with values.

    Args:
        message: place of its description.
        body: place of its buffers.
    """

    message: int
    body: int


class _Table:
    """A table of Flatbuffers.

    Args:
        data: the bytes of the file.
        place: of the table.
    """

    def __init__(self, data: Any, place: int) -> None:
        self.data, self.place = data, place
        self._fields = place - _number(data, place, "<i")
        self._size = _number(data, self._fields, "<H")

    def find(self, field: int) -> int:
        """Return the place of a field; 0 where it is left out."""
        entry = 4 + 2 * field  # bytes
        offset = _number(self.data, self._fields + entry, "<H") if entry < self._size else 0
        return self.place + offset if offset else 0

    def number(self, field: int, kind: str) -> int:
        """Return a number; 0 where it is left out."""
        place = self.find(field)
        return _number(self.data, place, kind) if place else 0

    def table(self, field: int) -> "_Table":
        """Return a table that this one refers to."""
        place = self.find(field)
        return _Table(self.data, place + _number(self.data, place, "<I"))

    def structures(self, field: int, kind: str) -> Iterator[tuple[int, ...]]:
        """Yield the structures of a vector."""
        place = self.find(field)
        if not place:
            return
        start = place + _number(self.data, place, "<I")
        size = struct.calcsize(kind)
        count = _number(self.data, start, "<I")
        if start + 4 + count * size > len(self.data):
            raise IndexError("the bytes end within a vector")
        for row in range(count):
            yield struct.unpack_from(kind, self.data, start + 4 + row * size)


def check_arrow(path: Path) -> None:
    """Refuse a file or stream of Arrow that unpacks to far more than its size explains; no buffer is unpacked.

    Args:
        path: the file.

    Raises:
        DataError: more bytes than `most_unpacked`, more columns than a table may have, or a damaged file.

    Source: the specification "Arrow Columnar Format", section "Serialization and Interprocess Communication".
    """
    unpacked = cells = 0
    if not size_of(path):
        raise DataError(message(str(path), expected="a table of Arrow", received="an empty file"))
    with open_file(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for block in _blocks_of_file(data) if data[: len(_MAGIC)] == _MAGIC else _blocks_of_stream(data):
                head = _Table(data, block.message + _number(data, block.message, "<I"))
                kind = head.number(1, "<B")
                if kind in (_DICTIONARY, _BATCH):
                    batch = head.table(2).table(1) if kind == _DICTIONARY else head.table(2)
                    nodes = [max(length, 0) for length, _ in batch.structures(1, "<qq")]
                    check_width(len(nodes), path)
                    cells += max(sum(nodes), batch.number(0, "<q"))
                    unpacked += sum(_buffers(data, batch, block.body))
        except DataError:
            raise
        except (IndexError, ValueError, struct.error) as fault:
            raise DataError(message(str(path), expected="a table of Arrow", received="a damaged file")) from fault
    check_unpacked(path, max(unpacked, cells * CELL_BYTES))


def _blocks_of_file(data: Any) -> Iterator[_Block]:
    """Yield the messages that the footer of a file lists."""
    if data[-len(_MAGIC) :] != _MAGIC:
        raise ValueError("no footer")
    place = len(data) - _TAIL - _number(data, len(data) - _TAIL, "<I")
    footer = _Table(data, place + _number(data, place, "<I"))
    for field in (2, 3):
        for offset, length, _ in footer.structures(field, "<qi4xq"):
            yield _Block(offset + (8 if _number(data, offset, "<I") == _GOES_ON else 4), offset + length)


def _blocks_of_stream(data: Any) -> Iterator[_Block]:
    """Yield the messages of a stream."""
    place = 0
    while place + 4 <= len(data):
        place += 4 if _number(data, place, "<I") == _GOES_ON else 0
        length = _number(data, place, "<i")
        start, body = place + 4, place + 4 + length
        if length <= 0:
            return
        yield _Block(start, body)
        place = body + _Table(data, start + _number(data, start, "<I")).number(3, "<q")
        if place < body:
            raise ValueError("a message of less than no bytes")


def _buffers(data: Any, batch: _Table, body: int) -> Iterator[int]:
    """Yield the sizes of the buffers of a batch, unpacked."""
    packed = bool(batch.find(3))
    for offset, length in batch.structures(2, "<qq"):
        size = _number(data, body + offset, "<q") if packed and length >= _SIZE else _UNPACKED
        yield max(length, 0) if size == _UNPACKED else max(size, 0)


def _number(data: Any, place: int, kind: str) -> int:
    if place < 0:
        raise IndexError("a place before the file")
    return struct.unpack_from(kind, data, place)[0]
