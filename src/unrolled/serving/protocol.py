"""The protocols of uvicorn for HTTP and WebSockets, with limits on time and memory and our own form of errors."""

import asyncio
import json
from dataclasses import replace
from http import HTTPStatus
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.server import ServerProtocol

from unrolled.serving.connections import UNTAKEN, Door, answer_of
from unrolled.serving.errors import Fault

REJECTED = {403: "origin", 405: "method", 426: "upgrade", 500: "internal"}  # kinds by status
AHEAD, AHEAD_BYTES = 16, 1 << 18  # messages, and their bytes, that are read before the application takes them
HEAD_BYTES = 1 << 14  # of a request line and its headers
HEAD_SECONDS = 10.0  # for a request line and its headers, and for the rest of a body that was refused
FREE_PIECES, SMALLEST = 1_000, 64  # chunks of a body without a check, and the minimum average bytes of a chunk beyond
READ = 1 << 14  # bytes of a WebSocket that are parsed in one turn of the event loop: it may be thousands of frames
CONTROLS, CONTROLS_SECONDS = 256, 10.0  # pings and pongs of a WebSocket, and the seconds in which that many may come
GRACE = 5.0  # seconds between two checks whether a response is being read
AHEAD_WRITTEN = 1 << 14  # bytes of a response that may wait in our memory before writing pauses


class ResponseWatch:
    """A watch on how fast a client reads its response.

    Args:
        connection: the connection, closed if it is too slow.
        transport: its transport.
        door: keeps the list of slow connections.
        rate: minimum bytes per second.
    """

    def __init__(self, connection: "WatchedConnection", transport: Any, door: Door, rate: float) -> None:
        self._connection, self._transport, self._door, self._rate = connection, transport, door, rate
        self._timer: asyncio.TimerHandle | None = None
        self._left = 0

    def unread(self) -> int:
        """Return the bytes that wait in our memory."""
        return self._transport.get_write_buffer_size()

    def close_now(self) -> None:
        """Close the connection without sending the rest."""
        self._transport.abort()

    def begin(self) -> None:
        """Start watching: bytes wait, and writing has paused until they are read."""
        self.end()
        self._left = self.unread()
        self._timer = asyncio.get_running_loop().call_later(GRACE, self._look)
        self._door.waits(self._connection)

    def end(self) -> None:
        """Stop watching: all bytes were read, or the client has left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._door.takes(self._connection)

    def _look(self) -> None:
        left = self.unread()
        if self._left - left < self._rate * GRACE:
            self._connection.close_now()
            return
        self._left = left
        self._timer = asyncio.get_running_loop().call_later(GRACE, self._look)


class WatchedConnection(asyncio.Protocol):
    """A connection whose client is watched while it reads a response; subclasses make the `ResponseWatch`."""

    _reader: ResponseWatch

    def pause_writing(self) -> None:
        """Start watching a client that reads more slowly than we write."""
        super().pause_writing()
        self._reader.begin()

    def resume_writing(self) -> None:
        """Stop watching a client that has caught up."""
        super().resume_writing()
        self._reader.end()

    def close_now(self) -> None:
        """Close the connection at once."""
        self._reader.close_now()

    def unread(self) -> int:
        """Return the bytes of responses that the client has not read."""
        return self._reader.unread()


class Parser(h11.Connection):
    """h11's parser, but bodies of many tiny chunks are refused, as each chunk costs microseconds."""

    _pieces = _bytes = 0

    def next_event(self) -> Any:
        """Return the next event of the request."""
        found = super().next_event()
        if isinstance(found, h11.Request):
            self._pieces = self._bytes = 0
        elif isinstance(found, h11.Data):
            self._pieces += 1
            self._bytes += len(found.data)
            if self._pieces > FREE_PIECES and self._bytes < SMALLEST * self._pieces:
                raise h11.RemoteProtocolError("a body of very small chunks")
        return found


