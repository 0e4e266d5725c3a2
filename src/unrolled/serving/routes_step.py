"""`/v1/step`: events of sessions, one or many."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from unrolled.serving.asking import Asked, StrictRoute, as_json
from unrolled.serving.faults import fault_of
from unrolled.serving.limits import check_length
from unrolled.serving.schemas import Answer, Answered, Event, errors
from unrolled.serving.service import Service

router = APIRouter(route_class=StrictRoute, tags=["sessions"])
EXAMPLES: Any = {
    "one": {"value": {"key": "ada", "event": "a"}},
    "once only": {"value": {"key": "ada", "event": "a", "event_id": "e-17"}},
    "several": {"value": [{"key": "ada", "event": "a"}, {"key": "bob", "event": "b"}]},
}


@router.post(
    "/v1/step",
    response_model=Answer | list[Answered],
    responses=errors("data", "repeated", "unsupported", "store", "lost", "draining", "time"),
)
async def step(service: Asked, body: Annotated[Event | list[Event], Body(openapi_examples=EXAMPLES)]) -> Response:
    """Read one event of a session, or one after the other of a list; those of different keys are read side by side.

    In a list each event has its own output or error. A session that is not known begins.
    """
    most = service.settings.max_length
    if isinstance(body, Event):
        check_length(body.event, most, "event")
        return as_json({"key": body.key, "output": await service.step(body.key, body.event, body.event_id)})
    check_length(body, most, "events")
    _ = service.sessions  # refused as a whole where there are none
    return as_json(await asyncio.gather(*(_answered(service, event) for event in body)))


async def _answered(service: Service, event: Event) -> dict[str, Any]:
    try:
        check_length(event.event, service.settings.max_length, "event")
        return {"key": event.key, "output": await service.step(event.key, event.event, event.event_id)}
    except Exception as error:
        fault = fault_of(error)
        service.metrics.errors.labels(fault.kind).inc()
        return {"key": event.key, **fault.to_json()}
