"""A cache of unpacked sessions in front of a store."""

from collections import OrderedDict

from unrolled.streaming.memory_size import weight
from unrolled.streaming.session_record import Session, StoredSession

BESIDE = 1000  # bytes of an entry apart from its numbers, its memory and its ids


class Cache:
    """Sessions by key, limited in number and bytes; those not written for the longest time are dropped first.

    Args:
        most: maximum number of sessions.
        most_bytes: maximum bytes of all together, as `unrolled.streaming.memory_size` counts.

    Attributes:
        held_bytes: bytes that they take.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._known: OrderedDict[str, tuple[StoredSession, int]] = OrderedDict()
        self.held_bytes = 0

    def get(self, key: str) -> StoredSession | None:
        """Return the session of a key; None if it is not cached."""
        found = self._known.get(key)
        return None if found is None else found[0]

    def put(self, key: str, known: StoredSession) -> None:
        """Cache the session of a key."""
        self.drop(key)
        size = BESIDE + weight(key) + _size(known.session)
        self._known[key] = known, size
        self.held_bytes += size
        while self._known and (len(self._known) > self._most or self.held_bytes > self._most_bytes):
            self.drop(next(iter(self._known)))

    def drop(self, key: str) -> None:
        """Drop the session of a key."""
        found = self._known.pop(key, None)
        if found is not None:
            self.held_bytes -= found[1]

    def clear(self) -> None:
        """Drop all sessions."""
        self._known.clear()
        self.held_bytes = 0


def _size(session: Session | None) -> int:
    if session is None:
        return 0
    return weight(session.state.network) + weight(session.state.memory) + len(session.heard)
