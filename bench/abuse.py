"""Cost of abusive requests: CPU time and memory of the server, and the latency of normal clients meanwhile.

A server (`unrolled serve`, a small language model) runs in a separate process for each kind of abuse. One request
measures its cost; then clients in another process send it repeatedly, while four normal clients request `/healthz` and
four send an event, each five times per second. All of it runs on this machine, and ends after some seconds.

Run: python bench/abuse.py                       all kinds
     python bench/abuse.py --only 'csv;12 s'     those whose names begin with one of these texts
     python bench/abuse.py --seconds 10 --clients 8
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from serving import Running, ours

MB, RATE, HONEST = 1_000_000, 5, 4  # normal requests per second of each client, and clients of each kind
HELD, FIXED, BUSY, WAIT = 20, 50, 2.0, 250  # the aims: bytes per byte, MB in addition, seconds per MB, ms
JSON = "application/json"
HEALTH = ("/healthz ms: p50, p99", "a step ms: p50, p99")


# ---- what is sent --------------------------------------------------------------------------------------


def repeated(start: str, one: str, end: str, size: float) -> bytes:
    """A body of about `size` MB."""
    count = int(size * MB - len(start) - len(end)) // (len(one) + 1)
    return (start + ",".join([one] * count) + end).encode()


def events(count: int, keys: int) -> bytes:
    return json.dumps([{"key": f"k{n % keys}", "event": "t"} for n in range(count)], separators=(",", ":")).encode()


def columns(count: int) -> bytes:
    return json.dumps({"records": [{f"k{n}": 1} for n in range(count)]}).encode()


def texts(count: int, length: int) -> bytes:
    text = ("the cat sat on the mat. " * (1 + length // 24))[:length]
    return json.dumps({"records": [{"text": text}] * count}).encode()


STEP, PREDICT, CSV, UNFOLD, WRITE = "/v1/step", "/v1/predict", "/v1/predict/csv", "/v1/unfold", "/v1/generate"
# by name: path and body
BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "step, [1,1,1,...]": (STEP, lambda: repeated("[", "1", "]", 7.9)),
    "step, [{},{},...]": (STEP, lambda: repeated("[", "{}", "]", 7.9)),
    "step, [{},{},...] within the bound": (STEP, lambda: repeated("[", "{}", "]", 0.015)),
    "step, [[[[...]]]]": (STEP, lambda: b"[" * 4_000_000 + b"]" * 3_900_000),
    "step, unknown fields": (STEP, lambda: json.dumps({f"f{n}": 1 for n in range(200_000)}).encode()),
    "step, one event with a long list of ones": (STEP, lambda: repeated('{"key":"a","event":[', "1", "]}", 7.9)),
    "step, texts of \\u escapes": (
        STEP,
        lambda: repeated('{"key":"a","event":["', "\\u00e9\\ud83d\\ude00", '"]}', 7.9),
    ),
    "step, 100,000 events": (STEP, lambda: events(100_000, 1_000)),
    "predict, records of 1": (PREDICT, lambda: repeated('{"records":[', "1", "]}", 7.9)),
    "predict, records of {}": (PREDICT, lambda: repeated('{"records":[', "{}", "]}", 0.55)),
    "predict, a new column per record": (PREDICT, lambda: columns(10_000)),
    "csv, commas": (CSV, lambda: b"," * 2_000_000 + b"\n" + b"1\n" * 100),
    "csv, lines of 1,000 columns": (CSV, lambda: b",".join(b"c%d" % n for n in range(1000)) + b"\n" * 7_000_000),
    "csv, quotes": (CSV, lambda: b"text\n" + b'"",' * 2_000_000),
    "step, 5,000 events of 1,000 keys": (STEP, lambda: events(5_000, 1_000)),
    "step, 5,000 events of one key": (STEP, lambda: events(5_000, 1)),
    "step, a text of 100,000 characters": (STEP, lambda: json.dumps({"key": "a", "event": "the " * 25_000}).encode()),
    "predict, 1,000 texts of 1,000": (PREDICT, lambda: texts(1_000, 1_000)),
    "predict, 10 texts of 100,000": (PREDICT, lambda: texts(10, 100_000)),
    "predict, 79 texts of 100,000": (PREDICT, lambda: texts(79, 100_000)),
    "predict, 60,000 short texts": (PREDICT, lambda: texts(60_000, 4)),
    "csv, 60,000 rows": (CSV, lambda: b"text\n" + b"the cat\n" * 60_000),
    "unfold, 200 characters": (UNFOLD, lambda: json.dumps({"text": "the cat " * 25}).encode()),
    "unfold, 2,000 characters": (UNFOLD, lambda: json.dumps({"text": "the cat " * 250}).encode()),
    "generate, 100,000 tokens": (WRITE, lambda: json.dumps({"prompt": "the", "length": 100_000}).encode()),
}


def request(path: str, body: bytes, more: str = "") -> bytes:
    kind = "text/csv" if path == CSV else JSON
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


def opened(port: int, timeout: float = 60.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout)


def asked(port: int, sent: bytes, most: float = 60.0) -> tuple[int, int]:
    """Send a request of one connection, read the answer for `most` seconds, and give its status and size."""
    stop, data = time.monotonic() + most, b""
    with opened(port) as client:
        with contextlib.suppress(OSError):  # a refusal may come before all was sent
            client.sendall(sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        with contextlib.suppress(OSError):
            while time.monotonic() < stop and (part := client.recv(1 << 16)):
                data = data[:100] + part
    found = re.match(rb"HTTP/1.1 (\d+)", data)
    return int(found[1]) if found else 0, len(data)


def send_again(port: int, sent: bytes, clients: int, seconds: float) -> int:
    """Run clients that send the same request repeatedly; return the number of bytes sent."""
    stop, total = time.monotonic() + seconds, [0] * clients

    def one(number: int) -> None:
        while time.monotonic() < stop:
            with contextlib.suppress(OSError):
                asked(port, sent, stop - time.monotonic())
            total[number] += len(sent)

    together(one, clients)
    return sum(total)


def together(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---- how it is sent ------------------------------------------------------------------------------------


def slow_bodies(port: int, seconds: float) -> int:
    """64 clients that send a body at one byte per second."""
    clients = [opened(port) for _ in range(64)]
    for client in clients:
        client.sendall(request(STEP, b"x" * 1000)[:-1000])
    stop, sent = time.monotonic() + seconds, 0
    while time.monotonic() < stop:
        for client in clients:
            with contextlib.suppress(OSError):
                sent += client.send(b"[")
        time.sleep(1)
    return sent


def unread_texts(port: int, seconds: float) -> int:
    """64 clients that request a generated text and do not read it."""
    sent = request(WRITE, json.dumps({"prompt": "the", "length": 100_000, "candidates": 50}).encode())
    clients = []
    for _ in range(64):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(sent)
        clients.append(client)
    time.sleep(seconds)
    return 64 * len(sent)


def unread_answers(port: int, seconds: float) -> int:
    """64 clients that send 5,000 events and do not read the answers."""
    sent = request(STEP, events(5_000, 1_000))

    def one(_: int) -> None:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.settimeout(seconds)
        with contextlib.suppress(OSError):
            client.sendall(sent)
        time.sleep(seconds)

    together(one, 64)
    return 64 * len(sent)


def idle(port: int, seconds: float) -> int:
    """400 clients that open a connection and send nothing, to a server that may open 256 files."""
    clients = [opened(port) for _ in range(400)]
    time.sleep(seconds)
    return len(clients)


def handshake(port: int, buffer: int = 0) -> socket.socket:
    client = socket.socket()
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        "GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    while b"\r\n\r\n" not in client.recv(4096):
        pass
    return client


def frame(data: bytes) -> bytes:
    size = (
        bytes([0xFE]) + len(data).to_bytes(2, "big")
        if len(data) < 65536
        else bytes([0xFF]) + len(data).to_bytes(8, "big")
    )
    return bytes([0x81]) + size + bytes(4) + data


def sockets(count: int, data: bytes, reads: bool) -> Callable[[int, float], int]:
    """WebSockets that send a frame repeatedly."""

    def work(port: int, seconds: float) -> int:
        stop, total = time.monotonic() + seconds, [0] * count

        def one(number: int) -> None:
            while time.monotonic() < stop:
                with contextlib.suppress(OSError), handshake(port, 0 if reads else 4096) as client:
                    client.settimeout(0.2)
                    send_frames(client, number)
                time.sleep(0.01)

        def send_frames(client: socket.socket, number: int) -> None:
            rest = b""
            while time.monotonic() < stop:
                rest = rest or frame(data)
                with contextlib.suppress(TimeoutError):
                    sent = client.send(rest)
                    total[number] += sent
                    rest = rest[sent:]
                if reads:
                    with contextlib.suppress(TimeoutError, BlockingIOError):
                        client.setblocking(False)
                        if not client.recv(1 << 20):
                            return
                    client.settimeout(0.2)

        together(one, count)
        return sum(total)

    return work


def left_early(port: int, seconds: float) -> int:
    """Clients, one after the other, that ask for a long prediction and leave after a tenth of a second."""
    sent, stop, total = request(PREDICT, texts(1, 60_000)), time.monotonic() + seconds, 0
    while time.monotonic() < stop:
        with contextlib.suppress(OSError), opened(port) as client:
            client.sendall(sent)
            total += len(sent)
            time.sleep(0.1)
    return total


def small_chunks(port: int, seconds: float) -> int:
    """A body in chunks of one byte."""
    head = f"POST {STEP} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = head.encode() + b"1\r\n \r\n" * 160_000 + b"0\r\n\r\n"
    return send_again(port, sent, 4, seconds)


def nothing(port: int, seconds: float) -> int:
    """Only the normal clients."""
    time.sleep(seconds)
    return 0


LINE = b'{"key":"a","event":"t"}\n'
MANNERS: dict[str, Callable[[int, float], int]] = {
    "nothing": nothing,
    "64 bodies at one byte per second": slow_bodies,
    "64 texts that are not read": unread_texts,
    "64 answers of 1.6 MB that are not read": unread_answers,
    "400 idle connections, 256 files": idle,
    "12 sockets that do not read": sockets(12, b"".join(LINE.replace(b"a", b"%d" % n) for n in range(2000)), False),
    "12 sockets, frames of 8 MB": sockets(12, b"\n" * 7_900_000, False),
    "4 sockets, events of one key": sockets(4, LINE * 1000, True),
    "4 sockets, wrong lines": sockets(4, b"x\n" * 30_000, True),
    "12 sockets, frames that are not UTF-8": sockets(12, b"\xff", True),
    "12 sockets, frames that are not UTF-8, answers unread": sockets(12, b"\xff" * 1000, False),
    "predictions of clients that leave": left_early,
    "chunks of one byte": small_chunks,
}


# ---- what is measured ----------------------------------------------------------------------------------


@dataclass
class Cost:
    """The cost of a request for a server."""

    sent: int
    seconds: float
    grown: float


def peak(server: Running) -> float:
    """Peak resident memory in MB since `forget`."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", lines)[1]) / 1024


