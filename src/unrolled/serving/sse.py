"""Server-sent events: one JSON object per event, until the events end or the client has left."""

from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from unrolled.serving.strict_json import dumps

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # so that a proxy does not buffer the response


class EventStream(StreamingResponse):
    """A response of server-sent events.

    Args:
        content: the events, each as `event` makes it.
    """

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str]) -> None:
        super().__init__(content, headers=HEADERS)


def event(name: str, value: object) -> str:
    r"""Format one server-sent event.

    >>> event("token", {"text": "a"})
    'event: token\ndata: {"text":"a"}\n\n'
    """
    return f"event: {name}\ndata: {dumps(value)}\n\n"
