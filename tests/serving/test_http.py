"""HTTP and WebSockets as their standards have them, over every route; what is neither is refused in our own form."""

import contextlib
import json
import logging
import socket
import threading

import httpx
import pytest
from starlette.testclient import WebSocketDenialResponse

from serving.process import Server, wait_for
from serving.test_bad_input import refused
from serving.toys import STREAM, client_of, toy_service
from unrolled.errors import OptionError
from unrolled.serving.application import make_app
from unrolled.serving.connections import Door, most_connections
from unrolled.serving.logs import Seldom
from unrolled.serving.settings import Settings

KEYS = {"{key}": "ada", "{name}": "x"}
WEBSOCKET = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}


def described():
    """Every path with its methods, as the description has them, and those of the page."""
    paths = make_app(toy_service()).openapi()["paths"]
    found = {path: {method.upper() for method in methods} for path, methods in paths.items()}
    return found | {"/": {"GET"}, "/page/page.css": {"GET"}, "/openapi.json": {"GET"}}


def filled(path):
    return path.replace("{key}", "ada")


def is_ours(answer):
    return set(json.loads(answer.content or b"{}").get("error", ())) == {"kind", "message"}


@pytest.fixture(scope="module")
def toys():
    with client_of(toy_service()) as client:
        client.post("/v1/step", json={"key": "ada", "event": 1})
        yield client


@pytest.mark.parametrize(("path", "methods"), described().items(), ids=described())
def test_every_path_answers_every_method_as_http_has_it(toys, path, methods):
    allowed = methods | ({"HEAD"} if "GET" in methods else set())
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        if method in ("PUT", "DELETE", "POST") and method in methods:
            continue  # what those answer is for other tests
        answer = toys.request(method, filled(path))
        if method not in allowed:
            assert answer.status_code == 405, (method, answer.text)
            assert {one.strip() for one in answer.headers["allow"].split(",")} == allowed, method
            assert method == "HEAD" or is_ours(answer)
        else:
            assert answer.status_code < 400, (method, answer.text)


@pytest.mark.parametrize("path", [path for path, methods in described().items() if "GET" in methods])
def test_head_is_get_without_its_body(toys, path):
    if path == "/metrics":  # counts itself
        assert toys.head(path).status_code == 200
        return
    got, head = toys.get(filled(path)), toys.head(filled(path))
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers == got.headers


@pytest.mark.parametrize("path", ["/v1/stream", "/v1/step", "/nope"])
def test_a_path_that_is_asked_in_the_wrong_protocol_says_so(toys, path):
    if path == "/v1/stream":
        answer = toys.get(path)
        refused(answer, 426, "upgrade")
        assert answer.headers["upgrade"] == "websocket"
        return
    with pytest.raises(WebSocketDenialResponse) as denied, toys.websocket_connect(STREAM.replace("/v1/stream", path)):
        pass
    assert (denied.value.status_code, denied.value.json()["error"]["kind"]) == (404, "missing")


def test_the_scheme_of_a_token_is_bearer_in_any_letters():
    with client_of(toy_service(token="hush")) as client:
        for good in ("Bearer hush", "bearer hush", "BEARER  hush"):
            assert client.get("/v1/model", headers={"Authorization": good}).status_code == 200
        for bad in ("hush", "Bearer", "Bearerhush", "Basic hush", "Bearer Hush", "Bearer hush x"):
            refused(client.get("/v1/model", headers={"Authorization": bad}), 401, "token")


BAD_KEYS = ("%ff", "a%", "%zz", "a%2", "%C3%28", "%ED%A0%80")


@pytest.mark.parametrize("key", BAD_KEYS)
def test_bytes_that_are_no_text_are_no_key_on_any_route(toys, key):
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/state"), ("PUT", "/state")):
        refused(toys.request(method, f"/v1/sessions/{key}{path}", content=b""), 422, "request")


@pytest.mark.parametrize("query", ["key=%ff", "key=%C3%28", "key=a&key=b"])
def test_bytes_that_are_no_text_are_no_key_of_a_websocket(toys, query):
    with pytest.raises(WebSocketDenialResponse) as denied, toys.websocket_connect(f"{STREAM}?{query}"):
        pass
    assert denied.value.status_code == 422