def cost_of(server: Running, work: Callable[[], int]) -> Cost:
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # the peak begins anew
    memory, used = server.memory(), server.seconds()
    sent = work()
    return Cost(sent, server.seconds() - used, max(0.0, peak(server) - memory))


async def honest(port: int, path: str, body: bytes, over: threading.Event) -> list[float]:
    """Milliseconds of requests at a steady rate, each counted from when it was due; infinite without a 200."""
    took, start, writer = [], time.perf_counter(), None
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {JSON}\r\n"
    sent = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    while not over.is_set():
        due = start + len(took) / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        good = False
        for _ in range(2):  # a connection that was kept may have been closed, as HTTP has it
            try:
                async with asyncio.timeout(30):
                    if writer is None:
                        reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(sent)
                    answer = await reader.readuntil(b"\r\n\r\n")
                    size = int(re.search(rb"content-length: (\d+)", answer)[1])
                    await reader.readexactly(size)
                good = b" 200 " in answer
                break
            except (OSError, EOFError, TimeoutError):
                writer = None
        took.append(1000 * (time.perf_counter() - due) if good else float("inf"))
    return took


def beside(port: int, work: Callable[[], int]) -> tuple[int, np.ndarray, np.ndarray]:
    """What was sent, and how long `/healthz` and a normal client waited meanwhile."""
    over, found = threading.Event(), [0]

    def run() -> None:
        try:
            found[0] = work()
        finally:
            over.set()

    async def both() -> tuple[list[float], list[float]]:
        step = json.dumps({"key": "honest", "event": "t"}).encode()
        health = [honest(port, "/healthz", b"", over) for _ in range(HONEST)]
        found = await asyncio.gather(*health, *(honest(port, STEP, step, over) for _ in range(HONEST)))
        return [*chain(*found[:HONEST])], [*chain(*found[HONEST:])]

    thread = threading.Thread(target=run)
    thread.start()
    health, steps = asyncio.run(both())
    thread.join()
    return found[0], np.array(health), np.array(steps)


