"""`/v1/step`: one or many events of sessions."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from unrolled.serving.event_batches import answers_of
from unrolled.serving.routes.common import Asked, StrictRoute, as_json, written
from unrolled.serving.schemas import Answer, Answered, Event, Events, errors

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
async def step(service: Asked, body: Annotated[Events, Body(openapi_examples=EXAMPLES)]) -> Response:
    """Read one event of a session, or a list of events in order; events of different keys are read in one batch.

    In a list each event has its own output or error. An unknown key starts a new session.
    """
    if isinstance(body, Event):
        return as_json({"key": body.key, "output": await service.step(body.key, body.event, body.event_id)})
    return written(await answers_of(service, body))
