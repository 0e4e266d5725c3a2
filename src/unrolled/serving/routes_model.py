"""`/v1/model`, health, metrics: what answers here, and how it is."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from unrolled.serving.asking import Asked, StrictRoute, as_json
from unrolled.serving.faults import Fault
from unrolled.serving.predicting import answer_column, series_columns
from unrolled.serving.schemas import ModelInfo, errors

router = APIRouter(route_class=StrictRoute, tags=["model"])
health = APIRouter(route_class=StrictRoute, tags=["health"])
MOST_CLASSES = 1000
TEXTS = ("characters", "words", "subwords", "categories")  # codecs that read a text
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


@router.get("/v1/model", response_model=ModelInfo, responses=errors())
async def model(service: Asked) -> Response:
    """The model, what may be asked of it, and the limits of this server."""
    task, settings = service.model, service.settings
    time, group = series_columns(task)
    writes = hasattr(task, "score_texts")
    can = ["step"] * bool(service.fingerprint) + ["predict"] + ["generate"] * writes + ["unfold"]
    classes = getattr(task, "classes_", None)
    classes = None if classes is None or len(classes) > MOST_CLASSES else list(classes)
    return as_json(
        {
            "task": type(task).__name__,
            "fingerprint": service.fingerprint,
            "can": can,
            "why_no_steps": service.refusal,
            "columns": columns_of(task),
            "texts": texts_of(task),
            "target": answer_column(task) or _text(getattr(task, "target", None)),
            "time": time,
            "group": group,
            "classes": classes,
            "given": _names(getattr(task, "given_", None)),
            "limits": {name: getattr(settings, name) or 0 for name in LIMITS}
            | {"max_sessions": settings.most_sessions or 0},
        }
    )


@health.get("/healthz", response_class=Response, responses=TEXT)
async def alive() -> Response:
    """The process answers."""
    return Response("ok", media_type="text/plain")


@health.get("/readyz", response_class=Response, responses={**TEXT, **errors("store", "draining")})
async def ready(service: Asked) -> Response:
    """Requests may be sent here: neither stopping, nor without its store."""
    why = await service.is_ready()
    if why:
        raise Fault("draining" if why == "draining" else "store", f"not ready: {why}")
    return Response("ready", media_type="text/plain")


@health.get("/metrics", response_class=Response, responses={**TEXT, **errors()})
async def metrics(service: Asked) -> Response:
    """Counters for Prometheus, of this process."""
    return Response(await service.ask(service.metrics.text), media_type=CONTENT_TYPE_LATEST)


def columns_of(task: Any) -> list[str]:
    """The columns that a task reads, its target left out where it does not read that."""
    for name in ("codecs_", "reader_", "codec_", "watched_"):
        codec = getattr(task, name, None)
        if codec is not None and hasattr(codec, "columns"):
            return _names(codec)
    panel = getattr(task, "panel_", None)
    if panel is not None:
        covariates = [column for codecs in panel.codecs.values() for codec in codecs for column in codec.columns]
        return [name for name in (*series_columns(task), panel.target, *covariates) if name]
    return []


def texts_of(task: Any) -> list[str]:
    """Those of the columns that hold texts; the others hold numbers or lists."""
    codecs = [getattr(task, name) for name in ("reader_", "codec_") if hasattr(task, name)]
    codecs += getattr(getattr(task, "codecs_", None), "codecs", ())
    plain = [codec for codec in codecs if getattr(codec, "name", "") in TEXTS and not getattr(codec, "lists_", False)]
    return [column for codec in plain for column in codec.columns]


def _names(holder: Any) -> list[str]:
    columns: Iterable[Any] = () if holder is None else holder.columns
    return [str(column) for column in columns]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
