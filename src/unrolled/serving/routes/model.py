"""`/v1/model`, health and metrics: the state of the server and its model."""

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from unrolled.serving.errors import Fault
from unrolled.serving.routes.common import Asked, StrictRoute, as_json
from unrolled.serving.schemas import ModelInfo, errors

router = APIRouter(route_class=StrictRoute, tags=["model"])
health = APIRouter(route_class=StrictRoute, tags=["health"])
MOST_CLASSES = 1000
TEXT: Any = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
LIMITS = (
    "max_body",
    "max_length",
    "max_items",
    "max_cells",
    "max_columns",
    "max_depth",
    "max_events",
    "min_rate",
    "ttl",
    "timeout",
)
LIMITS += ("max_requests", "max_batch")
LIMITS += ("remembered_events", "remembered_ids", "remembered_bytes", "max_session_bytes")


@router.get("/v1/model", response_model=ModelInfo, responses=errors())
async def model(service: Asked) -> Response:
    """Describe the model, what it can do, and the limits of this server."""
    said, settings = service.model.describe(), service.settings
    classes = said.classes
    return as_json(
        {
            "task": said.task,
            "fingerprint": service.fingerprint,
            "can": ["step"] * bool(service.fingerprint) + list(said.abilities),
            "why_no_steps": service.refusal,
            "columns": [column.name for column in said.columns],
            "kinds": {column.name: column.holds for column in said.columns if column.holds},
            "reading": said.reading,
            "texts": [column.name for column in said.columns if column.takes_text and not column.opens_files],
            "target": said.target or None,
            "time": said.time,
            "group": said.group,
            "classes": None if classes is None or len(classes) > MOST_CLASSES else classes,
            "given": said.given,
            "parts": said.parts,
            "limits": {name: getattr(settings, name) or 0 for name in LIMITS}
            | {"max_sessions": settings.most_sessions or 0},
        }
    )


@health.get("/healthz", response_class=Response, responses=TEXT)
async def alive() -> Response:
    """Report that the process is alive."""
    return Response("ok", media_type="text/plain")


@health.get("/readyz", response_class=Response, responses={**TEXT, **errors("store", "draining")})
async def ready(service: Asked) -> Response:
    """Report that requests may be sent here: the server is not stopping and its store is available."""
    why = await service.is_ready()
    if why:
        raise Fault("draining" if why == "draining" else "store", f"not ready: {why}")
    return Response("ready", media_type="text/plain")


@health.get("/metrics", response_class=Response, responses={**TEXT, **errors()})
async def metrics(service: Asked) -> Response:
    """Return the metrics of this process for Prometheus."""
    return Response(await service.look(service.metrics.text), media_type=CONTENT_TYPE_LATEST)
