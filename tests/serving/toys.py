"""A toy behind the server."""

import math

from starlette.testclient import TestClient

from streaming.toy import toy_stream
from unrolled.data.schema import Schema
from unrolled.errors import DataError, message
from unrolled.serving.application import make_app
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings
from unrolled.streaming.sessions import Sessions
from unrolled.tasks.description import Column, Description
from unrolled.tasks.shared.reported import Reported

HOST = "http://127.0.0.1"
STREAM = "ws://127.0.0.1/v1/stream"


class ToyModel(Reported):
    """Doubles numbers, and streams as the toy does."""

    schema_ = Schema()
    time_form_ = None

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def _fitted(self):
        return self

    def _input_codecs(self):
        return ()

    def _answer_codecs(self):
        return ()

    def describe(self):
        columns = (Column("x", "value"),)
        return Description("ToyModel", columns, "", "label", ("predict", "probabilities", "unfold"), ["even", "odd"])

    def allow_files(self, allowed):
        return self

    def stream(self):
        return toy_stream(self.seed)

    def predict(self, records):
        if any(not isinstance(record["x"], int | float) for record in records):
            raise DataError(message("x", expected="a number", received="something else"))
        return [math.nan if record["x"] == 13 else 2 * record["x"] for record in records]

    def predict_proba(self, records):
        return [[0.5, 0.5] for _ in records]


def toy_service(store=None, stream=None, model=None, **settings) -> Service:
    """A service around the toy."""
    told = Settings(**{"model": "toy", "timeout": 5.0, **settings})
    sessions = Sessions(toy_stream() if stream is None else stream, store, max_wait=told.max_wait)
    return Service(told, ToyModel() if model is None else model, sessions)


def client_of(service: Service, **options) -> TestClient:
    """A client of an application; use it in a `with` block."""
    return TestClient(make_app(service), HOST, raise_server_exceptions=False, **options)
