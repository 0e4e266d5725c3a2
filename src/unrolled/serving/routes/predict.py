"""`/v1/predict` and `/v1/generate`: predictions for whole records, and generated text as a stream."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from unrolled.decoding.generate import Sampling
from unrolled.errors import UnrolledError, UnsupportedError, message
from unrolled.serving.errors import STUMBLES, Fault, fault_of, unreadable
from unrolled.serving.limits import is_wanted
from unrolled.serving.predictions import predictions, table_of_csv
from unrolled.serving.routes.common import Asked, StrictRoute, written
from unrolled.serving.schemas import Predictions, Prompt, Records, errors
from unrolled.serving.service import Service
from unrolled.serving.sse import EventStream, event
from unrolled.serving.strict_json import dumps_long
from unrolled.tasks.language.language_model import LanguageModel
from unrolled.tasks.language.live_generation import Shown, write_on
from unrolled.tasks.shared.reported import reading

router = APIRouter(route_class=StrictRoute, tags=["model"])
CSV = "text/csv"
SLICE = 0.05  # seconds of writing between two checks that the client is still connected
CSV_BODY: Any = {"requestBody": {"content": {CSV: {"schema": {"type": "string"}, "example": "day,kwh\n1,2.5\n"}}}}
STREAM: Any = {
    200: {
        "description": "events `token` with text, expected, units, read; then `done` with stopped, report; or `error`",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "description": "one event",
                    "properties": {
                        "event": {"enum": ["token", "done", "error"]},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                    },
                }
            }
        },
    }
}


@router.post("/v1/predict", response_model=Predictions, responses=errors("data", "unsupported", "type", "time"))
async def predict(service: Asked, body: Records) -> Response:
    """Predict for whole records, as `model.predict` does: labels, tags, texts, items, or the steps of a forecast."""
    return written(await service.ask(_of_records, service, body))


@router.post(
    "/v1/predict/csv",
    response_model=Predictions,
    responses=errors("data", "unsupported", "type", "time"),
    openapi_extra=CSV_BODY,
)
async def predict_csv(service: Asked, request: Request) -> Response:
    """Predict for the rows of a CSV file, parsed in the same way as the training data."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CSV:
        raise Fault("type", message("Content-Type", expected=CSV, received=request.headers.get("content-type", "none")))
    return written(await service.ask(_of_csv, service, await request.body()))


@router.post(
    "/v1/generate",
    responses={**errors("option", "data", "unsupported", "draining", "time"), **STREAM},
    response_class=Response,
)
async def generate(service: Asked, body: Annotated[Prompt, Body()], request: Request) -> Response:
    """Continue a prompt, token by token, as server-sent events; disconnecting ends it.

    The last event says why it stopped: `end`, `draining` where the server stops, or `busy` where the text has used up
    its time and other requests wait; and, as `report`, what the prompt held that the model does not know.
    """
    if service.draining:
        raise Fault("draining", "this server is stopping")
    most = service.settings.max_length
    if body.length > most:
        raise Fault("length", message("length", expected=f"at most {most:,} tokens", received=f"{body.length:,}"))
    steps, report = await service.ask(_begun, service.model, body)
    return EventStream(_events(service, steps, report, request))


def _of_records(service: Service, body: Records) -> str:
    if body.probabilities:
        cells = len(body.records) * len(service.model.describe().classes or ())
        if cells > service.bounds.cells:
            most = f"at most {service.bounds.cells:,} probabilities"
            raise Fault("length", message("records", expected=most, received=f"{cells:,}"))
    return dumps_long(predictions(service.model, body.records, body.probabilities))


def _of_csv(service: Service, data: bytes) -> str:
    return dumps_long(predictions(service.model, table_of_csv(service.model, data, service.bounds)))


def _begun(model: Any, body: Prompt) -> tuple[Iterator[Any], dict[str, Any]]:
    """Return the steps of a text, and what its prompt held that the model does not know."""
    if not isinstance(model, LanguageModel):
        raise UnsupportedError(f"a {type(model).__name__} does not generate text: use /v1/predict")
    try:
        with reading(model) as tally:
            sampling = Sampling(body.length, body.temperature, body.top_k, body.top_p, body.seed)
            steps = write_on(model, body.prompt, sampling, body.given, Shown(body.candidates, body.units))
    except UnrolledError:
        raise
    except STUMBLES as error:
        raise unreadable("prompt", error) from error
    return steps, tally.report()


async def _events(
    service: Service, steps: Iterator[Any], report: Mapping[str, Any], request: Request
) -> AsyncIterator[str]:
    """Yield the steps as events; a thread writes for a moment, then the client is checked."""
    count = 0
    try:
        while not (service.draining or is_wanted() or await request.is_disconnected()):
            some, text = await service.ask(_some, steps)
            if not some:
                break
            count += some
            yield text
        stopped = "draining" if service.draining else "busy" if is_wanted() else "end"
        yield event("done", {"stopped": stopped, "report": report})
    except Exception as error:
        fault = fault_of(error)
        service.metrics.errors.labels(fault.kind).inc()
        yield event("error", fault.to_json()["error"])
    finally:
        service.metrics.tokens.inc(count)


def _some(steps: Iterator[Any]) -> tuple[int, str]:
    """Return the number of the next steps and their events: as many as `SLICE` seconds give, at least one.

    They are written together, here in a thread: one by one they would keep the event loop from other clients.
    """
    found, stop = [], time.monotonic() + SLICE
    for step in steps:
        said = {"text": step.text, "expected": step.expected, "units": step.units, "read": step.read}
        found.append(event("token", said))
        if time.monotonic() > stop:
            break
    return len(found), "".join(found)
