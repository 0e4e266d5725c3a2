"""Store: what every place that keeps sessions can do.

A session is one value under one key, and it changes only as a whole: whoever writes says which version was read, and
a value that has another version by now is not overwritten. Versions are numbers that never come twice, so that a
session which was deleted and began anew is not taken for the one that was read.

A key is one session, whichever model wrote it last. Models, told by their fingerprints, see each other's sessions only
under a key that both are asked for; they neither list, count, expire nor evict them.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

UNREADABLE = 0  # the version of a session that is so damaged that it has none


class Found(NamedTuple):
    """A session as a store has it.

    Args:
        value: bytes.
        version: of the write that put it there, or `UNREADABLE`.
    """

    value: bytes
    version: int


class Write(NamedTuple):
    """One session to be written.

    Args:
        key: whose.
        value: bytes.
        before: the version that was read; None = there was none.
        version: of this write, an integer in [1, 2^63).
    """

    key: str
    value: bytes
    before: int | None
    version: int


class Store(Protocol):
    """A place that keeps sessions.

    Every method may be called from any thread. All raise StoreUnavailable where the place cannot be reached in time,
    AnswerLost where besides it is not known whether a write was made, and ArtifactError where what is there cannot be
    read. A session of a model that it did not write for `ttl` seconds is not there.
    """

    counts_at_once: bool  # `count` does not look through all keys

    @property
    def held_bytes(self) -> int:
        """Of this process that sessions take; 0 where they are elsewhere."""
        ...

    def load(self, keys: Sequence[str], ttl: float | None, model: str) -> list[Found | None]:
        """What is kept under each key; `ttl` is that of sessions which `model` wrote."""
        ...

    def commit(self, writes: Sequence[Write], ttl: float | None, model: str) -> list[bool]:
        """Write sessions of different keys, each wholly or not at all; False where another version was there.

        What was written is durable, as far as the store ever is, when this returns. The same write twice is written
        once, so that a write whose answer was lost may be tried again.
        """
        ...

    def delete(self, keys: Sequence[str]) -> int:
        """Forget sessions; how many there were."""
        ...

    def keys(self, limit: int, models: Sequence[str]) -> list[str]:
        """Some keys of sessions that these models wrote, at most `limit`."""
        ...

    def count(self, models: Sequence[str]) -> int:
        """How many sessions of these models are kept."""
        ...

    def expire(self, ttl: float, models: Sequence[str]) -> int:
        """Free the room of sessions that these models did not write for `ttl` seconds; how many there were."""
        ...

    def evict(self, most: int, models: Sequence[str]) -> int:
        """Forget sessions of these models until at most `most` are left; how many.

        Those of the first model go first, and of one model those that it did not write for the longest time.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
