"""What is wrong is refused in one form, with a 4xx, and changes nothing; never a traceback."""

import gzip
import json
import threading
import time

import polars as pl
import pytest

import unrolled as ur
from serving.toys import ToyModel, client_of, toy_service
from streaming.toy import Toy
from unrolled.errors import DataError, OptionError
from unrolled.serving.predictions import predictions
from unrolled.serving.settings import Settings
from unrolled.serving.strict_json import dumps, loads
from unrolled.streaming.stream import Stream

JSON = {"content-type": "application/json"}


def refused(answer, status, kind):
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"kind", "message"}
    assert answer.json()["error"]["kind"] == kind, answer.text
    assert "Traceback" not in answer.text
    return answer.json()["error"]["message"]


# ---- bodies --------------------------------------------------------------------------------------------

MALFORMED = {
    "nothing": b"",
    "half an object": b'{"key": "a", "event"',
    "no UTF-8": b'{"key": "\xff", "event": 1}',
    "NaN": b'{"key": "a", "event": NaN}',
    "infinity": b'{"key": "a", "event": -Infinity}',
    "beyond float64": b'{"key": "a", "event": 1e999}',
    "ten thousand digits": b'{"key": "a", "event": ' + b"9" * 10_000 + b"}",
    "half a character": b'{"key": "a", "event": "\\ud800"}',
    "a key of half a character": b'{"key": "\\udc00", "event": 1}',
    "nested": b'{"key": "a", "event": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number": b"1",
    "null": b"null",
    "no key": b'{"event": 1}',
    "no event": b'{"key": "a"}',
    "an empty key": b'{"key": "", "event": 1}',
    "a long key": json.dumps({"key": "k" * 513, "event": 1}).encode(),
    "a long key in bytes": json.dumps({"key": "ж" * 400, "event": 1}).encode(),
    "a key of another type": b'{"key": 1, "event": 1}',
    "an unknown field": b'{"key": "a", "event": 1, "more": 1}',
    "an event id of another type": b'{"key": "a", "event": 1, "event_id": 7.0}',
    "an event id that is true": b'{"key": "a", "event": 1, "event_id": true}',
    "an event id below 0": b'{"key": "a", "event": 1, "event_id": -1}',
    "an event id that is too large": b'{"key": "a", "event": 1, "event_id": 9223372036854775808}',
    "a key that comes twice": b'{"key": "a", "event": 1, "key": "b"}',
    "a name that comes twice inside": b'{"key": "a", "event": {"x": 1, "x": 2}}',
    "a byte order mark": b'\xef\xbb\xbf{"key": "a", "event": 1}',
    "UTF-16": '{"key": "a", "event": 1}'.encode("utf-16"),
    "two documents": b'{"key": "a", "event": 1}{"key": "a", "event": 1}',
    "NUL": b'{"key": "a\0b", "event": 1}',
    "NUL behind": b'{"key": "a", "event": 1}\0',
    "packed": gzip.compress(b'{"key": "a", "event": 1}'),
    "one bad event of a list": b'[{"key": "a", "event": 1}, {"key": 1}]',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_refused(body):
    with client_of(toy_service()) as client:
        answer = client.post("/v1/step", content=body, headers=JSON)
        refused(answer, 422, "data" if b"\\u0436" in body else "request")
        assert client.get("/v1/sessions").json()["count"] == 0


def test_the_message_names_the_field(client):
    assert refused(client.post("/v1/step", json={"key": "a", "event": 1, "more": 2}), 422, "request").startswith(
        "more:"
    )
    assert refused(client.post("/v1/step", json={"event": 1}), 422, "request").startswith("key:")
    assert refused(client.post("/v1/predict", json={"records": [{"x": 1}, 3]}), 422, "request").startswith("records.1:")
    message = refused(client.post("/v1/step", content=b'{"a": NaN}', headers=JSON), 422, "request")
    assert message == "body: NaN is not a number in JSON"


def test_a_body_of_another_kind_is_refused(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = client.post("/v1/step", content=b'{"key": "a", "event": 1}', headers={"content-type": kind})
        refused(answer, 415, "type")


def test_a_message_about_an_event_id_names_the_field_and_what_its_type_lacks(client):
    for wrong, said in (
        ("", "string should have at least"),
        ([1], "valid integer"),
        (-1, "greater than or equal to 0"),
    ):
        answer = client.post("/v1/step", json={"key": "a", "event": 1, "event_id": wrong})
        message = refused(answer, 422, "request")
        assert message.startswith("event_id: ")
        assert said in message


def test_the_type_of_a_body_is_read_in_any_letters(client):
    for kind in ("APPLICATION/JSON", "application/Json; charset=UTF-8"):
        answer = client.post("/v1/step", content=b'{"key": "a", "event": 1}', headers={"content-type": kind})
        assert answer.status_code == 200, answer.text


def test_a_body_beyond_the_limit_is_refused_told_or_not(client):
    large = b'{"key": "a", "event": "' + b"x" * 3000 + b'"}'
    assert "2,000 bytes" in refused(client.post("/v1/step", content=large, headers=JSON), 413, "body")
    chunks = iter([large[:1500], large[1500:]])  # sent in chunks, without a length
    refused(client.post("/v1/step", content=chunks, headers=JSON), 413, "body")
    lying = client.post("/v1/step", content=large[:100], headers={**JSON, "content-length": "99999999999"})
    refused(lying, 413, "body")


def test_a_text_or_a_list_beyond_the_limit_is_refused(client):
    for event in ("x" * 501, ["a", {"b": "x" * 501}], list(range(501))):
        assert "500" in refused(client.post("/v1/step", json={"key": "a", "event": event}), 422, "length")
    refused(client.post("/v1/predict", json={"records": [{"x": "y" * 501}]}), 422, "length")
    refused(client.post("/v1/generate", json={"prompt": "y" * 501}), 422, "length")
    refused(client.post("/v1/generate", json={"prompt": "y", "length": 501}), 422, "length")
    assert client.get("/v1/sessions").json()["count"] == 0


def test_a_million_characters_are_refused_by_default():
    with client_of(toy_service()) as client:
        refused(client.post("/v1/step", json={"key": "a", "event": "x" * 1_000_000}), 422, "length")


def test_no_path_and_no_method_that_is_not_there_is_answered(client):
    for path in ("/nope", "/v1/", "/v1/nope", "/v1/sessions/a/b", "/v1/sessions/"):
        refused(client.get(path), 404, "missing")
    answer = client.patch("/v1/step")
    refused(answer, 405, "method")
    assert answer.headers["allow"] == "POST"
    refused(client.get("/v1/sessions/%ff"), 422, "request")
    refused(client.get("/v1/sessions?limit=-1"), 422, "request")
    refused(client.get("/v1/sessions?limit=many"), 422, "request")


def test_strict_json_is_json():
    for value in (None, True, 1, -2.5, "ä\n\u2028", [1, [2]], {"a": {"b": None}}):
        assert loads(json.dumps(value)) == loads(dumps(value)) == value
    assert loads('"\\ud83d\\ude00"') == "😀"  # two halves are a character


# ---- time and company ----------------------------------------------------------------------------------


class Slow(Toy):
    """A toy that does not answer until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.entered = threading.Event(), False

    def step_many(self, events, states):
        self.entered = True
        self.gate.wait(20)
        return super().step_many(events, states)


def until(look):
    """Wait until something holds, and not for ever."""
    stop = time.monotonic() + 20
    while not look():
        assert time.monotonic() < stop
        time.sleep(0.005)


def test_what_takes_too_long_is_answered_with_a_504():
    toy = Slow()
    with client_of(toy_service(stream=Stream(toy, "0" * 16), timeout=0.2)) as client:
        refused(client.post("/v1/step", json={"key": "a", "event": 1}), 504, "time")
        toy.gate.set()


def test_more_requests_than_are_answered_at_once_are_told_to_come_back():
    toy = Slow()
    service = toy_service(stream=Stream(toy, "0" * 16), max_requests=2, timeout=60)
    with client_of(service) as client:
        answers = []

        def ask(key):
            answers.append(client.post("/v1/step", json={"key": key, "event": 1}).status_code)

        threads = [threading.Thread(target=ask, args=(key,)) for key in "ab"]
        try:
            for number, thread in enumerate(threads):
                thread.start()  # the first is being stepped, the second waits
                until(lambda number=number: toy.entered and service.sessions.statistics["waiting"] == number)
            limited = client.get("/v1/sessions")
            refused(limited, 429, "busy")
            assert limited.headers["retry-after"] == "1"
            assert client.get("/healthz").status_code == 200  # health is not a request of a client
        finally:
            toy.gate.set()
            for thread in threads:
                thread.join()
        assert answers == [200, 200]
        assert client.get("/v1/sessions").status_code == 200


def test_our_own_fault_is_told_without_its_inside(caplog):
    class Broken(ToyModel):
        def predict(self, records):
            raise SystemError("secret detail")

    with client_of(toy_service(model=Broken())) as client:
        text = refused(client.post("/v1/predict", json={"records": [{"x": 1}]}), 500, "internal")
    assert "secret" not in text
    assert any(record.exc_info for record in caplog.records)


# ---- who may ask ---------------------------------------------------------------------------------------


def test_without_the_token_nothing_but_the_page_and_health_is_answered():
    with client_of(toy_service(token="hush")) as client:
        for path in ("/v1/model", "/v1/sessions", "/metrics", "/v1/sessions/a"):
            for headers in (
                {},
                {"Authorization": "Bearer no"},
                {"Authorization": "Basic hush"},
                {"Authorization": "ключ"},
            ):
                sent = {name: value.encode() for name, value in headers.items()}
                answer = client.get(path, headers=sent)
                refused(answer, 401, "token")
                assert answer.headers["www-authenticate"] == "Bearer"
            assert client.get(path, headers={"Authorization": "Bearer hush"}).status_code in (200, 404)
        for path in ("/", "/healthz", "/readyz", "/openapi.json", "/page/page.css"):
            assert client.get(path).status_code == 200


def test_a_page_of_another_site_may_not_ask(client):
    refused(client.get("/v1/model", headers={"Origin": "https://evil.example"}), 403, "origin")
    refused(client.get("/v1/model", headers={"Host": "evil.example"}), 403, "origin")  # a name rebound to this machine
    assert client.get("/v1/model", headers={"Origin": "http://127.0.0.1"}).status_code == 200
    assert client.get("/v1/model", headers={"Host": "localhost:8000"}).status_code == 200
    assert client.get("/v1/model", headers={"Host": "[::1]:8000"}).status_code == 200


# ---- settings ------------------------------------------------------------------------------------------


def test_several_workers_need_a_store_they_share():
    with pytest.raises(OptionError, match=r"workers: expected 1 .*--store sqlite"):
        Settings("m", workers=2)
    with pytest.raises(OptionError, match="workers"):
        Settings("m", workers=2, store="memory:")
    assert Settings("m", workers=2, store="sqlite:///x.db").workers == 2


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"timeout": 0}, {"max_body": 0}, {"port": -1}, {"ttl": float("nan")}]
)
def test_an_illegal_setting_is_refused_by_name(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        Settings("m", **wrong)


def test_settings_travel_to_worker_processes(monkeypatch):
    for name in ("SERVE", "TOKEN", "STORE", "STATE_KEY"):
        monkeypatch.setenv(f"UNROLLED_{name}", "")
    told = Settings("m", store="redis://someone:hush@host", workers=3, token="hush", state_key="hush" * 8)
    told.to_environment()
    assert "hush" not in repr(told)
    assert Settings.from_environment() == told
    import os

    assert "hush" not in os.environ["UNROLLED_SERVE"]


def test_the_start_of_a_path_may_be_percent_encoded_and_a_key_is_decoded_once(client):
    client.post("/v1/step", json={"key": "a%41", "event": 1})
    for start in ("/v1/sessions", "/%761/sessions", "/v1%2Fsessions", "/v1/%73essions"):
        assert client.get(f"{start}/a%2541").json()["key"] == "a%41"
    assert client.get("/v1/sessions?limit=1").json()["count"] == 1


# ---- values that no column of a forecaster can hold ----------------------------------------------------


@pytest.fixture(scope="module")
def series():
    rows = [{"t": n // 2, "k": "ab"[n % 2], "y": float(n % 7)} for n in range(80)]
    model = ur.Forecaster(horizon=2, hidden_size=4).fit(
        ur.as_source(rows, time="t", group="k"), epochs=1, baselines=False
    )
    return model


@pytest.mark.parametrize(
    "wrong",
    [{"future": 5}, {"future": True}, {"future": [5]}, {"future": "ab"}, {"k": [1]}, {"k": [[1]]}, {"k": []},
     {"t": 10**300}, {"y": 10**100}, {"t": [1]}],
)  # fmt: skip
def test_a_row_of_odd_values_is_refused_in_one_sentence_of_ours(series, wrong):
    stream = series.stream()
    with pytest.raises(DataError) as caught:
        stream.step({"t": 40, "k": "a", "y": 1.0, **wrong})
    assert "\n" not in str(caught.value)


def test_a_forecast_beyond_the_year_9999_is_refused():
    rows = [{"t": f"2024-{1 + n // 28:02d}-{1 + n % 28:02d}", "y": float(n % 7)} for n in range(28)]
    model = ur.Forecaster(horizon=2, hidden_size=4, context_length=4).fit(
        ur.as_source(rows, time="t"), epochs=1, baselines=False
    )
    late = [{"t": f"9999-12-{day}", "y": 1.0} for day in range(22, 32)]
    for ask in (lambda: model.predict(late), lambda: predictions(model, late)):
        with pytest.raises(DataError, match="times up to the year 9999"):
            ask()


@pytest.mark.parametrize("error", [TypeError("dtype of ndarray"), pl.exceptions.ComputeError("series of dtype")])
def test_the_text_of_an_error_of_a_library_stays_in_the_log(error):
    class Stumbling(ToyModel):
        def predict(self, records):
            raise error

    with client_of(toy_service(model=Stumbling())) as client:
        said = refused(client.post("/v1/predict", json={"records": [{"x": 1}]}), 422, "data")
    assert "dtype" not in said
    assert type(error).__name__ not in said
