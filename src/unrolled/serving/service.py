"""Service: a model with its sessions, thread pools and metrics, used by every route."""

import asyncio
import contextlib
import gc
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from unrolled.errors import StoreUnavailable, UnsupportedError, message
from unrolled.serving.bounds import Bounds
from unrolled.serving.connections import Door
from unrolled.serving.dispatch import Hub
from unrolled.serving.errors import Fault, event_fault
from unrolled.serving.fair_workers import FairWorkers
from unrolled.serving.limits import owe
from unrolled.serving.metrics import Metrics
from unrolled.serving.settings import Settings
from unrolled.streaming.event_batching import Work
from unrolled.streaming.event_ids import EventId
from unrolled.streaming.signed_state import signer_of

PICTURES = 8  # requests for pictures at once; one picture takes up to a second
PROBE = 1.0  # seconds between two checks of the store


class Keyed(Protocol):
    """The sessions that a service uses, see `unrolled.streaming.sessions.Sessions`."""

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
    """The object that every route works with.

    Args:
        settings: of the server.
        model: a fitted task.
        sessions: of its stream; None where the model cannot stream.
        refusal: why there are no sessions.
    """

    hub: Hub  # passes answers to WebSockets, set when the event loop runs
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
        # predictions and texts
        self._workers = FairWorkers(max(2, min(4, os.cpu_count() or 1)), settings.max_requests, "asked")
        self._stored = ThreadPoolExecutor(2, thread_name_prefix="stored")  # sessions and metrics, without a long queue
        self._reader = ThreadPoolExecutor(
            1, thread_name_prefix="reader"
        )  # large bodies: JSON is read under Python's lock
        self._painter = ThreadPoolExecutor(1, thread_name_prefix="painter")  # matplotlib draws in one thread
        self._drawing = 0  # requests for pictures
        self._probed = (-PROBE, True)

    @property
    def sessions(self) -> Keyed:
        """The sessions of the model.

        Raises:
            UnsupportedError: the model has no stream.
        """
        if self._sessions is None:
            raise UnsupportedError(self.refusal)
        return self._sessions

    @property
    def most_sockets(self) -> int:
        """Maximum number of open WebSockets."""
        return min(self.settings.max_sockets, self.door.most_sockets)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the model's states; empty without sessions."""
        return "" if self._sessions is None else self._sessions.fingerprint

    def statistics(self) -> Mapping[str, float]:
        """Return the counters of the sessions, and their number where the store can count them quickly."""
        if self._sessions is None:
            return {}
        found = dict(self._sessions.statistics)
        if self._sessions.counts_at_once:
            with contextlib.suppress(StoreUnavailable):
                found["sessions"] = len(self._sessions)
        return found

    async def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a slow function in a thread, in turn with others, and wait at most the timeout of a request.

        A call that nobody waits for any more is dropped if it has not begun, and ends at its next pause if it has;
        its request keeps its place until then.

        Raises:
            TimeoutError: it took longer.
        """
        call = self._workers.submit(function, *arguments)
        try:
            return await self._within(call.future)
        finally:
            self._workers.stop(call)

    async def look(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function that needs no prediction, such as one of the sessions, in a thread of its own pool.

        Raises:
            TimeoutError: it took longer than a request may.
        """
        return await self._within(self._stored.submit(function, *arguments))

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Parse a large body in a thread, one after the other.

        Raises:
            TimeoutError: it took longer.
        """
        return await self._within(self._reader.submit(function, *arguments))

    @contextlib.asynccontextmanager
    async def drawing(self) -> AsyncGenerator[None]:
        """Take one of the places of requests that draw, for at most the timeout of a request.

        Raises:
            Fault: all of them are taken.
            TimeoutError: it took longer.
        """
        if self._drawing >= PICTURES:
            raise Fault("busy", message("pictures", expected=f"at most {PICTURES} that wait", received="one more"))
        self._drawing += 1
        try:
            async with asyncio.timeout(self.settings.timeout):
                yield
        finally:
            self._drawing -= 1

    async def paint(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Draw one picture in a thread, after those that wait already.

        Raises:
            TimeoutError: it took longer.
        """
        return await self._within(self._painter.submit(_settled, function, *arguments))

    async def _within(self, work: "Future[Any]") -> Any:
        owe(work)
        waiting = asyncio.wrap_future(work)
        del work  # an error keeps this frame alive: the frame must not keep the error alive
        async with asyncio.timeout(self.settings.timeout):
            try:
                return await waiting
            finally:
                del waiting

    async def step(self, key: str, event: Any, event_id: EventId | None = None) -> Any:
        """Read one event of one session and wait for its answer.

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
        """Return why no events should be sent here; empty if they may."""
        if self.draining:
            return "draining"
        if self._sessions is None:
            return ""
        when, good = self._probed
        if time.monotonic() - when > PROBE:
            try:
                await self.look(self._sessions.keys, 1)
                good = True
            except (StoreUnavailable, TimeoutError):
                good = False
            self._probed = (time.monotonic(), good)
        return "" if good else "the store is unavailable"

    def take(self, model: Any) -> None:
        """Replace the model: sessions whose state the new one can read are kept, others start again.

        Raises:
            UnsupportedError: there are sessions, and the new model cannot stream.
        """
        model = without_files(model)
        if self._sessions is not None:
            stream, refusal = stream_of(model)
            if stream is None:
                raise UnsupportedError(refusal)
            self._sessions.swap(stream)
        self.model = model

    def close(self) -> None:
        """Answer waiting events, then stop."""
        if self._sessions is not None:
            self._sessions.close()
        self._workers.close()
        for pool in (self._stored, self._reader, self._painter):
            pool.shutdown(wait=False, cancel_futures=True)


def _settled(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; after the first import of matplotlib, exempt it from garbage collection."""
    is_new = "matplotlib.figure" not in sys.modules
    found = function(*arguments)
    if is_new:
        gc.freeze()
    return found


def open_service(settings: Settings) -> Service:
    """Load the model, open the store, and make the sessions.

    Raises:
        ArtifactError: no model at the path.
        StoreUnavailable: the store cannot be reached.
    """
    from unrolled.tasks.registry import load

    model = load(settings.model, files=False)
    gc.freeze()  # exempt the model from garbage collection
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
    """Return the model, set to open no files that records name.

    Every model that a service holds passes through here, and every route and session uses that model: so no route
    can open a file that a client names.
    """
    return model.allow_files(False)


def stream_of(model: Any) -> tuple[Any, str]:
    """Return the model's stream, or None and the reason."""
    try:
        return model.stream(), ""
    except UnsupportedError as error:
        return None, str(error)
