"""A store in the memory of this process, lost when it ends."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from threading import Lock
from typing import NamedTuple

from unrolled.errors import OptionError, message
from unrolled.streaming.stores.address import Address
from unrolled.streaming.stores.base import Stored, Write

MOST_BYTES = 2**30  # maximum bytes of sessions, by default
BESIDE = 600  # bytes of a session apart from its key and its value


class _Kept(NamedTuple):
    found: Stored
    written: float


class MemoryStore:
    """Sessions as bytes in this process, which several `Sessions` may share.

    A single `Sessions` needs no store: it then keeps states unpacked, which is faster.

    Args:
        max_bytes: maximum bytes of sessions; those not written for the longest time are deleted first.
        clock: returns a time in seconds; default the machine's monotonic clock.

    Example:
        >>> store, model = MemoryStore(), "0123456789abcdef"
        >>> store.commit([Write("ada", b"state", None, version=1)], None, model)
        [True]
        >>> store.commit([Write("ada", b"other", None, version=2)], None, model)  # somebody else wrote since
        [False]
        >>> store.load(["ada", "bob"], None, model)
        [Stored(value=b'state', version=1), None]
    """

    counts_at_once = True

    def __init__(self, max_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock, self._max_bytes = clock, Lock(), max_bytes
        self._sessions: dict[str, OrderedDict[str, _Kept]] = {}  # by model and key, the longest unwritten first
        self._owners: dict[str, str] = {}  # the model that wrote each key
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes that sessions take."""
        return self._bytes

    def load(self, keys: Sequence[str], ttl: float | None, model: str) -> list[Stored | None]:
        """Load the session of each key."""
        oldest = self._oldest(ttl)
        with self._lock:
            return [self._there(key, oldest, model) for key in keys]

    def commit(self, writes: Sequence[Write], ttl: float | None, model: str) -> list[bool]:
        """Write sessions of different keys; return False where the version has changed."""
        done, oldest = [], self._oldest(ttl)
        with self._lock:
            now = self._clock()
            for key, value, before, version in writes:
                there = self._there(key, oldest, model)
                good = (None if there is None else there.version) in (before, version)
                if good:
                    self._drop(key)
                    self._sessions.setdefault(model, OrderedDict())[key] = _Kept(Stored(value, version), now)
                    self._owners[key] = model
                    self._bytes += _size(key, value)
                done.append(good)
            while self._bytes > self._max_bytes and len(self._owners) > 1:
                self._drop(min(self._firsts(self._sessions))[1])
        return done

    def delete(self, keys: Sequence[str]) -> int:
        """Delete sessions; return how many there were."""
        with self._lock:
            return sum(self._drop(key) for key in keys)

    def keys(self, limit: int, models: Sequence[str]) -> list[str]:
        """Return the keys written last, at most `limit`."""
        with self._lock:
            every = chain.from_iterable(reversed(self._sessions.get(model, {})) for model in reversed(models))
            return list(islice(every, limit))

    def count(self, models: Sequence[str]) -> int:
        """Return the number of sessions of these models."""
        return sum(len(self._sessions.get(model, ())) for model in models)

    def expire(self, ttl: float, models: Sequence[str]) -> int:
        """Delete sessions that these models did not write for `ttl` seconds; return how many there were."""
        oldest, gone = self._oldest(ttl), 0
        with self._lock:
            while (first := min(self._firsts(models), default=None)) is not None and first[0] <= oldest:
                gone += self._drop(first[1])
        return gone

    def evict(self, most: int, models: Sequence[str]) -> int:
        """Delete sessions until at most `most` are left, those of the first model first; return how many."""
        gone = 0
        with self._lock:
            while self.count(models) > most:
                first = next(model for model in models if self._sessions.get(model))
                gone += self._drop(next(iter(self._sessions[first])))
        return gone

    def close(self) -> None:
        """Do nothing: there are no resources to release."""

    # ---- with the lock -------------------------------------------------------------------------------

    def _there(self, key: str, oldest: float, model: str) -> Stored | None:
        owner = self._owners.get(key)
        if owner is None:
            return None
        found, written = self._sessions[owner][key]
        return None if owner == model and written <= oldest else found

    def _drop(self, key: str) -> bool:
        owner = self._owners.pop(key, None)
        if owner is None:
            return False
        self._bytes -= _size(key, self._sessions[owner].pop(key).found.value)
        return True

    def _firsts(self, models: Iterable[str]) -> list[tuple[float, str]]:
        """Return when the longest unwritten session of each model was written, and its key."""
        some = (self._sessions[model] for model in models if self._sessions.get(model))
        return [(kept.written, key) for key, kept in (next(iter(one.items())) for one in some)]

    def _oldest(self, ttl: float | None) -> float:
        return -math.inf if ttl is None else self._clock() - ttl


def _size(key: str, value: bytes) -> int:
    return BESIDE + len(key) + len(value)


def open_address(address: Address) -> MemoryStore:
    """Open the store of the address "memory:"."""
    address.options({})
    if address.place.partition(":")[2].strip("/"):
        raise OptionError(message("store", expected='"memory:", which has no name', received=str(address)))
    return MemoryStore()
