"""What is sent and what comes back, as the description of the API has it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from unrolled.serving.errors import KINDS

KEY_LENGTH = 512
Key = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH, description="whose session", examples=["ada"])]
Number = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Name = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)]
EventId = Annotated[
    Annotated[Number, Tag("Number")] | Annotated[Name, Tag("Name")],
    Discriminator(lambda value: "Name" if isinstance(value, str) else "Number"),  # so that one of the two complains
    Field(
        description="sent again, the event counts once: a number that grows from event to event of a key for ever, a "
        "text while it is among the last remembered_ids",
        examples=["e-17", 17],
    ),
]


class Strict(BaseModel):
    """A body without unknown fields, whose values have the types of JSON: true is no number, and 1 is no truth."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _one_unknown(cls, value: Any) -> Any:
        """Keep the first unknown field only: an error is made for each, and one is told."""
        if not isinstance(value, dict) or len(value) <= len(cls.model_fields):
            return value
        unknown = next((name for name in value if name not in cls.model_fields), None)
        return {name: item for name, item in value.items() if name in cls.model_fields or name == unknown}


def _whole(value: Any) -> Any:
    """The integer that 5.0 is in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
Rows = Annotated[list[dict[str, Any]], Field(fail_fast=True)]


class ErrorDetail(Strict):
    """What went wrong."""

    kind: str = Field(description=", ".join(KINDS), examples=["data"])
    message: str = Field(description="what was expected, what was received, and what to do")


class ErrorBody(Strict):
    """The form of every error."""

    error: ErrorDetail


class Event(Strict):
    """One event of one session."""

    key: Key
    event: Any = Field(description="as the model's own data hold it: a record, or a piece of one", examples=["a"])
    event_id: EventId | None = None


def _one_or_several(value: Any) -> str:
    return "Several" if isinstance(value, list) else "One"


Events = Annotated[
    Annotated[Event, Tag("One")] | Annotated[list[Event], Field(fail_fast=True), Tag("Several")],
    Discriminator(_one_or_several),
]


class Answer(Strict):
    """The answer to one event."""

    key: str
    output: Any = Field(description="what the model says after this event")


class Answered(Strict):
    """The answer to one event of several: an output, or why there is none."""

    key: str
    output: Any = None
    error: ErrorDetail | None = None


class Records(Strict):
    """Whole records to answer for."""

    records: Rows = Field(min_length=1, description="as the model learnt from", examples=[[{"x": "ab"}]])
    probabilities: bool = Field(False, description="also the probability of each class, where there are classes")


class Predictions(Strict):
    """An answer for each record, or for each series and step of a forecast."""

    predictions: list[Any]
    classes: list[Any] | None = Field(None, description="names of the columns of probabilities")
    probabilities: list[Any] | None = None


class Prompt(Strict):
    """What to write on from, and how to draw."""

    prompt: str = Field("", description="the text so far; empty starts a document", examples=["Once upon"])
    length: Whole = Field(200, ge=0, description="tokens to write at most")
    temperature: float = Field(1.0, ge=0, le=100, description="below 1 safer, above 1 wilder, 0 the likeliest token")
    top_k: Whole = Field(0, ge=0, le=2**31, description="draw only from the k likeliest tokens; 0 from all")
    top_p: float = Field(1.0, gt=0, le=1, description="draw from the fewest tokens that reach this probability")
    seed: Whole | None = Field(None, ge=0, lt=2**63, description="for repeatable text")
    given: dict[str, Any] | None = Field(None, description="values of the columns that start a text")
    candidates: Whole = Field(0, ge=0, le=50, description="tell this many of the likeliest tokens at each step")
    units: Whole = Field(0, ge=0, le=256, description="tell this many hidden units of the last layer at each step")


class SessionList(Strict):
    """The sessions that are kept."""

    count: int
    keys: list[str] = Field(description="some of them")


class SessionInfo(Strict):
    """What is known of a session."""

    key: str
    bytes: int = Field(description="of its state")
    fingerprint: str = Field(description="of the model whose state it is")


class ModelInfo(Strict):
    """The model that answers, and the limits of the server."""

    task: str
    fingerprint: str = Field(description="of the model's states; empty where it has no stream")
    can: list[str] = Field(description="of step, predict, probabilities, generate, unfold: what may be asked")
    why_no_steps: str = Field(description="empty, or why /v1/step is refused")
    columns: list[str] = Field(description="columns that are read")
    texts: list[str] = Field(description="those of them that hold texts; the others hold numbers or lists")
    target: str | None = Field(description="the column that is answered")
    time: str | None = Field(description="of series: the column of times")
    group: str | None = Field(description="of series: the column that tells them apart")
    classes: list[Any] | None = Field(description="what can be answered, where answers are classes")
    given: list[str] = Field(description="of a language model: columns that start a text")
    limits: dict[str, float]


class Look(Strict):
    """A text or a record to unfold the network over."""

    text: str | None = Field(None, description="of a language model", examples=["Once upon"])
    records: Rows | None = Field(None, min_length=1, description="of any other task")
    theme: Literal["light", "dark"] = "light"


class Picture(Strict):
    """One drawing."""

    name: str
    caption: str
    svg: str


class Seen(Strict):
    """The network unfolded, and its gradient flow."""

    verdict: str = Field(description="whether the gradient flows, in one sentence")
    notes: list[str]
    pictures: list[Picture]


def errors(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its description."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in ("request", "length", "token", "origin", "slow", "body", "busy", "internal", *kinds):
        status, text = KINDS[kind]
        known = found.setdefault(status, {"model": ErrorBody, "description": ""})
        known["description"] = f"{known['description']}; {kind}: {text}".lstrip("; ")
    return found
