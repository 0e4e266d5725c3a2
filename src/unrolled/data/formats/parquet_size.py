"""Bounds on Parquet: what its pages unpack to, and the cells that its rows have, before it is read."""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from unrolled.data.formats.thrift import ThriftReader
from unrolled.data.spans import open_file, size_of
from unrolled.data.unpacked_size import check_unpacked
from unrolled.data.width import check_width
from unrolled.errors import DataError, message

CELL_BYTES = 8  # that a cell takes in memory at least; its values may be packed to less than a bit
_MAGIC, _TAIL = b"PAR1", 8  # the last bytes: the length of the description, and the mark
_SCHEMA, _ROWS, _ROW_GROUPS = 2, 3, 4  # fields of FileMetaData
_CHILDREN = 5  # field of SchemaElement
_COLUMNS, _GROUP_ROWS, _METADATA = 1, 3, 3  # fields of RowGroup, and of ColumnChunk
_VALUES, _PACKED, _DATA, _DICTIONARY = 5, 7, 9, 11  # fields of ColumnMetaData
_PAGE_UNPACKED, _PAGE_PACKED = 2, 3  # fields of PageHeader
_COUNTED = (5, 7, 8)  # fields of PageHeader that hold the head of one kind of page, whose first field counts its values


class _Sizes(NamedTuple):
    """What a file unpacks to.

    Args:
        unpacked: bytes of all pages.
        cells: values of all columns.
    """

    unpacked: int
    cells: int


def check_parquet(path: Path) -> None:
    """Refuse Parquet that unpacks to far more than its size explains.

    The heads of all pages are read, and no page is unpacked. A page of a column that has one value over and over takes
    few bytes for any number of rows, so that cells are counted as well.

    Args:
        path: the file.

    Raises:
        DataError: more bytes than `most_unpacked`, more columns than a table may have, or a damaged file.

    Source: the specification "Apache Parquet", sections "File format" and "Data pages", and parquet.thrift.
    """
    size = size_of(path)
    with open_file(path) as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read()
        length = int.from_bytes(tail[:4], "little")
        if not tail.endswith(_MAGIC) or length + _TAIL > size:
            raise _damaged(path)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                found = _sizes(data, ThriftReader(data, size - _TAIL - length).structure(), path)
            except DataError:
                raise
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as fault:
                raise _damaged(path) from fault
    check_unpacked(path, max(found.unpacked, found.cells * CELL_BYTES))


def _sizes(data: Any, described: dict[int, Any], path: Path) -> _Sizes:
    leaves = sum(not element.get(_CHILDREN) for element in described[_SCHEMA][1:])
    check_width(leaves, path)
    unpacked = cells = 0
    for chunk in _chunks(described):
        values = 0
        for page in _pages(data, chunk):
            unpacked += page[_PAGE_UNPACKED]
            values += max((page[kind][1] for kind in _COUNTED if kind in page), default=0)
        cells += max(values, chunk[_VALUES])
    rows = max(described[_ROWS], sum(group[_GROUP_ROWS] for group in described[_ROW_GROUPS]))
    return _Sizes(unpacked, max(cells, rows * leaves))


def _chunks(described: dict[int, Any]) -> Iterator[dict[int, Any]]:
    """Yield the description of each column of each group of rows."""
    for group in described[_ROW_GROUPS]:
        for column in group[_COLUMNS]:
            yield column[_METADATA]


def _pages(data: Any, chunk: dict[int, Any]) -> Iterator[dict[int, Any]]:
    """Yield the heads of the pages of a column."""
    place = chunk.get(_DICTIONARY) or chunk[_DATA]
    end = place + chunk[_PACKED]
    if place < 0 or end > len(data):
        raise IndexError("a column behind the end of the file")
    while place < end:
        reader = ThriftReader(data, place)
        page = reader.structure()
        if min(page[_PAGE_UNPACKED], page[_PAGE_PACKED]) < 0:
            raise ValueError("a page of less than no bytes")
        yield page
        place = reader.place + page[_PAGE_PACKED]


def _damaged(path: Path) -> DataError:
    return DataError(message(str(path), expected="a Parquet file", received="a damaged one, or one of another kind"))
