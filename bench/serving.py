"""A server under a thousand WebSockets at a steady rate, and the same load on a minimal FastAPI + LSTMCell server.

Load generator and server run on one machine and share its cores. Every client sends at its own steady rate, whether or
not it was answered; latency is counted from when an event was due, so it shows when a server falls behind.

Run: python bench/serving.py --minutes 5 --rate 5000
     python bench/serving.py --minutes 1 --rate 5000 --peer     the other server, run the same way
     python bench/serving.py --ladder                            maximum rate of both servers
"""

import argparse
import asyncio
import base64
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

HIDDEN, WIDTH, SIZE = 128, 1, 12  # units, numbers of an event, different events
LADDER = (1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 11_000, 12_000, 13_000, 14_000, 15_000, 16_000)
TRIES = 2  # at each rate, as others may use the machine: the best counts
WARM, BEHIND = 5, 20  # seconds before anything is counted, and after which a server that lags is given up
GOOD = 0.020  # seconds that a hundredth of the answers may take longer than


# ---- the servers ---------------------------------------------------------------------------------------


def ours(folder: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "unrolled.cli.main", "serve", folder, "--port", "0", *options]


def peer() -> None:
    """A minimal server: a dictionary of states, a cell, a layer, an answer."""
    import socket

    import torch
    import uvicorn
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect

    torch.set_num_threads(1)
    torch.manual_seed(0)
    cell, head, states = torch.nn.LSTMCell(WIDTH, HIDDEN).eval(), torch.nn.Linear(HIDDEN, WIDTH).eval(), {}
    app = FastAPI()

    @app.websocket("/v1/stream")
    async def stream(client: WebSocket) -> None:
        await client.accept()
        try:
            while True:
                said = json.loads(await client.receive_text())
                with torch.no_grad():
                    states[said["key"]] = hidden, _ = cell(torch.tensor([said["event"]]), states.get(said["key"]))
                    output = head(hidden)[0].tolist()
                await client.send_text(json.dumps({"key": said["key"], "output": output}))
        except WebSocketDisconnect:
            pass

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    print(f"serving at http://127.0.0.1:{sock.getsockname()[1]}", file=sys.stderr, flush=True)
    config = uvicorn.Config(app, log_level="warning", ws_per_message_deflate=False, backlog=2048)
    uvicorn.Server(config).run(sockets=[sock])


def small_model(folder: Path) -> str:
    """An LSTM of 128 units that reads and predicts a number; its accuracy does not matter here."""
    import unrolled as ur

    random = np.random.default_rng(0)
    model = ur.SequenceModel(ur.Frames("x", scaling="none"), cell="lstm", hidden_size=HIDDEN)
    model.fit([{"x": random.normal(size=(20, WIDTH)).tolist()} for _ in range(40)], epochs=1, baselines=False)
    return str(model.save(folder / "numbers"))


