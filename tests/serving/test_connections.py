"""Connections: however many arrive at once, and whatever state they are in, a new one is answered."""

import asyncio
import contextlib
import socket
import sys
import threading
from itertools import pairwise

import pytest

from serving.process import Server
from unrolled.serving.event_loop import AT_ONCE, Loop

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

    with asyncio.Runner(loop_factory=Loop) as runner:
        counts = runner.run(run())
    assert max(after - before for before, after in pairwise(counts)) <= AT_ONCE


def probe(port):
    """Ask about health over a new connection; the answer has to be good."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    return 1


@pytest.fixture(scope="module")
def few(classifier, tmp_path_factory):
    """A server that may open few files."""
    with Server(classifier.save(tmp_path_factory.mktemp("few") / "m"), files=FILES) as server:
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
