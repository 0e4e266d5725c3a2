"""What each route answers."""

import json

import pytest

from serving.toys import client_of, toy_service
from streaming.toy import toy_stream
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings
from unrolled.streaming.sessions import Sessions


def step(client, key, event, **more):
    return client.post("/v1/step", json={"key": key, "event": event, **more})


def error_of(answer):
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"kind", "message"}
    return answer.json()["error"]


# ---- steps ---------------------------------------------------------------------------------------------


def test_events_of_a_session_are_answered_as_the_stream_alone_would(client):
    stream, state = toy_stream(), None
    for event in (1, 2.5, -3):
        said = step(client, "ada", event)
        expected, state = stream.step(event, state)
        assert said.status_code == 200
        assert said.json() == {"key": "ada", "output": expected}


def test_sessions_do_not_mix(client):
    assert [step(client, key, 1).json()["output"]["count"] for key in "abaab"] == [1, 1, 2, 3, 2]


def test_a_list_of_events_is_answered_in_order_and_one_by_one(client):
    events = [{"key": "ada", "event": 1}, {"key": "bob", "event": "?"}, {"key": "ada", "event": 2}]
    first, second, third = client.post("/v1/step", json=events).json()
    assert first["output"]["sum"] == 1
    assert second["error"]["kind"] == "data"
    assert third["output"]["sum"] == 3


