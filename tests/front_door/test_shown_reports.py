"""What is unknown is shown on the command line and over HTTP, beside the answers and without changing them."""

import json

import polars as pl
import pytest

import unrolled as ur
from serving.toys import client_of
from unrolled.cli.main import make_app
from unrolled.serving.schemas import Report
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings

DNA, KINDS = ["ACGTACGT", "TTGATTGA"] * 12, ["x", "y"] * 12
UNKNOWN = "column 'x': 100.0% of 8 characters are unknown, such as 'a', 'c', 'g'; most are known in upper case"


@pytest.fixture(scope="module")
def dna():
    return ur.Classifier(hidden_size=4).fit(DNA, KINDS, epochs=1, progress=False)


@pytest.fixture(scope="module")
def folder(dna, tmp_path_factory):
    return dna.save(tmp_path_factory.mktemp("models") / "dna")


@pytest.fixture
def client(dna):
    with client_of(Service(Settings("m", timeout=60), dna)) as client:
        yield client


def call(*words):
    app = make_app([str(word) for word in words])
    app([str(word) for word in words], standalone_mode=False)


def csv_of(tmp_path, *rows):
    path = tmp_path / "rows.csv"
    pl.DataFrame(rows, schema=["x", "y"], orient="row").write_csv(path)
    return path


# ---- command line -----------------------------------------------------------------------------------


def test_predict_warns_on_standard_error_and_prints_the_answers_alone(folder, tmp_path, capsys):
    call("predict", folder, csv_of(tmp_path, ("acgtacgt", "x")))
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [f"warning: {UNKNOWN}; answers and scores may say little"]
    assert json.loads(shown.out)["prediction"] in ("x", "y")


def test_predict_notes_a_little_that_is_unknown_and_says_nothing_of_nothing(folder, tmp_path, capsys):
    call("predict", folder, csv_of(tmp_path, ("ACGTACGTN", "x")))
    assert capsys.readouterr().err == "note: column 'x': 11.1% of 9 characters are unknown, such as 'N'\n"
    call("predict", folder, csv_of(tmp_path, ("ACGTACGT", "x")))
    assert capsys.readouterr().err == ""


def test_evaluate_shows_the_share_below_the_scores_and_in_json(folder, tmp_path, capsys):
    data = csv_of(tmp_path, ("acgtacgt", "x"))
    call("evaluate", folder, data)
    shown = capsys.readouterr()
    assert UNKNOWN in shown.out
    assert "beats" not in shown.out
    assert shown.err.startswith("warning: ")
    call("evaluate", folder, data, "--json")
    report = json.loads(capsys.readouterr().out)["report"]
    assert (report["unknown"], report["share unknown"]) == (8, 1.0)


# ---- HTTP -------------------------------------------------------------------------------------------


def test_records_and_tables_are_answered_with_a_report_of_their_own(client):
    strange = client.post("/v1/predict", json={"records": [{"x": "acgtacgt"}], "probabilities": True}).json()
    usual = client.post("/v1/predict/csv", content="x\nACGT\n", headers={"content-type": "text/csv"}).json()
    assert (strange["report"]["tokens"], strange["report"]["unknown"]) == (8, 8)
    assert strange["report"]["warnings"] == [f"{UNKNOWN}; answers and scores may say little"]
    assert (usual["report"]["tokens"], usual["report"]["unknown"], usual["report"]["warnings"]) == (4, 0, [])
    for answer in (strange, usual):
        Report.model_validate(answer["report"])


def test_the_answer_does_not_depend_on_the_report(client, dna):
    found = client.post("/v1/predict", json={"records": [{"x": "ACGT"}, {"x": "TTGA"}]}).json()
    assert found["predictions"] == dna.predict(["ACGT", "TTGA"]).tolist()


def test_the_report_is_described(client):
    described = client.get("/openapi.json").json()["components"]["schemas"]
    assert described["Predictions"]["properties"]["report"] == {"$ref": "#/components/schemas/Report"}
    assert {"share unknown", "gaps filled", "unseen series", "warnings"} <= set(described["Report"]["properties"])
