"""A fair queue: items are taken from the senders in turn, so that no sender blocks the others."""

from collections import deque
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """A round-robin queue with one line per sender; `put` and `take` take constant time.

    Example:
        >>> turns = Turns()
        >>> for sender, item in [("ada", 1), ("ada", 2), ("ada", 3), ("bob", 4)]:
        ...     turns.put(sender, item)
        >>> [turns.take() for _ in range(len(turns))]
        [1, 4, 2, 3]
    """

    def __init__(self) -> None:
        self._lines: dict[Any, deque[Item]] = {}
        self._next: deque[Any] = deque()  # senders with waiting items, the next one first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, sender: Any, item: Item) -> None:
        """Add an item at the end of its sender's line.

        Args:
            sender: anything hashable; a sender without a line gets the last turn.
            item: to be taken later.
        """
        line = self._lines.get(sender)
        if line is None:
            self._lines[sender] = deque((item,))
            self._next.append(sender)
        else:
            line.append(item)
        self._count += 1

    def take(self) -> Item:
        """Take the first item of the sender whose turn it is.

        Raises:
            IndexError: the queue is empty.
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