class Http(WatchedConnection, H11Protocol):
    """uvicorn's HTTP protocol, with timeouts for requests that do not arrive and clients that do not read."""

    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = Parser(h11.SERVER, HEAD_BYTES)

    def connection_made(self, transport: Any) -> None:
        """Set up a new connection, or refuse it."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(AHEAD_WRITTEN)
        self._door: Door = self.app_state["door"]
        self._reader = ResponseWatch(self, transport, self._door, self.app_state["min_rate"])
        if not self._door.admits(len(self.connections)):
            transport.write(answer_of(Fault("busy", "connections: too many are open on this server")))
            transport.close()
            return
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after a connection that has ended."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a part of a request."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Start the timeout of the next request, or of the rest of this one, after a response."""
        self._stop()
        super().on_response_complete()
        self._look()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection to the WebSocket protocol."""
        self._forget()
        self.transport.set_write_buffer_limits()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP."""
        self.transport.write(answer_of(Fault("malformed", "the request is not HTTP")))
        self.transport.close()

    def _look(self) -> None:
        """Start the timeout of a request that has not arrived yet."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._stop()
            if cycle.more_body:
                self._door.rests(self)
        else:
            if self._timer is None:
                self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)
            self._door.rests(self)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._door.asks(self)

    def _forget(self) -> None:
        self._stop()
        self._reader.end()


class Protocol(WatchedConnection, WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, but it pauses reading only when several messages wait; `receive` resumes.

    The original pauses at every message, which takes a quarter of the time of a server of small messages.
    """

    _parts = _queued = _counted = 0  # bytes: of an incomplete message, of complete ones, and of both as the door knows
    _late = 0  # bytes that arrived after our close
    _controls, _controls_since = 0, -CONTROLS_SECONDS  # pings and pongs, and the time from which they are counted

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.reject = self._rejected

    def connection_made(self, transport: Any) -> None:
        """Set up a new connection."""
        super().connection_made(transport)
        transport.max_size = READ  # asyncio's own is 256 kB
        self._door: Door = self.app_state["door"]
        self._reader = ResponseWatch(self, transport, self._door, 0.0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after a connection that has ended."""
        self._reader.end()
        self._queued = self._parts = 0
        self._door.untaken -= self._counted
        self._counted = 0
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse some bytes; unread frames of all connections together are limited, and what comes after our close."""
        if self.close_sent:
            self._late += len(data)
            if self._late > AHEAD_BYTES:  # the client does not answer the close, and goes on sending
                self.close_now()
                return
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self.handle_parser_exception()
            return
        self._count()
        if self._door.untaken > UNTAKEN and self._counted > AHEAD_BYTES:
            self.close_now()

    def handle_parser_exception(self) -> None:
        """Answer bytes that are not the WebSocket protocol, or not HTTP before the handshake."""
        if self.handshake_initiated:
            super().handle_parser_exception()
            return
        self.transport.write(answer_of(Fault("malformed", "the request is not HTTP")))
        self.transport.close()

    def handle_text(self, event: Frame) -> None:
        """Take the first frame of a text message as bytes; the endpoint checks that it is UTF-8."""
        self.handle_bytes(event)

    def handle_bytes(self, event: Frame) -> None:
        """Take the first frame of a message."""
        self._parts = len(event.data)
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Take a further frame of a message; one of very many small frames ends the connection."""
        self._parts += len(event.data)
        super().handle_cont(event)
        if len(self.frames) > FREE_PIECES and self._parts < SMALLEST * len(self.frames):
            self.close_now()

    def handle_ping(self) -> None:
        """Answer a ping."""
        if not self.transport.is_closing():
            super().handle_ping()
            self._control()

    def handle_pong(self, event: Frame) -> None:
        """Take the answer to a ping."""
        super().handle_pong(event)
        self._control()

    def send_receive_event_to_app(self) -> None:
        """Queue a complete message for the application."""
        self._queued += self._parts
        self._parts = 0
        was_paused, self.read_paused = self.read_paused, True  # so that reading is not paused now
        super().send_receive_event_to_app()
        self.read_paused = was_paused
        if (self.queue.qsize() >= AHEAD or self._queued >= AHEAD_BYTES) and not was_paused:
            self.read_paused = True
            self.transport.pause_reading()

    async def receive(self) -> Any:
        """Return the next message; the application has finished with the one before."""
        message: Any = await super().receive()
        if self.queue.empty():
            self._queued = 0
        self._count()
        return message

    def _rejected(self, status: HTTPStatus | int, text: str) -> Response:
        """Return the response to an invalid handshake, in our own form of errors."""
        kind = REJECTED.get(int(status), "malformed")
        body = json.dumps(Fault(kind, text.partition("\n")[0] or "there is no WebSocket here").to_json()).encode()
        response = ServerProtocol.reject(self.conn, status, "")
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json"}.items():
            del response.headers[name]
            response.headers[name] = value
        return replace(response, body=body)

    def _control(self) -> None:
        """Count a ping or pong; too many of them in a short time end the connection."""
        now = self.loop.time()
        if now - self._controls_since > CONTROLS_SECONDS:
            self._controls, self._controls_since = 0, now
        self._controls += 1
        if self._controls > CONTROLS:
            self.close_now()

    def _count(self) -> None:
        found = self._queued + self._parts + len(self.conn.reader.buffer)
        self._door.untaken += found - self._counted
        self._counted = found
