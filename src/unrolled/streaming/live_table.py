"""A table of the sessions of one model in memory, with network states as the rows of one array."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.streaming.memory_size import weight
from unrolled.streaming.stacked_states import StreamStates
from unrolled.streaming.state import StreamState

LEAST = 64  # rows of the smallest table
GROWTH = 1.25  # growth factor of a full table; the bytes of free rows are counted with the sessions
BESIDE = 220  # bytes of a session apart from its numbers, memory and key: entries of lists and dictionaries
HEARD = 120  # the same for remembered event ids


class LiveTable:
    """Sessions by key, each with a slot: a row of numbers and a memory.

    Slot 0 holds the initial state. Free slots are used again, and when most slots are free their memory is released.

    Args:
        first: state before the first event.

    Attributes:
        slots: by key, the longest unwritten first.
        heard: remembered event ids by key, see `unrolled.streaming.event_ids`.
        held_bytes: bytes that the table takes; an upper bound of what a measurement shows.

    Example:
        >>> table = LiveTable(StreamState(0, np.zeros(2, dtype=np.float32)))
        >>> table.write(["ada"], [0], [1], np.ones((1, 2)), now=5.0)
        >>> slots = table.find(["ada", "bob"])
        >>> table.states(slots).memories, table.states(slots).rows.tolist()
        ([1, 0], [[1.0, 1.0], [0.0, 0.0]])
    """

    def __init__(self, first: StreamState) -> None:
        self.slots: OrderedDict[str, int] = OrderedDict()
        self.heard: dict[str, bytes] = {}
        self.held_bytes = 0
        self._each = BESIDE + int(GROWTH * first.network.nbytes)
        self._weights = [0]  # bytes of the key and the memory of each slot
        self._rows = first.network[None]  # (slots, S)
        self._memories: list[Any] = [first.memory]
        self._written = [0.0]  # when each was written
        self._free: list[int] = []
        self._grow(LEAST)

    @property
    def width(self) -> int:
        """Length S of a network's state."""
        return self._rows.shape[1]

    def find(self, keys: Sequence[str]) -> list[int]:
        """Return the slot of each key, 0 for those without a session."""
        find = self.slots.get
        return [find(key, 0) for key in keys]

    def states(self, slots: list[int]) -> StreamStates:
        """Return copies of the states in some slots."""
        return StreamStates([self._memories[slot] for slot in slots], self._rows.take(slots, 0))

    def write(
        self, keys: Sequence[str], slots: list[int], memories: Sequence[Any], rows: np.ndarray, now: float
    ) -> None:
        """Write sessions of different keys; those with slot 0 get a new slot.

        Args:
            keys: of the sessions.
            slots: from `find`.
            memories: of the sessions.
            rows: states of their networks, (B, S).
            now: the time in seconds.
        """
        fresh = slots.count(0)
        if fresh:
            if fresh > len(self._free):
                self._grow(max(int(GROWTH * len(self._rows)), len(self._rows) + fresh))
            slots = [slot or self._free.pop() for slot in slots]
        self._rows[slots] = rows
        before = len(self.slots)
        if fresh:
            self.slots.update(zip(keys, slots, strict=True))
            self.held_bytes += (len(self.slots) - before) * self._each
        for key, slot, memory in zip(keys, slots, memories, strict=True):
            if self._memories[slot] is not memory or not self._weights[slot]:
                size = weight(key) + weight(memory)
                self.held_bytes += size - self._weights[slot]
                self._weights[slot], self._memories[slot] = size, memory
            self._written[slot] = now
            self.slots.move_to_end(key)

    def remember(self, key: str, heard: bytes) -> None:
        """Store the remembered event ids of a session."""
        before = self.heard.get(key)
        self.held_bytes += len(heard) + HEARD - (0 if before is None else len(before) + HEARD)
        self.heard[key] = heard

    def drop(self, key: str) -> bool:
        """Delete a session; return whether there was one."""
        slot = self.slots.pop(key, 0)
        if slot:
            self.held_bytes -= self._each + self._weights[slot]
            self._memories[slot], self._weights[slot] = None, 0
            self._free.append(slot)
            heard = self.heard.pop(key, None)
            self.held_bytes -= 0 if heard is None else len(heard) + HEARD
        return slot > 0

    def oldest(self) -> tuple[float, str]:
        """Return when the longest unwritten session was written, and its key; the table must not be empty."""
        key = next(iter(self.slots))
        return self.written(key), key

    def written(self, key: str) -> float:
        """Return when a session was written; minus infinity if there is none."""
        return self._written[self.slots[key]] if key in self.slots else float("-inf")

    def shrink(self) -> None:
        """Release memory if most slots are free; slots found before become invalid."""
        used = len(self.slots)
        if len(self._rows) <= max(LEAST, 8 * used):
            return
        kept = [0, *self.slots.values()]
        self._rows = self._rows[kept]
        self._memories = [self._memories[slot] for slot in kept]
        self._weights = [self._weights[slot] for slot in kept]
        self._written = [self._written[slot] for slot in kept]
        self.slots = OrderedDict(zip(self.slots, range(1, used + 1), strict=True))
        self._free = []
        self._grow(max(LEAST, 2 * used))

    def _grow(self, room: int) -> None:
        there = len(self._rows)
        rows = np.empty((room, self.width), dtype=np.float32)
        rows[:there] = self._rows
        self._rows = rows
        self._memories += [None] * (room - there)
        self._weights += [0] * (room - there)
        self._written += [0.0] * (room - there)
        self._free += range(room - 1, there - 1, -1)
