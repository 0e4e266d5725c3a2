"""`/v1/unfold`: drawings of the network unfolded over a text or record, and of its gradient flow."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from unrolled.errors import DataError, OptionError, UnrolledError, message
from unrolled.inspection.record import Inspection
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
    async with service.drawing():
        found = await service.ask(_inspected, service.model, body)
        flow, pictures = found.gradient_flow, []
        for name, (caption, draw) in _drawings(found).items():  # others have their turn between two pictures
            svg = await service.paint(_svg, draw, body.theme)
            pictures.append({"name": name, "caption": caption, "svg": svg})
    notes = [f"{finding.sentence}." for finding in flow.findings[1:]]
    return as_json({"verdict": f"{flow.verdict}.", "notes": notes, "pictures": pictures})


def _inspected(model: Any, body: Look) -> Inspection:
    if (body.text is None) == (body.records is None):
        raise OptionError(message("text, records", expected="one of the two", received="both or none"))
    if body.text is not None:
        if "generate" not in model.describe().abilities:
            raise DataError(message("text", expected="records for this task", received="a text"))
        if not body.text:
            raise DataError(message("text", expected="at least one character", received="none"))
    with _readable():
        data = _answered(model, body.records or [])
        return model.inspect(body.text if body.text is not None else data)


def _svg(draw: Callable[..., Any], theme: str) -> str:
    with _readable():
        return svg_of(draw(theme=THEMES[theme]))


@contextmanager
def _readable() -> Generator[None]:
    """Report an error of values that the model does not check for as the client's."""
    try:
        yield
    except UnrolledError:
        raise
    except STUMBLES as error:
        raise unreadable("text or records", error) from error


def _drawings(found: Inspection) -> dict[str, tuple[str, Callable[..., Any]]]:
    """Return captions and the functions that draw, by name."""
    flow, last = found.gradient_flow, found.states.layers[-1]
    return {
        "unfolding": (
            "The network unfolded in time, with the same weights at every step",
            partial(draw_unfolding, found.unfolding),
        ),
        "state-gradients": ("Gradient norm at every step", partial(draw_state_gradients, flow)),
        "decay": ("Share of a loss's gradient that is left at earlier steps", partial(draw_decay, flow)),
        "states": ("Hidden state of the last layer", partial(draw_states, last, labels=found.labels_of(last))),
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
