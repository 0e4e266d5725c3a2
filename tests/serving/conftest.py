"""A client of a toy, and small models that are fitted once."""

import math
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

import unrolled as ur
from serving.toys import client_of, toy_service


@pytest.fixture
def client() -> Iterator[TestClient]:
    with client_of(toy_service(max_body=2000, max_length=500)) as made:
        yield made


@pytest.fixture(scope="session")
def language():
    return ur.LanguageModel(hidden_size=8, dropout=0.0).fit("abcabc" * 100, epochs=4, learning_rate=0.02)


@pytest.fixture(scope="session")
def forecaster():
    rows = [{"t": step, "y": math.sin(step * math.pi / 4)} for step in range(120)]
    table = ur.as_source(rows, time="t")
    return ur.Forecaster(horizon=4, hidden_size=8).fit(table, epochs=2)


@pytest.fixture(scope="session")
def classifier():
    rows = [{"text": "abab" * (1 + n % 3), "kind": "low"} for n in range(20)]
    rows += [{"text": "yzyz" * (1 + n % 3), "kind": "high"} for n in range(20)]
    return ur.Classifier(inputs=ur.Characters("text"), target=ur.Labels("kind"), hidden_size=8).fit(rows, epochs=3)
