"""What a stranger sends is bounded before work is done with it: counted in values, errors and bytes, not in seconds."""

import asyncio
import gzip
import json
import random
import zlib
from contextlib import suppress

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from serving.test_bad_input import JSON, Slow, refused, until
from serving.test_websocket import Talk
from serving.toys import STREAM, ToyModel, client_of, toy_service
from unrolled.data.schema import Schema
from unrolled.errors import DataError
from unrolled.serving.bounds import Bounds, count_values
from unrolled.serving.csv_bodies import check_csv
from unrolled.serving.errors import Fault
from unrolled.serving.limits import GRACE, Bounded, is_wanted
from unrolled.serving.predictions import table_of_csv
from unrolled.serving.schemas import Events, Look, Records
from unrolled.serving.settings import Settings
from unrolled.serving.strict_json import dumps, dumps_long
from unrolled.serving.websocket import FEWEST, OUTBOX, POLICY, ROOM, WRONG, lines_of
from unrolled.streaming.stream import Stream

BOUNDS = Bounds(items=1000, cells=1000, columns=10, depth=5, length=500, events=20)

# ---- bodies --------------------------------------------------------------------------------------------

TOO_MUCH = {
    "values": b"[" + b"1," * 3000 + b"1]",
    "objects": b"[" + b"{}," * 2000 + b"{}]",
    "records of nothing": b'{"records":[' + b"{}," * 2000 + b"{}]}",
    "depth": b'{"records":[{"x":' + b"[" * 200 + b"]" * 200 + b"}]}",
    "a column a record": json.dumps({"records": [{f"k{n}": 1} for n in range(40)]}).encode(),
    "names of one object": json.dumps({f"f{n}": 1 for n in range(200)}).encode(),
    "wide and long": json.dumps({"records": [{f"k{n % 9}": 1} for n in range(400)]}).encode(),
    "a list": json.dumps({"records": [{"x": [1] * 501}]}).encode(),
    "a text": json.dumps({"records": [{"x": "y" * 501}]}).encode(),
    "a name": json.dumps({"records": [{"y" * 501: 1}]}).encode(),
}


@pytest.fixture(scope="module")
def small():
    settings = {"max_items": 1000, "max_columns": 10, "max_depth": 5, "max_length": 500, "max_events": 20}
    with client_of(toy_service(**settings)) as client:
        yield client


@pytest.mark.parametrize("route", ["/v1/step", "/v1/predict", "/v1/generate", "/v1/unfold"])
@pytest.mark.parametrize("body", TOO_MUCH.values(), ids=TOO_MUCH)
def test_every_route_refuses_too_much_before_it_is_validated_or_reaches_the_model(small, monkeypatch, route, body):
    monkeypatch.setattr(TypeAdapter, "validate_python", lambda *_: pytest.fail("it was validated"))
    refused(small.post(route, content=body, headers=JSON), 422, "length")


def test_what_is_within_the_bounds_is_answered(small):
    body = {"records": [{"x": n} for n in range(400)]}
    assert len(small.post("/v1/predict", json=body).json()["predictions"]) == 400
    events = [{"key": f"k{n}", "event": n} for n in range(20)]
    assert len(small.post("/v1/step", json=events).json()) == 20
    assert "20 items" in refused(small.post("/v1/step", json=events * 2), 422, "length")


def test_bytes_are_counted_before_any_value_is_made(monkeypatch):
    monkeypatch.setattr("unrolled.serving.routes.common.loads", lambda *_, **__: pytest.fail("it was read"))
    with client_of(toy_service(max_items=1000)) as client:
        refused(client.post("/v1/step", content=TOO_MUCH["values"], headers=JSON), 422, "length")


@pytest.mark.parametrize(
    "value", [[1, 2, [3]], {"a": "x,[{", "b": [1, 'q"\\,', {}]}, ["\\", "\\\\", '\\",', ","], [",[" * 50, '"' * 9], "a"]
)
def test_marks_are_counted_outside_of_texts(value):
    def values(one):
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        return bool(isinstance(one, dict | list)) + max(0, len(inner) - 1) + sum(map(values, inner))

    assert count_values(json.dumps(value).encode(), b"[{,", 0) == 1 + values(value)


