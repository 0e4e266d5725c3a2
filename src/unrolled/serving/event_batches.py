"""Several events of one request, read in parts so that events of other clients come in between."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from unrolled.errors import UnrolledError
from unrolled.serving.errors import Fault, event_fault
from unrolled.serving.schemas import Event
from unrolled.serving.service import Service
from unrolled.serving.strict_json import dumps
from unrolled.streaming.event_batching import Work
from unrolled.streaming.sessions import checked, checked_id

PART = 256  # events of a request that wait at once; the same number as for a WebSocket


async def answers_of(service: Service, events: Sequence[Event]) -> str:
    """Read the events of a request in order, and return a JSON list with an output or an error for each.

    Args:
        service: of the application.
        events: in the order of the request.

    Raises:
        Fault: the server is stopping.
        UnsupportedError: the model has no stream.
    """
    sessions, loop, sender = service.sessions, asyncio.get_running_loop(), object()
    if service.draining:
        raise Fault("draining", "this server is stopping")
    stop = loop.time() + service.settings.timeout
    told: list[str] = []
    for start in range(0, len(events), PART):
        part = _Part(loop)
        works = [OneOfPart(event, sender, part) for event in events[start : start + PART]]
        if loop.time() < stop:
            try:
                async with asyncio.timeout_at(stop):
                    await part.put(sessions.put, works)
            except TimeoutError:
                pass  # each event without an answer gets its own error
        told.append(dumps([_told(service, work) for work in works])[1:-1])
    return f"[{','.join(told)}]"


class OneOfPart(Work):
    """One event of a part; `found` is its answer, or the exception instead of one.

    Args:
        event: from the request.
        sender: identifies the request.
    """

    __slots__ = ("found", "part", "start", "took")

    def __init__(self, event: Event, sender: object, part: "_Part") -> None:
        super().__init__(event.key, event.event, event.event_id, sender)
        self.part = part
        self.start, self.took = time.perf_counter(), 0.0
        self.found: Any = TimeoutError()

    @property
    def is_wanted(self) -> bool:
        """Whether the request waits for its answers."""
        return not self.part.is_over

    def answer(self, found: Any) -> None:
        """Keep the answer, in the sessions' thread, and wake the request after the last one."""
        self.found, self.took = found, time.perf_counter() - self.start
        self.part.one_less()


class _Part:
    """The number of missing answers of a part; the last one wakes the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._left = loop, 0
        self._over: asyncio.Future[None] = loop.create_future()

    @property
    def is_over(self) -> bool:
        """Whether all answers are there, or the request waits no longer."""
        return self._over.done()

    async def put(self, put: Callable[[Sequence[Work]], None], works: Sequence[OneOfPart]) -> None:
        """Queue the valid events, and wait until all of them have their answer."""
        good = [work for work in works if _is_good(work)]
        self._left = len(good)
        try:
            put(good)
        except UnrolledError as error:  # the sessions are closed, and none of these was queued
            for work in good:
                work.found = error
            return
        if good:
            await self._over

    def one_less(self) -> None:
        """Count one more answer; called in the sessions' thread."""
        self._left -= 1
        if not self._left:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


def _is_good(work: OneOfPart) -> bool:
    """Return whether the key and the id are valid; else the error is the answer."""
    try:
        checked(work.key, "key")
        if work.event_id is not None:
            checked_id(work.event_id)
    except UnrolledError as error:
        work.found = error
        return False
    return True


def _told(service: Service, work: OneOfPart) -> dict[str, Any]:
    if isinstance(work.found, BaseException):
        fault = event_fault(work.found)
        service.metrics.errors.labels(fault.kind).inc()
        return {"key": work.key, **fault.to_json()}
    service.metrics.event_seconds.observe(work.took)
    return {"key": work.key, "output": work.found}
