"""A store that goes away and comes back: a clear 503, and no acknowledged event is lost."""

import json
import tempfile
import time
from pathlib import Path

import pytest

from redis_server import RedisServer
from serving.losing import Losing
from serving.toys import STREAM, client_of, toy_service
from streaming.toy import toy_stream
from unrolled.errors import StoreUnavailable
from unrolled.streaming.stores.memory import MemoryStore
from unrolled.streaming.stores.registry import open_store


class Fickle(MemoryStore):
    """A store that can be away."""

    away = False

    def _ask(self):
        if self.away:
            raise StoreUnavailable("the store does not answer; try again")

    def load(self, keys, ttl, model):
        self._ask()
        return super().load(keys, ttl, model)

    def commit(self, writes, ttl, model):
        self._ask()
        return super().commit(writes, ttl, model)

    def keys(self, limit, models):
        self._ask()
        return super().keys(limit, models)

    def count(self, models):
        self._ask()
        return super().count(models)

    def delete(self, keys):
        self._ask()
        return super().delete(keys)


@pytest.fixture
def store():
    return Fickle()


def test_away_is_a_503_that_says_when_to_come_back_and_counts_nothing(store):
    with client_of(toy_service(store)) as client:
        ask = {"key": "a", "event": 1, "event_id": "e1"}
        assert client.post("/v1/step", json=ask).json()["output"]["count"] == 1
        store.away = True
        for answer in (
            client.post("/v1/step", json={**ask, "event_id": "e2"}),
            client.get("/v1/sessions"),
            client.get("/v1/sessions/a"),
            client.delete("/v1/sessions/a"),
            client.get("/readyz"),
        ):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["error"]["kind"] == "store"
        assert client.get("/healthz").status_code == 200
        assert "unrolled_unavailable_total 1.0" in client.get("/metrics").text
        store.away = False
        assert client.post("/v1/step", json={**ask, "event_id": "e2"}).json()["output"]["count"] == 2
        assert client.post("/v1/step", json={**ask, "event_id": "e1"}).json()["output"]["count"] == 1  # answered before


def test_a_websocket_outlives_a_store_that_is_away(store):
    with client_of(toy_service(store)) as client, client.websocket_connect(STREAM) as socket:

        def ask(event):
            socket.send_text(json.dumps({"key": "a", "event": event}))
            return json.loads(socket.receive_text())

        assert ask(1)["output"]["sum"] == 1
        store.away = True
        assert ask(10)["error"]["kind"] == "store"
        store.away = False
        assert ask(2)["output"]["sum"] == 3


def test_redis_goes_away_and_comes_back():
    with tempfile.TemporaryDirectory() as folder:  # a socket's path has to be short
        server = RedisServer(Path(folder))
        try:
            service = toy_service(open_store(f"{server.address}?patience=0.3"))
            with client_of(service) as client:

                def step(event):
                    return client.post("/v1/step", json={"key": "a", "event": event})

                assert step(1).json()["output"]["sum"] == 1
                server.kill()
                for _ in range(2):
                    start = time.monotonic()
                    assert step(10).status_code == 503
                    assert time.monotonic() - start < 5  # well below the timeout of a request
                assert client.get("/readyz").status_code == 503
                server.start()
                assert step(2).json()["output"]["sum"] == 3
        finally:
            server.kill()


# ---- what is known of an event whose answer was lost ----------------------------------------------------


@pytest.fixture
def losing():
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        way = Losing(server.socket)
        try:
            yield way
        finally:
            way.close()
            server.kill()


def test_an_event_whose_answer_was_lost_may_have_counted_and_counts_once_when_it_is_sent_again(losing):
    with client_of(toy_service(open_store(f"{losing.address}?patience=0.2"))) as client:

        def step(**ask):
            return client.post("/v1/step", json={"key": "a", "event": 1, **ask})

        for name in (7, "e7"):
            assert step().status_code == 200
            losing.lost = True
            answer = step(event_id=name)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            error = answer.json()["error"]
            assert error["kind"] == "lost"
            assert "may or may not have been counted" in error["message"]
            assert "same event_id" in error["message"]
            losing.lost = False
        counts = [step(event_id=name).json()["output"]["count"] for name in (7, "e7", 7)]
        assert counts == [2, 4, 2]
        losing.lost = True
        error = step().json()["error"]
        assert error["kind"] == "lost"
        assert "give events an event_id" in error["message"]
        for ask in (client.delete, lambda path: client.put(f"{path}/state", content=toy_state())):
            error = ask("/v1/sessions/a").json()["error"]
            assert error["kind"] == "lost"
            assert "may or may not be made" in error["message"]


def test_an_event_that_did_not_reach_the_store_was_not_counted(store):
    with client_of(toy_service(store)) as client:
        store.away = True
        error = client.post("/v1/step", json={"key": "a", "event": 1}).json()["error"]
        assert error["kind"] == "store"
        assert "this event was not counted" in error["message"]
        store.away = False
        assert client.post("/v1/step", json={"key": "a", "event": 1}).json()["output"]["count"] == 1


def test_an_event_that_counted_long_ago_is_refused_over_http_and_websocket(store):
    with client_of(toy_service(store)) as client, client.websocket_connect(STREAM) as socket:
        for number in range(70):
            assert client.post("/v1/step", json={"key": "a", "event": 1, "event_id": number}).status_code == 200
        answer = client.post("/v1/step", json={"key": "a", "event": 1, "event_id": 3})
        assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "repeated")
        socket.send_text(json.dumps({"key": "a", "event": 1, "id": 3}))
        said = json.loads(socket.receive_text())
        assert (said["id"], said["error"]["kind"]) == (3, "repeated")
        socket.send_text(json.dumps({"key": "a", "event": 1, "id": 69}))
        assert json.loads(socket.receive_text())["output"]["count"] == 70
        assert "unrolled_too_late_total 2.0" in client.get("/metrics").text
        assert client.post("/v1/step", json={"key": "a", "event": 1}).json()["output"]["count"] == 71


def toy_state():
    stream = toy_stream()
    return stream.pack(stream.initial_state())
