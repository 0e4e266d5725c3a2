"""Limits on requests: their size, how fast they must arrive, and how many are answered at once."""

import asyncio
import contextlib
import re
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unrolled.errors import message
from unrolled.serving.errors import Fault, refuse
from unrolled.serving.presence import Presence
from unrolled.serving.settings import Settings

API, WRITES = "/v1/", "/v1/generate"
LARGE = 1 << 16  # bytes: larger bodies are parsed and answered a few at a time, so that small ones need not wait
LARGE_AT_ONCE = 2
BODIES = 16  # bodies of the maximum size that may be in memory at once
GRACE = 5.0  # seconds before the minimum rate applies to a client
_SESSIONS = re.compile(  # each of its characters may be sent percent-encoded
    b"".join(rb"(?:%b|(?i:%%%02x))" % (re.escape(b"%c" % byte), byte) for byte in b"/v1/sessions/")
)
_WRONG_PERCENT = re.compile("%(?![0-9a-fA-F]{2})")


class RequestPlace:
    """The place that a request takes while it is answered.

    Args:
        begun: the event loop's time when it was taken.
    """

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.is_wanted = False  # another request was refused for lack of places, and this one has used up its time
        self.owed: list[Future[Any]] = []  # work in threads; the place is kept until it ends


_PLACE: ContextVar[RequestPlace] = ContextVar("place")


def owe(work: "Future[Any]") -> None:
    """Keep the place of the current request until this work in a thread has ended."""
    place = _PLACE.get(None)
    if place is not None:
        place.owed = [one for one in place.owed if not one.done()]
        place.owed.append(work)


def is_wanted() -> bool:
    """Return whether the current text must stop: it has used up its time and another request needs its place."""
    place = _PLACE.get(None)
    return place is not None and place.is_wanted


