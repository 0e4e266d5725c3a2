"""Errors as responses: one JSON form, `{"error": {"kind", "message"}}`, and never a traceback."""

import logging
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from polars.exceptions import PanicException, PolarsError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from unrolled.errors import (
    AnswerLost,
    ArtifactError,
    DataError,
    InputError,
    OptionError,
    RepeatedEvent,
    ShapeError,
    StoreUnavailable,
    UnrolledError,
    UnsupportedError,
    message,
)

log = logging.getLogger("unrolled.serving")
# exceptions that a model may raise on malformed values that it does not check for
STUMBLES = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    PolarsError,
    PanicException,
)
LONGEST = 1000  # characters of a message: it may name what was sent, and that may be megabytes
KIND = "unrolled.fault"  # the kind of the error that was sent, in the scope of a request
RETRY = {"Retry-After": "1"}
HEADERS = {
    "busy": RETRY,
    "store": RETRY,
    "lost": RETRY,
    "draining": RETRY,
    "token": {"WWW-Authenticate": "Bearer"},
    "slow": {"Connection": "close"},
    "upgrade": {"Connection": "Upgrade", "Upgrade": "websocket"},
}

# kind of error: status, and its meaning for the API description
KINDS: dict[str, tuple[int, str]] = {
    "request": (422, "a body or parameter that is malformed, or has an unknown or missing field"),
    "data": (422, "an event or record that the model cannot read"),
    "option": (422, "an option with an illegal value"),
    "state": (422, "a state that is damaged, or of another model"),
    "length": (422, "a text or list longer than the server accepts"),
    "malformed": (400, "the request is not HTTP, or no valid WebSocket handshake"),
    "token": (401, "no token, or a wrong one"),
    "origin": (403, "a request from a page of another site"),
    "missing": (404, "no such session, or no such path"),
    "method": (405, "the path does not support this method"),
    "slow": (408, "the request did not arrive in time"),
    "repeated": (409, "an event that was counted already and whose answer is no longer kept"),
    "unsupported": (409, "this model cannot do that"),
    "body": (413, "a request larger than the server accepts"),
    "type": (415, "a body that is not JSON"),
    "upgrade": (426, "a path that needs a WebSocket"),
    "busy": (429, "too many requests at once: retry after Retry-After"),
    "internal": (500, "an error in the server; its log has details"),
    "store": (503, "the store of sessions is unavailable and this event was not counted: retry after Retry-After"),
    "lost": (
        503,
        "the store's answer was lost: whether this was done is not known; with the same event_id it is safe to "
        "send the event again after Retry-After",
    ),
    "draining": (503, "the server is stopping: use another one"),
    "time": (504, "the answer took too long; send the event again with the same event_id"),
}
_CLASSES: dict[type[UnrolledError], str] = {
    AnswerLost: "lost",
    StoreUnavailable: "store",
    RepeatedEvent: "repeated",
    ArtifactError: "state",
    OptionError: "option",
    ShapeError: "data",
    DataError: "data",
    InputError: "data",
    UnsupportedError: "unsupported",
}
SOCKETS = ("/v1/stream",)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
_STATUSES = {404: "missing", 405: "method", 413: "body", 415: "type"}


class Fault(Exception):  # noqa: N818 - most often the client's
    """A request that is refused.

    Args:
        kind: one of `KINDS`.
        text: message for the client.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text if len(text) <= LONGEST else f"{text[:LONGEST]}..."

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.kind][0]

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return the JSON body of the response."""
        return {"error": {"kind": self.kind, "message": self.text}}

    @property
    def phrase(self) -> str:
        """The reason phrase of the status."""
        return HTTPStatus(self.status).phrase

    @property
    def headers(self) -> dict[str, str]:
        """Extra HTTP headers of the response."""
        return HEADERS.get(self.kind, {})

    def response(self) -> JSONResponse:
        """Return the fault as a response."""
        return JSONResponse(self.to_json(), self.status, self.headers)


def fault_of(error: BaseException) -> Fault:
    """Return the fault that a client sees for an error; an unexpected error is logged and its text not sent."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, TimeoutError):
        return Fault("time", "the answer took longer than this server waits")
    for kind, name in _CLASSES.items():
        if isinstance(error, kind):
            return Fault(name, str(error))
    log.error("internal", exc_info=error)
    return Fault("internal", "an error in the server; its log has details")


def folded(method: str) -> str:
    """Return a known HTTP method, or OTHER, so that clients cannot create endless metric labels."""
    return method if method in METHODS else "OTHER"


def event_fault(error: BaseException) -> Fault:
    """Return the fault of an event that got no answer."""
    foreseen = isinstance(error, Fault | UnrolledError | TimeoutError)
    return unreadable("event", error) if not foreseen and isinstance(error, STUMBLES) else fault_of(error)


def unreadable(argument: str, error: BaseException) -> Fault:
    """Log an unexpected exception of a model as a malformed record, and return the client's fault.

    The exception's text is a library's, about its own arguments: it is for the log, and not for the client.
    """
    log.warning("unreadable", exc_info=error)
    received = "a value that this model cannot read"
    return Fault("data", message(argument, expected="values like those of the training data", received=received))


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Make an application send every error in the common form.

    Args:
        app: the application.
        routes: all its routes, to list the methods of a path.
    """

    def allowed(request: Request) -> str:
        """Return the methods of all routes of a path, and HEAD where there is GET."""
        found = {
            method
            for route in routes
            if isinstance(route, Route | APIRoute) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))

    async def refused(request: Request, error: Exception) -> JSONResponse:
        return told(fault_of(error), request.scope)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        if isinstance(error.body, bytes):
            received = request.headers.get("content-type", "none")[:60]
            wrong = Fault("type", message("Content-Type", expected="application/json", received=received))
            return told(wrong, request.scope)
        return told(Fault("request", _first(error)), request.scope)

    async def other(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind = _STATUSES.get(error.status_code, "request")
        if kind == "missing" and request.scope["path"] in SOCKETS:
            return told(Fault("upgrade", "this path needs a WebSocket"), request.scope)
        phrase = HTTPStatus(error.status_code).phrase.lower()
        response = told(Fault(kind, f"{folded(request.method)}: {phrase}"), request.scope)
        response.headers.update(error.headers or {})
        if kind == "method":
            response.headers["Allow"] = allowed(request)
        return response

    for kind in (Fault, UnrolledError, TimeoutError, Exception):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, other)


async def refuse(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a fault as the response, from outside the application."""
    await told(fault, scope)(scope, receive, send)


def told(fault: Fault, scope: Scope) -> JSONResponse:
    """Return the response of a fault, and note its kind in the scope for metrics and logs."""
    scope[KIND] = fault.kind
    return fault.response()


def _first(error: RequestValidationError) -> str:
    """Return the first validation error with the path of its field, without repeating the value."""
    first = error.errors()[0]
    # names of our own classes mean nothing to a client
    where = [str(part) for part in first["loc"][1:] if not str(part)[:1].isupper()]
    detail = str(first.get("ctx", {}).get("error") or first["msg"])
    detail = f"{detail[0].lower()}{detail[1:]}"
    return f"{'.'.join(where) or first['loc'][0]}: {detail}"