def elsewhere(name: str, port: int, options: argparse.Namespace) -> int:
    """The same in another process, so that the normal client does not wait for the abuser's interpreter."""
    command = [sys.executable, __file__, "--send", name, str(port), "--seconds", str(options.seconds)]
    command += ["--clients", str(options.clients)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def work_of(name: str, options: argparse.Namespace) -> Callable[[int, float], int]:
    if name in MANNERS:
        return MANNERS[name]
    path, body = BODIES[name]
    sent = request(path, body())
    return lambda port, seconds: send_again(port, sent, options.clients, seconds)


def row(cells: list[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def started(name: str, folder: str, options: argparse.Namespace) -> Running:
    """A server; for one kind of abuse it may open few files."""
    command = ours(folder, *options.serve.split())
    if name.startswith("400 idle"):
        command = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *command]
    server = Running(command)
    for _ in range(20):  # the first calls compile
        asked(server.port, request(STEP, b'{"key":"warm","event":"t"}'))
    return server


def measure(name: str, folder: str, options: argparse.Namespace) -> None:
    server = started(name, folder, options)
    try:
        cells: list[object] = [name]
        if name in BODIES:
            path, body = BODIES[name]
            sent, statuses = request(path, body()), []

            def once() -> int:
                statuses.append(asked(server.port, sent)[0])
                return len(sent)

            one = cost_of(server, once)
            cells += [statuses[0], f"{one.sent / MB:.2f}", f"{one.seconds:.2f}", f"{one.grown:.0f}"]
        else:
            cells += [""] * 4
        lines, waited = server.said().count("\n"), []

        def again() -> int:
            sent, *waits = beside(server.port, lambda: elsewhere(name, server.port, options))
            waited.extend(waits)
            return sent

        many = cost_of(server, again)
        cells += [f"{many.sent / MB:.1f}", f"{many.seconds:.1f}", f"{many.grown:.0f}"]
        cells += ["{:.0f}, {:.0f}".format(*np.percentile(one, (50, 99))) for one in waited]
        print(row([*cells, server.said().count("\n") - lines]), flush=True)
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="beginnings of the names of kinds, separated by semicolons")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--clients", type=int, default=4, help="number of clients that send a body repeatedly")
    parser.add_argument("--serve", default="", help="further options of unrolled serve")
    parser.add_argument("--send", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        name, port = options.send
        if hasattr(os, "SCHED_OTHER"):  # the abuser has no more than his share, whatever priority the others were given
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        print(work_of(name, options)(int(port), options.seconds))
        return
    import unrolled as ur

    starts = tuple(options.only.split(";")) if options.only else ("",)
    with tempfile.TemporaryDirectory() as place:
        model = ur.LanguageModel(hidden_size=32, dropout=0.0).fit("the cat sat on the mat. " * 60, epochs=2)
        folder = str(model.save(Path(place) / "cats"))
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; aims: {HELD} bytes per byte and {FIXED} MB, "
              f"{BUSY:g} s a MB, {WAIT} ms\n")  # fmt: skip
        print(
            row(
                [
                    "what is sent",
                    "status",
                    "MB",
                    "s",
                    "MB of memory",
                    "MB in all",
                    "s",
                    "MB of memory",
                    *HEALTH,
                    "log lines",
                ]
            )
        )
        print(row(["---"] * 11))
        for name in (*BODIES, *MANNERS):
            if name.startswith(starts):
                measure(name, folder, options)


if __name__ == "__main__":
    main()