def test_texts_across_blocks_are_counted_as_one(monkeypatch):
    monkeypatch.setattr("unrolled.serving.bounds.BLOCK", 7)
    body = json.dumps(["a,b" * 20, "c", {"d": ",," * 9}]).encode()
    assert count_values(body, b"[{,", 0) == 5


@pytest.mark.parametrize("value", [float("inf"), [1, [-float("inf")]], {"a": {"b": float("inf")}}])
def test_a_number_beyond_float64_is_refused_however_deep_it_lies(value):
    with pytest.raises(Fault, match="too large"):
        BOUNDS.check_value(value, "body")


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        (Events, [1] * 5000),
        (Events, [{}] * 5000),
        (Events, {f"f{n}": n for n in range(5000)}),
        (Events, [{"key": "a", "event": 1, **{f"f{n}": n for n in range(100)}} for _ in range(50)]),
        (Records, {"records": [1] * 5000}),
        (Records, {"records": [{"a": 1}] * 10, **{f"f{n}": n for n in range(5000)}}),
        (Look, {"records": [None] * 5000}),
    ],
)
def test_validation_ends_at_its_first_fault(schema, body):
    with pytest.raises(ValidationError) as error:
        TypeAdapter(schema).validate_python(body)
    assert error.value.error_count() <= 3  # of one object: its missing fields, and one that is unknown


def test_a_boolean_is_no_number_and_a_number_no_boolean(small, language):
    for wrong in (
        {"length": True},
        {"top_k": False},
        {"seed": True},
        {"temperature": True},
        {"length": "5"},
        {"units": 1.5},
    ):
        refused(small.post("/v1/generate", json={"prompt": "a", **wrong}), 422, "request")
    refused(small.post("/v1/predict", json={"records": [{"x": 1}], "probabilities": 1}), 422, "request")
    refused(small.post("/v1/generate", json={"prompt": "a", "length": 5.0}), 409, "unsupported")  # 5.0 is 5 in JSON


# ---- CSV -----------------------------------------------------------------------------------------------

TABLES = {
    "commas": b"," * 5000 + b"\n1\n",
    "columns": b",".join(b"c%d" % n for n in range(11)) + b"\n1\n",
    "rows": b"x\n" + b"1\n" * 501,
    "short rows of a wide header": b"a,b,c\n" + b"\n" * 400,
    "lines in quotes": b'x\n"' + b"1\n" * 600,
    "columns by a separator that the first line names": b"sep=;\n" + b";" * 11 + b"\n1\n",
    "cells by such a separator": b'\xef\xbb\xbf"sep=|"\r\na|b|c\n' + b"\n" * 400,
    "lines that end in a carriage return": b"x\r" + b"1\r" * 501,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_is_counted_before_it_is_read(table, monkeypatch):
    monkeypatch.setattr("unrolled.serving.predictions.pl.read_csv", lambda *_, **__: pytest.fail("it was read"))
    with client_of(toy_service(max_cells=1000, max_columns=10, max_length=500)) as client:
        refused(client.post("/v1/predict/csv", content=table, headers={"content-type": "text/csv"}), 422, "length")


@pytest.mark.parametrize("sign", [bytes([number]) for number in (*range(1, 10), 34, 46, 92, 127, 128, 255)])
def test_a_first_line_that_names_any_separator_is_read_or_refused(small, sign):
    body = b"sep=%b\nx%by\n1%b2\n" % (sign, sign, sign)
    answer = small.post("/v1/predict/csv", content=body, headers={"content-type": "text/csv"})
    assert answer.status_code in (200, 422), answer.text
    assert answer.status_code != 200 or answer.json()["predictions"] == [2]


def test_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="'a' twice"):
        check_csv(b"a,b,a\n1,2,3\n", BOUNDS)
    for header in (b'a,b"\n', b'"a""b",c\n'):
        with pytest.raises(DataError, match="without quotes"):
            check_csv(header, BOUNDS)
    check_csv(b'a,"b\nc"\n1,"2\n,3"\n', BOUNDS)


