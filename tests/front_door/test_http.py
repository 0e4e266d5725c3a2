"""What a client sends is cast by the schema of the model, as a table in Python is."""

import pytest

import unrolled as ur
from serving.toys import client_of
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings

FAST = {"epochs": 1, "progress": False, "baselines": False}


@pytest.fixture(scope="module")
def model():
    rows = [
        {"v": [0.1 * row, 1.0, row % 3], "code": ["007", "A5", "12"][row % 3], "y": ["1", "2", "x"][row % 3]}
        for row in range(30)
    ]
    return ur.Classifier(["v", "code"], "y", hidden_size=4).fit(rows, **FAST)


@pytest.fixture
def client(model):
    with client_of(Service(Settings("m", timeout=60), model)) as made:
        yield made


def ask(client, rows):
    answer = client.post("/v1/predict", json={"records": rows, "probabilities": True})
    assert answer.status_code == 200, answer.text
    return answer.json()["probabilities"]


def test_lists_of_whole_and_decimal_numbers_are_read_as_they_are(client, model):
    rows = [{"v": [1, 2.5], "code": "007"}, {"v": [1, None, 3], "code": 12}, {"v": [0.4, 0.9], "code": "A5"}]
    said = ask(client, rows)
    assert said[0] == pytest.approx(model.predict_proba([{"v": [1.0, 2.5], "code": "007"}])[0].tolist())
    assert said[1] == pytest.approx(model.predict_proba([{"v": [1.0, None, 3.0], "code": "12"}])[0].tolist())


def test_one_persons_answer_does_not_depend_on_anothers_record(client):
    mine = {"v": [0.4, 0.9, 0.2], "code": "12"}
    for other in ({"v": [1, 2, 3], "code": 1}, {"v": [True], "code": None}, {"v": [], "code": "?"}):
        assert ask(client, [other, mine])[1] == pytest.approx(ask(client, [mine])[0], rel=1e-6)


def test_csv_and_records_are_answered_alike(client):
    text = ur.Classifier([ur.Words("code")], "y", hidden_size=4)
    text.fit([{"code": ["007", "A5", "12"][row % 3], "y": "ab"[row % 2]} for row in range(30)], **FAST)
    with client_of(Service(Settings("m", timeout=60), text)) as other:
        for codes in (["007", "12"], ["12", "12"], ["1.10", "2"], ["A5", "true"]):
            table = "code\n" + "\n".join(codes) + "\n"
            written = other.post("/v1/predict/csv", content=table, headers={"content-type": "text/csv"})
            sent = other.post("/v1/predict", json={"records": [{"code": code} for code in codes]})
            assert written.json()["predictions"] == sent.json()["predictions"]


def test_what_has_no_place_is_one_sentence_with_status_422(client):
    answer = client.post("/v1/predict", json={"records": [{"v": [1], "code": "a"}, {"v": ["x"], "code": "b"}]})
    assert answer.status_code == 422
    assert "'v'" in answer.text
    assert "row 1" in answer.text


def test_the_kinds_are_shown(client):
    assert client.get("/v1/model").json()["kinds"] == {"v": "lists of numbers", "code": "text"}
