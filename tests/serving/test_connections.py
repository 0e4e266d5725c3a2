"""Connections: however many arrive at once, and whatever state they are in, a new one is answered."""

import asyncio
import contextlib
import json
import socket
import sys
import threading
from itertools import pairwise

import pytest
from websockets.sync.client import connect

from serving.process import Server
from unrolled.serving.event_loop import AT_ONCE, BurstLoop

resource = pytest.importorskip("resource", reason="Windows has no limit on open files")
FILES, BURST = 160, 300
HEAD = b"POST /v1/step HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
STATES = {
    "nothing sent": b"",
    "half of a head": HEAD,
    "half of a body": HEAD + b"Content-Length: 1000\r\n\r\n[",
    "a body in pieces": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n",
    "half of a handshake": b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n",
}


@pytest.mark.skipif(sys.platform == "win32", reason="its loop accepts one connection at a time")
def test_a_burst_waits_in_the_kernel_and_is_accepted_over_several_turns():
    made = []

    class Counted(asyncio.Protocol):
        def connection_made(self, transport):
            made.append(transport)

    async def run():
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            server = await asyncio.get_running_loop().create_server(Counted, sock=sock, backlog=1)
            clients = [socket.create_connection(sock.getsockname(), 5) for _ in range(10 * AT_ONCE)]
            counts = []
            while len(made) < len(clients):
                await asyncio.sleep(0)
                counts.append(len(made))
            for client in (*clients, *made):
                client.close()
            server.close()
            await server.wait_closed()
            return counts

    with asyncio.Runner(loop_factory=BurstLoop) as runner:
        counts = runner.run(run())
    assert max(after - before for before, after in pairwise(counts)) <= AT_ONCE


def probe(port):
    """Ask about health over a new connection; the answer has to be good."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    return 1


@pytest.fixture(scope="module")
def few(language, tmp_path_factory):
    """A server that may open few files."""
    with Server(language.save(tmp_path_factory.mktemp("few") / "m"), files=FILES) as server:
        yield server


@pytest.mark.parametrize("sent", STATES.values(), ids=STATES)
def test_a_burst_of_connections_without_a_request_keeps_nobody_out(few, sent):
    port, answered, over = int(few.address.rpartition(":")[2]), [], threading.Event()

    def ask():
        while not over.is_set():
            answered.append(probe(port))

    probing = threading.Thread(target=ask)
    probing.start()
    with contextlib.ExitStack() as clients:
        for _ in range(BURST):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            with contextlib.suppress(OSError):
                client.sendall(sent)
        answered += [probe(port) for _ in range(5)]
        over.set()
        probing.join()
    assert len(answered) > 5
    assert not [line for line in few.lines if "out of system resource" in line], "the loop paused for a second"


# ---- frames of a WebSocket -----------------------------------------------------------------------------

UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(kind, data=b"", last=True):
    """A short frame, under a mask of zeros."""
    return bytes([last << 7 | kind, 128 | len(data), 0, 0, 0, 0]) + data


FLOODS = {
    "pings": frame(9, b"x" * 125) * 1000,
    "pongs": frame(10, b"x" * 125) * 1000,
    "empty frames": frame(1) * 1000,
    "empty fragments": frame(1, last=False) + frame(0, last=False) * 3000,
    "fragments of one byte": frame(1, b"{", last=False) + frame(0, b" ", last=False) * 3000,
    "frames that are not UTF-8": frame(1, b"\xff") * 1000,
}


@pytest.mark.parametrize("sent", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_small_frames_ends_its_connection_and_holds_up_nobody(few, sent):
    port = int(few.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(UPGRADE)
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        with contextlib.suppress(OSError):
            client.sendall(sent)
            client.sendall(frame(8))
        assert probe(port)
        data = b"x"
        with contextlib.suppress(ConnectionError):
            while data:
                data = client.recv(1 << 16)
    assert not [line for line in few.lines if "Traceback" in line]


def test_a_client_that_goes_on_sending_after_our_close_is_cut_off(few):
    port, sent, most = int(few.address.rpartition(":")[2]), 0, 64 << 20  # far beyond what the kernel buffers
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(UPGRADE)
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        client.sendall(frame(1, b"\xff"))
        assert b"UTF-8" in client.recv(4096)
        client.settimeout(5)  # uvicorn alone would read on for longer
        with contextlib.suppress(OSError):
            while sent < most:
                sent += client.send(frame(1, b"x" * 125) * 1000)
        assert sent < most


def test_pings_now_and_then_and_frames_of_any_size_are_welcome(few):
    with connect(few.stream, ping_interval=None) as talk:
        for _ in range(20):
            assert talk.ping().wait(20)
        talk.send(["{", '"key": "ada", ', *[" "] * 500, '"event": "ab"}'])
        assert json.loads(talk.recv(20))["output"]["next"] == "c"
