"""Whatever state a stranger sends: refused with a 422, or one that can be gone on from; never our fault."""

import contextlib
import logging
import random
from collections import Counter

import pytest

from conformance.test_streams import CASES, fitted
from serving.damaged_states import damaged
from serving.toys import client_of
from unrolled.errors import ArtifactError, UnrolledError
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings
from unrolled.streaming.sessions import Sessions

TOKEN = "a token for damaged states"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
FEW, MANY = 8, 385  # of each of the 13 kinds of streams: 104, and 5,005


class Unforeseen(logging.Handler):
    """Notes errors that a model stumbled over without words of its own."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.getMessage()}: {record.exc_info and record.exc_info[1]!r}")


def send(name: str, count: int, seed: int) -> Counter:
    """Damaged states of one kind of stream to a server; what became of them."""
    case, model, rng = CASES[name], fitted(name), random.Random(f"{name} {seed}")
    stream, events, outcomes = model.stream(**case.options), case.streams[0], Counter()
    states = [stream.pack(stream.feed(events[:cut])) for cut in (0, 1, len(events) - 1)]
    nexts = [events[0], events[1], events[-1]]
    service = Service(Settings(model="x", token=TOKEN), model, Sessions(stream))
    logger, unforeseen = logging.getLogger("unrolled.serving"), Unforeseen()
    logger.addHandler(unforeseen)
    try:
        with client_of(service, headers=HEADERS) as client:
            for number in range(count):
                place = number % 3
                data = service.signer.signed(damaged(states[place], rng))
                put = client.put("/v1/sessions/a/state", content=data)
                assert put.status_code in (204, 422), put.text
                if put.status_code == 422:
                    assert put.json()["error"]["kind"] == "state"
                    outcomes["refused"] += 1
                    continue
                ask = {"key": "a", "event": nexts[place]}
                steps = [client.post("/v1/step", json=ask).status_code for _ in range(2)]
                assert set(steps) <= {200, 422}
                assert client.get("/v1/sessions/a/state").status_code == 200
                outcomes["went on" if steps[0] == 200 else "next event refused"] += 1
    finally:
        logger.removeHandler(unforeseen)
    assert not unforeseen.found
    return outcomes


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_state_is_refused_or_gone_on_from(name):
    assert send(name, FEW, 0)["refused"] > 0


@pytest.mark.slow
def test_five_thousand_damaged_states_are_refused_or_gone_on_from():
    outcomes = Counter()
    for name in CASES:
        found = send(name, MANY, 1)
        print(name, dict(found))
        outcomes += found
    print(dict(outcomes))
    assert outcomes.total() == MANY * len(CASES) >= 5000
    assert outcomes["refused"] > outcomes.total() / 2


@pytest.mark.parametrize("name", CASES)
def test_from_python_a_damaged_state_is_an_artifact_error_too(name):
    case, model, rng = CASES[name], fitted(name), random.Random(name)
    stream, events = model.stream(**case.options), case.streams[0]
    data = stream.pack(stream.feed(events[:2]))
    for _ in range(3 * FEW):
        with contextlib.suppress(ArtifactError):
            state = stream.unpack(damaged(data, rng))
            with contextlib.suppress(UnrolledError):
                stream.step(events[2 % len(events)], state)


@pytest.mark.parametrize("name", CASES)
def test_every_state_that_a_stream_comes_to_is_taken_back(name):
    case, model = CASES[name], fitted(name)
    stream = model.stream(**case.options)
    for events in case.streams:
        state = stream.initial_state()
        for event in events:
            stream.unpack(stream.pack(state))
            _, state = stream.step(event, state)
        stream.unpack(stream.pack(state))
