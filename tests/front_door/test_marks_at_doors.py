"""Marks that a model learnt hold over HTTP, on the command line, in streams and in sessions: for every task."""

import json

import numpy as np
import polars as pl
import pytest

from front_door.marked_tasks import MAKERS, STREAMED, fitted, marked
from serving.toys import client_of
from unrolled.cli.predict import answers
from unrolled.cli.reading import read_data, reading_of
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings
from unrolled.streaming.sessions import Sessions

pytestmark = pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
ROWS = 30  # of series and logs


def records(name):
    """What a model is asked, without the target of records."""
    made = json.loads(json.dumps(MAKERS[name][1](), default=str))[:ROWS]
    read = {column.name for column in fitted(name).describe().columns}
    return [{key: value for key, value in one.items() if key in read} for one in made]


@pytest.mark.parametrize("mark", [-9999, "absent"])
@pytest.mark.parametrize("name", MAKERS)
def test_a_mark_is_a_missing_value_over_http_and_on_the_command_line(name, mark, tmp_path):
    model, asked = fitted(name), records(name)
    with client_of(Service(Settings("m", timeout=60), model)) as client:
        said = [client.post("/v1/predict", json={"records": one}) for one in (asked, marked(asked, mark))]
    assert [one.status_code for one in said] == [200, 200], said[1].text
    assert said[0].json()["predictions"] == said[1].json()["predictions"]
    shown = []
    for number, rows in enumerate((asked, marked(asked, mark))):
        file = tmp_path / f"{number}.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" for one in rows))
        found = answers(model, read_data(str(file), **reading_of(model)), False, {})
        shown.append(found if "prediction" not in found.columns else found.select("prediction"))
    assert shown[0].equals(shown[1])


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return np.isclose(one, other, equal_nan=True) if isinstance(one, float) else one == other


@pytest.mark.parametrize("mark", [-9999, "-9999", "absent"])
@pytest.mark.parametrize("name", STREAMED)
def test_a_mark_in_an_event_is_a_missing_value_in_streams_and_sessions(name, mark):
    model = fitted(name, streamed=True)
    stream = model.stream()
    rows = STREAMED[name][1]()
    source = model._source(rows[:ROWS] if isinstance(rows[0].get("steps"), list) else pl.DataFrame(rows))
    events = max(stream.events(source), key=lambda some: str(some).count("None"))[:8]
    assert "None" in str(events)
    given = marked(events, mark)
    states = [stream.feed(some) for some in (events, given)]
    assert stream.pack(states[0]) == stream.pack(states[1])
    with Sessions(stream) as sessions:
        for event, other in zip(events, given, strict=True):
            plain, odd = sessions.step("plain", event), sessions.step("marked", other)
            assert same(plain, odd)


@pytest.mark.parametrize("mark", [-9999, "-9999", "absent"])
@pytest.mark.parametrize("name", ["SequenceModel", "SequenceModel, mixture"])
def test_a_mark_in_a_vector_without_a_name_is_a_missing_value(name, mark):
    stream = fitted(name, streamed=True).stream()
    vector = {"SequenceModel": [1, 0, None], "SequenceModel, mixture": [0.5, None]}[name]
    plain = stream.feed([vector])
    marked_one = [mark if one is None else one for one in vector]
    assert stream.pack(stream.feed([marked_one])) == stream.pack(plain)
    assert stream.pack(stream.step(marked_one)[1]) == stream.pack(stream.step(vector)[1])
