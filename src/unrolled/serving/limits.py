"""Limits: how much a request may carry, how long it may take to arrive, and how many are answered at once."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unrolled.errors import message
from unrolled.serving.faults import Fault, refuse

API = "/v1/"


class Bounded:
    """Keeps requests within bounds; a body is read whole, counted while it arrives, before anybody looks at it.

    Args:
        app: what answers.
        max_body: bytes of a body.
        max_requests: requests to the API at once.
        timeout: seconds in which a body has to arrive.
    """

    def __init__(self, app: ASGIApp, max_body: int, max_requests: int, timeout: float) -> None:
        self.app, self.max_body, self.max_requests, self.timeout = app, max_body, max_requests, timeout
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self.app(scope, receive, send)
            return
        if self.running >= self.max_requests:
            busy = message("requests", expected=f"at most {self.max_requests} at once", received="one more")
            await refuse(Fault("busy", busy), scope, receive, send)
            return
        self.running += 1
        try:
            body = await self._body(scope, receive)
        except Fault as fault:
            await refuse(fault, scope, receive, send)
        else:
            await self.app(scope, _replay(body, receive), send)
        finally:
            self.running -= 1

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > self.max_body:
            raise self._too_large(int(told))
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.timeout):
                while True:
                    part = await receive()
                    if part["type"] == "http.disconnect":
                        raise Fault("slow", "the client left before its request was whole")
                    parts.append(part.get("body", b""))
                    size += len(parts[-1])
                    if size > self.max_body:
                        raise self._too_large(size)
                    if not part.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise Fault("slow", f"the body did not arrive within {self.timeout:g} seconds") from None

    def _too_large(self, size: int) -> Fault:
        return Fault("body", message("body", expected=f"at most {self.max_body:,} bytes", received=f"{size:,} or more"))


class Paths:
    """Keeps the path of a session as it was sent, so that a key may hold a slash (%2F) and dots are only dots."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        raw: bytes = scope.get("raw_path") or b""
        if raw.startswith(b"/v1/sessions/"):
            scope["path"] = quote(raw, safe="/%")
        await self.app(scope, receive, send)


def key_of(segment: str) -> str:
    """The key that a segment of a path stands for.

    Raises:
        Fault: no UTF-8.
    """
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise Fault("request", message("key", expected="UTF-8, percent-encoded", received="other bytes")) from None


def check_length(value: Any, most: int, where: str) -> None:
    """Refuse a text or a list longer than a server takes, however deep it lies.

    Raises:
        Fault: too long.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, str | list | Mapping):
            continue
        if len(one) > most:
            kind = "characters" if isinstance(one, str) else "items"
            raise Fault("length", message(where, expected=f"at most {most:,} {kind}", received=f"{len(one):,}"))
        if not isinstance(one, str):
            waiting.extend(one.values() if isinstance(one, Mapping) else one)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, then whatever comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
