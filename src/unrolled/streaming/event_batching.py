"""The queue of waiting events, taken in batches with at most one event per key."""

import time
from collections import deque
from collections.abc import Sequence
from threading import Condition
from typing import Any

import numpy as np

from unrolled.errors import StoreUnavailable
from unrolled.streaming.event_ids import EventId
from unrolled.streaming.fair_turns import Turns

SMOOTHING = 0.3  # weight of the last batch in the estimated arrival rate, and in that of the time per step
PART = 1024  # steps of a long event that are read at once
SECONDS = 0.05  # time that a batch should take at most
FIRST_ROOM, MOST_ROOM = 8 * PART, 64 * PART  # steps of a batch: at the start, and at most


class Work:
    """One queued event; subclasses decide where its answer goes.

    Args:
        key: of the session.
        event: in the form that the stream reads.
        event_id: its name or number, where it may be sent twice.
        sender: the client or request that sent it, which may have other events queued; None = a sender of its own.
    """

    __slots__ = ("event", "event_id", "key", "reading", "sender", "settled", "size")

    def __init__(self, key: str, event: Any, event_id: EventId | None, sender: Any = None) -> None:
        self.key, self.event, self.event_id, self.settled = key, event, event_id, False
        self.sender = sender
        self.size = size_of(event)
        self.reading: Any = None  # how far a long event was read

    @property
    def is_long(self) -> bool:
        """Whether the event is read in parts, between which other events are read."""
        return self.size > PART

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for the answer; a long event that nobody wants any more is not read to its end."""
        return True

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
    of each is taken in turn, so no sender waits for all that another has sent. A batch ends when its events together
    have as many steps as are read in `SECONDS`, by the speed of earlier batches; a long event counts as one part.

    `take` returns what is there. It waits for more only if events arrived so fast during the last batch that the wait
    should double the batch; a single event goes at once, and so does one whose sender waits for the answer before it
    sends the next.

    Args:
        max_batch: maximum number of events per batch.
        max_wait: maximum number of seconds that a batch waits for more.

    Attributes:
        has_long: whether the last batch has long events.
    """

    has_long = False

    def __init__(self, max_batch: int, max_wait: float) -> None:
        self._max_batch, self._max_wait = max_batch, max_wait
        self._changed = Condition()
        self._ready: Turns[Work] = Turns()  # the next event of every key without an event in progress
        self._behind: dict[str, deque[Work] | None] = {}  # later events of each key that is ready or in progress
        self._wanted = 0  # number of ready events that wakes `take`; 0 = it is not waiting
        self._waiting = self._arrived = 0
        self._rate, self._taken_at, self._arrived_at = 0.0, 0.0, 0
        self._room, self._steps, self._each = FIRST_ROOM, 0, 0.0  # steps of a batch, of the last one; seconds per step
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
            works, steps, next_one, room, self.has_long = [], 0, self._ready.take, self._room, False
            for _ in range(min(len(self._ready), self._max_batch)):
                work = next_one()
                works.append(work)
                size = work.size
                if size > PART:
                    size, self.has_long = PART, True
                steps += size
                if steps >= room:
                    break
            self._waiting -= len(works)
            self._steps = steps
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
            if self._steps >= PART:  # a short batch says little about the time per step
                each = seconds / self._steps
                self._each = each if not self._each else self._each + SMOOTHING * (each - self._each)
                self._room = int(min(max(SECONDS / self._each, PART), MOST_ROOM))

    def again(self, works: Sequence[Work]) -> None:
        """Queue events of the last batch of which further parts are to be read; their keys stay in progress."""
        with self._changed:
            for work in works:
                self._ready.put(_line(work), work)
            self._waiting += len(works)

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


def size_of(event: Any) -> int:
    """Return about how many steps an event has: characters of its texts, and items of its lists.

    Example:
        >>> size_of(3.5), size_of("abc"), size_of({"words": ["a", "b"], "user": 7})
        (1, 3, 3)
    """
    kind = type(event)
    if kind is dict:
        return sum(len(value) if type(value) in _SIZED else 1 for value in event.values())
    return len(event) if kind in _SIZED else 1


_SIZED = (str, list, tuple, bytes, np.ndarray)


def _line(work: Work) -> Any:
    """Return the sender of a work; one without a sender has its own line."""
    return work if work.sender is None else work.sender
