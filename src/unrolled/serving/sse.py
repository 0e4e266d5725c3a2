"""Server-sent events: one JSON object an event, until there are no more or the client has left."""

from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from unrolled.serving.strict_json import dumps

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # a proxy must not wait for the end


class EventStream(StreamingResponse):
    """An answer of server-sent events.

    Args:
        content: the events, each as `event` makes it.
    """

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str]) -> None:
        super().__init__(content, headers=HEADERS)


def event(name: str, value: object) -> str:
    r"""One event in the form of the protocol.

    >>> event("token", {"text": "a"})
    'event: token\ndata: {"text":"a"}\n\n'
    """
    return f"event: {name}\ndata: {dumps(value)}\n\n"