NESTED = {
    "lists": "[" + "[]," * 4000 + "[]]",
    "dictionaries": "[" + "{}," * 4000 + "{}]",
    "names": "[" + ",".join(f'{{"k{n}":1}}' for n in range(2000)) + "]",
    "depth": "[" * 15 + "1" + "]" * 15,
    "more depth": "[" * 900 + "1" + "]" * 900,
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_a_list_in_a_table_is_looked_at_no_deeper_than_its_column_is(text, monkeypatch):
    kinds = []
    monkeypatch.setattr("unrolled.data.kinds.kind_of", lambda values, *_, **__: kinds.append(values) or pl.String())
    schema = Schema({"a": pl.List(pl.Int64())})
    with pytest.raises(DataError, match="expected lists of whole numbers"):
        schema.cast(pl.DataFrame({"a": [text]}))
    assert kinds == []


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, lambda data: zlib.compress(data, 1)])
@pytest.mark.parametrize("start", [b"", b"sep=,\n", b"\xef\xbb\xbfsep=,\n"])
@pytest.mark.parametrize("size", [100, 1 << 21])
def test_a_table_that_was_packed_is_not_unpacked(pack, size, start):
    noise = random.Random(0).randbytes(size).hex().encode()  # so that what is packed is as large
    data = start + pack(b"x,y\n1," + noise + b"\n" + b"1,2\n" * 100_000)
    with client_of(toy_service()) as client:
        answer = client.post("/v1/predict/csv", content=data, headers={"content-type": "text/csv"})
    refused(answer, 422, "data")
    with suppress(DataError, Fault):
        assert table_of_csv(ToyModel(), data, BOUNDS).frame.height < 50_000


def test_a_long_text_in_a_table_is_refused(small):
    body = b"x,y\n1,%b\n" % (b"a" * 501)
    refused(small.post("/v1/predict/csv", content=body, headers={"content-type": "text/csv"}), 422, "length")
    for mark in (b"", b"\xef\xbb\xbf"):
        body = mark + b"x,y\n1,%b\n" % (b"a" * 500)
        answer = small.post("/v1/predict/csv", content=body, headers={"content-type": "text/csv"})
        assert answer.json()["predictions"] == [2]


def test_probabilities_are_bounded_before_they_are_made(monkeypatch):
    monkeypatch.setattr(ToyModel, "predict_proba", lambda *_: pytest.fail("they were made"))
    with client_of(toy_service(max_cells=100)) as client:
        body = {"records": [{"x": 1}] * 51, "probabilities": True}
        assert "102" in refused(client.post("/v1/predict", json=body), 422, "length")


def test_a_long_answer_is_the_same_in_parts():
    value = {"predictions": [{"x": n, "y": None} for n in range(1203)], "classes": ["a", float("nan")], "empty": []}
    assert json.loads(dumps_long(value)) == json.loads(dumps(value))


def test_no_more_is_unfolded_than_can_be_drawn_in_a_moment(small):
    for body in ({"text": "x" * 201}, {"records": [{"x": "y" * 201}]}, {"records": [{"x": [1.0] * 201}]}):
        refused(small.post("/v1/unfold", json=body), 422, "length")


# ---- places and time -----------------------------------------------------------------------------------


def request(path="/v1/step", body=b"{}"):
    return {"type": "http", "path": path, "method": "POST", "headers": [(b"content-length", b"%d" % len(body))]}


def arrives(*parts, gate=None):
    """A client that sends the parts of a body, each but the first once the gate is open, and then stays."""
    left = [*parts]

    async def receive():
        if gate is not None and len(left) < len(parts):
            await gate.wait()
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return receive


class Sent:
    """What an application sent."""

    def __init__(self) -> None:
        self.status = 0

    async def __call__(self, message) -> None:
        self.status = message.get("status", self.status)


def test_a_body_that_does_not_arrive_takes_no_place_and_has_its_rate(monkeypatch):
    monkeypatch.setattr("unrolled.serving.limits.GRACE", 0.05)
    asked = []

    async def app(scope, receive, send):
        asked.append(await receive())

    async def trickle():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def main():
        bounded = Bounded(app, Settings("m", max_requests=1, timeout=60, min_rate=1000))
        slow = [Sent() for _ in range(20)]
        waiting = [asyncio.create_task(bounded(request(), trickle, one)) for one in slow]
        await asyncio.sleep(0.02)
        assert bounded.running == 0
        await bounded(request(), arrives(b"{}"), Sent())
        await asyncio.gather(*waiting)
        return slow

    assert [one.status for one in asyncio.run(main())] == [408] * 20
    assert len(asked) == 1
    assert GRACE == 5.0


