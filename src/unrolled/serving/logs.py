"""Logs: one JSON object per line, one line per request; never an event, a key or a token."""

import asyncio
import json
import logging
import math
import sys
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unrolled.serving.errors import KIND, Fault, fault_of, folded, refuse
from unrolled.serving.metrics import Metrics

log = logging.getLogger("unrolled.serving")
SECONDS = 1.0  # between two lines about errors of one kind
LEFT = 499  # in place of a status: the client disconnected before the response
FIELDS = "fields"  # attribute of a record that holds further fields


class Lines(logging.Formatter):
    """A formatter that writes each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line."""
        said: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


class Seldom(logging.Filter):
    """A filter that logs at most one error of each kind per second; the next line counts those left out.

    Args:
        clock: returns a time in seconds; only differences matter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}  # last logged, and left out since

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record."""
        if record.levelno < logging.WARNING:
            return True
        kind = "" if not record.exc_info or record.exc_info[0] is None else record.exc_info[0].__name__
        what, now = (kind, f"{record.pathname}:{record.lineno}"), self._clock()
        when, more = self._said.get(what, (-math.inf, 0))
        if now - when < SECONDS:
            self._said[what] = when, more + 1
            return False
        self._said[what] = now, 0
        if more:
            setattr(record, FIELDS, {**getattr(record, FIELDS, {}), "more": more})
        return True


def set_up(level: int = logging.INFO) -> None:
    """Write the logs of the server and of uvicorn to standard error, as lines of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    handler.addFilter(Seldom())
    for name, least in {"unrolled.serving": level, "uvicorn": logging.WARNING, "asyncio": logging.WARNING}.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(least)


def say(event: str, **fields: Any) -> None:
    """Write one line to the log."""
    log.info(event, extra={FIELDS: fields})


class Logged:
    """Middleware that counts, times and logs every request.

    Args:
        app: the application behind it.
        metrics: the counters.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, sent = time.perf_counter(), LEFT, 0

        async def counting(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, counting)
        except ClientDisconnect:
            pass  # the client disconnected while a text was written
        except Exception as error:
            if sent or status != LEFT:
                raise
            await refuse(fault_of(error), scope, receive, counting)
        except asyncio.CancelledError:  # the server stops, and has waited for this request long enough
            if status == LEFT:
                await refuse(Fault("draining", "this server has stopped"), scope, receive, counting)
            raise
        finally:
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", None) or "other"
            method = folded(scope["method"])
            self.metrics.requests.labels(route, method, str(status)).inc()
            self.metrics.request_seconds.labels(route).observe(seconds)
            kind = scope.get(KIND)
            if kind is not None:
                self.metrics.errors.labels(kind).inc()
            say(
                "request",
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
                bytes=sent,
                **({} if kind is None else {"error": kind}),
                client=(scope.get("client") or ("",))[0],
            )
