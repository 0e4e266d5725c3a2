"""Bounds on the content of a body: values, depth, names, texts; checked on its bytes, then on the parsed JSON.

Counting costs some nanoseconds per byte and makes no objects; only a body within bounds is parsed as JSON, and only
JSON within bounds is validated and given to a model.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from unrolled.errors import message
from unrolled.serving.errors import Fault

BLOCK = 1 << 18  # bytes that are counted together
QUOTE = ord('"')


@dataclass(frozen=True)
class Bounds:
    """Limits on the content of one body.

    Args:
        items: JSON values in all.
        cells: rows times columns of a table.
        columns: different names in the objects at one depth, or columns of a table.
        depth: levels of nested lists and objects.
        length: characters of a text, items of a list, rows of a table.
        events: items of a body that is a list of events.
    """

    items: int
    cells: int
    columns: int
    depth: int
    length: int
    events: int

    def check_bytes(self, body: bytes) -> None:
        """Refuse JSON with too many values, before it is parsed.

        Raises:
            Fault: more than `items`.
        """
        found = count_values(body, b"[{,", self.items)
        if found > self.items:
            raise _too_many("body", self.items, "values", found)

    def check_value(self, value: Any, where: str) -> None:
        """Refuse a value that is too long, too deep or too wide, or has a number that is not finite.

        Args:
            value: parsed JSON.
            where: its name in the error message.

        Raises:
            Fault: beyond a bound.
        """
        if type(value) is int:  # most events are one number or a short text
            return
        lists, objects, texts, depth = *_sorted((value,)), 0
        while lists or objects or texts:
            self._check_lengths(map(len, texts), "characters", where)
            self._check_lengths(map(len, lists), "items", where)
            self._check_names(objects, where)
            depth += bool(lists or objects)
            if depth > self.depth:
                raise _too_many(where, self.depth, "lists and objects inside each other", depth, "more")
            lists, objects, texts = _sorted(chain(chain.from_iterable(lists), *map(dict.values, objects)))

    def check_length(self, value: Any, where: str, most: int | None = None) -> None:
        """Refuse a text or list that is longer than `length`, or than `most`.

        Raises:
            Fault: too long.
        """
        most = self.length if most is None else min(most, self.length)
        if len(value) > most:
            raise _too_many(where, most, "characters" if isinstance(value, str) else "items", len(value))

    def _check_lengths(self, lengths: Iterable[int], kind: str, where: str) -> None:
        longest = max(lengths, default=0)
        if longest > self.length:
            raise _too_many(where, self.length, kind, longest)

    def _check_names(self, objects: list[dict[str, Any]], where: str) -> None:
        if not objects:
            return
        names = set().union(*objects)
        if len(names) > self.columns:
            raise _too_many(where, self.columns, "different names", len(names))
        self._check_lengths(map(len, names), "characters of a name", where)
        cells = len(names) * len(objects)
        if cells > self.items:
            raise _too_many(where, self.items, "values: objects times their different names", cells)


def count_values(body: bytes, marks: bytes, most: int) -> int:
    """Count the values of JSON or CSV; exactly only where a quick estimate is above `most`.

    Args:
        body: JSON or CSV.
        marks: bytes that come before a value, counted outside of quotes.
        most: largest count that needs no exact check.

    Example:
        >>> count_values(b'["a,b", "c", [1]]', b"[{,", 100), count_values(b'["a,b", "c", [1]]', b"[{,", 4)
        (6, 5)
    """
    rough = 1 + sum(body.count(mark) for mark in marks)
    if rough <= most:
        return rough
    plain = body
    if b"\\" in plain:  # an escaped quote ends no text
        plain = plain.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    is_mark = np.zeros(256, bool)
    is_mark[list(marks)] = True
    count, is_inside = 1, False
    for start in range(0, len(plain), BLOCK):
        part = np.frombuffer(plain, np.uint8, min(BLOCK, len(plain) - start), start)
        inside = np.logical_xor.accumulate(part == QUOTE) ^ is_inside
        count += int(np.count_nonzero(is_mark[part] & ~inside))
        is_inside = bool(inside[-1])
    return count


def _sorted(values: Iterable[Any]) -> tuple[list[list[Any]], list[dict[str, Any]], list[str]]:
    """Sort values into lists, objects and texts, and refuse numbers that are not finite."""
    lists, objects, texts = [], [], []
    for value in values:
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind is float:
            if not math.isfinite(value):
                raise Fault("request", "body: a number is too large")
        elif kind is list:
            lists.append(value)
        elif kind is dict:
            objects.append(value)
    return lists, objects, texts


def _too_many(where: str, most: int, kind: str, found: int, more: str = "") -> Fault:
    return Fault("length", message(where, expected=f"at most {most:,} {kind}", received=more or f"{found:,}"))
