"""The description of the API is complete, and nothing that it allows makes the server fail."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from serving.toys import toy_service
from unrolled.serving.application import make_app
from unrolled.serving.service import Service, stream_of
from unrolled.serving.settings import Settings
from unrolled.streaming.sessions import Sessions

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CALM = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}


def running(app):
    """An application whose end nobody calls: every request of schemathesis would start and end it."""

    async def asked(scope, receive, send):
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
        else:
            await app(scope, receive, send)

    return asked


@pytest.fixture
def served(request):
    if request.param == "toy":
        service = toy_service(max_length=300, timeout=60)
    else:
        model = request.getfixturevalue(request.param)
        stream, refusal = stream_of(model)
        sessions = None if stream is None else Sessions(stream)
        service = Service(Settings("m", max_length=300, timeout=60), model, sessions, refusal)
    app = running(make_app(service))
    yield schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "127.0.0.1"})
    service.close()


def try_all(schema, examples):
    """Requests to every operation, as the description allows them and as it does not."""
    for found in schema.get_all_operations():
        for mode in GenerationMode:
            try:
                cases = found.ok().as_strategy(generation_mode=mode)
                settings(max_examples=examples, **CALM)(given(case=cases)(asking()))()
            except Unsatisfiable:  # an operation without anything to get wrong
                assert mode is GenerationMode.NEGATIVE


def asking():
    """One request, and whether the answer is one that the description names; a function for each test of hypothesis."""

    def ask(case):
        case.call_and_validate(checks=CHECKS, headers={"Host": "127.0.0.1"})

    return ask


@pytest.mark.parametrize("served", ["toy", "language"], indirect=True)
def test_nothing_makes_the_server_fail(served):
    try_all(served, examples=2)


@pytest.mark.slow
@pytest.mark.parametrize("served", ["toy", "language", "classifier", "forecaster"], indirect=True)
def test_nothing_makes_the_server_fail_in_many_tries(served):
    try_all(served, examples=100)


@pytest.fixture(scope="module")
def description():
    return make_app(toy_service()).openapi()


def operations_of(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_says_what_it_does_and_how_it_fails(description):
    for name, operation in operations_of(description):
        assert operation["description"], name
        if "/v1/" not in name:
            continue
        for status in ("401", "413", "422", "429"):
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (name, status)
    assert "HTTPValidationError" not in description["components"]["schemas"]


def test_bodies_have_examples(description):
    for name, operation in operations_of(description):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                text = str(content) + str(description["components"]["schemas"])
                assert "example" in text, name