def test_large_bodies_are_bounded_all_together(monkeypatch):
    monkeypatch.setattr("unrolled.serving.limits.BODIES", 2)
    monkeypatch.setattr("unrolled.serving.limits.LARGE", 100)

    async def app(scope, receive, send):
        await receive()

    async def main():
        bounded, gate = Bounded(app, Settings("m", max_body=1000, timeout=5)), asyncio.Event()

        seen = [Sent() for _ in range(6)]
        tasks = [
            asyncio.create_task(bounded(request(), arrives(b"x" * 900, b"x" * 50, gate=gate), one)) for one in seen
        ]
        await asyncio.sleep(0.05)
        assert bounded.held <= 2 * 1000
        gate.set()
        await asyncio.gather(*tasks)
        assert bounded.held == bounded.running == 0
        return sorted(one.status for one in seen)

    assert asyncio.run(main()) == [0, 0, 429, 429, 429, 429]  # 0: the application was asked, and said nothing


def test_work_past_its_time_keeps_its_place_until_it_ends():
    import threading

    gate = threading.Event()

    class Stuck(ToyModel):
        def predict(self, records):
            gate.wait(20)
            return [1]

    with client_of(toy_service(model=Stuck(), timeout=0.2, max_requests=2)) as client:
        try:
            for _ in range(2):
                refused(client.post("/v1/predict", json={"records": [{"x": 1}]}), 504, "time")
            refused(client.post("/v1/predict", json={"records": [{"x": 1}]}), 429, "busy")
        finally:
            gate.set()
        until(lambda: client.post("/v1/predict", json={"records": [{"x": 1}]}).status_code == 200)


def test_texts_that_are_written_leave_places_to_others():
    async def main():
        bounded = Bounded(hold, Settings("m", max_requests=4))
        writers = [Sent() for _ in range(4)]
        tasks = [asyncio.create_task(bounded(request("/v1/generate"), arrives(b"{}"), one)) for one in writers]
        await asyncio.sleep(0.01)
        other = Sent()
        step = asyncio.create_task(bounded(request(), arrives(b"{}"), other))
        await asyncio.sleep(0.01)
        assert (len(bounded.writers), bounded.running) == (2, 3)
        gate.set()
        await asyncio.gather(step, *tasks)
        return sorted(one.status for one in writers), other.status

    gate = asyncio.Event()

    async def hold(scope, receive, send):
        await gate.wait()

    assert asyncio.run(main()) == ([0, 0, 429, 429], 0)


