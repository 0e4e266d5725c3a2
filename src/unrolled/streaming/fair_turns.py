"""Turns: what waits is taken one by one from every sender in turn, so that no sender makes the others wait."""

from collections import deque
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """Lines of things that wait, one line for each sender. Putting and taking one costs the same however many wait.

    Example:
        >>> turns = Turns()
        >>> for sender, item in [("ada", 1), ("ada", 2), ("ada", 3), ("bob", 4)]:
        ...     turns.put(sender, item)
        >>> [turns.take() for _ in range(len(turns))]
        [1, 4, 2, 3]
    """

    def __init__(self) -> None:
        self._lines: dict[Any, deque[Item]] = {}
        self._next: deque[Any] = deque()  # senders of whom something waits, the next one first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, sender: Any, item: Item) -> None:
        """Add one thing at the end of its sender's line.

        Args:
            sender: anything hashable; a sender without a line gets the last turn.
            item: what waits.
        """
        line = self._lines.get(sender)
        if line is None:
            self._lines[sender] = deque((item,))
            self._next.append(sender)
        else:
            line.append(item)
        self._count += 1

    def take(self) -> Item:
        """Take the first thing of the sender whose turn it is.

        Raises:
            IndexError: nothing waits.
        """
        sender = self._next.popleft()
        line = self._lines[sender]
        item = line.popleft()
        if line:
            self._next.append(sender)
        else:
            del self._lines[sender]
        self._count -= 1
        return item