def test_an_event_with_an_id_counts_once(client):
    answers = [step(client, "ada", 5, event_id="e1").json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert step(client, "ada", 5).json()["output"]["count"] == 2


def test_an_event_that_the_model_cannot_read_changes_nothing(client):
    step(client, "ada", 1)
    refused = step(client, "ada", "text")
    assert refused.status_code == 422
    assert error_of(refused)["kind"] == "data"
    assert "expected a number" in error_of(refused)["message"]
    assert step(client, "ada", 1).json()["output"]["count"] == 2


# ---- sessions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["ada", "a/b", "../../etc/passwd", "a b?#%", "ключ", ".", "x/state", "\x00\n"])
def test_any_text_is_a_key_and_only_a_key(client, key):
    from urllib.parse import quote

    assert step(client, key, 3).status_code == 200
    path = f"/v1/sessions/{quote(key, safe='')}".replace("/.", "/%2E")
    info = client.get(path)
    assert info.status_code == 200, info.text
    assert info.json()["key"] == key
    state = client.get(f"{path}/state")
    assert len(state.content) == info.json()["bytes"]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_sessions_are_counted_and_named(client):
    for key in ("a", "b", "c"):
        step(client, key, 1)
    found = client.get("/v1/sessions").json()
    assert found["count"] == 3
    assert sorted(found["keys"]) == ["a", "b", "c"]
    assert len(client.get("/v1/sessions?limit=2").json()["keys"]) == 2


def test_a_state_goes_out_and_comes_back(client):
    step(client, "ada", 1)
    state = client.get("/v1/sessions/ada/state").content
    step(client, "ada", 10)
    assert client.put("/v1/sessions/bob/state", content=state).status_code == 204
    assert step(client, "bob", 1).json()["output"]["sum"] == 2


def test_the_state_of_another_model_is_refused(client):
    other = toy_stream(seed=1)
    refused = client.put("/v1/sessions/ada/state", content=other.pack(other.initial_state()))
    assert refused.status_code == 422
    assert error_of(refused)["kind"] == "state"
    assert "another" not in error_of(client.get("/v1/sessions/ada"))["message"]
    assert client.get("/v1/sessions/ada").status_code == 404


def test_half_a_state_is_refused(client):
    step(client, "ada", 1)
    state = client.get("/v1/sessions/ada/state").content
    for part in (b"", state[:10], state[:-1], b"x" * 100):
        assert error_of(client.put("/v1/sessions/bob/state", content=part))["kind"] == "state"


# ---- predictions and texts -----------------------------------------------------------------------------


def test_records_are_answered_and_what_is_not_finite_is_null(client):
    body = {"records": [{"x": 1}, {"x": 13}], "probabilities": True}
    answer = client.post("/v1/predict", json=body).json()
    assert answer.pop("report")["unknown"] == 0
    assert answer == {
        "predictions": [2, None],
        "classes": ["even", "odd"],
        "probabilities": [[0.5, 0.5], [0.5, 0.5]],
    }


def test_a_record_that_the_model_stumbles_over_is_the_clients_fault(client):
    refused = client.post("/v1/predict", json={"records": [{"y": 1}]})
    assert refused.status_code == 422
    assert "a value that this model cannot read" in error_of(refused)["message"]
    assert "KeyError" not in refused.text  # a library's words are for the log


def model_client(model):
    stream = model.stream() if hasattr(model, "stream") else None
    return client_of(Service(Settings("m", timeout=60), model, Sessions(stream)))


def events_of(answer):
    blocks = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_a_text_is_written_token_by_token_as_generate_writes_it(language):
    with model_client(language) as client:
        body = {"prompt": "ab", "length": 20, "seed": 3, "temperature": 1.5, "candidates": 2, "units": 4}
        answer = client.post("/v1/generate", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events_of(answer)
    assert (found[-1][0], found[-1][1]["stopped"]) == ("done", "end")
    tokens = [value for name, value in found if name == "token"]
    written = [token for token in tokens if not token["read"]]
    assert "".join(token["text"] for token in written) == language.generate("ab", 20, 1.5, seed=3)
    assert [token["text"] for token in tokens if token["read"]] == ["a", "b"]
    assert all(len(token["units"]) == 4 and len(token["expected"]) == 2 for token in written)


def test_illegal_options_of_writing_are_refused_before_anything_is_written(language):
    with model_client(language) as client:
        for wrong in ({"temperature": -1}, {"length": -1}, {"top_p": 0}, {"given": {"x": 1}}, {"seed": -1}):
            answer = client.post("/v1/generate", json={"prompt": "a", **wrong})
            assert answer.status_code == 422, wrong
            assert error_of(answer)["kind"] in ("request", "option")


def test_a_model_that_does_not_write_says_so(client):
    refused = client.post("/v1/generate", json={"prompt": "a"})
    assert refused.status_code == 409
    assert error_of(refused)["kind"] == "unsupported"


def test_a_csv_file_is_forecast_as_the_same_table_is(forecaster):
    rows = "".join(f"{step},{(step % 8) / 4}\n" for step in range(60))
    with client_of(Service(Settings("m", timeout=60), forecaster)) as client:
        answer = client.post("/v1/predict/csv", content=f"t,y\n{rows}", headers={"content-type": "text/csv"})
        assert answer.status_code == 200, answer.text
        for wrong, kind in ((b"", "data"), (b"t\n1\n", "data"), (b"\xff\xfe\x00", "data"), (b"t,y\n", "data")):
            refused = client.post("/v1/predict/csv", content=wrong, headers={"content-type": "text/csv"})
            assert (refused.status_code, error_of(refused)["kind"]) == (422, kind), wrong
        assert client.post("/v1/predict/csv", content=b"t,y\n1,2\n").status_code == 415
    records = [{"t": step, "y": (step % 8) / 4} for step in range(60)]
    expected = forecaster.predict(records).to_dicts()
    assert [row["forecast"] for row in answer.json()["predictions"]] == pytest.approx(
        [row["forecast"] for row in expected]
    )


def test_the_network_is_drawn_unfolded_over_a_text_and_over_a_record(language, classifier):
    with model_client(language) as client:
        seen = client.post("/v1/unfold", json={"text": "abc", "theme": "dark"}).json()
    assert [picture["name"] for picture in seen["pictures"]][:2] == ["unfolding", "state-gradients"]
    assert all("<svg" in picture["svg"] for picture in seen["pictures"])
    assert "gradient" in seen["verdict"]
    with client_of(Service(Settings("m", timeout=60), classifier)) as client:
        answer = client.post("/v1/unfold", json={"records": [{"text": "abab"}]})  # no answer in it: the model's own
        assert answer.status_code == 200, answer.text
        assert client.post("/v1/unfold", json={"text": "abab"}).status_code == 422
        assert client.post("/v1/unfold", json={}).status_code == 422


# ---- the model, health, metrics ------------------------------------------------------------------------


def test_the_model_is_described(language):
    with model_client(language) as client:
        found = client.get("/v1/model").json()
    assert found["task"] == "LanguageModel"
    assert found["can"] == ["step", "predict", "generate", "unfold"]
    assert found["columns"] == found["texts"] == ["text"]
    assert found["limits"]["max_length"] == 100_000
    assert (found["limits"]["remembered_events"], found["limits"]["remembered_ids"]) == (64, 512)


def test_a_model_without_a_stream_says_why_it_cannot_be_stepped(forecaster):
    refusal = "it reads its series whole"
    with client_of(Service(Settings("m"), forecaster, refusal=refusal)) as client:
        assert client.get("/v1/model").json()["why_no_steps"] == refusal
        for answer in (step(client, "a", 1), client.get("/v1/sessions"), client.get("/v1/sessions/a")):
            assert answer.status_code == 409
            assert error_of(answer) == {"kind": "unsupported", "message": refusal}


def test_health_and_readiness(client):
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz").status_code == 200
    client.app.state.service.draining = True
    assert error_of(client.get("/readyz"))["kind"] == "draining"
    assert client.get("/healthz").status_code == 200
    refused = step(client, "a", 1)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


def test_metrics_count_events_requests_and_errors(client):
    step(client, "a", 1)
    step(client, "a", "?")
    client.get("/v1/sessions/nobody")
    text = client.get("/metrics").text
    assert "unrolled_events_total 1.0" in text
    assert "unrolled_refused_total 1.0" in text
    assert "unrolled_sessions 1.0" in text
    assert 'unrolled_requests_total{method="POST",route="/v1/step",status="200"} 1.0' in text
    assert 'route="/v1/sessions/{key}",status="404"' in text
    assert 'unrolled_errors_total{kind="data"} 1.0' in text
    assert "unrolled_event_seconds_count 1.0" in text


def test_one_line_of_log_for_each_request_without_keys_events_or_tokens(caplog):
    with client_of(toy_service(token="hush")) as client, caplog.at_level("INFO", "unrolled.serving"):
        client.headers["Authorization"] = "Bearer hush"
        step(client, "ada-lovelace", 12345)
        client.get("/v1/sessions/ada-lovelace")
    said = [record.fields for record in caplog.records if record.getMessage() == "request"]
    assert [line["route"] for line in said] == ["/v1/step", "/v1/sessions/{key}"]
    assert [line["status"] for line in said] == [200, 200]
    assert not any(secret in repr(said) for secret in ("ada-lovelace", "12345", "hush"))


def test_a_log_line_is_one_json_object():
    import logging

    from unrolled.serving.logs import Lines

    record = logging.LogRecord("x", logging.INFO, "", 0, "a\nb", None, None)
    record.fields = {"status": 200}
    line = Lines().format(record)
    assert "\n" not in line
    assert json.loads(line)["event"] == "a\nb"
    assert json.loads(line)["status"] == 200


# ---- the page ------------------------------------------------------------------------------------------


def test_the_page_asks_nothing_of_anybody_else(client):
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    import re

    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert path.startswith(("/page/", "data:"))
        if path.startswith("/"):
            file = client.get(path)
            assert file.status_code == 200
            assert "://" not in file.text.replace("http://www.w3.org/2000/svg", "")
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/none.js", "/page/"):
        assert client.get(path).status_code == 404
