"""What all routes share: strict JSON bodies, answers as JSON, and the way to the service."""

from collections.abc import Callable, Coroutine
from json import JSONDecodeError
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from unrolled.serving.bounds import Bounds
from unrolled.serving.errors import Fault
from unrolled.serving.limits import LARGE
from unrolled.serving.service import Service
from unrolled.serving.strict_json import dumps, loads


def service_of(connection: HTTPConnection) -> Service:
    """The service of the application that is asked."""
    return connection.app.state.service


Asked = Annotated[Service, Depends(service_of)]


class StrictRequest(Request):
    """A request whose JSON is that of the standard, and was read before the route is asked."""

    value: Any = None

    async def json(self) -> Any:
        """The body."""
        return self.value


class StrictRoute(APIRoute):
    """A route that reads strict JSON within the bounds of the server; a large body is read in a thread.

    The body is read before FastAPI looks at it: what FastAPI raises holds itself, and a body with it, for some time.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler around the strict request."""
        handler, takes_json = super().get_route_handler(), self.body_field is not None

        async def strict(request: Request) -> Response:
            asked = StrictRequest(request.scope, request.receive)
            if takes_json and "json" in asked.headers.get("content-type", "").lower():
                asked.value = await _value_of(asked)
            return await handler(asked)

        return strict


async def _value_of(request: Request) -> Any:
    body, service = await request.body(), service_of(request)
    if len(body) > LARGE:
        return await service.read(_read, body, service.bounds)
    return _read(body, service.bounds) if body else None


def _read(body: bytes, bounds: Bounds) -> Any:
    bounds.check_bytes(body)
    try:
        value = loads(body, finite=False)
    except JSONDecodeError as error:
        raise Fault("request", f"body: {error.msg}") from None
    bounds.check_value(value, "body")
    if isinstance(value, list):
        bounds.check_length(value, "events", bounds.events)
    return value


def as_json(value: Any) -> Response:
    """An answer; numbers that are not finite are null."""
    return written(dumps(value))


def written(text: str) -> Response:
    """An answer that was written as JSON already."""
    return Response(text, media_type="application/json")
