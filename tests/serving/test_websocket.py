"""The WebSocket: answers in order for each key, refusals that end nothing, and clear codes where it must end."""

import json
import threading

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from serving.test_bad_input import Slow, until
from serving.toys import STREAM, client_of, toy_service
from streaming.toy import toy_stream
from unrolled.serving.websocket import BAD_TOKEN, INTERNAL, NO_TEXT, RESTART, ROOM, Connection
from unrolled.streaming.stream import Stream


class Talk:
    """Lines to and from a WebSocket; a frame may hold several."""

    def __init__(self, socket) -> None:
        self.socket, self.lines = socket, []

    def say(self, *values) -> None:
        self.socket.send_text("\n".join(value if isinstance(value, str) else json.dumps(value) for value in values))

    def hear(self):
        while not self.lines:
            self.lines = self.socket.receive_text().split("\n")
        return json.loads(self.lines.pop(0))


@pytest.fixture
def talk(client):
    with client.websocket_connect(STREAM) as socket:
        yield Talk(socket)


def test_events_are_answered_as_the_stream_alone_would_in_order_for_each_key(talk):
    count = 100
    events = [{"key": f"k{n % 7}", "event": n, "id": f"e{n}"} for n in range(count)]
    talk.say(*events[:50])
    for event in events[50:]:
        talk.say(event)
    answers = [talk.hear() for _ in range(count)]
    for key in {event["key"] for event in events}:
        stream, state = toy_stream(), None
        own = [answer for answer in answers if answer["key"] == key]
        sent = [event for event in events if event["key"] == key]
        assert [answer["id"] for answer in own] == [event["id"] for event in sent]
        for event, answer in zip(sent, own, strict=True):
            expected, state = stream.step(event["event"], state)
            assert answer["output"] == expected


def test_one_key_may_stand_in_the_query(client):
    with client.websocket_connect(f"{STREAM}?key=ada%2F1") as socket:
        talk = Talk(socket)
        talk.say({"event": 1})
        assert talk.hear() == {
            "key": "ada/1",
            "output": {"count": 1, "sum": 1.0, "hidden": pytest.approx(0.76, abs=0.01)},
        }
        talk.say({"key": "bob", "event": 2})
        assert talk.hear()["key"] == "bob"
    assert client.get("/v1/sessions/ada%2F1").status_code == 200


def test_an_event_with_an_id_counts_once(talk):
    talk.say({"key": "a", "event": 1, "id": "x"}, {"key": "a", "event": 1, "id": "x"}, {"key": "a", "event": 1})
    assert [talk.hear()["output"]["count"] for _ in range(3)] == [1, 1, 2]


WRONG = {
    "half": '{"key": "a"',
    "NaN": '{"key": "a", "event": NaN}',
    "a number": "1",
    "no key": '{"event": 1}',
    "no event": '{"key": "a"}',
    "an unknown field": '{"key": "a", "event": 1, "more": 1}',
    "a key that is none": '{"key": 1, "event": 1}',
    "an empty key": '{"key": "", "event": 1}',
    "an id that is none": '{"key": "a", "event": 1, "id": 3.5}',
    "an id below 0": '{"key": "a", "event": 1, "id": -3}',
    "half a character": '{"key": "a", "event": "\\ud800"}',
    "a long text": '{"key": "a", "event": "' + "x" * 501 + '"}',
    "what the model cannot read": '{"key": "a", "event": "?"}',
}


@pytest.mark.parametrize("line", WRONG.values(), ids=WRONG)
def test_a_wrong_line_is_refused_and_the_connection_goes_on(talk, line):
    talk.say(line)
    assert set(talk.hear()["error"]) == {"kind", "message"}
    talk.say({"key": "a", "event": 1})
    assert talk.hear()["output"]["count"] == 1


def test_bytes_are_read_as_text(client):
    with client.websocket_connect(STREAM) as socket:
        socket.send_bytes(b'{"key": "a", "event": 1}')
        assert Talk(socket).hear()["output"]["count"] == 1
        socket.send_bytes(b"\xff\xfe")
        with pytest.raises(WebSocketDisconnect) as ended:  # as RFC 6455 has it: 1007, data that are not of their type
            socket.receive_text()
        assert ended.value.code == NO_TEXT


def test_with_a_token_a_header_or_the_first_line_opens():
    with client_of(toy_service(token="hush")) as client:
        with client.websocket_connect(STREAM, headers={"Authorization": "Bearer hush"}) as socket:
            talk = Talk(socket)
            talk.say({"key": "a", "event": 1})
            assert talk.hear()["output"]["count"] == 1
        with client.websocket_connect(STREAM) as socket:
            talk = Talk(socket)
            talk.say({"token": "hush"})
            talk.say({"key": "a", "event": 1})
            assert talk.hear()["output"]["count"] == 2
        for line in ('{"token": "no"}', '{"key": "a", "event": 1}', "", "x", '{"token": 1}'):
            with client.websocket_connect(STREAM) as socket:
                socket.send_text(line)
                with pytest.raises(WebSocketDisconnect) as ended:
                    socket.receive_text()
                assert ended.value.code == BAD_TOKEN
        assert client.app.state.service.sessions.statistics["events"] == 2


def test_pages_of_other_sites_and_too_many_connections_are_denied():
    with client_of(toy_service(max_sockets=1)) as client:
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect(STREAM, headers={"Origin": "https://evil.example"}),
        ):
            pass
        assert denied.value.status_code == 403
        with (
            client.websocket_connect(STREAM),
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect(STREAM),
        ):
            pass
        assert denied.value.status_code == 429
        assert denied.value.json()["error"]["kind"] == "busy"
        client.app.state.service.draining = True
        with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect(STREAM):
            pass
        assert denied.value.status_code == 503


def test_a_connection_is_drained_before_it_is_closed():
    toy = Slow()
    service = toy_service(stream=Stream(toy, "0" * 16))
    with client_of(service) as client, client.websocket_connect(STREAM) as socket:
        talk = Talk(socket)
        talk.say(*({"key": "a", "event": 1} for _ in range(20)))
        until(lambda: service.sessions.statistics["waiting"] == 19)
        from unrolled.serving.signals import drain

        future = client.portal.start_task_soon(drain, service)
        threading.Timer(0.1, toy.gate.set).start()
        assert [talk.hear()["output"]["count"] for _ in range(20)] == list(range(1, 21))
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_text()
        assert ended.value.code == RESTART
        future.result(10)


def test_no_more_events_are_taken_than_there_is_room_for():
    toy = Slow()
    service = toy_service(stream=Stream(toy, "0" * 16))
    with client_of(service) as client, client.websocket_connect(STREAM) as socket:
        talk = Talk(socket)
        talk.say(*({"key": "a", "event": 1} for _ in range(2 * ROOM)))  # in one frame
        for _ in range(ROOM):
            talk.say({"key": "a", "event": 1})
        until(lambda: service.sessions.statistics["waiting"] >= ROOM - 1)
        assert service.sessions.statistics["waiting"] <= ROOM
        toy.gate.set()
        assert [talk.hear()["output"]["count"] for _ in range(3 * ROOM)][-1] == 3 * ROOM


def test_an_error_of_ours_ends_the_connection_with_1011(client, monkeypatch):
    def fail(self, line):
        raise SystemError("ours")

    monkeypatch.setattr(Connection, "_take", fail)
    with client.websocket_connect(STREAM) as socket:
        socket.send_text("x")
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_text()
        assert ended.value.code == INTERNAL
    assert client.get("/healthz").status_code == 200
