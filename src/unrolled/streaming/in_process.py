"""Sessions in the memory of this process, lost when it ends."""

import math
import time
from collections.abc import Callable, Sequence
from itertools import chain, islice
from threading import Lock
from typing import Any

from unrolled.errors import ArtifactError, RepeatedEvent, UnrolledError, message
from unrolled.streaming.batch_step import UNREAD, stepped
from unrolled.streaming.counters import Counts
from unrolled.streaming.event_batching import Work
from unrolled.streaming.event_ids import FORMLESS, NOTHING, IdWindow
from unrolled.streaming.live_table import LiveTable
from unrolled.streaming.stacked_states import memories_of, rows_of
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Stream

MOST_BYTES = 2**30  # bytes of sessions in a process, by default


class Live:
    """Sessions that no other process shares, read and written in batches; for a shared store see `Ledger`.

    A batch is copied out of a table, stepped by one call, and copied back. A session that was reset or replaced
    meanwhile stays so, as if the event had come first. Each model has its own table, and a key is in one of them.

    Args:
        ttl: seconds after which a session without writes is deleted; None = never.
        most: maximum number of sessions; None = no limit.
        window: how many ids of events are remembered.
        most_bytes: maximum bytes of sessions; those not written for the longest time are deleted first.
        clock: returns a monotonic time in seconds.
    """

    precision, counts_at_once = "float32", True

    def __init__(
        self,
        ttl: float | None,
        most: int | None,
        window: IdWindow,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts()
        self._ttl, self._most = math.inf if ttl is None else ttl, math.inf if most is None else most
        self._window, self._most_bytes, self._clock, self._lock = window, most_bytes, clock, Lock()
        self._tables: dict[str, LiveTable] = {}  # by the model's fingerprint
        self._last = -math.inf  # time of the last write
        self._overtaken: set[str] = set()  # keys that were reset or replaced since the last batch was copied out

    # ---- called by the worker thread only ------------------------------------------------------------

    def answer(self, stream: Stream, works: Sequence[Work]) -> None:
        """Answer every event of a batch of different keys."""
        self.counts.batch(len(works))
        try:
            with self._lock:
                self._overtaken.clear()
                self._expire()
                table = self._table(stream)
                heard = self._heard(table, works)
                new = [work for work in works if work not in heard] if heard else works
                slots = table.find([work.key for work in new])
                states = table.states(slots)
                versions = [table.written(work.key) for work in new] if works[0].is_long else ()
            for work, output in heard.items():
                self.counts.count_repeat(output)
                work.settle(output)
            if new:
                outputs, after = stepped(stream, new, states, versions)
                with self._lock:
                    self._write(table, new, slots, outputs, after)
                for work, output in zip(new, outputs, strict=True):
                    if output is not UNREAD:
                        work.settle(output)
        except Exception as fault:  # any error goes to the waiting callers, and the next batch is served
            for work in works:
                work.settle(fault)

    def sweep(self) -> None:
        """Delete expired sessions and those beyond the limits, and free memory."""
        with self._lock:
            self._overtaken.clear()
            self._expire()
            self._evict()
            for name, table in list(self._tables.items()):
                table.shrink()
                if not table.slots:
                    del self._tables[name]

    # ---- called by any thread ------------------------------------------------------------------------

    def read(self, stream: Stream, key: str) -> StreamState | None:
        """Return the state of a session; None where this model has none."""
        with self._lock:
            table = self._table(stream)
            if table.written(key) <= self._clock() - self._ttl:
                return None
            return table.states(table.find([key]))[0]

    def replace(self, stream: Stream, key: str, state: StreamState) -> None:
        """Replace the state of a session.

        Raises:
            ArtifactError: a state of the wrong size.
        """
        with self._lock:
            table = self._table(stream)
            if state.network.shape != (table.width,):
                raise ArtifactError(
                    message("state", expected=f"{table.width} numbers", received=f"shape {state.network.shape}")
                )
            self._drop(key)
            table.write([key], [0], [state.memory], state.network[None], self._later())
            self._overtaken.add(key)
            if self._bytes() > self._most_bytes:
                self._evict()

    def reset(self, key: str) -> bool:
        """Delete a session; return whether there was one."""
        with self._lock:
            there = self._drop(key)
            if there:
                self._overtaken.add(key)
            return there

    def keys(self, limit: int) -> list[str]:
        """Return at most `limit` keys."""
        with self._lock:
            return list(islice(chain.from_iterable(reversed(t.slots) for t in self._tables.values()), limit))

    def count(self) -> int:
        """Return the number of sessions."""
        with self._lock:
            return sum(len(table.slots) for table in self._tables.values())

    @property
    def held_bytes(self) -> int:
        """Bytes of this process that sessions take."""
        with self._lock:
            return self._bytes()

    def swapped(self, stream: Stream) -> None:
        """Switch to another model; nothing to do, as each model has its own table."""

    def close(self) -> None:
        """Do nothing: there are no resources to release."""

    # ---- with the lock -------------------------------------------------------------------------------

    def _table(self, stream: Stream) -> LiveTable:
        if stream.fingerprint not in self._tables:
            self._tables[stream.fingerprint] = LiveTable(stream.initial_state())
        return self._tables[stream.fingerprint]

    def _write(
        self,
        table: LiveTable,
        works: Sequence[Work],
        slots: list[int],
        outputs: list[Any],
        after: Sequence[StreamState],
    ) -> None:
        memories, rows = memories_of(after), rows_of(after)
        heard = self._remembered(table, works, outputs)
        good = [
            place for place, output in enumerate(outputs) if not isinstance(output, Exception) and output is not UNREAD
        ]
        self.counts.events += len(good)
        if len(good) < len(works):
            self.counts.refused += sum(isinstance(output, UnrolledError) for output in outputs)
        if self._overtaken:
            good = [place for place in good if works[place].key not in self._overtaken]
        if len(good) < len(works):
            works, slots = [works[place] for place in good], [slots[place] for place in good]
            memories, rows = [memories[place] for place in good], rows[good]
        if len(self._tables) > 1:
            self.counts.restarted += sum(
                self._drop(work.key) for work, slot in zip(works, slots, strict=True) if not slot
            )
        table.write([work.key for work in works], slots, memories, rows, self._later())
        for work in works if heard else ():
            if work in heard:
                table.remember(work.key, heard[work])
        self._evict()

    def _remembered(self, table: LiveTable, works: Sequence[Work], outputs: list[Any]) -> dict[Work, bytes]:
        """Return what sessions remember of ids; replace an answer that cannot be stored as bytes by its error."""
        found: dict[Work, bytes] = {}
        for place, work in enumerate(works):
            if work.event_id is not None and not isinstance(outputs[place], Exception) and outputs[place] is not UNREAD:
                try:
                    before = table.heard.get(work.key, NOTHING)
                    found[work] = self._window.after(before, work.event_id, outputs[place])
                except FORMLESS as fault:
                    outputs[place] = fault
        return found

    def _heard(self, table: LiveTable, works: Sequence[Work]) -> dict[Work, Any]:
        """Return the earlier answers of repeated events, or the errors that refuse them."""
        found: dict[Work, Any] = {}
        for work in works:
            if work.event_id is not None and work.key in table.heard:
                try:
                    again = self._window.look(table.heard[work.key], work.event_id)
                except RepeatedEvent as fault:
                    found[work] = fault
                else:
                    if again is not None:
                        found[work] = again.answer
        return found

    def _later(self) -> float:
        """Return the time, later than that of every write before: it also tells whether a session was changed."""
        self._last = max(self._clock(), math.nextafter(self._last, math.inf))
        return self._last

    def _bytes(self) -> int:
        return sum(table.held_bytes for table in self._tables.values())

    def _drop(self, key: str) -> bool:
        return any(table.drop(key) for table in self._tables.values())

    def _expire(self) -> None:
        oldest = self._clock() - self._ttl
        for table in self._tables.values():
            while table.slots and table.oldest()[0] <= oldest:
                table.drop(table.oldest()[1])
                self.counts.expired += 1

    def _evict(self) -> None:
        while self._is_over():
            table = min((table for table in self._tables.values() if table.slots), key=LiveTable.oldest)
            table.drop(table.oldest()[1])
            self.counts.evicted += 1

    def _is_over(self) -> bool:
        """Return whether a limit is exceeded; a single session stays regardless of its size."""
        count = sum(len(table.slots) for table in self._tables.values())
        return count > self._most or (count > 1 and self._bytes() > self._most_bytes)
