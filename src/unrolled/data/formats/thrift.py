"""Thrift's compact protocol, in which Parquet describes its parts: structures as dictionaries by number of the field.

Source: the specification "Thrift compact protocol", in Thrift's repository.
"""

from typing import Any

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)
_DEEPEST = 32  # structures inside each other; Parquet has fewer than ten
_LONG = 15  # in place of a length or a difference that follows in bytes of its own
_BITS = 64  # of the largest integer


class ThriftReader:
    """What stands from a place on in some bytes; a text is returned as its length, since none is needed.

    Args:
        data: the bytes.
        place: of the first one.

    Example:
        >>> reader = ThriftReader(bytes([0x15, 0x04, 0x18, 0x02, 0x68, 0x69, 0x00]), 0)
        >>> reader.structure(), reader.place
        ({1: 2, 2: 2}, 7)
    """

    def __init__(self, data: Any, place: int) -> None:
        self.data, self.place = data, place

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """Return the fields of a structure by their numbers.

        Raises:
            ValueError: bytes that are no structure.
            IndexError: the bytes end before it does.
        """
        if depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} structures inside each other")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1]

    def _length(self) -> int:
        """Return a number without a sign, of seven bits in each byte."""
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number
            if shift >= _BITS:
                raise ValueError("a number of more than 64 bits")

    def _integer(self) -> int:
        number = self._length()
        return number >> 1 ^ -(number & 1)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _STRUCT:
            return self.structure(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _MAP:
            return self._map(depth)
        if kind not in (_BYTE, _DOUBLE, _BINARY):
            raise ValueError(f"no kind of value: {kind}")
        size = {_BYTE: 1, _DOUBLE: 8}.get(kind)
        size = self._length() if size is None else size
        self.place += size
        if self.place > len(self.data):
            raise IndexError("the bytes end within a text")
        return size

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 != _LONG else self._length()
        self._check(size)
        return [self._item(head & 15, depth) for _ in range(size)]

    def _map(self, depth: int) -> dict[Any, Any]:
        size = self._length()
        self._check(size)
        kinds = self._byte() if size else 0
        return {place: (self._item(kinds >> 4, depth), self._item(kinds & 15, depth)) for place in range(size)}

    def _item(self, kind: int, depth: int) -> Any:
        """Return a value of a list, in which true and false have a byte of their own."""
        return self._byte() == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth + 1)

    def _check(self, size: int) -> None:
        """Refuse more values than there are bytes: each takes one at least."""
        if size > len(self.data) - self.place:
            raise IndexError("the bytes end within a list")
