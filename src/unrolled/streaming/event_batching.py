"""The queue of waiting events, taken in batches with at most one event per key."""

import time
from collections import deque
from collections.abc import Sequence
from threading import Condition
from typing import Any

from unrolled.errors import StoreUnavailable
from unrolled.streaming.event_ids import EventId
from unrolled.streaming.fair_turns import Turns

SMOOTHING = 0.3  # weight of the last batch in the estimated arrival rate


class Work:
    """One queued event; subclasses decide where its answer goes.

    Args:
        key: of the session.
        event: in the form that the stream reads.
        event_id: its name or number, where it may be sent twice.
        sender: the client or request that sent it, which may have other events queued; None = a sender of its own.
    """

    __slots__ = ("event", "event_id", "key", "sender", "settled")

    def __init__(self, key: str, event: Any, event_id: EventId | None, sender: Any = None) -> None:
        self.key, self.event, self.event_id, self.settled = key, event, event_id, False
        self.sender = sender

    def settle(self, found: Any) -> None:
        """Pass on the answer or an exception; a second call does nothing."""
        if not self.settled:
            self.settled = True
            self.answer(found)

    def answer(self, found: Any) -> None:
        """Receive the answer; for subclasses."""


class Waiting:
    """A queue of events: one event per key and batch, many keys per batch, and every sender in turn.

    The events of one sender come in the order in which they were put. Where several senders have waiting events, one
    of each is taken in turn, so no sender waits for all that another has sent.

    `take` returns what is there. It waits for more only if events arrived so fast during the last batch that the wait
    should double the batch; a single event goes at once, and so does one whose sender waits for the answer before it
    sends the next.

    Args:
        max_batch: maximum number of events per batch.
        max_wait: maximum number of seconds that a batch waits for more.
    """

    def __init__(self, max_batch: int, max_wait: float) -> None:
        self._max_batch, self._max_wait = max_batch, max_wait
        self._changed = Condition()
        self._ready: Turns[Work] = Turns()  # the next event of every key without an event in progress
        self._behind: dict[str, deque[Work] | None] = {}  # later events of each key that is ready or in progress
        self._wanted = 0  # number of ready events that wakes `take`; 0 = it is not waiting
        self._waiting = self._arrived = 0
        self._rate, self._taken_at, self._arrived_at = 0.0, 0.0, 0
        self._closed = False

    def __len__(self) -> int:
        return self._waiting

    def put(self, works: Sequence[Work]) -> None:
        """Queue events in this order.

        Raises:
            StoreUnavailable: after `close`.
        """
        ready, behind = self._ready, self._behind
        with self._changed:
            if self._closed:
                raise StoreUnavailable("sessions: they are closed and accept no more events; retry in a moment")
            for work in works:
                key = work.key
                if key not in behind:
                    behind[key] = None
                    ready.put(_line(work), work)
                else:
                    line = behind[key]
                    if line is None:
                        line = behind[key] = deque()
                    line.append(work)
            self._waiting += len(works)
            self._arrived += len(works)
            if 0 < self._wanted <= len(ready):
                self._changed.notify()

    def take(self, timeout: float) -> list[Work] | None:
        """Take the next batch, to be passed to `done`; empty after `timeout` seconds, None once closed and empty."""
        with self._changed:
            if not self._ready and not self._closed:
                self._rest(1, timeout)
            if not self._ready:
                return None if self._closed else []
            there = len(self._ready)
            if there < self._max_batch and not self._closed and self._rate * self._max_wait >= there:
                self._rest(min(2 * there, self._max_batch), self._max_wait)
            works = [self._ready.take() for _ in range(min(len(self._ready), self._max_batch))]
            self._waiting -= len(works)
            self._taken_at, self._arrived_at = time.monotonic(), self._arrived
        return works

    def done(self, works: Sequence[Work]) -> None:
        """Release the keys of a batch, so that their next events become ready."""
        with self._changed:
            for work in works:
                line = self._behind.pop(work.key)
                if line:
                    following = line.popleft()
                    self._ready.put(_line(following), following)
                    self._behind[work.key] = line
            seconds = max(time.monotonic() - self._taken_at, 1e-6)
            self._rate += SMOOTHING * ((self._arrived - self._arrived_at) / seconds - self._rate)

    def close(self) -> None:
        """Accept no more events; waiting ones can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _rest(self, wanted: int, seconds: float) -> None:
        self._wanted, until = wanted, time.monotonic() + seconds
        while len(self._ready) < wanted and not self._closed and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)
        self._wanted = 0


def _line(work: Work) -> Any:
    """Return the sender of a work; one without a sender has its own line."""
    return work if work.sender is None else work.sender
