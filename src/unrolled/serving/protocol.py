"""How uvicorn reads HTTP and WebSockets here: with bounds on time and memory, and with our own form of errors."""

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
AHEAD, AHEAD_BYTES = 16, 1 << 18  # messages, and their bytes, that are read ahead of who takes them
HEAD_BYTES = 1 << 14  # of the first lines of a request
HEAD_SECONDS = 10.0  # for the first lines of a request, and for what is left of a body that was refused
FREE_PIECES, SMALLEST = 1_000, 64  # pieces of a body, and the bytes that more of them have to have on average
GRACE = 5.0  # seconds between two looks whether an answer is taken
AHEAD_WRITTEN = 1 << 14  # bytes of an answer that wait in our memory before no more of it are made


class Reader:
    """Watches how fast a client takes its answer.

    Args:
        connection: to close where it is too slow.
        transport: of it.
        door: where slow ones are counted.
        rate: bytes a second that are fast enough.
    """

    def __init__(self, connection: "Watched", transport: Any, door: Door, rate: float) -> None:
        self._connection, self._transport, self._door, self._rate = connection, transport, door, rate
        self._timer: asyncio.TimerHandle | None = None
        self._left = 0

    def unread(self) -> int:
        """Bytes that wait in our memory."""
        return self._transport.get_write_buffer_size()

    def close_now(self) -> None:
        """End the connection without waiting for what is left to be taken."""
        self._transport.abort()

    def begin(self) -> None:
        """Some bytes wait, and no more are written before they are taken."""
        self.end()
        self._left = self.unread()
        self._timer = asyncio.get_running_loop().call_later(GRACE, self._look)
        self._door.waits(self._connection)

    def end(self) -> None:
        """All of them were taken, or the client has left."""
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


class Watched(asyncio.Protocol):
    """A connection whose client is watched while it takes its answer; a subclass makes the `Reader`."""

    _reader: Reader

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        super().pause_writing()
        self._reader.begin()

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._reader.end()

    def close_now(self) -> None:
        """End the connection, whatever it was about."""
        self._reader.close_now()

    def unread(self) -> int:
        """Bytes of answers that the client has not taken."""
        return self._reader.unread()


class Parser(h11.Connection):
    """h11's parser, which takes microseconds for each chunk of a body, however small: many small ones are refused."""

    _pieces = _bytes = 0

    def next_event(self) -> Any:
        """The next event of the request that is read."""
        found = super().next_event()
        if isinstance(found, h11.Request):
            self._pieces = self._bytes = 0
        elif isinstance(found, h11.Data):
            self._pieces += 1
            self._bytes += len(found.data)
            if self._pieces > FREE_PIECES and self._bytes < SMALLEST * self._pieces:
                raise h11.RemoteProtocolError("a body of very small chunks")
        return found


class Http(Watched, H11Protocol):
    """uvicorn's protocol, which waits for ever for a request that does not come, or for a client that does not read."""

    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = Parser(h11.SERVER, HEAD_BYTES)

    def connection_made(self, transport: Any) -> None:
        """A client has come."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(AHEAD_WRITTEN)
        self._door: Door = self.app_state["door"]
        self._reader = Reader(self, transport, self._door, self.app_state["min_rate"])
        if not self._door.admits(len(self.connections)):
            transport.write(answer_of(Fault("busy", "connections: too many are open on this server")))
            transport.close()
            return
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """An answer was written; the next request, or the rest of this one, has its own time."""
        self._stop()
        super().on_response_complete()
        self._look()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """The connection goes on as a WebSocket."""
        self._forget()
        self.transport.set_write_buffer_limits()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP."""
        self.transport.write(answer_of(Fault("malformed", "the request is not HTTP")))
        self.transport.close()

    def _look(self) -> None:
        """Give a request that is not there yet its time."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._stop()
        elif self._timer is None:
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


class Protocol(Watched, WebSocketsSansIOProtocol):
    """uvicorn's protocol, which pauses its socket at each message and resumes at the next: a quarter of the time of a
    server of small messages. Here it pauses when some wait; `receive` resumes when none do.
    """

    _parts = _queued = _counted = 0  # bytes: of a message that is not whole, of whole ones, of both as the door knows

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.reject = self._rejected

    def connection_made(self, transport: Any) -> None:
        """A request for a WebSocket has come."""
        super().connection_made(transport)
        self._door: Door = self.app_state["door"]
        self._reader = Reader(self, transport, self._door, 0.0)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        self._reader.end()
        self._queued = self._parts = 0
        self._door.untaken -= self._counted
        self._counted = 0
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes; frames of all connections that nobody has looked at are bounded together."""
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self.handle_parser_exception()
            return
        self._count()
        if self._door.untaken > UNTAKEN and self._counted > AHEAD_BYTES:
            self.close_now()

    def handle_parser_exception(self) -> None:
        """What is no WebSocket; before the handshake it is no HTTP either."""
        if self.handshake_initiated:
            super().handle_parser_exception()
            return
        self.transport.write(answer_of(Fault("malformed", "the request is not HTTP")))
        self.transport.close()

    def handle_text(self, event: Frame) -> None:
        """The first frame of a text; it goes on as bytes, and who reads it refuses what is not UTF-8."""
        self.handle_bytes(event)

    def handle_bytes(self, event: Frame) -> None:
        """The first frame of a message."""
        self._parts = len(event.data)
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """A further frame of a message."""
        self._parts += len(event.data)
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """One whole message for the application."""
        self._queued += self._parts
        self._parts = 0
        was_paused, self.read_paused = self.read_paused, True  # so that it is not paused now
        super().send_receive_event_to_app()
        self.read_paused = was_paused
        if (self.queue.qsize() >= AHEAD or self._queued >= AHEAD_BYTES) and not was_paused:
            self.read_paused = True
            self.transport.pause_reading()

    async def receive(self) -> Any:
        """The next message; the application has looked at the one before."""
        message: Any = await super().receive()
        if self.queue.empty():
            self._queued = 0
        self._count()
        return message

    def _rejected(self, status: HTTPStatus | int, text: str) -> Response:
        """The answer to a handshake that is none, in our own form."""
        kind = REJECTED.get(int(status), "malformed")
        body = json.dumps(Fault(kind, text.partition("\n")[0] or "no WebSocket is opened here").to_json()).encode()
        response = ServerProtocol.reject(self.conn, status, "")
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json"}.items():
            del response.headers[name]
            response.headers[name] = value
        return replace(response, body=body)

    def _count(self) -> None:
        found = self._queued + self._parts + len(self.conn.reader.buffer)
        self._door.untaken += found - self._counted
        self._counted = found
