"""Service: a model and its sessions, and what a server needs to know about both."""

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from unrolled.errors import StoreUnavailable, UnsupportedError, message
from unrolled.serving.bounds import Bounds
from unrolled.serving.connections import Door
from unrolled.serving.dispatch import Hub
from unrolled.serving.errors import Fault, event_fault
from unrolled.serving.limits import owe
from unrolled.serving.metrics import Metrics
from unrolled.serving.settings import Settings
from unrolled.streaming.batching import Work
from unrolled.streaming.event_ids import EventId
from unrolled.streaming.signed_state import signer_of

PICTURES = 8  # that are drawn or wait for it; one takes about a second
PROBE = 1.0  # seconds for which an answer about the store is good


class Keyed(Protocol):
    """The sessions that a service asks, see `unrolled.streaming.sessions.Sessions`."""

    def submit(self, key: str, event: Any, event_id: EventId | None = None) -> "Future[Any]": ...

    def put(self, works: Sequence[Work]) -> None: ...

    def state(self, key: str) -> Any: ...

    def export(self, key: str) -> bytes: ...

    def import_state(self, key: str, data: bytes) -> None: ...

    def reset(self, key: str) -> bool: ...

    def keys(self, limit: int) -> list[str]: ...

    def swap(self, stream: Any) -> Any: ...

    def close(self) -> None: ...

    def __len__(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def counts_at_once(self) -> bool: ...

    @property
    def statistics(self) -> Mapping[str, float]: ...


class Service:
    """What every route asks.

    Args:
        settings: of the server.
        model: a fitted task.
        sessions: of its stream; None where the model cannot be read event by event.
        refusal: why there are none.
    """

    hub: Hub  # the way back to WebSockets, set when the event loop runs
    door: Door  # the connections of this process, set then as well

    def __init__(self, settings: Settings, model: Any, sessions: Keyed | None = None, refusal: str = "") -> None:
        self.settings, self.refusal = settings, refusal
        self.model = without_files(model)
        self.draining = False
        self.signer = signer_of(settings.state_key, settings.token)
        self.bounds = Bounds(
            items=settings.max_items,
            cells=settings.max_cells,
            columns=settings.max_columns,
            depth=settings.max_depth,
            length=settings.max_length,
            events=settings.max_events,
        )
        self.metrics = Metrics(self.statistics)
        self._sessions = sessions
        self._workers = ThreadPoolExecutor(4, thread_name_prefix="asked")  # predictions, texts, the store
        self._reader = ThreadPoolExecutor(
            1, thread_name_prefix="reader"
        )  # large bodies: JSON is read under Python's lock
        self._painter = ThreadPoolExecutor(1, thread_name_prefix="painter")  # matplotlib draws in one thread
        self._pictures: list[Future[Any]] = []  # that are drawn, or wait for it
        self._probed = (-PROBE, True)

    @property
    def sessions(self) -> Keyed:
        """The sessions.

        Raises:
            UnsupportedError: the model has no stream.
        """
        if self._sessions is None:
            raise UnsupportedError(self.refusal)
        return self._sessions

    @property
    def most_sockets(self) -> int:
        """WebSockets at once."""
        return min(self.settings.max_sockets, self.door.most_sockets)

    @property
    def fingerprint(self) -> str:
        """Of the model's states; empty without sessions."""
        return "" if self._sessions is None else self._sessions.fingerprint

    def statistics(self) -> Mapping[str, float]:
        """What the sessions count, and how many there are where the store answers, and knows without a search."""
        if self._sessions is None:
            return {}
        found = dict(self._sessions.statistics)
        if self._sessions.counts_at_once:
            with contextlib.suppress(StoreUnavailable):
                found["sessions"] = len(self._sessions)
        return found

    async def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function that takes its time, in a thread, and wait as long as a request may take.

        What has not begun by then is not begun. What has begun goes on, and its request keeps its place until it ends.

        Raises:
            TimeoutError: it took longer.
        """
        return await self._within(self._workers.submit(function, *arguments))

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The same for what reads a large body: one after the other.

        Raises:
            TimeoutError: it took longer.
        """
        return await self._within(self._reader.submit(function, *arguments))

    async def paint(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The same for what draws: one picture after the other, and only some that wait.

        Raises:
            Fault: others wait already.
            TimeoutError: it took longer.
        """
        self._pictures = [one for one in self._pictures if not one.done()]
        if len(self._pictures) >= PICTURES:
            raise Fault("busy", message("pictures", expected=f"at most {PICTURES} that wait", received="one more"))
        self._pictures.append(self._painter.submit(_settled, function, *arguments))
        return await self._within(self._pictures[-1])

    async def _within(self, work: "Future[Any]") -> Any:
        owe(work)
        waiting = asyncio.wrap_future(work)
        del work  # an error holds this frame: it must not hold the error
        async with asyncio.timeout(self.settings.timeout):
            try:
                return await waiting
            finally:
                del waiting

    async def step(self, key: str, event: Any, event_id: EventId | None = None) -> Any:
        """One event of one session, and the wait for its answer.

        Raises:
            Fault: the server is stopping.
            TimeoutError: it took longer than a request may.
        """
        if self.draining:
            raise Fault("draining", "this server is stopping")
        start = time.perf_counter()
        waiting = self.sessions.submit(key, event, event_id)
        try:
            async with asyncio.timeout(self.settings.timeout):
                output = await asyncio.wrap_future(waiting)
        except Exception as error:
            raise event_fault(error) from error
        self.metrics.event_seconds.observe(time.perf_counter() - start)
        return output

    async def is_ready(self) -> str:
        """Empty, or why no events should be sent here."""
        if self.draining:
            return "draining"
        if self._sessions is None:
            return ""
        when, good = self._probed
        if time.monotonic() - when > PROBE:
            try:
                await self.ask(self._sessions.keys, 1)
                good = True
            except (StoreUnavailable, TimeoutError):
                good = False
            self._probed = (time.monotonic(), good)
        return "" if good else "the store is away"

    def take(self, model: Any) -> None:
        """Go on with another model: sessions that its stream can read are kept, others begin anew.

        Raises:
            UnsupportedError: sessions are kept, and the new model has no stream.
        """
        model = without_files(model)
        if self._sessions is not None:
            stream, refusal = stream_of(model)
            if stream is None:
                raise UnsupportedError(refusal)
            self._sessions.swap(stream)
        self.model = model

    def close(self) -> None:
        """Answer what waits, then stop."""
        if self._sessions is not None:
            self._sessions.close()
        for pool in (self._workers, self._reader, self._painter):
            pool.shutdown(wait=False, cancel_futures=True)


def _settled(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives; the library that draws comes with the first picture, and the collector skips it then."""
    is_new = "matplotlib.figure" not in sys.modules
    found = function(*arguments)
    if is_new:
        gc.freeze()
    return found


def open_service(settings: Settings) -> Service:
    """Load the model, open the store, and put sessions between them.

    Raises:
        ArtifactError: no model there.
        StoreUnavailable: no store there.
    """
    from unrolled.tasks.registry import load

    model = load(settings.model, files=False)
    gc.freeze()  # the model stays: the collector need not look through it again and again
    stream, refusal = stream_of(model)
    if stream is None:
        return Service(settings, model, refusal=refusal)
    from unrolled.streaming.sessions import Sessions

    sessions = Sessions(
        stream,
        settings.store or None,
        max_batch=settings.max_batch,
        max_wait=settings.max_wait,
        ttl=settings.ttl or None,
        max_sessions=settings.most_sessions,
        other_model=settings.other_model,
        remembered_events=settings.remembered_events,
        remembered_ids=settings.remembered_ids,
        remembered_bytes=settings.remembered_bytes,
        max_bytes=settings.max_session_bytes,
    )
    return Service(settings, model, sessions)


def without_files(model: Any) -> Any:
    """The model, which from now on opens no file that a record names.

    Every route, and every session of the model's stream, asks the model that a service holds, and a service takes one
    through here: so no route can open a file that a client names, whatever it does.
    """
    return model.allow_files(False)


def stream_of(model: Any) -> tuple[Any, str]:
    """The model's stream, or None and why it has none."""
    try:
        return model.stream(), ""
    except UnsupportedError as error:
        return None, str(error)
