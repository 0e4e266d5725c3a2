"""Presence of a client: whatever a request waits for is cancelled when its client has left."""

import asyncio
from types import TracebackType

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Send


class Presence:
    """A block that is cancelled when the client leaves; afterwards `ClientDisconnect` is raised.

    Args:
        receive: of ASGI, after the body has arrived: its next message says that the client has left.
        send: of ASGI.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._block = asyncio.timeout(None)
        self._is_answered = False

    async def __aenter__(self) -> "Presence":
        await self._block.__aenter__()
        self._watch = asyncio.create_task(self._until_left())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        try:
            await self._block.__aexit__(kind, error, trace)
        except TimeoutError:
            raise ClientDisconnect from None

    async def receive(self) -> Message:
        """Return the message that the client has left, when it has."""
        return await asyncio.shield(self._watch)

    async def send(self, message: Message) -> None:
        """Send a part of the response; after the last one nothing needs to be cancelled."""
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_answered = True
        await self._send(message)

    async def _until_left(self) -> Message:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                if not self._is_answered:
                    self._block.reschedule(0.0)
                return message
