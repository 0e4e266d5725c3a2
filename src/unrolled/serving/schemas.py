"""Schemas of requests and responses, as the API description shows them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from unrolled.serving.errors import KINDS

KEY_LENGTH = 512
Key = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH, description="key of the session", examples=["ada"])]
Number = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Name = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)]
EventId = Annotated[
    Annotated[Number, Tag("Number")] | Annotated[Name, Tag("Name")],
    Discriminator(lambda value: "Name" if isinstance(value, str) else "Number"),  # only one reports errors
    Field(
        description="an event sent again with its id counts once: always for a number, which must grow from event to "
        "event of a key; for a text while it is among the last remembered_ids",
        examples=["e-17", 17],
    ),
]


class Strict(BaseModel):
    """A body without unknown fields and with strict JSON types: true is no number, and 1 is no boolean."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _one_unknown(cls, value: Any) -> Any:
        """Keep the first unknown field only: each would make an error, and only one is reported."""
        if not isinstance(value, dict) or len(value) <= len(cls.model_fields):
            return value
        unknown = next((name for name in value if name not in cls.model_fields), None)
        return {name: item for name, item in value.items() if name in cls.model_fields or name == unknown}


def _whole(value: Any) -> Any:
    """Convert a whole float such as 5.0 to an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
Rows = Annotated[list[dict[str, Any]], Field(fail_fast=True)]


class ErrorDetail(Strict):
    """Details of an error."""

    kind: str = Field(description=", ".join(KINDS), examples=["data"])
    message: str = Field(description="what was expected, what was received, and what to do")


class ErrorBody(Strict):
    """The form of every error."""

    error: ErrorDetail


class Event(Strict):
    """One event of one session."""

    key: Key
    event: Any = Field(description="in the form of the training data: a record, or a piece of one", examples=["a"])
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
    output: Any = Field(description="the model's output after this event")


class Answered(Strict):
    """The answer to one event of several: an output or an error."""

    key: str
    output: Any = None
    error: ErrorDetail | None = None


class Records(Strict):
    """Whole records to predict for."""

    records: Rows = Field(min_length=1, description="in the form of the training data", examples=[[{"x": "ab"}]])
    probabilities: bool = Field(False, description="also return the probability of each class (classification only)")


class ColumnReport(Strict):
    """The tokens of one column that was read."""

    tokens: int
    unit: str = Field(description="what a token is: characters, words, values or items")
    unknown: int = Field(description="number of tokens that training never saw")
    share: float = Field(description="their share")
    examples: list[str] = Field(description="some of them")
    hint: str = Field(description="the spelling in which most would be known; else empty")


class ShareReport(Strict):
    """The share of one count, such as of the rows that were missing."""

    share: float
    of: int = Field(description="number of those that were looked at, such as all rows")
    unit: str = Field(description="what is counted: values, rows, series, users, labels or recordings")
    examples: list[str] = Field(description="some of those that count, where they have names")
    hint: str = Field(description="the spelling in which most would be known; else empty")


class Report(Strict):
    """What the records of this request held that the model does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    tokens: int
    unknown: int = Field(description="number of tokens that training never saw")
    share_unknown: float = Field(alias="share unknown", description="their share")
    columns: dict[str, ColumnReport]
    empty_records: int = Field(alias="empty records")
    missing_values: int = Field(alias="missing values")
    gaps_filled: int = Field(alias="gaps filled", description="missing rows of series")
    unseen_series: int = Field(alias="unseen series", description="series that training never saw")
    unseen_users: int = Field(alias="unseen users", description="users that training never saw")
    unseen_labels: int = Field(alias="unseen labels", description="true labels that training never saw")
    rows_left_out: int = Field(alias="rows left out", description="such as those with a repeated time")
    times_that_did_not_fit: int = Field(alias="times that did not fit", description="that do not follow the clock")
    recordings_cut_off: int = Field(alias="recordings cut off", description="those longer than the model reads")
    shares: dict[str, ShareReport] = Field(description="of those of the counts above that are not 0")
    warnings: list[str] = Field(
        description="a sentence for each column and each count of which more than a fifth is unknown, and more than "
        "one of several"
    )


class Predictions(Strict):
    """One prediction per record, or per series and step of a forecast."""

    predictions: list[Any]
    report: Report
    classes: list[Any] | None = Field(None, description="classes, in the order of the columns of probabilities")
    probabilities: list[Any] | None = None


class Prompt(Strict):
    """A prompt to continue, and how to sample."""

    prompt: str = Field("", description="the text so far; empty starts a document", examples=["Once upon"])
    length: Whole = Field(200, ge=0, description="maximum number of tokens to write")
    temperature: float = Field(1.0, ge=0, le=100, description="below 1 safer, above 1 more varied, 0 the likeliest")
    top_k: Whole = Field(0, ge=0, le=2**31, description="sample only from the k likeliest tokens; 0 = from all")
    top_p: float = Field(1.0, gt=0, le=1, description="sample from the fewest tokens that reach this probability")
    seed: Whole | None = Field(None, ge=0, lt=2**63, description="for repeatable text")
    given: dict[str, Any] | None = Field(None, description="values of the columns that start a text")
    candidates: Whole = Field(0, ge=0, le=50, description="return this many of the likeliest tokens at each step")
    units: Whole = Field(0, ge=0, le=256, description="return this many hidden units of the last layer at each step")


class SessionList(Strict):
    """The sessions that are kept."""

    count: int
    keys: list[str] = Field(description="some of them")


class SessionInfo(Strict):
    """Facts about a session."""

    key: str
    bytes: int = Field(description="size of its state")
    fingerprint: str = Field(description="fingerprint of the model that made the state")


class ModelInfo(Strict):
    """The model that is served, and the limits of the server."""

    task: str
    fingerprint: str = Field(description="of the model's states; empty where the model cannot stream")
    can: list[str] = Field(description="what the model supports: step, predict, probabilities, generate, unfold")
    why_no_steps: str = Field(description="why /v1/step is refused; else empty")
    columns: list[str] = Field(description="columns that the model reads")
    kinds: dict[str, str] = Field(description="kind of the values of each column in training, such as lists of numbers")
    reading: dict[str, str] = Field(description="how values are read: marks of missing ones, decimals, times, zone")
    texts: list[str] = Field(description="those of them that hold texts; the others hold numbers or lists")
    target: str | None = Field(description="the column that is predicted")
    time: str | None = Field(description="for series: the column of times")
    group: str | None = Field(description="for series: the column that identifies a series")
    classes: list[Any] | None = Field(description="the classes of a classifier")
    given: list[str] = Field(description="for a language model: columns that condition a text")
    parts: dict[str, float] | None = Field(description="weights of the models that answer together; null for one")
    limits: dict[str, float]


class Look(Strict):
    """A text or a record to unfold the network over."""

    text: str | None = Field(None, description="for a language model", examples=["Once upon"])
    records: Rows | None = Field(None, min_length=1, description="for any other task")
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
    """Return the error responses of a route, for the API description."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in ("request", "length", "token", "origin", "slow", "body", "busy", "internal", *kinds):
        status, text = KINDS[kind]
        known = found.setdefault(status, {"model": ErrorBody, "description": ""})
        known["description"] = f"{known['description']}; {kind}: {text}".lstrip("; ")
    return found
