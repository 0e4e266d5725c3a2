"""An odd value is read or refused in one sentence in WebSockets, `unrolled stream`, `predict`, `evaluate` and `fit`."""

import json

import pytest

import unrolled.tasks.registry
from cli.test_stream import call, write
from folders.tiny_tasks import MAKERS, tiny
from front_door.test_odd_values import asked
from serving.toys import STREAM, client_of
from streaming.test_odd_events import NAMES, same, streamed
from unrolled.cli.evaluate import evaluate
from unrolled.cli.predict import predict
from unrolled.errors import UnrolledError
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings
from unrolled.streaming.sessions import Sessions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")]
VALUES = [
    "null", "NaN", "Infinity", "1e999", "[]", "[null]", "[[[1, 2]]]", '{"a": 1}', "[1, 2.5]", '["a", "b"]', "true",
    '""', '"AAECAw=="', '"2024-01-01"', "9" * 40, '"NA"', '"\\ud800"', "-0.0",
]  # fmt: skip
SHARE = 9  # every ninth value in each column; the columns take turns
LIBRARIES = ("Traceback", "numpy", "polars", "torch", "dtype", "Series", "ndarray", "Error(")


def replaced(record, column, value):
    """A record as JSON with one value in a column, which need not be legal."""
    parts = {name: json.dumps(one, default=str) for name, one in record.items()} | {column: value}
    return "{" + ", ".join(f"{json.dumps(name)}: {one}" for name, one in parts.items()) + "}"


def odd_records(record):
    for place, column in enumerate(record):
        yield from (replaced(record, column, value) for value in VALUES[place % SHARE :: SHARE])
        yield json.dumps({name: one for name, one in record.items() if name != column}, default=str)
    yield replaced(record, "further", '[{"a": null}]')


def three_events(name):
    """A stream, and the first events of one sequence."""
    stream, _, _ = streamed(name)
    model, data, _ = tiny(name)
    return stream, json.loads(json.dumps(max(stream.events(model._source(data)), key=len)[:3], default=str))


def plain(one):
    return json.loads(json.dumps(one, default=str))


def said_well(text, what):
    assert text, what
    assert len(text) < 500, (what, text)
    assert "\n" not in text, (what, text)
    assert not any(word in text for word in LIBRARIES), (what, text)


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_event_of_a_websocket_leaves_its_session_as_it_was(name):
    stream, (first, middle, last) = three_events(name)
    odd = [*odd_records(middle), "5", "[]", '"x"', "null", "{}", "{"]
    with (
        client_of(Service(Settings("m", timeout=60), tiny(name).model, Sessions(stream))) as client,
        client.websocket_connect(STREAM) as socket,
    ):

        def heard(key, text):
            socket.send_text(f'{{"key": "{key}", "event": {text}}}')
            return json.loads(socket.receive_text())

        before, after = map(json.dumps, (first, last))
        want = [heard("plain", one)["output"] for one in (before, after)]
        for number, text in enumerate(odd):
            begun, answer = heard(f"k{number}", before), heard(f"k{number}", text)
            assert same(begun["output"], want[0]), text
            if "error" in answer:
                said_well(answer["error"]["message"], text)
                assert answer["error"]["kind"] != "internal", text
                assert same(heard(f"k{number}", after)["output"], want[1]), text


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_line_of_unrolled_stream_leaves_its_key_as_it_was(name, tmp_path, monkeypatch, capsys):
    stream, (first, middle, last) = three_events(name)
    odd = [*odd_records(middle), "5", "[]", '"x"', "null", "{}", "{"]
    monkeypatch.setattr(unrolled.tasks.registry, "load", lambda _: type("Model", (), {"stream": lambda _: stream})())
    given = []
    for number, text in enumerate(["", *odd]):
        before, after = (json.dumps({**one, "key of it": f"k{number}"}) for one in (first, last))
        keyed = text.replace("{", f'{{"key of it": "k{number}", ', 1) if text.startswith('{"') else text
        given += [before, keyed, after]
    with pytest.raises(UnrolledError, match="only lines that can be answered"):
        call("stream", "m", write(tmp_path / "a.jsonl", given), "--key", "key of it")
    out, err = capsys.readouterr()
    faults = [line for line in err.splitlines() if line.startswith("error: ")]
    bad = {int(line.split()[2].rstrip(":").replace(",", "")) for line in faults}
    for line in faults:
        said_well(line, line)
    answers = {}
    for line in map(json.loads, out.splitlines()):
        answers.setdefault(line["key of it"], []).append(line["answer"])
    for number, text in enumerate(["", *odd]):
        if not text or 3 * number + 2 in bad:
            assert same(answers[f"k{number}"], answers["k0"]), text
        else:
            assert len(answers[f"k{number}"]) == 3, text


@pytest.mark.parametrize("name", MAKERS)
def test_an_odd_row_of_a_file_is_answered_or_refused_in_one_sentence(name, tmp_path, monkeypatch, capsys):
    model = tiny(name).model
    monkeypatch.setattr(unrolled.tasks.registry, "load", lambda _: model)
    read = [column.name for column in model.describe().columns]
    rows = [{key: one for key, one in plain(row).items() if key in read} for row in asked(name)[:12]]
    (*_, last) = rows
    bodies = ["", "\n", json.dumps(last), "{", "5", *odd_records(last)]
    for number, body in enumerate(bodies):
        few = rows[:-1] if number > 4 else []
        file = write(tmp_path / "a.jsonl", [*few, body]) if body.strip() else tmp_path / "a.jsonl"
        if not body.strip():
            file.write_text(body)
        try:
            (predict, evaluate)[number % 2]("m", str(file), reading={})
        except UnrolledError as fault:
            said_well(str(fault), body)
        capsys.readouterr()


@pytest.mark.parametrize("rows", ["", "\n", "{", "5", '{"text": "a", "y": "u"}', '{"text": null, "y": null}',
                                  '{"text": [[1]], "y": {"a": 1}}', '{"text": NaN, "y": 1}'])  # fmt: skip
def test_odd_data_to_learn_from_are_refused_in_one_sentence(rows, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(rows)
    with pytest.raises(UnrolledError) as caught:
        call("fit", "classify", file, "--text", "text", "--label", "y", "--out", tmp_path / "m", "--epochs", "1")
    said_well(str(caught.value), rows)
    assert not (tmp_path / "m").exists()
