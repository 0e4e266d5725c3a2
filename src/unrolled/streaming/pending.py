"""Who waits for an answer: a future, or a caller who waits for many."""

from concurrent.futures import Future, InvalidStateError
from threading import Event
from typing import Any

from unrolled.streaming.batching import Work
from unrolled.streaming.event_ids import EventId


class Asked(Work):
    """An event whose answer goes into a future; one that was cancelled is stepped all the same."""

    __slots__ = ("future",)

    def __init__(self, key: str, event: Any, event_id: EventId | None) -> None:
        super().__init__(key, event, event_id)
        self.future: Future[Any] = Future()

    def answer(self, found: Any) -> None:
        """Fill the future."""
        try:
            if isinstance(found, BaseException):
                self.future.set_exception(found)
            else:
                self.future.set_result(found)
        except InvalidStateError:
            pass  # it was cancelled


class Gathered:
    """Answers to many events; `over` is set by the last.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self.answers: list[Any] = [None] * count
        self.left, self.over = count, Event()


class OneOfMany(Work):
    """An event whose answer is gathered with others, by the one worker of the sessions."""

    __slots__ = ("_gathered", "_place")

    def __init__(self, key: str, event: Any, event_id: EventId | None, gathered: Gathered, place: int) -> None:
        super().__init__(key, event, event_id, gathered)
        self._gathered, self._place = gathered, place

    def answer(self, found: Any) -> None:
        """Put it into its place."""
        gathered = self._gathered
        gathered.answers[self._place] = found
        gathered.left -= 1
        if not gathered.left:
            gathered.over.set()
