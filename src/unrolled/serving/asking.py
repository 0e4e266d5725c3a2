"""What all routes share: strict JSON bodies, answers as JSON, and the way to the service."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from unrolled.serving.service import Service
from unrolled.serving.strict import dumps, loads


def service_of(connection: HTTPConnection) -> Service:
    """The service of the application that is asked."""
    return connection.app.state.service


Asked = Annotated[Service, Depends(service_of)]


class StrictRequest(Request):
    """A request whose JSON is that of the standard."""

    async def json(self) -> Any:
        """The body."""
        return loads(await self.body())


class StrictRoute(APIRoute):
    """A route that reads strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler around the strict request."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def as_json(value: Any) -> Response:
    """An answer; numbers that are not finite are null."""
    return Response(dumps(value), media_type="application/json")
