"""The work of a client that has left ends: at once if it waits, at its next pause if it runs."""

import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager
from typing import Any

import pytest

from serving.toys import ToyModel, toy_service
from unrolled.pauses import pause
from unrolled.serving.application import make_app
from unrolled.serving.service import Service

SECONDS = 20


class Slow(ToyModel):
    """Answers in parts, until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.ended, self.released = [0], [0], threading.Event()

    def predict(self, records: Any) -> Any:
        self.begun[0] += 1
        try:
            while not self.released.is_set():
                time.sleep(0.001)
                pause()
            return super().predict(records)
        finally:
            self.ended[0] += 1


class Client:
    """A request at the application's own door; `leave` disconnects."""

    def __init__(self, app: Any, path: str, value: Any) -> None:
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": json.dumps(value).encode()})
        self.sent: list[Any] = []
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")], "http_version": "1.1",
            "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "root_path": "",
            "asgi": {"version": "3.0", "spec_version": "2.3"}, "state": {},
        }  # fmt: skip

        async def send(message: Any) -> None:
            self.sent.append(message)

        self.task = asyncio.create_task(app(scope, self._messages.get, send))

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})

    async def status(self) -> int:
        await asyncio.wait_for(self.task, SECONDS)
        return self.sent[0]["status"] if self.sent else 0


@asynccontextmanager
async def running(service: Service):
    app = make_app(service)
    async with app.router.lifespan_context(app):
        yield app


async def until(holds: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.002)


RECORDS = {"records": [{"x": 1}]}


def test_work_ends_when_its_client_leaves_and_its_place_is_free():
    async def story() -> None:
        model = Slow()
        async with running(toy_service(model=model, timeout=60.0, max_requests=1)) as app:
            first = Client(app, "/v1/predict", RECORDS)
            await until(lambda: model.begun[0])
            assert await Client(app, "/v1/predict", RECORDS).status() == 429
            first.leave()
            assert await first.status() == 0  # nothing is sent to nobody
            await until(lambda: model.ended[0])
            model.released.set()
            await asyncio.sleep(0.05)
            assert await Client(app, "/v1/predict", RECORDS).status() == 200

    asyncio.run(story())


def test_work_past_its_time_ends_at_its_next_pause():
    async def story() -> None:
        model = Slow()
        async with running(toy_service(model=model, timeout=0.1)) as app:
            assert await Client(app, "/v1/predict", RECORDS).status() == 504
            await until(lambda: model.ended[0])

    asyncio.run(story())


def test_work_that_waits_is_dropped_when_its_client_leaves():
    async def story() -> None:
        model = Slow()
        service = toy_service(model=model, timeout=60.0)
        async with running(service) as app:
            running_ones = [Client(app, "/v1/predict", RECORDS) for _ in range(8)]
            await until(lambda: model.begun[0] >= 2)
            for one in running_ones:
                one.leave()
            assert [await one.status() for one in running_ones] == [0] * 8
            await until(lambda: model.begun[0] == model.ended[0])
            model.released.set()

    asyncio.run(story())


def test_further_events_of_a_request_are_not_read_when_its_client_has_left():
    async def story() -> None:
        service = toy_service(timeout=60.0)
        events = [{"key": "a", "event": 1} for _ in range(2000)]
        async with running(service) as app:
            client = Client(app, "/v1/step", events)
            await until(lambda: len(service.sessions))
            client.leave()
            assert await client.status() in (0, 200)
            after = service.statistics()["events"]
            await asyncio.sleep(0.1)
            assert service.statistics()["events"] <= after + 256

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/step"])
def test_a_client_that_leaves_after_its_answer_changes_nothing(path):
    async def story() -> None:
        async with running(toy_service()) as app:
            client = Client(app, path, RECORDS if path == "/v1/predict" else {"key": "a", "event": 1})
            await until(lambda: client.sent and "body" in client.sent[-1])
            client.leave()
            assert await client.status() == 200

    asyncio.run(story())
