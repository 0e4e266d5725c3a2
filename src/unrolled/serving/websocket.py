"""`/v1/stream`: events and answers of one or many sessions over one WebSocket.

A frame holds one or more lines, each a JSON object. In: `{"key", "event", "id"?}`; the key may be in the query
instead. Out: `{"key", "id"?, "output"}` or `{"key"?, "id"?, "error": {"kind", "message"}}`, in order for each key.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from unrolled.errors import message
from unrolled.serving.auth import is_token, may_ask
from unrolled.serving.dispatch import Hub, Sent
from unrolled.serving.errors import Fault, event_fault, fault_of, refuse
from unrolled.serving.logs import say
from unrolled.serving.schemas import KEY_LENGTH
from unrolled.serving.service import Service
from unrolled.serving.strict_json import dumps, loads, wrong
from unrolled.streaming.sessions import checked, checked_id

ROOM = 256  # events waiting for an answer, or answers waiting for the client, before reading pauses
OUTBOX, FEWEST = 1 << 20, 8  # maximum bytes of those answers, and how many may wait regardless of size
WRONG = 256  # invalid lines or empty frames in a row that are answered, and empty lines per frame that are skipped
LATER = 0.5  # seconds between such a line or frame and the end of its connection, in which nothing more is read
TURN = 0.005  # seconds of reading before other connections have their turn
TOKEN_SECONDS, TOKEN_LINE = 5.0, 4096  # time and characters for the first line
LEFT, INTERNAL, RESTART, BAD_TOKEN, TOO_SLOW = 1000, 1011, 1012, 4401, 4408  # codes of closing
NO_TEXT, POLICY, BUSY = 1007, 1008, 1013
SAYS = {
    NO_TEXT: "a frame is not UTF-8",
    POLICY: "too many wrong lines",
    BUSY: "too many connections: retry later",
    INTERNAL: "an error in the server",
    RESTART: "the server is stopping: connect again",
    BAD_TOKEN: "no token, or a wrong one",
    TOO_SLOW: "answers were not read",
}


class StreamSocket:
    """The WebSocket endpoint.

    Args:
        service: of the application.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, from its handshake to its end."""
        service, hub = self.service, self.service.hub
        try:
            _ = service.sessions
            if service.draining:
                raise Fault("draining", "this server is stopping")
            most = service.most_sockets
            if may_ask(Headers(scope=scope), service.settings.token) and hub.known >= most:
                raise Fault("busy", message("sockets", expected=f"at most {most}", received="more"))
            key = key_in(scope["query_string"])
        except Exception as error:
            await receive()
            await refuse(fault_of(error), scope, receive, send)
            return
        await Connection(service, hub, key, scope, receive, send).run()


class Connection:
    """One open WebSocket.

    Args:
        service: of the application.
        hub: passes events to the sessions and answers back.
        key: for lines without a key.
        scope, receive, send: of ASGI.
    """

    def __init__(self, service: Service, hub: Hub, key: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        self.service, self.hub, self.receive, self.send = service, hub, receive, send
        self.headers = Headers(scope=scope)
        self.key = key
        self.outbox: list[str] = []
        self.waiting = 0  # events whose answer was not sent to the client yet
        self.events = self.wrong = 0
        self.busy_since: float | None = None  # when sending the current answer began
        loop = asyncio.get_running_loop()
        self.ending: asyncio.Future[int | None] = loop.create_future()  # the code to close with; None: the client left
        self.filled, self.room = asyncio.Event(), asyncio.Event()
        self.room.set()

    async def run(self) -> None:
        """Serve the connection until either side closes it."""
        start = time.monotonic()
        if (await self.receive())["type"] != "websocket.connect":
            return
        await self.send({"type": "websocket.accept"})
        self.hub.waiters.add(self)
        self.service.metrics.sockets.inc()
        tasks = [asyncio.create_task(part) for part in (self._read(), self._write())]
        for task in tasks:
            task.add_done_callback(self._over)
        code = None
        try:
            code = await self.ending
            await self._finish(code, tasks)
        finally:
            for task in tasks:
                task.cancel()
            self.hub.waiters.discard(self)
            self.hub.strangers.pop(self, None)
            self.service.metrics.sockets.dec()
            say("stream", events=self.events, code=code or LEFT, seconds=round(time.monotonic() - start, 1))

    def answered(self, sent: Sent, found: Any) -> None:
        """Queue an answer from the sessions for the client."""
        self.service.metrics.event_seconds.observe(time.perf_counter() - sent.start)
        name = sent.event_id
        line: dict[str, Any] = {"key": sent.key} if name is None else {"key": sent.key, "id": name}
        if isinstance(found, BaseException):
            self._complain(event_fault(found), line)
            return
        line["output"] = found
        text = dumps(line)
        self.hub.widest = max(self.hub.widest, len(text))
        self.outbox.append(text)
        self.filled.set()

    def look(self, now: float) -> None:
        """Close the connection if the client does not read its answers."""
        if self.busy_since is not None and now - self.busy_since > self.service.settings.timeout:
            self._end(TOO_SLOW)

    def stop(self) -> None:
        """Accept no more events, answer those accepted, then close."""
        self._end(RESTART)

    def close(self) -> None:
        """Close the connection before its token was sent."""
        self._end(BAD_TOKEN)

    def _end(self, code: int | None) -> None:
        if not self.ending.done():
            self.ending.set_result(code)

    def _over(self, task: "asyncio.Task[None]") -> None:
        """Close the connection after an error in reading or writing."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            fault_of(error)  # into the log
            self._end(INTERNAL)

    async def _finish(self, code: int | None, tasks: list["asyncio.Task[None]"]) -> None:
        tasks[0].cancel()
        if code is None:
            return
        if code in (NO_TEXT, POLICY):  # so that one who connects again and again takes no more than his share
            await asyncio.sleep(LATER)
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(self.service.settings.timeout):
                while code == RESTART and self.waiting:
                    await asyncio.sleep(0.01)
                tasks[1].cancel()
                await self.send({"type": "websocket.close", "code": code, "reason": SAYS[code]})

    # ---- reading -------------------------------------------------------------------------------------

    async def _read(self) -> None:
        if not may_ask(self.headers, self.service.settings.token):
            self.hub.greet(self)
            if not await self._is_allowed():
                self._end(BAD_TOKEN)
                return
            self.hub.strangers.pop(self, None)
            if self.hub.known > self.service.most_sockets:
                self._end(BUSY)
                return
        loop = asyncio.get_running_loop()
        until = loop.time() + TURN
        while True:
            if loop.time() > until:  # messages that wait already are returned without a pause
                await asyncio.sleep(0)
                until = loop.time() + TURN
            text = await self._text()
            if text is None:
                return
            if text.count("\n\n") > WRONG:  # skipping each one costs time, and there may be millions
                self._end(POLICY)
                return
            before = self.events
            for line in lines_of(text):
                self._take(line)
                if self.wrong > WRONG:
                    self._end(POLICY)
                    return
                if self.waiting >= self._room():
                    self.room.clear()
                    await self.room.wait()
            self.wrong += self.events == before  # an empty frame
            if self.wrong > WRONG:
                self._end(POLICY)
                return

    def _room(self) -> int:
        """Return how many events may wait, so that their answers together stay within `OUTBOX` bytes."""
        return min(ROOM, max(FEWEST, OUTBOX // self.hub.widest))

    async def _text(self) -> str | None:
        """Return the text of the next frame; None at the end."""
        part = await self.receive()
        if part["type"] == "websocket.disconnect":
            self._end(None)
            return None
        text = part.get("text")
        try:
            return text if text is not None else part["bytes"].decode()
        except UnicodeDecodeError:
            self._end(NO_TEXT)
            return None

    async def _is_allowed(self) -> bool:
        """Return whether the first line is {"token": ...} with the right token."""
        with contextlib.suppress(TimeoutError, JSONDecodeError):
            async with asyncio.timeout(TOKEN_SECONDS):
                line = await self._text()
            said = loads(line) if line and len(line) <= TOKEN_LINE else None
            token = said.get("token") if isinstance(said, dict) else None
            return isinstance(token, str) and is_token(token, self.service.settings.token)
        return False

    def _take(self, line: str) -> None:
        self.waiting += 1
        self.events += 1
        self.wrong += 1
        said: Any = None
        try:
            if len(line) > self.service.bounds.items:  # a line holds no more values than characters
                self.service.bounds.check_bytes(line.encode(errors="replace"))
            said = loads(line)
            self._check(said)
            key, name = checked(said.get("key", self.key), "key"), said.get("id")
            if name is not None:
                checked_id(name, "id")
        except JSONDecodeError as error:
            self._complain(Fault("request", f"line: {wrong(error)}"), {})
        except Exception as error:
            self._complain(fault_of(error), named(said))
        else:
            self.wrong = 0
            self.hub.ask(Sent(key, said["event"], name, self, self.hub), self.service.sessions.put)

    def _check(self, said: Any) -> None:
        if not isinstance(said, dict):
            raise Fault("request", message("line", expected="a JSON object", received=type(said).__name__))
        if "event" not in said:
            raise Fault("request", message("line", expected="an event", received="none"))
        if len(said) > 1 + ("key" in said) + ("id" in said):
            extra = next(field for field in said if field not in ("key", "event", "id"))
            raise Fault("request", message("line", expected="key, event and id", received=extra[:80]))
        self.service.bounds.check_value(said["event"], "event")

    # ---- writing -------------------------------------------------------------------------------------

    def _complain(self, fault: Fault, line: dict[str, Any]) -> None:
        self.service.metrics.errors.labels(fault.kind).inc()
        self.outbox.append(dumps({**line, **fault.to_json()}))
        self.filled.set()

    async def _write(self) -> None:
        while True:
            await self.filled.wait()
            self.filled.clear()
            lines, self.outbox = self.outbox, []
            self.busy_since = time.monotonic()
            try:
                await self.send({"type": "websocket.send", "text": "\n".join(lines)})
            except OSError:  # the client has left
                self._end(None)
                return
            self.busy_since = None
            self.waiting -= len(lines)
            if self.waiting < self._room():
                self.room.set()


def named(said: Any) -> dict[str, Any]:
    """Return the valid ones of the key and the id of a refused line."""
    pairs = said.items() if isinstance(said, dict) else ()
    return {
        field: value
        for field, value in pairs
        if field in ("key", "id")
        and ((isinstance(value, str) and len(value) <= KEY_LENGTH) or (isinstance(value, int) and abs(value) < 2**63))
    }


def key_in(query: bytes) -> str | None:
    """Return the key in a query string; None where there is none.

    Raises:
        Fault: percent-encoding that is not UTF-8, or more than one key.
    """
    try:
        keys = parse_qs(query.decode("ascii"), keep_blank_values=True, errors="strict").get("key", [])
    except (UnicodeError, ValueError):
        raise Fault("request", message("key", expected="UTF-8, percent-encoded", received="other bytes")) from None
    if len(keys) > 1:
        raise Fault("request", message("key", expected="one in the query", received=len(keys)))
    return keys[0] if keys else None


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a frame that are not empty, without a list, which could be large."""
    start, size = 0, len(text)
    while start < size:
        end = text.find("\n", start)
        end = size if end < 0 else end
        if end > start:
            yield text[start:end]
        start = end + 1