class Bounded:
    """Middleware that limits the size, the rate and the number of requests.

    A body is read whole, and counted while it arrives, before the request takes a place. The request keeps its place
    until its work in threads has ended, so work past its timeout still counts. Generated texts take at most half of
    the places; where those are all taken, the oldest text older than `timeout` seconds must end.

    Args:
        app: the application behind it.
        settings: with the limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.running = 0
        self.writers: dict[RequestPlace, None] = {}  # places of requests that generate text, the oldest first
        self.held = 0  # bytes of large bodies in memory
        self.waiting = 0  # number of large bodies that wait for their turn
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self.app(scope, receive, send)
            return
        try:
            with contextlib.ExitStack() as places:
                body = await self._body(scope, receive, places)
                async with Presence(receive, send) as client:
                    if len(body) > LARGE:
                        await self._turn(places)
                    await self._answer(scope, body, client, places)
        except Fault as fault:
            await refuse(fault, scope, receive, send)

    async def _answer(self, scope: Scope, body: bytes, client: Presence, places: contextlib.ExitStack) -> None:
        place = self._take(scope["path"] == WRITES, places)
        token = _PLACE.set(place)
        try:
            await self.app(scope, _replay(body, client.receive), client.send)
        finally:
            _PLACE.reset(token)
            self._leave(places.pop_all(), place.owed)

    def _take(self, writes: bool, places: contextlib.ExitStack) -> RequestPlace:
        most, now = self.settings.max_requests, asyncio.get_running_loop().time()
        is_full = writes and len(self.writers) >= max(1, most // 2)
        if is_full:
            self._want(now)
        if is_full or self.running >= most:
            busy = message("requests", expected=f"at most {most} at once, half of them to write", received="one more")
            raise Fault("busy", busy)
        place = RequestPlace(now)
        self.running += 1
        if writes:
            self.writers[place] = None

        def leave() -> None:
            self.running -= 1
            self.writers.pop(place, None)

        places.callback(leave)
        return place

    def _want(self, now: float) -> None:
        """Ask the oldest text that has used up its time to stop."""
        oldest = next((one for one in self.writers if not one.is_wanted), None)
        if oldest is not None and now - oldest.begun >= self.settings.timeout:
            oldest.is_wanted = True

    async def _turn(self, places: contextlib.ExitStack) -> None:
        """Wait until a large body may be answered.

        Raises:
            Fault: as many wait as there are places, or it took longer than a request may.
        """
        if self.waiting >= self.settings.max_requests:
            raise Fault(
                "busy", message("large bodies", expected=f"at most {self.waiting} that wait", received="one more")
            )
        self.waiting += 1
        try:
            async with asyncio.timeout(self.settings.timeout):
                await self._large.acquire()
        except TimeoutError:
            raise Fault("busy", "other large bodies were answered all the time: retry later") from None
        finally:
            self.waiting -= 1
        places.callback(self._large.release)

    def _leave(self, places: contextlib.ExitStack, owed: list["Future[Any]"]) -> None:
        """Give the places back when the last work in a thread has ended."""
        waiting = [one for one in owed if not one.done()]
        if not waiting:
            places.close()
            return
        loop, left = asyncio.get_running_loop(), len(waiting)

        def ended() -> None:
            nonlocal left
            left -= 1
            if not left:
                places.close()

        def tell(_: "Future[Any]") -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: no request waits for a place
                loop.call_soon_threadsafe(ended)

        for one in waiting:
            one.add_done_callback(tell)

    async def _body(self, scope: Scope, receive: Receive, places: contextlib.ExitStack) -> bytes:
        most, timeout, loop = self.settings.max_body, self.settings.timeout, asyncio.get_running_loop()
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > most:
            raise self._too_large(int(told))
        body, start, grace = bytearray(), loop.time(), min(GRACE, timeout)
        held = places.enter_context(_Held(self))
        try:
            async with asyncio.timeout_at(start + grace) as limit:
                while True:
                    part = await receive()
                    if part["type"] == "http.disconnect":
                        raise Fault("slow", "the client left before its request was whole")
                    body += part.get("body", b"")
                    if len(body) > most:
                        raise self._too_large(len(body))
                    held.take(max(0, len(body) - LARGE), BODIES * most)
                    if not part.get("more_body", False):
                        return bytes(body)
                    limit.reschedule(start + min(timeout, grace + len(body) / self.settings.min_rate))
        except TimeoutError:
            slow = (
                f"the body did not arrive within {timeout:g} seconds, or at {self.settings.min_rate:,} bytes per second"
            )
            raise Fault("slow", slow) from None

    def _too_large(self, size: int) -> Fault:
        most = f"at most {self.settings.max_body:,} bytes"
        return Fault("body", message("body", expected=most, received=f"{size:,} or more"))


class _Held(contextlib.AbstractContextManager[Any]):
    """The bytes that one large body takes in memory."""

    def __init__(self, bounded: Bounded) -> None:
        self._bounded, self._size = bounded, 0

    def take(self, size: int, most: int) -> None:
        """Set how many bytes the body takes now.

        Raises:
            Fault: all bodies together exceed `most`.
        """
        self._bounded.held += size - self._size
        self._size = size
        if size and self._bounded.held > most:
            raise Fault("busy", message("bodies", expected=f"at most {most:,} bytes in all at once", received="more"))

    def __exit__(self, *_: object) -> None:
        self._bounded.held -= self._size


class EncodedPaths:
    """Middleware that keeps a session's path percent-encoded, so that a key may contain a slash (%2F) or dots."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        raw: bytes = scope.get("raw_path") or b""
        start = _SESSIONS.match(raw)
        if start is not None:
            scope["path"] = f"/v1/sessions/{quote(raw[start.end() :], safe='/%')}"
        await self.app(scope, receive, send)


def key_of(segment: str) -> str:
    """Return the key that a segment of a path stands for.

    Raises:
        Fault: no UTF-8, or no two digits after a percent sign.
    """
    if _WRONG_PERCENT.search(segment):
        raise Fault("request", message("key", expected="two hexadecimal digits after %", received=segment[:80]))
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise Fault("request", message("key", expected="UTF-8, percent-encoded", received="other bytes")) from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Replay a body that was read already, then pass on further messages."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
