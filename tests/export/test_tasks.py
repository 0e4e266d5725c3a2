"""Exports of fitted tasks: they answer as the task does, also from raw records, and say what they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from exported import Onnx, assert_same, played, truth
from planted import event_log
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.labels import MultiLabels
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.words import Words
from unrolled.errors import NotFittedError, UnsupportedError
from unrolled.export.runner import Model
from unrolled.tasks.base import Task
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.classification.tagger import Tagger
from unrolled.tasks.detection.detector import Detector
from unrolled.tasks.forecasting.forecaster import Forecaster
from unrolled.tasks.items.recommender import Recommender
from unrolled.tasks.language.language_model import LanguageModel
from unrolled.tasks.seq2seq.translator import Translator
from unrolled.tasks.vectors.sequence_model import SequenceModel

QUICK = {"epochs": 2, "learning_rate": 0.01, "device": "cpu"}
DRAW = np.random.default_rng(0)
REVIEWS = [
    {
        "review": f"A {'good' if row % 2 else 'bad'} one, isn't it? {row}",
        "site": ["north", "south", None][row % 3],
        "price": None if row % 7 == 0 else float(row),
        "stars": ["low", "high"][row % 2],
        "tags": [["red"], ["big", "red"], []][row % 3],
    }
    for row in range(40)
]
POINTS = [{"frames": DRAW.normal(3, 5, size=(4 + row % 5, 2)).round(2).tolist()} for row in range(20)]
ROLLS = [{"frames": (DRAW.random((4 + row % 5, 3)) < 0.4).astype(int).tolist()} for row in range(20)]
SERIES = [
    {
        "load": [float(v) for v in DRAW.normal(size=6)],
        "day": [int(v) for v in DRAW.integers(3, size=6)],
        "site": "ab"[row % 2],
        "state": "xy"[row % 2],
    }
    for row in range(20)
]
TAGGED = [{"words": ["the", "Cat", "sat", "."], "tags": ["D", "N", "V", "."]}] * 20
SESSIONS = [[f"item {item}" for item in DRAW.integers(9, size=5)] for _ in range(60)]


def numpy_model(task: Task, folder: Path) -> Model:
    return Model(task.export(folder / "numpy", format="numpy"))


def some(task: Task, data: Any) -> Any:
    """A few rows and steps of what a task reads."""
    examples = task._encode(task._source(data))
    few = examples.select(torch.arange(min(3, len(examples.lengths)))).slice_time(0, 9)
    return examples.steps.expand(few) if hasattr(examples, "steps") else few  # a forecaster's features are made late


TASKS = {
    "Classifier": lambda: (
        Classifier(["review", "site", "price"], "stars", hidden_size=8, bidirectional=False).fit(REVIEWS, **QUICK),
        REVIEWS,
    ),
    "Tagger": lambda: (
        Tagger(inputs=[Words("words")], hidden_size=8, bidirectional=False).fit(TAGGED, **QUICK),
        TAGGED,
    ),
    "LanguageModel": lambda: (
        LanguageModel("review", given=["site"], hidden_size=8).fit(REVIEWS, **QUICK),
        REVIEWS,
    ),
    "SequenceModel": lambda: (
        SequenceModel(output="mixture", components=2, hidden_size=8).fit(POINTS, **QUICK),
        POINTS,
    ),
    "Forecaster": lambda: (
        Forecaster(horizon=3, context_length=8, hidden_size=8, quantiles=[0.1, 0.9]).fit(
            np.sin(np.arange(90)), epochs=1
        ),
        np.sin(np.arange(90)),
    ),
    "Detector": lambda: (Detector(target="page", hidden_size=8, training={"epochs": 1}).fit(event_log()), event_log()),
    "Recommender": lambda: (
        Recommender(user=None, item="x", hidden_size=8, embedding_size=4).fit(SESSIONS, **QUICK),
        SESSIONS,
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_an_exported_task_answers_as_its_network_does(name, tmp_path):
    task, data = TASKS[name]()
    batch = some(task, data)
    want = truth(task.network_.eval(), batch)
    for model in (Onnx(task.export(tmp_path / "net.onnx")), numpy_model(task, tmp_path)):
        assert_same(played(model, batch, [2]), want)


def test_an_onnx_file_says_what_it_is(tmp_path):
    task = Classifier(["review"], "stars", hidden_size=8, bidirectional=False).fit(REVIEWS, **QUICK)
    said = Onnx(task.export(tmp_path / "net.onnx")).session.get_modelmeta().custom_metadata_map
    assert said["task"] == "Classifier"
    assert json.loads(said["labels"]) == ["high", "low"]
    assert json.loads(said["state"]) == ["state.0.hidden", "state.0.cell", "state.pooled.highest"]
    assert json.loads(said["output"])["output"] == "class"
    again = Onnx(task.export(tmp_path / "again.onnx")).session.get_modelmeta().custom_metadata_map
    assert again == said
    with torch.no_grad():
        task.network_.head.linear.bias += 1
    other = Onnx(task.export(tmp_path / "other.onnx")).session.get_modelmeta().custom_metadata_map
    assert other["fingerprint"] != said["fingerprint"]


# ---- raw records in NumPy ---------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["characters", "words"])
@pytest.mark.parametrize("given", [None, ["site"]])
def test_numpy_writes_what_the_language_model_writes(unit, given, tmp_path):
    task = LanguageModel("review", unit=unit, given=given, hidden_size=16, dropout=0.0).fit(
        REVIEWS, **QUICK | {"epochs": 8}
    )
    model = numpy_model(task, tmp_path)
    start = {"site": "north"} if given else {}
    for prompt in ("", "A good"):
        want = task.generate(prompt, 40, temperature=0, given=start or None)
        got = model.write(prompt, 40, temperature=0, **start)
        assert "".join(got.split()) == "".join(want.split())  # which words stand apart is the codec's business
    drawn = [model.write("A ", 20, temperature=1.0, seed=seed, **start) for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 2


def test_a_model_of_one_text_writes_on_without_end(tmp_path):
    task = LanguageModel(hidden_size=8, dropout=0.0).fit("abcabc" * 60, **QUICK)
    with torch.no_grad():
        task.network_.head.linear.bias[task.boundary_] = 50.0  # the end would always be the likeliest
    assert len(numpy_model(task, tmp_path).write("ab", 30)) == 30


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_numpy_reads_records_as_the_codecs_do(tmp_path):
    inputs = [
        Characters("review", lowercase=True, max_size=12),
        Words("review", max_size=6),
        Categories("site"),
        Numbers("price"),
        Numbers(["price"], scaling="standard", group="site"),
    ]
    for codec in ([inputs[0]], [inputs[1]], inputs[2:]):
        every = [*codec, Characters("stars")] if codec == inputs[2:] else codec
        task = Classifier(every, MultiLabels("tags"), hidden_size=8, bidirectional=False).fit(REVIEWS, **QUICK)
        model = numpy_model(task, tmp_path)
        shares = task.predict_proba(REVIEWS)
        for record, row in zip(REVIEWS, shares, strict=True):
            answer = model.answer(record)
            np.testing.assert_allclose([answer["big"], answer["red"]], row, rtol=1e-4, atol=1e-5)


def test_numpy_steps_through_raw_events_as_it_runs_through_the_whole(tmp_path):
    inputs = [Numbers("load", scaling="standard"), Categories("day"), Categories("site")]
    task = Classifier(inputs, "state", hidden_size=8, bidirectional=False, pooling="mean").fit(SERIES, **QUICK)
    model = numpy_model(task, tmp_path)
    record, state, answer = SERIES[0], model.initial_state(), np.empty(0)
    for load, day in zip(record["load"], record["day"], strict=True):
        event = model.encode({"load": load, "day": day, "site": record["site"]}, one_step=True)
        answer, state = model.step(event, state)
    shares = task.predict_proba([record])[0]
    np.testing.assert_allclose(model.describe(answer)[0], shares, rtol=1e-4, atol=1e-5)
    label, share = model.answer(record)
    assert label == task.predict([record])[0]
    assert share == pytest.approx(shares.max(), rel=1e-4)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (POINTS, {}),
        (POINTS, {"frames": Frames("frames", scaling="robust")}),
        (ROLLS, {}),
        (POINTS, {"output": "mixture", "components": 2}),
    ],
)
def test_numpy_reads_frames_and_foretells_the_next(data, options, tmp_path):
    task = SequenceModel(hidden_size=8, **options).fit(data, **QUICK)
    model = numpy_model(task, tmp_path)
    if options.get("output"):
        with torch.no_grad():
            want = task.network_.eval()(task._encode(task._source(data), targets=False))[0][0].numpy()
    else:
        want = task.predict(data)[0]  # in the data's own unit
    np.testing.assert_allclose(model.answer(data[0]), want, rtol=1e-4, atol=1e-4)
    state = model.initial_state()
    answer = np.empty(0)
    if model.first:
        answer, state = model.step(model.first, state)
    for frame in data[0]["frames"]:
        answer, state = model.step(model.encode({"frames": frame}, one_step=True), state)
    np.testing.assert_allclose(model.describe(answer)[0], want[-1], rtol=1e-4, atol=1e-4)


def test_numpy_tags_every_word(tmp_path):
    task = Tagger(inputs=[Words("words", lowercase=True)], hidden_size=16, bidirectional=False)
    task.fit(TAGGED, **QUICK | {"epochs": 20})
    said = numpy_model(task, tmp_path).answer({"words": ["The", "cat", "SAT", "."]})
    assert [label for label, _ in said] == task.predict([{"words": ["The", "cat", "SAT", "."]}])[0]


# ---- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["onnx", "numpy"])
def test_what_cannot_be_stepped_is_refused_in_the_sentence_for_stepping(form, tmp_path):
    for cell in ("lstm", "conv"):
        task = Classifier(["review"], "stars", cell=cell, hidden_size=8).fit(REVIEWS, **QUICK)
        with pytest.raises(UnsupportedError, match="cannot be stepped; train with bidirectional=False"):
            task.export(tmp_path / "net", format=form)
    assert not list(tmp_path.iterdir())


def test_characters_of_words_are_refused_by_name(tmp_path):
    task = Tagger(hidden_size=8, bidirectional=False).fit(TAGGED, **QUICK)
    with pytest.raises(UnsupportedError, match=r"word_characters\(words\).*fit without that column"):
        task.export(tmp_path / "net.onnx")


def test_a_translator_is_refused(tmp_path):
    data = [{"source": "a b", "target": "b a"}] * 20
    task = Translator("source", "target", hidden_size=8).fit(data, **QUICK)
    with pytest.raises(UnsupportedError, match="whole source before its first answer"):
        task.export(tmp_path / "net.onnx")


def test_nothing_is_exported_before_fit(tmp_path):
    with pytest.raises(NotFittedError):
        LanguageModel().export(tmp_path / "net.onnx")
