"""`/v1/unfold`: drawings of the network unfolded over a text or record, and of its gradient flow."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from unrolled.errors import DataError, OptionError, UnrolledError, message
from unrolled.plots.gradient_flow import draw_decay, draw_state_gradients
from unrolled.plots.states import draw_states
from unrolled.plots.theme import THEMES, svg_of
from unrolled.plots.unfolding import draw_unfolding
from unrolled.serving.errors import STUMBLES, unreadable
from unrolled.serving.routes.common import Asked, StrictRoute, as_json
from unrolled.serving.schemas import Look, Seen, errors
from unrolled.serving.strict_json import plain

router = APIRouter(route_class=StrictRoute, tags=["model"])
ANSWERED = ("label", "labels", "text")  # kinds of targets that a record can hold
STEPS, ROWS = 200, 2_000  # maximum characters of a text or items of a list, and records: drawing them takes seconds


@router.post("/v1/unfold", response_model=Seen, responses=errors("data", "option", "unsupported", "time"))
async def unfold(service: Asked, body: Annotated[Look, Body()]) -> Response:
    """Unfold the network over a text (of a language model) or over records, and draw it with its gradient flow.

    A record without a target gets the model's prediction, as the gradient needs one. A text, or a list in a record, may
    have 200 characters or items.
    """
    service.bounds.check_length(body.records or [], "records", ROWS)
    steps = replace(service.bounds, length=min(STEPS, service.bounds.length))
    for one in (body.text, *(body.records or ())):
        steps.check_value(one, "text or records")
    return as_json(await service.paint(_seen, service.model, body))


def _seen(model: Any, body: Look) -> dict[str, Any]:
    if (body.text is None) == (body.records is None):
        raise OptionError(message("text, records", expected="one of the two", received="both or none"))
    if body.text is not None:
        if "generate" not in model.describe().abilities:
            raise DataError(message("text", expected="records for this task", received="a text"))
        if not body.text:
            raise DataError(message("text", expected="at least one character", received="none"))
    try:
        data = _answered(model, body.records or [])
        found = model.inspect(body.text if body.text is not None else data)
        return _drawn(found, body.theme)
    except UnrolledError:
        raise
    except STUMBLES as error:
        raise unreadable("text or records", error) from error


def _drawn(found: Any, theme: str) -> dict[str, Any]:
    colours, flow, last = THEMES[theme], found.gradient_flow, found.states.layers[-1]
    drawings = {
        "unfolding": (
            "The network unfolded in time, with the same weights at every step",
            partial(draw_unfolding, found.unfolding),
        ),
        "state-gradients": ("Gradient norm at every step", partial(draw_state_gradients, flow)),
        "decay": ("Share of a loss's gradient that is left at earlier steps", partial(draw_decay, flow)),
        "states": ("Hidden state of the last layer", partial(draw_states, last, labels=found.labels_of(last))),
    }
    return {
        "verdict": f"{flow.verdict}.",
        "notes": [f"{finding.sentence}." for finding in flow.findings[1:]],
        "pictures": [
            {"name": name, "caption": caption, "svg": svg_of(draw(theme=colours))}
            for name, (caption, draw) in drawings.items()
        ],
    }


def _answered(model: Any, records: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Fill missing targets of records with the model's predictions."""
    said = model.describe()
    column = said.target
    if said.answer not in ANSWERED or not records:
        return records
    if all(record.get(column) is not None for record in records):
        return records
    answers = [plain(answer) for answer in model.predict(records)]
    return [
        record if record.get(column) is not None else {**record, column: answer}
        for record, answer in zip(records, answers, strict=True)
    ]
