"""Ledger: reads sessions, steps them, and writes them back; nothing is answered before it is written."""

import itertools
import os
import random
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unrolled.errors import ArtifactError, StoreUnavailable, UnrolledError, message
from unrolled.streaming.record import Session, session_bytes, session_of, state_bytes
from unrolled.streaming.state import MAGIC, StreamState, is_of, rounded
from unrolled.streaming.stores.base import UNREADABLE, Found, Store, Write
from unrolled.streaming.stream import Stream
from unrolled.streaming.waiting import Work

CACHED = 8192  # sessions whose live state is kept in front of a store of bytes
NO_ANSWERS: dict[str, Any] = {}
ATTEMPTS = 50  # rounds in which somebody else may be faster


@dataclass
class Counts:
    """What happened so far; how many events each."""

    events: int = 0
    batches: int = 0
    largest_batch: int = 0
    conflicts: int = 0
    retries: int = 0
    repeated: int = 0
    refused: int = 0
    unavailable: int = 0
    restarted: int = 0
    expired: int = 0
    evicted: int = 0


NOTHING = Found(None, 0)  # what is known of a key without a session


class Ledger:
    """Sessions of one stream in one store, a batch at a time.

    A batch is read, stepped by one call and written by one commit. A session that another writer changed in between
    is read and stepped again, so that no update is lost.

    Args:
        store: where sessions are.
        ttl: seconds after which a session that nobody wrote is gone; None = never.
        precision: of the numbers of a state, see `unrolled.streaming.state.pack`.
        remembered_events: answers kept for events that come again, for each session.
        restart: whether a session of another model starts anew instead of being refused.
    """

    def __init__(self, store: Store, ttl: float | None, precision: str, remembered_events: int, restart: bool) -> None:
        self.store, self.ttl, self.precision, self.restart = store, ttl, precision, restart
        self.counts = Counts()
        self._remembered = remembered_events
        self._live = store.live and precision == "float32"
        self._cache: OrderedDict[str, Found] = OrderedDict()
        # counting from a random start: no two writers, and no two lives of one session, share a version
        self._versions = itertools.count(int.from_bytes(os.urandom(7), "little") + 1)

    def answer(self, stream: Stream, works: Sequence[Work]) -> None:
        """Settle every event of a batch of different keys."""
        self.counts.batches += 1
        self.counts.largest_batch = max(self.counts.largest_batch, len(works))
        left = list(works)
        try:
            for attempt in range(ATTEMPTS):
                left = self._round(stream, left, trusting=attempt == 0)
                if not left:
                    return
                if attempt:
                    time.sleep(random.random() * min(0.05, 0.001 * 2**attempt))
            raise _too_many_writers(left[0].key)
        except Exception as fault:  # whatever it is, it goes to those who wait, and the next batch is served
            for work in left:
                self._cache.pop(work.key, None)
                if not work.settled:
                    self.counts.unavailable += isinstance(fault, StoreUnavailable)
                    work.settle(fault)

    def forget_cached(self) -> None:
        """Read every session from the store again."""
        self._cache.clear()

    def read(self, stream: Stream, key: str) -> Session | None:
        """One session as the store has it.

        Raises:
            ArtifactError: damaged, or of another model.
        """
        (found,) = self.store.load([key], self.ttl)
        return self._known(stream, found).value

    def replace(self, stream: Stream, key: str, state: StreamState) -> None:
        """Put a state in the place of whatever a session was, a damaged one included."""
        for _ in range(ATTEMPTS):
            (found,) = self.store.load([key], self.ttl)
            session = Session(state, NO_ANSWERS, stream.fingerprint)
            value = session if self._live else session_bytes(stream.pack(state, self.precision), NO_ANSWERS)
            before = None if found is None else found.version
            if before == UNREADABLE:
                self.store.delete([key])
            elif self.store.commit([Write(key, value, before, next(self._versions))], self.ttl)[0]:
                return
        raise _too_many_writers(key)

    # ---- one round -----------------------------------------------------------------------------------

    def _round(self, stream: Stream, works: Sequence[Work], trusting: bool) -> list[Work]:
        """Read, step and write once; the events whose session has to be read again."""
        again, going, before = [], [], []
        for work, known in zip(works, self._load(stream, works, trusting), strict=True):
            if isinstance(known, UnrolledError):
                work.settle(known)
            elif work.event_id is None or known.value is None or work.event_id not in known.value.answers:
                going.append(work)
                before.append(known)
            elif trusting and not self._live:
                again.append(work)  # the session may have been reset since: ask the store
            else:
                self.counts.repeated += 1
                work.settle(known.value.answers[work.event_id])
        if going:
            again += self._step(stream, going, before)
        self.counts.retries += len(again)
        return again

    def _step(self, stream: Stream, works: list[Work], before: list[Found]) -> list[Work]:
        """Step and write; the events whose session somebody else wrote meanwhile."""
        states = [known.value and known.value.state for known in before]
        outputs, after = _stepped(stream, [work.event for work in works], states)
        writes: list[Write] = []
        written, again = [], []
        live, plain, own = self._live, self.precision == "float32", stream.fingerprint
        for work, known, output, state in zip(works, before, outputs, after, strict=True):
            if isinstance(output, Exception):
                self._refuse(work, output)
                continue
            try:
                if plain and work.event_id is None:  # the usual case, which is worth being quick
                    session = Session(state, NO_ANSWERS if known.value is None else known.value.answers, own)
                else:
                    session = self._after(own, work, known.value, output, state)
                value = session if live else session_bytes(stream.pack(session.state, self.precision), session.answers)
            except UnrolledError as fault:  # numbers that the precision cannot hold
                self._refuse(work, fault)
                continue
            writes.append(Write(work.key, value, known.version or None, next(self._versions)))
            written.append((work, output, session))
        done = self.store.commit(writes, self.ttl) if writes else []
        for write, (work, output, session), good in zip(writes, written, done, strict=True):
            if not good:
                self._cache.pop(work.key, None)
                again.append(work)
                continue
            if not live:
                self._keep(work.key, Found(session, write.version))
            work.settle(output)
        self.counts.events += len(done) - len(again)
        self.counts.conflicts += len(again)
        return again

    def _refuse(self, work: Work, fault: Exception) -> None:
        self.counts.refused += isinstance(fault, UnrolledError)
        work.settle(fault)

    def _load(self, stream: Stream, works: Sequence[Work], trusting: bool) -> list[Found | UnrolledError]:
        if self._live:
            found = self.store.load([work.key for work in works], self.ttl)
            own = stream.fingerprint
            return [one if one and one.value.fingerprint == own else self._known_or_fault(stream, one) for one in found]
        cached = self._cache if trusting else {}
        missing = [work.key for work in works if work.key not in cached]
        read = dict(zip(missing, self.store.load(missing, self.ttl), strict=True)) if missing else {}
        return [
            self._known_or_fault(stream, read[work.key]) if work.key in read else cached[work.key] for work in works
        ]

    def _known_or_fault(self, stream: Stream, found: Found | None) -> Found | UnrolledError:
        try:
            return self._known(stream, found)
        except UnrolledError as fault:
            return fault

    def _known(self, stream: Stream, found: Found | None) -> Found:
        """What was found as a session and its version; no session where it begins, or begins anew."""
        if found is None:
            return NOTHING
        if self._live:
            if found.value.fingerprint == stream.fingerprint:
                return found
            if not self.restart:
                raise ArtifactError(
                    message("state", expected=f"a state of model {stream.fingerprint}",
                            received=f"one of model {found.value.fingerprint}", remedy="reset this session")
                )  # fmt: skip
        else:
            packed = state_bytes(found.value)
            if not self.restart or packed[:3] != MAGIC or is_of(packed, stream.fingerprint):
                return Found(session_of(found.value, stream), found.version)
        self.counts.restarted += 1
        return Found(None, found.version)

    def _after(self, fingerprint: str, work: Work, before: Session | None, output: Any, state: StreamState) -> Session:
        answers = NO_ANSWERS if before is None else before.answers
        if work.event_id is not None:
            answers = {**answers, work.event_id: output}
            for old in list(answers)[: max(0, len(answers) - self._remembered)]:
                del answers[old]
        if self.precision != "float32":  # what is kept live is what would be read
            state = StreamState(state.memory, rounded(state.network, self.precision))
        return Session(state, answers, fingerprint)

    def _keep(self, key: str, known: Found) -> None:
        self._cache[key] = known
        self._cache.move_to_end(key)
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)


def _too_many_writers(key: str) -> StoreUnavailable:
    return StoreUnavailable(f"session {key!r}: other writers were faster {ATTEMPTS} times; try again")


def _stepped(
    stream: Stream, events: list[Any], states: Sequence[StreamState | None]
) -> tuple[list[Any], Sequence[StreamState]]:
    """One step of many; where that breaks, one by one, so that an event harms nobody but its sender."""
    if len(events) > 1:
        try:
            return stream.step_many(events, states, errors="return")
        except Exception:
            alone = [_stepped(stream, [event], [state]) for event, state in zip(events, states, strict=True)]
            return [outputs[0] for outputs, _ in alone], [after[0] for _, after in alone]
    try:
        output, after = stream.step(events[0], states[0])
    except Exception as fault:
        return [fault], [states[0] or stream.initial_state()]
    return [output], [after]
