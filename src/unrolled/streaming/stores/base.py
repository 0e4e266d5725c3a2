"""The interface of all stores of sessions.

A session is one value under one key, and it changes only as a whole: a writer names the version that it read, and a
value whose version has changed since is not overwritten. Versions are unique numbers, so that a session which was
deleted and started again is not mistaken for the one that was read.

A key is one session, no matter which model wrote it last. Models, identified by fingerprints, see each other's
sessions only when asked for the same key; they do not list, count, expire or evict them.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

UNREADABLE = 0  # version of a session that is too damaged to have one


class Stored(NamedTuple):
    """A session in a store.

    Args:
        value: its bytes.
        version: of the last write, or `UNREADABLE`.
    """

    value: bytes
    version: int


class Write(NamedTuple):
    """One session to be written.

    Args:
        key: of the session.
        value: its bytes.
        before: the version that was read; None = there was no session.
        version: of this write, an integer in [1, 2^63).
    """

    key: str
    value: bytes
    before: int | None
    version: int


class Store(Protocol):
    """A place that keeps sessions.

    Every method may be called from any thread. All raise StoreUnavailable if the store cannot be reached in time,
    AnswerLost if it is also unknown whether a write was made, and ArtifactError if the store cannot be read. A session
    that its model did not write for `ttl` seconds counts as absent.
    """

    counts_at_once: bool  # whether `count` works without a scan of all keys

    @property
    def held_bytes(self) -> int:
        """Bytes of this process that sessions take; 0 where they are kept elsewhere."""
        ...

    def load(self, keys: Sequence[str], ttl: float | None, model: str) -> list[Stored | None]:
        """Load the session of each key; `ttl` applies to sessions that `model` wrote."""
        ...

    def commit(self, writes: Sequence[Write], ttl: float | None, model: str) -> list[bool]:
        """Write sessions of different keys, each wholly or not at all; return False where the version has changed.

        The writes are as durable as the store can make them when this returns. Repeating a write has no effect, so a
        write whose answer was lost may be retried.
        """
        ...

    def delete(self, keys: Sequence[str]) -> int:
        """Delete sessions; return how many there were."""
        ...

    def keys(self, limit: int, models: Sequence[str]) -> list[str]:
        """Return the keys of at most `limit` sessions that these models wrote."""
        ...

    def count(self, models: Sequence[str]) -> int:
        """Return the number of sessions of these models."""
        ...

    def expire(self, ttl: float, models: Sequence[str]) -> int:
        """Delete sessions that these models did not write for `ttl` seconds; return how many there were."""
        ...

    def evict(self, most: int, models: Sequence[str]) -> int:
        """Delete sessions of these models until at most `most` are left; return how many were deleted.

        Those of the first model go first, and of one model those not written for the longest time.
        """
        ...

    def close(self) -> None:
        """Close files and connections."""
        ...
