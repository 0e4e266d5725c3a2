"""Whatever a client sends, through whatever route and to whatever task: no file is opened, and none is told of."""

import base64
import io
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sounds
import unrolled
from audit import heard
from serving.media_models import MAKERS, MEDIA, MEDIUM, fitted, record
from serving.toys import STREAM, client_of
from unrolled.serving.service import Service, stream_of
from unrolled.serving.settings import Settings
from unrolled.streaming.sessions import Sessions
from unrolled.tasks.registry import load

SHUT = "files are not opened here"
LONG = "x" * 20_000
LIBRARIES = (sys.prefix, sys.base_prefix, str(Path(unrolled.__file__).parent))  # a traceback reads their sources


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Names of everything that may lie on a disk, and of what does not."""
    folder = tmp_path_factory.mktemp("secret")
    Image.fromarray(np.full((4, 4), 200, dtype=np.uint8)).save(folder / "there.png")
    Image.fromarray(np.full((4, 4), 200, dtype=np.uint8)).save(folder / "there.gif")
    sounds.write(folder / "there.wav", sounds.tone(440))
    (folder / "sealed.png").touch(0o000)
    found = {
        "a picture": folder / "there.png",
        "an animation": folder / "there.gif",
        "a recording": folder / "there.wav",
        "nothing": folder / "nowhere.png",
        "below a file": folder / "there.png" / "x.png",
        "a folder": folder,
        "a sealed file": folder / "sealed.png",
        "a device": os.devnull,
        "this program": sys.executable,
        "a name of 20,000 characters": LONG,
        "a name with a null": "a\0b",
        "an address": "http://127.0.0.1:9/x.png",
        "a file's address": f"file://{folder / 'there.png'}",
        "dots": "../../../../etc/passwd",
    }
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
        found["a pipe"] = folder / "pipe.png"
    return {kind: str(name) for kind, name in found.items()}


@pytest.fixture(scope="module", params=MAKERS)
def served(request):
    """A model behind the real application: its name, a client, and whether it has sessions."""
    model = fitted(request.param)
    stream, refusal = stream_of(model)
    sessions = None if stream is None else Sessions(stream)
    service = Service(Settings("m", timeout=60), model, sessions, refusal)
    with client_of(service) as client:
        yield request.param, client, sessions is not None
    model.allow_files(True)


# ---- every door ----------------------------------------------------------------------------------------


def by_step(client, given):
    return client.post("/v1/step", json={"key": "ada", "event": given})


def by_many_steps(client, given):
    return client.post("/v1/step", json=[{"key": "ada", "event": given}, {"key": "bob", "event": given}])


def by_predict(client, given):
    return client.post("/v1/predict", json={"records": [given]})


def by_probabilities(client, given):
    return client.post("/v1/predict", json={"records": [given], "probabilities": True})


def by_csv(client, given):
    def cell(value):
        plain = value if isinstance(value, str) else json.dumps(value)
        return '"' + plain.replace('"', '""') + '"'

    lines = (",".join(map(cell, row)) for row in (given, given.values()))
    return client.post("/v1/predict/csv", content="\n".join(lines), headers={"content-type": "text/csv"})


def by_generate(client, given):
    return client.post("/v1/generate", json={"prompt": "a", "given": {MEDIUM: given[MEDIUM]}})


def by_unfold(client, given):
    return client.post("/v1/unfold", json={"records": [given]})


def by_unfold_answered(client, given):
    return client.post(
        "/v1/unfold", json={"records": [{**given, "label": "yes", "tags": ["x"], "caption": "a", "labels": ["a"]}]}
    )


def by_state(client, given):
    return client.put("/v1/sessions/ada/state", content=json.dumps(given))


DOORS = {
    "POST /v1/step": (by_step, by_many_steps),
    "POST /v1/predict": (by_predict, by_probabilities),
    "POST /v1/predict/csv": (by_csv,),
    "POST /v1/generate": (by_generate,),
    "POST /v1/unfold": (by_unfold, by_unfold_answered),
    "PUT /v1/sessions/{key}/state": (by_state,),
}


def test_every_operation_that_takes_a_body_has_a_door_here(served):
    _, client, _ = served
    paths = client.app.openapi()["paths"]
    found = {
        f"{verb.upper()} {path}" for path, verbs in paths.items() for verb, one in verbs.items() if "requestBody" in one
    }
    assert found == set(DOORS)


def reads_media(door, name, streams):
    """Whether a door of a model comes to where its column of media is read."""
    if door in (by_step, by_many_steps):
        return streams
    if door is by_generate:
        return "LanguageModel" in name
    if door is by_probabilities:
        return "Classifier" in name or "Tagger" in name
    return door is not by_state


@pytest.mark.parametrize("door", [door for doors in DOORS.values() for door in doors], ids=lambda door: door.__name__)
def test_all_names_of_files_get_the_same_refusal_and_none_is_opened(served, names, door):
    name, client, streams = served
    looks = door in (by_unfold, by_unfold_answered)
    door(client, record(name, names["nothing"] if looks else MEDIA[name]))  # imports what is imported on the way
    answers = {}
    with heard() as events:
        for kind, value in names.items():
            answer = door(client, record(name, value))
            answers[kind] = answer.status_code, answer.text
    shut = [event for event in events if not event[1].startswith(LIBRARIES)]
    assert not shut
    assert not [event for event in events if event[0] != "open" or event[1] == names["this program"]]
    if looks:  # no text of this length is looked into, whatever it says
        assert answers.pop("a name of 20,000 characters")[0] == 422
    if door is by_state:  # the refusal says how many bytes came
        answers = {kind: (status, re.sub(r"\d+", "", text)) for kind, (status, text) in answers.items()}
    first = answers["nothing"]
    assert {kind: answer for kind, answer in answers.items() if answer != first} == {}
    reads = reads_media(door, name, streams)
    assert (SHUT in first[1]) == reads, first
    if reads:
        assert first[0] == (200 if door is by_many_steps else 422)  # of a list, each event has its own answer
    else:
        assert first[0] in (409, 422), first


PNG = io.BytesIO()
Image.fromarray(np.full((4, 4), 200, dtype=np.uint8)).save(PNG, "PNG")
ENCODED = base64.b64encode(PNG.getvalue()).decode()
NESTED = {
    "list": lambda path: [path],
    "list of lists": lambda path: [[path], [path]],
    "beside a picture": lambda path: [path, [[0, 1], [1, 0]]],
    "file": lambda path: {"file": path},
    "path": lambda path: {"path": path, "bytes": None},
    "array": lambda path: {"array": path, "sampling_rate": 8000},
    "rate": lambda path: {"array": [0.5], "sampling_rate": path},
    "pair": lambda path: [path, 8000],
    "pair in a list": lambda path: [[path], 8000],
}


@pytest.mark.parametrize("door", [by_predict, by_step], ids=lambda door: door.__name__)
def test_names_inside_of_lists_and_objects_are_refused_alike(served, names, door):
    name, client, streams = served
    door(client, record(name, MEDIA[name]))
    for how, nested in NESTED.items():
        with heard() as events:
            there, not_there = (door(client, record(name, nested(names[kind]))) for kind in ("a picture", "nothing"))
        assert not [event for event in events if not event[1].startswith(LIBRARIES)], how
        assert there.status_code == not_there.status_code == (422 if reads_media(door, name, streams) else 409), how
        assert there.text.replace("there.png", "") == not_there.text.replace("nowhere.png", ""), how


@pytest.mark.parametrize("value", [ENCODED, f"data:image/png;base64,{ENCODED}", {"bytes": ENCODED}], ids=str)
def test_bytes_as_text_are_no_picture(served, value):
    name, client, _ = served
    assert by_predict(client, record(name, value)).status_code == 422


@pytest.mark.parametrize("served", ["Classifier of words and pictures"], indirect=True)
@pytest.mark.parametrize("body", ["names", "quoted"])
def test_a_name_for_a_whole_body_is_no_body(served, names, body):
    _, client, _ = served
    for name in names.values():
        sent = name if body == "names" else json.dumps(name)
        with heard() as events:
            for path in ("/v1/step", "/v1/predict", "/v1/generate", "/v1/unfold"):
                answer = client.post(path, content=sent, headers={"content-type": "application/json"})
                assert answer.status_code == 422, (path, name)
            answer = client.post("/v1/predict/csv", content=sent, headers={"content-type": "text/csv"})
            assert answer.status_code == 422, name
        assert not [event for event in events if not event[1].startswith(LIBRARIES)]


def test_the_name_of_a_table_is_no_table(classifier, tmp_path):
    table = tmp_path / "there.csv"
    table.write_text("text\nabab\n")
    with client_of(Service(Settings("m", timeout=60), classifier)) as client:
        sent = {"headers": {"content-type": "text/csv"}}
        assert client.post("/v1/predict/csv", content=table.read_bytes(), **sent).status_code == 200
        said = {client.post("/v1/predict/csv", content=str(name), **sent).text for name in (table, tmp_path / "no.csv")}
    assert len(said) == 1
    assert "at least one row" in said.pop()


# ---- sessions ------------------------------------------------------------------------------------------

STEPPED = ["Classifier of words and pictures", "Tagger of words and pictures",
           "LanguageModel given pictures"]  # fmt: skip


@pytest.mark.parametrize("served", STEPPED, indirect=True)
def test_a_socket_refuses_all_names_alike(served, names):
    name, client, _ = served
    answers = {}
    with client.websocket_connect(STREAM) as socket:
        socket.send_text(json.dumps({"key": "a", "event": record(name, MEDIA[name])}))
        assert "output" in socket.receive_json()
        with heard() as events:
            for kind, value in names.items():
                socket.send_text(json.dumps({"key": "b", "event": record(name, value)}))
                answers[kind] = socket.receive_text()
    assert not [event for event in events if not event[1].startswith(LIBRARIES)]
    assert len(set(answers.values())) == 1
    assert SHUT in answers["nothing"]


@pytest.mark.parametrize("served", STEPPED, indirect=True)
def test_a_state_that_names_a_file_opens_none(served, names, tmp_path):
    name, client, _ = served
    fitted(name).save(tmp_path / "model")
    own = Path(shutil.copy(names["a picture"], tmp_path / "own.png"))
    stream = load(tmp_path / "model").stream()  # in Python the name is read, and stays in the state
    _, state = stream.step(record(name, str(own)), stream.initial_state())
    said = []
    for _ in range(2):
        with heard() as events:
            answer = client.put("/v1/sessions/carried/state", content=stream.pack(state))
        assert answer.status_code == 422
        assert not [event for event in events if not event[1].startswith(LIBRARIES)]
        said.append(answer.content)
        own.unlink(missing_ok=True)
    assert said[0] == said[1]  # whether the file is there or not


# ---- the one place ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_a_service_shuts_whatever_model_it_takes(name, names, tmp_path):
    fitted(name).save(tmp_path / "model")
    kind = (
        "a recording"
        if "recordings" in name
        else "an animation"
        if MEDIA[name] is MEDIA["Tagger of films"]
        else "a picture"
    )
    given = [record(name, names[kind])]
    model, again = load(tmp_path / "model"), load(tmp_path / "model")
    assert len(model.predict(given)) == len(again.predict(given)) == 1  # Python and the command line open files
    service = Service(Settings("m"), model)
    for taken in (model, again):
        service.take(taken)
        for asked in (service.model.predict, taken.predict):
            with pytest.raises(ValueError, match=SHUT):
                asked(given)
    assert len(service.model.allow_files(True).predict(given)) == 1
    with pytest.raises(ValueError, match=SHUT):
        load(tmp_path / "model", files=False).predict(given)
    service.close()


def test_a_model_tells_which_of_its_columns_hold_media_and_asks_for_no_text_there(served):
    _, client, _ = served
    found = client.get("/v1/model").json()
    assert MEDIUM in found["columns"]
    assert MEDIUM not in found["texts"]
