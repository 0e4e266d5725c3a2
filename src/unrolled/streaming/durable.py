"""Sessions in a store: read, stepped and written back; an answer is given only after the write."""

import itertools
import os
import random
import time
from collections.abc import Sequence
from typing import Any

from unrolled.errors import AnswerLost, RepeatedEvent, StoreUnavailable, UnrolledError
from unrolled.streaming.batch_step import UNREAD, stepped
from unrolled.streaming.cache import Cache
from unrolled.streaming.counters import Counts
from unrolled.streaming.event_batching import Work
from unrolled.streaming.event_ids import FORMLESS, NOTHING, IdWindow
from unrolled.streaming.session_record import Session, StoredSession, session_bytes, session_of, state_bytes
from unrolled.streaming.state import MAGIC, StreamState, is_of, rounded
from unrolled.streaming.stores.base import UNREADABLE, Store, Stored, Write
from unrolled.streaming.stream import Stream

CACHED = 8192  # maximum number of unpacked sessions in front of a store
ATTEMPTS = 50  # attempts to write before giving up, where other writers are faster
NONE = StoredSession(None, 0)


class Ledger:
    """Sessions of one stream in a store that other processes may share, read and written in batches.

    A batch is read, stepped by one call and written by one commit. A session that another writer changed in between
    is read and stepped again, so that no update is lost.

    A key is one session, no matter which model wrote it. Counts, lists and deletions cover only sessions of the
    models that answered here.

    Args:
        model: the fingerprint of the model that answers first.
        store: where sessions are kept.
        ttl: seconds after which a session without writes is deleted; None = never.
        most: maximum number of sessions; None = no limit.
        window: how many ids of events are remembered.
        most_bytes: maximum bytes of the cache in front of the store.
        precision: of the numbers of a state, see `unrolled.streaming.state.pack`.
        restart: start a session of another model again instead of refusing its events.
    """

    def __init__(
        self,
        model: str,
        store: Store,
        ttl: float | None,
        most: int | None,
        window: IdWindow,
        most_bytes: int,
        precision: str,
        restart: bool,
    ) -> None:
        self.precision, self.counts = precision, Counts()
        self._store, self._ttl, self._most = store, ttl, most
        self.counts_at_once = store.counts_at_once
        self._window, self._restart, self._models = window, restart, [model]
        self._cache = Cache(CACHED, most_bytes)
        # counting from a random start, so that no two writers, and no two sessions of one key, share a version
        self._versions = itertools.count(int.from_bytes(os.urandom(7), "little") + 1)
        if most is not None:
            self.counts.evicted += store.evict(most, self._models)  # a store that cannot evict raises here

    def answer(self, stream: Stream, works: Sequence[Work]) -> None:
        """Answer every event of a batch of different keys."""
        self.counts.batch(len(works))
        left, written = list(works), set[str]()  # keys whose write was refused
        try:
            for attempt in range(ATTEMPTS):
                left = self._round(stream, left, written, trusting=attempt == 0)
                if not left:
                    return
                if attempt:
                    time.sleep(random.random() * min(0.05, 0.001 * 2**attempt))
            raise _too_many_writers(left[0].key)
        except Exception as fault:  # any error goes to the waiting callers, and the next batch is served
            for work in left:
                self._cache.drop(work.key)
                if not work.settled:
                    self.counts.unavailable += isinstance(fault, StoreUnavailable)
                    work.settle(_told(fault, work, work.key in written))

    def sweep(self) -> None:
        """Delete expired sessions, and those beyond the limit."""
        try:
            if self._ttl is not None:
                self.counts.expired += self._store.expire(self._ttl, self._models)
            if self._most is not None:
                self.counts.evicted += self._store.evict(self._most, self._models)
        except UnrolledError:
            pass  # the events that meet the same fault report it, and the next sweep tries again

    def read(self, stream: Stream, key: str) -> StreamState | None:
        """Read the state of a session from the store.

        Raises:
            ArtifactError: a damaged session, or one of another model.
        """
        (found,) = self._store.load([key], self._ttl, stream.fingerprint)
        session = self._known(stream, found).session
        return None if session is None else session.state

    def replace(self, stream: Stream, key: str, state: StreamState) -> None:
        """Replace the state of a session, even of a damaged one."""
        for _ in range(ATTEMPTS):
            (found,) = self._store.load([key], self._ttl, stream.fingerprint)
            value = session_bytes(stream.pack(state, self.precision), NOTHING)
            before = None if found is None else found.version
            if before == UNREADABLE:
                self._store.delete([key])
            elif self._commit(stream, [Write(key, value, before, next(self._versions))])[0]:
                return
        raise _too_many_writers(key)

    def reset(self, key: str) -> bool:
        """Delete a session; return whether there was one."""
        return self._store.delete([key]) > 0

    def keys(self, limit: int) -> list[str]:
        """Return at most `limit` keys."""
        return self._store.keys(limit, self._models)

    def count(self) -> int:
        """Return the number of sessions."""
        return self._store.count(self._models)

    @property
    def held_bytes(self) -> int:
        """Bytes of this process that sessions take."""
        return self._cache.held_bytes + self._store.held_bytes

    def swapped(self, stream: Stream) -> None:
        """Switch to another model; every session is read from the store again."""
        self._restart = True
        self._models = [*(model for model in self._models if model != stream.fingerprint), stream.fingerprint]
        self._cache.clear()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    # ---- one round -----------------------------------------------------------------------------------

    def _round(self, stream: Stream, works: Sequence[Work], written: set[str], trusting: bool) -> list[Work]:
        """Read, step and write once; return the events whose session must be read again."""
        again, going, before = [], [], []
        for work, known in zip(works, self._load(stream, works, trusting), strict=True):
            if isinstance(known, UnrolledError):
                work.settle(known)
                continue
            try:
                heard = None if known.session is None else self._window.look(known.session.heard, work.event_id)
                answer = None if heard is None else heard.answer
            except RepeatedEvent as fault:
                heard = answer = fault
            if heard is None:
                going.append(work)
                before.append(known)
            elif trusting:
                again.append(work)  # the session may have been reset since: ask the store
            else:
                self.counts.count_repeat(answer)
                work.settle(answer)
        if going:
            again += self._step(stream, going, before, written)
        self.counts.retries += len(again)
        return again

    def _step(self, stream: Stream, works: list[Work], before: list[StoredSession], tried: set[str]) -> list[Work]:
        """Step and write; return the events whose session another writer changed meanwhile."""
        states = [known.session and known.session.state for known in before]
        outputs, after = stepped(stream, works, states, [known.version for known in before])
        writes: list[Write] = []
        written, again = [], []
        for work, known, output, state in zip(works, before, outputs, after, strict=True):
            if output is UNREAD:
                continue
            if isinstance(output, Exception):
                self._refuse(work, output)
                continue
            try:
                session = self._after(work, known.session, output, state)
                value = session_bytes(stream.pack(session.state, self.precision), session.heard)
            except (UnrolledError, *FORMLESS) as fault:  # such as numbers that the precision cannot hold
                self._refuse(work, fault)
                continue
            writes.append(Write(work.key, value, known.version or None, next(self._versions)))
            written.append((work, output, session))
        done = self._commit(stream, writes) if writes else []
        for write, (work, output, session), good in zip(writes, written, done, strict=True):
            if not good:
                self._cache.drop(work.key)
                tried.add(work.key)
                again.append(work)
                continue
            self._cache.put(work.key, StoredSession(session, write.version))
            work.settle(output)
        self.counts.events += len(done) - len(again)
        self.counts.conflicts += len(again)
        return again

    def _commit(self, stream: Stream, writes: list[Write]) -> list[bool]:
        return self._store.commit(writes, self._ttl, stream.fingerprint)

    def _refuse(self, work: Work, fault: Exception) -> None:
        self.counts.refused += isinstance(fault, UnrolledError)
        work.settle(fault)

    def _load(self, stream: Stream, works: Sequence[Work], trusting: bool) -> list[StoredSession | UnrolledError]:
        cached = [self._cache.get(work.key) if trusting else None for work in works]
        missing = [work.key for work, known in zip(works, cached, strict=True) if known is None]
        read = iter(self._store.load(missing, self._ttl, stream.fingerprint) if missing else ())
        return [self._known_or_fault(stream, next(read)) if known is None else known for known in cached]

    def _known_or_fault(self, stream: Stream, found: Stored | None) -> StoredSession | UnrolledError:
        try:
            return self._known(stream, found)
        except UnrolledError as fault:
            return fault

    def _known(self, stream: Stream, found: Stored | None) -> StoredSession:
        """Return a stored session and its version; no session where it begins or restarts."""
        if found is None:
            return NONE
        packed = state_bytes(found.value)
        if not self._restart or packed[:3] != MAGIC or is_of(packed, stream.fingerprint):
            return StoredSession(session_of(found.value, stream), found.version)
        self.counts.restarted += 1
        return StoredSession(None, found.version)

    def _after(self, work: Work, before: Session | None, output: Any, state: StreamState) -> Session:
        heard = self._window.after(NOTHING if before is None else before.heard, work.event_id, output)
        if self.precision != "float32":  # the cached state equals the stored one
            state = StreamState(state.memory, rounded(state.network, self.precision))
        return Session(state, heard)


def _too_many_writers(key: str) -> StoreUnavailable:
    return StoreUnavailable(f"session {key!r}: other writers were faster {ATTEMPTS} times; try again")


def _told(fault: Exception, work: Work, written: bool) -> Exception:
    """Return the error of an event after a fault of the store: whether the event counted, and what to do.

    Args:
        fault: the exception.
        work: the event.
        written: whether a write of it was refused before. Some stores retry after a lost answer, and the refusal may
            then be due to the first try of the same write.
    """
    if not isinstance(fault, StoreUnavailable):
        return fault
    if not written and not isinstance(fault, AnswerLost):
        return StoreUnavailable(f"{fault}; this event was not counted")
    known = "this event may or may not have been counted"
    if work.event_id is None:
        return AnswerLost(f"{fault}; {known}; give events an event_id, so that they can be sent again")
    return AnswerLost(f"{fault}; {known}: send it again with the same event_id, and it counts once")
