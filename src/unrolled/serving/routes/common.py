"""Parts that all routes share: strict JSON requests, JSON responses, and access to the service."""

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
from unrolled.serving.strict_json import dumps, loads, wrong


def service_of(connection: HTTPConnection) -> Service:
    """Return the service of the application that a connection belongs to."""
    return connection.app.state.service


Asked = Annotated[Service, Depends(service_of)]


class StrictRequest(Request):
    """A request whose body is standard JSON, parsed before the route is called."""

    value: Any = None

    async def json(self) -> Any:
        """Return the parsed body."""
        return self.value


class StrictRoute(APIRoute):
    """A route that parses strict JSON within the bounds of the server; a large body is parsed in a thread.

    The body is parsed before FastAPI sees it: FastAPI's exceptions would keep it in memory for a while.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, wrapped so that it gets a strict request."""
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
        raise Fault("request", f"body: {wrong(error)}") from None
    bounds.check_value(value, "body")
    if isinstance(value, list):
        bounds.check_length(value, "events", bounds.events)
    return value


def as_json(value: Any) -> Response:
    """Return a JSON response; numbers that are not finite become null."""
    return written(dumps(value))


def written(text: str) -> Response:
    """Return a response whose body is JSON text already."""
    return Response(text, media_type="application/json")
