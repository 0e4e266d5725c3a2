"""MemoryStore: sessions in this process, gone with it."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

from unrolled.errors import OptionError, message
from unrolled.streaming.stores.address import split_address
from unrolled.streaming.stores.base import Found, Write


class MemoryStore:
    """Sessions as bytes in this process, which several `Sessions` may share; what it holds ends with the process.

    Who shares them with nobody gives `Sessions` no store: it then keeps them as they are, which is quicker. Time is
    told by a clock that never jumps.

    Args:
        clock: seconds from anywhere; default the machine's monotonic clock.

    Example:
        >>> store = MemoryStore()
        >>> store.commit([Write("ada", b"state", None, version=1)], ttl=None)
        [True]
        >>> store.commit([Write("ada", b"other", None, version=2)], ttl=None)  # somebody else wrote since
        [False]
        >>> store.load(["ada", "bob"], ttl=None)
        [Found(value=b'state', version=1), None]
    """

    counts_at_once = True

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._sessions: OrderedDict[str, tuple[Found, float]] = OrderedDict()  # the longest unwritten first

    def load(self, keys: Sequence[str], ttl: float | None) -> list[Found | None]:
        """What is kept under each key."""
        oldest = self._oldest(ttl)
        with self._lock:
            held = [self._sessions.get(key) for key in keys]
        return [None if entry is None or entry[1] <= oldest else entry[0] for entry in held]

    def commit(self, writes: Sequence[Write], ttl: float | None) -> list[bool]:
        """Write sessions of different keys; False where another version was there."""
        done, oldest = [], self._oldest(ttl)
        with self._lock:
            now, sessions = self._clock(), self._sessions
            for key, value, before, version in writes:
                entry = sessions.get(key)
                there = None if entry is None or entry[1] <= oldest else entry[0].version
                good = there in (before, version)
                if good:
                    sessions[key] = (Found(value, version), now)
                    sessions.move_to_end(key)
                done.append(good)
        return done

    def delete(self, keys: Sequence[str]) -> int:
        """Forget sessions; how many there were."""
        with self._lock:
            return sum(self._sessions.pop(key, None) is not None for key in keys)

    def keys(self, limit: int) -> list[str]:
        """The keys written last, at most `limit`."""
        with self._lock:
            return [key for key, _ in zip(reversed(self._sessions), range(limit), strict=False)]

    def count(self) -> int:
        """How many sessions are kept."""
        return len(self._sessions)

    def expire(self, ttl: float) -> int:
        """Forget sessions that nobody wrote for `ttl` seconds; how many there were."""
        oldest = self._oldest(ttl)
        with self._lock:
            before = len(self._sessions)
            while self._sessions:
                key, (_, written) = next(iter(self._sessions.items()))
                if written > oldest:
                    break
                del self._sessions[key]
            return before - len(self._sessions)

    def evict(self, most: int) -> int:
        """Forget those that nobody wrote for the longest time until at most `most` are left; how many."""
        with self._lock:
            surplus = max(0, len(self._sessions) - most)
            for _ in range(surplus):
                self._sessions.popitem(last=False)
        return surplus

    def close(self) -> None:
        """Nothing to let go of."""

    def _oldest(self, ttl: float | None) -> float:
        return -math.inf if ttl is None else self._clock() - ttl


def open_address(address: str) -> MemoryStore:
    """The store of "memory:"."""
    place, _ = split_address(address, {})
    if place.partition(":")[2].strip("/"):
        raise OptionError(message("store", expected='"memory:", which has no name', received=address))
    return MemoryStore()
