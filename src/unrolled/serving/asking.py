"""What all routes share: strict JSON bodies, answers as JSON, and the way to the service."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from unrolled.serving.bounds import Bounds
from unrolled.serving.limits import LARGE
from unrolled.serving.service import Service
from unrolled.serving.strict import dumps, loads


def service_of(connection: HTTPConnection) -> Service:
    """The service of the application that is asked."""
    return connection.app.state.service


Asked = Annotated[Service, Depends(service_of)]


class StrictRequest(Request):
    """A request whose JSON is that of the standard."""

    async def json(self) -> Any:
        """The body, within the bounds of the server; a large one is read in a thread."""
        body, service = await self.body(), service_of(self)
        if len(body) > LARGE:
            return await service.ask(_read, body, service.bounds)
        return _read(body, service.bounds)


class StrictRoute(APIRoute):
    """A route that reads strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler around the strict request."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def _read(body: bytes, bounds: Bounds) -> Any:
    bounds.check_bytes(body)
    value = loads(body, finite=False)
    bounds.check_value(value, "body")
    return value


def as_json(value: Any) -> Response:
    """An answer; numbers that are not finite are null."""
    return Response(dumps(value), media_type="application/json")
