"""A store that goes away and comes back: a clear 503, and no acknowledged event is lost."""

import json
import tempfile
import time
from pathlib import Path

import pytest

from redis_server import RedisServer
from serving.toys import STREAM, client_of, toy_service
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
