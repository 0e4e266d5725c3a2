"""Live: sessions as they are, in this process, and gone with it."""

import math
import time
from collections.abc import Callable, Sequence
from itertools import chain, islice
from threading import Lock
from typing import Any

from unrolled.errors import ArtifactError, UnrolledError, message
from unrolled.streaming.counts import Counts
from unrolled.streaming.state import StreamState
from unrolled.streaming.states import memories_of, rows_of
from unrolled.streaming.stepped import stepped
from unrolled.streaming.stream import Stream
from unrolled.streaming.table import Table
from unrolled.streaming.waiting import Work

NO_ANSWERS: dict[str, Any] = {}


class Live:
    """Sessions that nobody shares, a batch at a time; the other way of keeping them is `Ledger`.

    A batch is copied out of a table, stepped by one call, and copied back. What was reset or replaced meanwhile stays
    so, as if the event had come before. Each model has a table of its own, and a key is in one of them.

    Args:
        ttl: seconds after which a session that nobody wrote is gone; None = never.
        most: so many sessions are kept; None = no bound.
        remembered_events: answers kept for events that come again, for each session.
        clock: seconds from anywhere; they never jump.
    """

    precision, counts_at_once = "float32", True

    def __init__(
        self, ttl: float | None, most: int | None, remembered_events: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.counts = Counts()
        self._ttl, self._most = math.inf if ttl is None else ttl, math.inf if most is None else most
        self._remembered, self._clock, self._lock = remembered_events, clock, Lock()
        self._tables: dict[str, Table] = {}  # by the model's fingerprint
        self._overtaken: set[str] = set()  # reset or replaced since the last batch was copied out

    # ---- what one thread does, batch after batch -----------------------------------------------------

    def answer(self, stream: Stream, works: Sequence[Work]) -> None:
        """Settle every event of a batch of different keys."""
        self.counts.batch(len(works))
        try:
            with self._lock:
                self._overtaken.clear()
                self._expire()
                table = self._table(stream)
                heard = {
                    work: table.answers[work.key][work.event_id]
                    for work in works
                    if work.event_id is not None and work.event_id in table.answers.get(work.key, NO_ANSWERS)
                }
                new = [work for work in works if work not in heard] if heard else works
                slots = table.find([work.key for work in new])
                states = table.states(slots)
            self.counts.repeated += len(heard)
            for work, output in heard.items():
                work.settle(output)
            if new:
                outputs, after = stepped(stream, [work.event for work in new], states)
                with self._lock:
                    self._write(table, new, slots, outputs, after)
                for work, output in zip(new, outputs, strict=True):
                    work.settle(output)
        except Exception as fault:  # whatever it is, it goes to those who wait, and the next batch is served
            for work in works:
                work.settle(fault)

    def sweep(self) -> None:
        """Forget sessions whose time is over, and those beyond the bound, and give memory back."""
        with self._lock:
            self._overtaken.clear()
            self._expire()
            self._evict()
            for name, table in list(self._tables.items()):
                table.shrink()
                if not table.slots:
                    del self._tables[name]

    # ---- what any thread does at any time ------------------------------------------------------------

    def read(self, stream: Stream, key: str) -> StreamState | None:
        """The state of a session; None where there is none of this model."""
        with self._lock:
            table = self._table(stream)
            if table.written(key) <= self._clock() - self._ttl:
                return None
            return table.states(table.find([key]))[0]

    def replace(self, stream: Stream, key: str, state: StreamState) -> None:
        """Put a state in the place of whatever a session was.

        Raises:
            ArtifactError: a state of another size.
        """
        with self._lock:
            table = self._table(stream)
            if state.network.shape != (table.width,):
                raise ArtifactError(
                    message("state", expected=f"{table.width} numbers", received=f"shape {state.network.shape}")
                )
            self._drop(key)
            table.write([key], [0], [state.memory], state.network[None], self._clock())
            self._overtaken.add(key)

    def reset(self, key: str) -> bool:
        """Forget a session; whether there was one."""
        with self._lock:
            there = self._drop(key)
            if there:
                self._overtaken.add(key)
            return there

    def keys(self, limit: int) -> list[str]:
        """Some keys, at most `limit`."""
        with self._lock:
            return list(islice(chain.from_iterable(reversed(t.slots) for t in self._tables.values()), limit))

    def count(self) -> int:
        """How many sessions there are."""
        with self._lock:
            return sum(len(table.slots) for table in self._tables.values())

    def swapped(self) -> None:
        """Another model answers from now on: it has another table."""

    def close(self) -> None:
        """Nothing to let go of."""

    # ---- with the lock -------------------------------------------------------------------------------

    def _table(self, stream: Stream) -> Table:
        if stream.fingerprint not in self._tables:
            self._tables[stream.fingerprint] = Table(stream.initial_state())
        return self._tables[stream.fingerprint]

    def _write(
        self, table: Table, works: Sequence[Work], slots: list[int], outputs: list[Any], after: Sequence[StreamState]
    ) -> None:
        memories, rows = memories_of(after), rows_of(after)
        good = [place for place, output in enumerate(outputs) if not isinstance(output, Exception)]
        self.counts.events += len(good)
        if len(good) < len(works):
            self.counts.refused += sum(isinstance(output, UnrolledError) for output in outputs)
        if self._overtaken:
            good = [place for place in good if works[place].key not in self._overtaken]
        if len(good) < len(works):
            works, slots = [works[place] for place in good], [slots[place] for place in good]
            outputs, memories = [outputs[place] for place in good], [memories[place] for place in good]
            rows = rows[good]
        if len(self._tables) > 1:
            self.counts.restarted += sum(
                self._drop(work.key) for work, slot in zip(works, slots, strict=True) if not slot
            )
        table.write([work.key for work in works], slots, memories, rows, self._clock())
        for work, output in zip(works, outputs, strict=True):
            if work.event_id is not None:
                self._remember(table.answers.setdefault(work.key, {}), work.event_id, output)

        self._evict()

    def _remember(self, answers: dict[str, Any], name: str, output: Any) -> None:
        answers[name] = output
        if len(answers) > self._remembered:
            del answers[next(iter(answers))]

    def _drop(self, key: str) -> bool:
        return any(table.drop(key) for table in self._tables.values())

    def _expire(self) -> None:
        oldest = self._clock() - self._ttl
        for table in self._tables.values():
            while table.slots and table.oldest()[0] <= oldest:
                table.drop(table.oldest()[1])
                self.counts.expired += 1

    def _evict(self) -> None:
        while sum(len(table.slots) for table in self._tables.values()) > self._most:
            table = min((table for table in self._tables.values() if table.slots), key=Table.oldest)
            table.drop(table.oldest()[1])
            self.counts.evicted += 1