def test_methods_that_a_client_invents_make_no_series(toys):
    for number in range(20):
        toys.request(f"BREW{number}", "/v1/step")
    text = toys.get("/metrics").text
    assert 'method="OTHER",route="/v1/step",status="405"' in text
    assert "BREW" not in text


def test_every_route_says_in_our_form_that_its_time_is_over(toys):
    with client_of(toy_service(timeout=1e-6)) as client:
        for method, path, body in (
            ("POST", "/v1/step", {"key": "a", "event": 1}),
            ("POST", "/v1/predict", {"records": [{"x": 1}]}),
            ("GET", "/v1/sessions", None),
            ("GET", "/v1/sessions/a", None),
        ):
            answer = client.request(method, path, json=body)
            assert answer.status_code in (200, 404, 408, 504), answer.text
            assert answer.status_code == 200 or is_ours(answer)


# ---- settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"timeout": float("inf")}, {"timeout": float("nan")}, {"timeout": 1e12}, {"max_items": 0}, {"workers": True}],
)
def test_a_setting_beyond_its_range_is_refused(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        Settings("m", **wrong)


def test_an_address_that_others_reach_asks_for_a_token_or_for_the_word():
    with pytest.raises(OptionError, match="--open-to-all"):
        Settings("m", host="0.0.0.0")
    assert not Settings("m", host="0.0.0.0", token="hush").is_loopback
    assert not Settings("m", host="::", open_to_all=True).is_loopback
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert Settings("m", host=host).is_loopback


# ---- connections ---------------------------------------------------------------------------------------


class Visitor:
    """A connection that only counts."""

    def __init__(self, held=0) -> None:
        self.held, self.closed = held, False

    def close_now(self) -> None:
        self.closed = True

    def unread(self) -> int:
        return self.held


def test_the_connection_that_has_been_quiet_for_the_longest_time_makes_room_for_one_that_comes():
    door, idle, busy, slow = Door(3), Visitor(), Visitor(), Visitor()
    for one in (slow, busy, idle):
        door.rests(one)
    door.asks(busy)
    door.rests(slow)  # a part of its request has come
    assert door.admits(3)
    assert door.admits(4)
    assert (idle.closed, busy.closed, slow.closed) == (True, False, False)
    assert door.admits(4)
    assert (busy.closed, slow.closed) == (False, True)
    assert not door.admits(4)  # all of them are answered


def test_answers_that_are_not_taken_are_bounded_all_together(monkeypatch):
    monkeypatch.setattr("unrolled.serving.connections.UNREAD", 100)
    door, slow = Door(100), [Visitor(30) for _ in range(10)]
    for one in slow:
        door.waits(one)
    assert [one.closed for one in slow] == [True] * 6 + [False] * 4


def test_connections_fit_into_the_files_that_may_be_open(monkeypatch):
    class Limits:
        RLIMIT_NOFILE, RLIM_INFINITY = 7, -1

        def __init__(self, soft, hard):
            self.now = (soft, hard)

        def getrlimit(self, _):
            return self.now

        def setrlimit(self, _, wanted):
            if wanted[0] > self.now[1]:
                raise ValueError
            self.now = wanted

    for soft, hard, expected in ((256, 256, 192), (256, 1000, 936), (256, 1 << 20, 11_000), (1 << 20, 1 << 20, 11_000)):
        monkeypatch.setattr("unrolled.serving.connections.resource", Limits(soft, hard))
        assert most_connections(11_000) == expected
    monkeypatch.setattr("unrolled.serving.connections.resource", None)  # as on Windows
    assert most_connections(11_000) == 11_000


def test_faults_of_one_kind_are_one_line_a_second():
    now, said = [0.0], []
    seldom = Seldom(lambda: now[0])

    def fault(line, level=logging.WARNING):
        record = logging.LogRecord("asyncio", level, "x.py", line, "Too many open files", None, None)
        if seldom.filter(record):
            said.append((now[0], line, getattr(record, "fields", {})))

    for _ in range(1000):
        fault(1)
        now[0] += 0.01
    fault(2)
    assert len(said) == 11
    assert said[1][2] == {"more": 99}
    for _ in range(3):
        fault(3, logging.INFO)
    assert len(said) == 14  # a line about a request is no fault


# ---- a real server -------------------------------------------------------------------------------------


def talk(server, sent, wait=20.0):
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), wait) as client:
        client.sendall(sent)
        data = b""
        while part := client.recv(65536):
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), body


