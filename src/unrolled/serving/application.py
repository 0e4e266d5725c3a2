"""The FastAPI application: the routes and the middleware of a service."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncGenerator
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from unrolled.serving import errors
from unrolled.serving.auth import Guarded
from unrolled.serving.connections import SPARE, Door, most_connections
from unrolled.serving.dispatch import Hub
from unrolled.serving.head_requests import Heads
from unrolled.serving.limits import Bounded, EncodedPaths
from unrolled.serving.logs import Logged, set_up
from unrolled.serving.reload import watch
from unrolled.serving.routes import model, predict, sessions, step, unfold
from unrolled.serving.routes.page import page_router
from unrolled.serving.service import Service, open_service
from unrolled.serving.settings import Settings
from unrolled.serving.signals import listen
from unrolled.serving.websocket import StreamSocket

SWITCH = 0.0005  # seconds that a thread may keep Python's lock while another, often the event loop, waits for it
ABOUT = """Sequence models behind HTTP: one small state per user instead of a history that is read again.

`/v1/step` and the WebSocket `/v1/stream` read events of sessions, `/v1/predict` reads whole records, and
`/v1/generate` writes text.
Every error is `{"error": {"kind", "message"}}`. With a token, send `Authorization: Bearer TOKEN`.

The WebSocket takes lines `{"key", "event", "id"?}` and answers `{"key", "id"?, "output"}` or `{"key", "id"?, "error"}`,
in order for each key; an event whose id is sent twice counts once. A browser sends `{"token"}` as its first line.
"""


def make_app(service: Service) -> FastAPI:
    """Make the application of a service.

    Args:
        service: from `open_service`, or made around a model in memory.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, Any], None]:
        service.door = Door(most_connections(service.settings.max_sockets + SPARE))
        service.hub = Hub(asyncio.get_running_loop())
        watching = asyncio.create_task(watch(service))
        listen(service)
        try:
            yield {"door": service.door, "min_rate": service.settings.min_rate}  # each connection reads these
        finally:
            service.draining = True
            watching.cancel()
            service.hub.close()
            service.close()

    app = FastAPI(
        title="unrolled",
        version=version("unrolled"),
        description=ABOUT,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    modules = (step, sessions, predict, unfold, model)
    routers = [*(module.router for module in modules), model.health, page_router()]
    for router in routers:
        app.include_router(router)
    app.router.routes.append(WebSocketRoute("/v1/stream", StreamSocket(service)))
    errors.install(app, [*app.routes, *(route for router in routers for route in router.routes)])
    settings = service.settings
    app.add_middleware(Bounded, settings=settings)
    app.add_middleware(EncodedPaths)
    app.add_middleware(Guarded, settings=settings)
    app.add_middleware(Heads)
    app.add_middleware(Logged, metrics=service.metrics)
    return app


def from_environment() -> FastAPI:
    """Make the application that `Settings.to_environment` describes; uvicorn calls this in each process."""
    set_up()
    app = make_app(open_service(Settings.from_environment()))
    settle()
    return app


def settle() -> None:
    """Tune Python for serving: exempt loaded objects from garbage collection, and switch threads often."""
    gc.freeze()  # the collector need not scan them while events wait
    sys.setswitchinterval(SWITCH)
