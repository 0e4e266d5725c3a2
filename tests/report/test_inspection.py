"""The report of a model: every part is there, numbers are the record's, mistakes are mistakes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled.cli.main import make_app
from unrolled.codecs.text.words import Words
from unrolled.errors import OptionError
from unrolled.metrics.confusion import Confusion
from unrolled.report.inspection import lead_of, sections_of
from unrolled.tasks.classification.classifier import Classifier


def records(count: int) -> list[dict[str, Any]]:
    rows = [
        {"text": f"it was {'good' if i % 2 else 'bad'} number {i}", "liked": "yes" if i % 2 else "no"}
        for i in range(count)
    ]
    rows[0]["liked"] = "yes"  # wrong on purpose
    return rows


@pytest.fixture(scope="module")
def task() -> Classifier:
    model = Classifier(inputs=Words("text"), target="liked", hidden_size=8, cell="lstm", bidirectional=False)
    return model.fit(records(80), epochs=12, batch_size=8, learning_rate=0.02, validation=0.2)


@pytest.fixture(scope="module")
def found(task: Classifier) -> Any:
    return task.inspect(records(40))


def test_every_part_of_the_report_is_there(task, found):
    titles = [section.title for section in sections_of(found, task.history_)]
    assert titles == [
        "Scores",
        "Training",
        "Confusion matrix",
        "Largest errors",
        "Gradient flow",
        "Unfolded in time",
        "Hidden states",
        "Which steps the answer depends on",
    ]
    assert found.gradient_flow.verdict in lead_of(found)


def test_a_planted_mistake_is_found(found):
    worst = found.mistakes[0]
    assert (worst.row, worst.true, worst.given) == (0, "yes", "no")
    assert "bad" in worst.read
    assert all(one.true != one.given for one in found.mistakes)
    assert [one.loss for one in found.mistakes] == sorted((one.loss for one in found.mistakes), reverse=True)


def test_scores_on_the_page_are_those_of_evaluate(task, found):
    rows = {row[0]: row[1:] for row in sections_of(found, None)[0].tables[0].rows}
    wanted = task.evaluate(records(40)).model
    assert list(rows["this model"]) == [f"{value:.4f}" for value in wanted.values()]


def test_the_confusion_on_the_page_is_that_of_the_answers(task, found):
    said = list(task.predict(records(40)))
    true = [row["liked"] for row in records(40)]
    for row, name in enumerate(task.classes_):
        for column, answer in enumerate(task.classes_):
            want = sum(t == name and s == answer for t, s in zip(true, said, strict=True))
            assert found.confusion.counts[row, column] == want
    assert found.to_json()["confusion"] == task.confusion(records(40)).to_json()
    section = next(part for part in sections_of(found, None) if part.title == "Confusion matrix")
    assert section.text[0] == "Most frequent confusions: yes predicted as no (1 times)."


def test_many_classes_make_no_picture(found):
    many = Confusion(tuple(map(str, range(21))), np.eye(21, dtype=int))
    titles = [part.title for part in sections_of(replace(found, confusion=many), None)]
    assert "Confusion matrix" not in titles


def test_the_record_is_plain_json(found):
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)["mistakes"][0]["row"] == 0


def test_the_command_writes_report_pictures_and_json(task, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder, data, out = task.save(tmp_path / "model"), tmp_path / "data.jsonl", tmp_path / "report.html"
    data.write_text("\n".join(map(json.dumps, records(40))), encoding="utf-8")
    words = [
        "inspect",
        folder,
        data,
        "--out",
        out,
        "--pictures",
        tmp_path / "pictures",
        "--json",
        tmp_path / "all.json",
    ]
    make_app(["inspect"])([str(word) for word in words], standalone_mode=False)
    assert "gradient flow:" in capsys.readouterr().out
    assert "Largest errors" in out.read_text(encoding="utf-8")
    assert (tmp_path / "pictures" / "unfolding.png").exists()
    assert json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["scores"]["n"] == 40


def test_a_row_that_is_not_there_is_refused_in_words(task):
    with pytest.raises(OptionError, match="row"):
        task.inspect(records(10), row=10)