@pytest.fixture(scope="module")
def server(language, tmp_path_factory):
    with Server(language.save(tmp_path_factory.mktemp("models") / "letters")) as running:
        yield running


HEAD = b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
CHUNKED = (
    b"POST /v1/step HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
NO_HTTP = {
    "noise": (b"\x16\x03\x01\x00\xa5\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "a head without end": (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "a handshake without a key": (HEAD + UPGRADE + b"Sec-WebSocket-Version: 13\r\n\r\n", 400),
    "a handshake of another version": (
        HEAD + UPGRADE + b"Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: eA==\r\n\r\n",
        400,
    ),
    "many headers": (HEAD + UPGRADE + b"".join(b"x%d: 1\r\n" % n for n in range(500)) + b"\r\n", 400),
    "chunks of one byte": (CHUNKED + b"1\r\n \r\n" * 5000 + b"0\r\n\r\n", 400),
}


@pytest.mark.parametrize(("sent", "status"), NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_refused_in_our_form(server, sent, status):
    found, head, body = talk(server, sent)
    assert found == status
    assert b"content-type: application/json" in head
    assert set(json.loads(body)["error"]) == {"kind", "message"}
    assert not any("Traceback" in line for line in server.lines)


def test_head_and_pipelined_requests_are_framed_as_http_has_it(server):
    two = b"HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    two += b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    status, _, rest = talk(server, two)
    assert status == 200
    assert rest.startswith(b"HTTP/1.1 200")
    assert rest.endswith(b"\r\n\r\nok")


def test_text_that_is_not_utf8_ends_a_websocket_with_1007(server):
    from websockets.exceptions import ConnectionClosed
    from websockets.frames import Frame, Opcode
    from websockets.sync.client import connect

    for opcode in (Opcode.TEXT, Opcode.BINARY):
        with connect(server.stream) as client:
            client.socket.sendall(Frame(opcode, b"\xff\xfe").serialize(mask=True))
            with pytest.raises(ConnectionClosed) as ended:
                client.recv(timeout=20)
            assert ended.value.rcvd.code == 1007


@pytest.mark.slow
def test_idle_connections_make_room_for_those_that_ask(language, tmp_path):
    resource = pytest.importorskip("resource", reason="Windows has no limit of open files to lower")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with Server(language.save(tmp_path / "m"), "--max-sockets", "50") as server:
            host, port = server.address.removeprefix("http://").split(":")
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
            idle = [socket.create_connection((host, int(port))) for _ in range(1500)]
            assert all(server.client.get("/healthz").status_code == 200 for _ in range(20))
            assert not server.logged("socket.accept() out of system resource")
            for one in idle:
                one.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("buffer", [4096, 1 << 20])
def test_clients_that_take_all_places_to_write_give_them_back(language, tmp_path, reads, buffer):
    def write(length):
        told = {"prompt": "a", "length": length, "candidates": 50}
        return httpx.post(f"{server.address}/v1/generate", json=told, timeout=60)

    with Server(language.save(tmp_path / "letters"), "--timeout", "3") as server:
        host, port = server.address.removeprefix("http://").split(":")
        body = json.dumps({"prompt": "a", "length": 100_000, "candidates": 50}).encode()
        head = f"POST /v1/generate HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        busy, over = [], threading.Event()

        def read():
            while not over.wait(0.02):
                for one in busy:
                    with contextlib.suppress(BlockingIOError):
                        one.recv(1 << 16)

        reader = threading.Thread(target=read, daemon=True)
        try:
            for _ in range(32):
                one = socket.socket()
                busy.append(one)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
                one.connect((host, int(port)))
                one.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                one.setblocking(False)
            if reads:
                reader.start()
            wait_for(lambda: write(1).status_code == 429)
            wait_for(lambda: write(1).status_code == 200, 20)  # 3 s, and 5 to 10 for one that reads nothing
            assert server.step("quick", "a").status_code == 200
        finally:
            over.set()
            if reader.is_alive():
                reader.join()
            for one in busy:
                one.close()