class Running:
    """A server process that prints its address."""

    def __init__(self, command: list[str]) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the server
        self.process = subprocess.Popen(command, stderr=self.log, env=environment)
        while not (found := re.search(r"at http://([\d.]+):(\d+)", self.said())):
            assert self.process.poll() is None, self.said()
            time.sleep(0.1)
        self.host, self.port = found[1], int(found[2])
        while True:
            try:
                urllib.request.urlopen(f"http://{self.host}:{self.port}/openapi.json")
                break
            except OSError:
                time.sleep(0.1)

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def memory(self) -> float:
        """Resident memory in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", lines)[1]) / 1024

    def seconds(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


# ---- the load ------------------------------------------------------------------------------------------


class Client(asyncio.Protocol):
    """A WebSocket that sends given events and records how long each answer took.

    Frames go out under a mask of zeros, which leaves them as they are: the generator should cost little.
    """

    def __init__(self, number: int, took: list[float]) -> None:
        self.took, self.due, self.failed, self.closed = took, [], 0, False
        self.frames = []
        for event in range(SIZE):
            text = json.dumps({"key": f"user{number}", "event": [event / SIZE] * WIDTH}).encode()
            assert len(text) < 126
            self.frames.append(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.rest = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            "GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True

    def send(self, due: float) -> None:
        if self.closed:
            return
        self.due.append(due)
        self.transport.write(self.frames[len(self.took) % SIZE])

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        if not self.open.done():
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self.rest = head
                return
            assert b" 101 " in head, head
            self.open.set_result(None)
        now = time.perf_counter()
        while len(data) >= 2:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            if len(data) < start + size:
                break
            if data[0] == 0x81:
                text = data[start : start + size]
                self.failed += text.count(b'"error"')
                for _ in range(text.count(b"\n") + 1):
                    self.took.append(now - self.due.pop(0))
            elif data[0] == 0x89:  # a ping wants its pong
                self.transport.write(bytes([0x8A, 0x80 | size, 0, 0, 0, 0]) + data[start : start + size])
            data = data[start + size :]
        self.rest = data


async def load(server: Running, clients: int, rate: float, seconds: float) -> dict:
    """Clients that together send events at a rate."""
    took: list[float] = []
    loop = asyncio.get_running_loop()
    made = []
    for number in range(clients):
        _, client = await loop.create_connection(lambda n=number: Client(n, took), server.host, server.port)
        made.append(client)
    await asyncio.gather(*(client.open for client in made))
    await asyncio.sleep(1)
    await steady(made, took, rate, WARM)
    took.clear()
    gc.collect()
    gc.disable()  # a pause of the generator would be counted as the server's
    used, start = server.seconds(), time.perf_counter()
    sent = await steady(made, took, rate, seconds)
    elapsed = time.perf_counter() - start
    gc.enable()
    found = np.array(took) * 1000
    closed = sum(client.closed for client in made)
    if closed:
        print(f"{closed} connections were closed: {server.said()[-600:]}", file=sys.stderr)
    for client in made:
        client.transport.abort()
    return {
        "events/s": round(len(took) / elapsed),
        "p50 ms": round(float(np.percentile(found, 50)), 2),
        "p99 ms": round(float(np.percentile(found, 99)), 2),
        "p99.9 ms": round(float(np.percentile(found, 99.9)), 2),
        "worst ms": round(float(found.max()), 1),
        "answered": len(took),
        "unanswered": sent - len(took),
        "errors": sum(client.failed for client in made),
        "server's processor": f"{(server.seconds() - used) / elapsed:.0%}",
    }


async def steady(clients: list[Client], took: list[float], rate: float, seconds: float) -> int:
    """Send at a rate, wait for the last answers, and return how many were sent."""
    start, sent, total = time.perf_counter(), 0, int(rate * seconds)
    while sent < total:
        due_now = min(total, int((time.perf_counter() - start) * rate))
        while sent < due_now:
            clients[sent % len(clients)].send(start + sent / rate)
            sent += 1
        if sent - len(took) > BEHIND * rate:  # it will not catch up
            break
        await asyncio.sleep(0.001)
    stop = time.perf_counter() + BEHIND
    while len(took) < sent and time.perf_counter() < stop:
        await asyncio.sleep(0.01)
    return sent


def memory_of_sessions(server: Running, count: int = 20_000) -> float:
    """Bytes per session, by the growth of the process."""
    address = f"http://{server.host}:{server.port}/v1/step"

    def send(start: int, stop: int) -> None:
        events = [{"key": f"more{number}", "event": [0.5] * WIDTH} for number in range(start, stop)]
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(address, json.dumps(events).encode(), headers)).read()

    send(0, 2000)  # what the allocator takes for the first ones
    before = server.memory()
    for start in range(2000, 2000 + count, 2000):
        send(start, start + 2000)
    return (server.memory() - before) * 2**20 / count


def measure(options: argparse.Namespace, model: str, is_peer: bool, rate: float, seconds: float) -> dict:
    command = [sys.executable, __file__, "--serve-peer"] if is_peer else ours(model, *options.serve.split())
    server = Running(command)
    try:
        empty = server.memory()
        asyncio.run(load(server, min(options.clients, 50), 200, 2))  # the first calls compile
        found = asyncio.run(load(server, options.clients, rate, seconds))
        found |= {"MB": f"{empty:.0f} -> {server.memory():.0f}"}
        if not is_peer and not options.ladder:
            found |= {"bytes per session": round(memory_of_sessions(server))}
        return found
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=5000, help="events per second of all clients together")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument(
        "--peer", action="store_true", help="measure the server of FastAPI and torch.nn.LSTMCell instead"
    )
    parser.add_argument(
        "--ladder",
        action="store_true",
        help="both servers, at increasing rates from --rate on, while p99 stays under 20 ms",
    )
    parser.add_argument("--serve", default="", help="further options of unrolled serve")
    parser.add_argument("--serve-peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_peer:
        peer()
        return
    with tempfile.TemporaryDirectory() as folder:
        model = small_model(Path(folder))
        load_before = os.getloadavg()[0]
        print(f"{os.cpu_count()} cores, load before {load_before:.1f}, {options.clients} clients", flush=True)
        if not options.ladder:
            print(measure(options, model, options.peer, options.rate, 60 * options.minutes), flush=True)
            return
        best = {}
        for name, is_peer in (("FastAPI + torch LSTMCell", True), ("unrolled serve", False)):
            for rate in (rate for rate in LADDER if rate >= options.rate):
                for _ in range(TRIES):
                    found = measure(options, model, is_peer, rate, 60 * options.minutes)
                    print(f"{name}, {rate} events/s: {found}", flush=True)
                    good = found["p99 ms"] <= 1000 * GOOD and not found["unanswered"]
                    if good:
                        best[name] = rate
                        break
                if not good:
                    break
        print(f"maximum events/s with p99 under {1000 * GOOD:.0f} ms: {best}")


if __name__ == "__main__":
    main()
