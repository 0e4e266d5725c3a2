"""Queued events whose answers go to a future, or to a caller that waits for many answers."""

from concurrent.futures import Future, InvalidStateError
from threading import Event
from typing import Any

from unrolled.streaming.event_batching import Work
from unrolled.streaming.event_ids import EventId


class Asked(Work):
    """A queued event whose answer goes into a future; it is read even if the future is cancelled, unless it is long."""

    __slots__ = ("future",)

    def __init__(self, key: str, event: Any, event_id: EventId | None) -> None:
        super().__init__(key, event, event_id)
        self.future: Future[Any] = Future()

    @property
    def is_wanted(self) -> bool:
        """Whether the future was not cancelled."""
        return not self.future.cancelled()

    def answer(self, found: Any) -> None:
        """Set the result or the exception of the future."""
        try:
            if isinstance(found, BaseException):
                self.future.set_exception(found)
            else:
                self.future.set_result(found)
        except InvalidStateError:
            pass  # it was cancelled


class Gathered:
    """The answers to many events; the last one sets `over`.

    Args:
        count: number of events.
    """

    def __init__(self, count: int) -> None:
        self.answers: list[Any] = [None] * count
        self.left, self.over = count, Event()


class OneOfMany(Work):
    """A queued event whose answer is gathered with others; only the sessions' worker thread sets answers."""

    __slots__ = ("_gathered", "_place")

    def __init__(self, key: str, event: Any, event_id: EventId | None, gathered: Gathered, place: int) -> None:
        super().__init__(key, event, event_id, gathered)
        self._gathered, self._place = gathered, place

    def answer(self, found: Any) -> None:
        """Store the answer in its place."""
        gathered = self._gathered
        gathered.answers[self._place] = found
        gathered.left -= 1
        if not gathered.left:
            gathered.over.set()