@pytest.mark.parametrize(("timeout", "ended"), [(0.05, 1), (60.0, 0)])
def test_a_text_that_had_its_time_ends_where_another_wants_its_place(timeout, ended):
    async def main():
        bounded = Bounded(write, Settings("m", max_requests=6, timeout=timeout))
        writers = [asyncio.create_task(bounded(request("/v1/generate"), arrives(b"{}"), Sent())) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert not any(writer.done() for writer in writers)  # without others it goes on
        late = Sent()
        await bounded(request("/v1/generate"), arrives(b"{}"), late)
        await asyncio.sleep(0.05)
        assert late.status == 429
        assert [writer.done() for writer in writers].count(True) == ended == 3 - len(bounded.writers)
        gate.set()
        await asyncio.gather(*writers)
        assert not bounded.writers

    gate = asyncio.Event()

    async def write(scope, receive, send):
        while not (gate.is_set() or is_wanted()):
            await asyncio.sleep(0.005)

    asyncio.run(main())


def test_events_of_a_request_wait_in_parts_so_that_others_come_between():
    toy = Slow()
    service = toy_service(stream=Stream(toy, "0" * 16), timeout=20, max_events=2000)
    import threading

    with client_of(service) as client:
        answers = []
        events = [{"key": f"k{n}", "event": n} for n in range(1000)]
        thread = threading.Thread(target=lambda: answers.extend(client.post("/v1/step", json=events).json()))
        thread.start()
        until(lambda: toy.entered)  # a part may be read at once, so that none of it waits
        assert service.sessions.statistics["waiting"] <= ROOM
        toy.gate.set()
        thread.join()
    assert [answer["key"] for answer in answers] == [event["key"] for event in events]
    assert all(answer["output"]["count"] == 1 for answer in answers)


# ---- WebSockets ----------------------------------------------------------------------------------------


def hear_all(socket):
    while True:
        socket.receive_text()


def test_wrong_lines_without_end_end_the_connection(client):
    with client.websocket_connect(STREAM) as socket:
        talk = Talk(socket)
        for _ in range(3):  # one right line, and they may begin anew
            talk.say(*["x"] * (WRONG - 1))
            talk.say({"key": "a", "event": 1})
            [talk.hear() for _ in range(WRONG)]
        talk.say(*["x"] * (2 * WRONG))
        with pytest.raises(WebSocketDisconnect) as ended:
            hear_all(socket)
    assert ended.value.code == POLICY


def test_a_frame_of_empty_lines_ends_the_connection(client):
    with client.websocket_connect(STREAM) as socket:
        socket.send_text("\n" * (2 * WRONG + 2))
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_text()
    assert ended.value.code == POLICY


def test_values_of_a_line_are_counted_before_any_is_made(small, monkeypatch):
    monkeypatch.setattr("unrolled.serving.websocket.loads", lambda *_: pytest.fail("it was read"))
    with small.websocket_connect(STREAM) as socket:
        talk = Talk(socket)
        for value in ("{},", "[],", "1,"):
            talk.say('{"key": "a", "event": [' + value * 1100 + "1]}")
            assert talk.hear()["error"]["kind"] == "length"


def test_a_refusal_is_short_however_long_what_was_sent(language):
    from unrolled.serving.service import Service
    from unrolled.streaming.sessions import Sessions

    service = Service(Settings("m"), language, Sessions(language.stream()))
    lines = [
        {"key": "k" * 5000, "event": "a"},
        {"key": "a", "event": "a", "id": "i" * 5000},
        {"key": "a", "event": "a", "id": 10**3000},
        {"key": 10**3000, "event": "a"},
        {"key": "a", "event": {"x" * 5000: 1}},
        {"key": "a", "event": {f"{n}{'x' * 500}": 1 for n in range(100)}},
        {"key": "a", "x" * 5000: "a", "event": "a"},
    ]
    with client_of(service) as client, client.websocket_connect(STREAM) as socket:
        talk = Talk(socket)
        for line in lines:
            talk.say(line)
            answer = talk.hear()
            assert "error" in answer
            assert len(json.dumps(answer)) < 2500
            line["event_id"] = line.pop("id", None)
            assert len(client.post("/v1/step", json=line).content) < 2500


def test_large_answers_leave_room_for_few_of_them(client):
    with client.websocket_connect(STREAM) as socket:
        hub = client.app.state.service.hub
        hub.widest = OUTBOX
        connection = next(iter(hub.waiters))
        assert connection._room() == FEWEST
        hub.widest = 10
        assert connection._room() == ROOM
        Talk(socket).say({"key": "a", "event": 1})


def test_lines_are_taken_one_by_one():
    for text in ("", "\n", "a", "a\n", "\n\na\n\nb", "a\nb\n"):
        assert list(lines_of(text)) == [line for line in text.split("\n") if line]


def test_connections_without_a_token_have_places_of_their_own(monkeypatch):
    monkeypatch.setattr("unrolled.serving.dispatch.STRANGERS", 2)
    with (
        client_of(toy_service(token="hush", max_sockets=1)) as client,
        client.websocket_connect(STREAM) as first,
        client.websocket_connect(STREAM) as second,
    ):
        with client.websocket_connect(STREAM, headers={"Authorization": "bearer hush"}) as known:
            talk = Talk(known)
            talk.say({"key": "a", "event": 1})
            assert talk.hear()["output"]["count"] == 1
            with client.websocket_connect(STREAM), pytest.raises(WebSocketDisconnect) as ended:
                first.receive_text()  # the third stranger sends the first one away
            assert ended.value.code == 4401
        until(lambda: not client.app.state.service.hub.known)
        second.send_text('{"token": "hush"}')
        talk = Talk(second)
        talk.say({"key": "a", "event": 1})
        assert talk.hear()["output"]["count"] == 2
