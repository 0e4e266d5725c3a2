"""A classifier that answers with a blend: its weights, its answers in every form, and its streams."""

import json
import warnings

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

import unrolled as ur
from unrolled.blending.blend import NETWORK, Blend
from unrolled.data.source import Table
from unrolled.errors import OptionError
from unrolled.reading_report import UnrolledWarning

OPTIONS = {
    "answer": "blend",
    "hidden_size": 8,
    "bidirectional": False,
    "training": {"epochs": 1, "learning_rate": 0.01},
}


def words(count: int) -> list[dict]:
    draw = np.random.default_rng(0)
    kinds = {"good": ["fine", "lovely", "good"], "bad": ["poor", "awful", "bad"], "odd": ["odd", "strange", "good"]}
    rows = []
    for number in range(count):
        label = list(kinds)[number % 3]
        picked = [*draw.choice(kinds[label], 2), *draw.choice(["the", "film", "was", "a"], 3)]
        rows.append({"x": " ".join(draw.permutation(picked)), "y": label})
    return rows


def signals(count: int) -> list[dict]:
    draw = np.random.default_rng(1)
    return [
        {"x": (np.sin(np.arange(12) * (1 + number % 3)) + draw.normal(size=12)).round(3).tolist(), "y": number % 3}
        for number in range(count)
    ]


def mixed(count: int) -> list[dict]:
    draw = np.random.default_rng(2)
    return [
        {"x": row["x"], "age": float(draw.normal() + number % 3), "y": row["y"]}
        for number, row in enumerate(words(count))
    ]


def topics(count: int) -> list[dict]:
    return [
        {"x": row["x"], "y": sorted({row["y"], "film"} if "film" in row["x"] else {row["y"]})} for row in words(count)
    ]


MAKERS = {
    "words": (lambda: ur.Classifier(inputs=ur.Words("x"), **OPTIONS), words),
    "characters": (lambda: ur.Classifier(inputs=ur.Characters("x"), **OPTIONS), words),
    "lower case": (lambda: ur.Classifier(inputs=ur.Characters("x", lowercase=True), **OPTIONS), words),
    "numbers": (lambda: ur.Classifier(**OPTIONS), signals),
    "words and a number": (lambda: ur.Classifier(inputs=[ur.Words("x"), ur.Numbers("age")], **OPTIONS), mixed),
    "labels": (lambda: ur.Classifier(inputs=ur.Words("x"), target=ur.MultiLabels("y"), **OPTIONS), topics),
}


@pytest.fixture(scope="module")
def fitted():
    models = {}

    def get(name):
        if name not in models:
            make, rows = MAKERS[name]
            model = make().set_params(answer=NETWORK).fit(rows(64))
            members = (NETWORK, *model.baselines_)
            weights = tuple(0.3 + 0.2 * place for place in range(len(members)))  # all parts answer, each with its own
            model.blend_ = Blend("log", members, (weights,), NETWORK, 0.1, 0.05, True, 64)
            models[name] = model.set_params(answer="blend"), rows(64)[-12:]
        return models[name]

    return get


every = pytest.mark.parametrize("name", MAKERS)


@pytest.mark.parametrize("name", ["words", "labels"])
def test_the_weights_belong_to_the_network_and_the_baselines(name):
    make, rows = MAKERS[name]
    model = make().fit(rows(64))
    blend = model.blend_
    assert set(blend.members) == {NETWORK, *model.baselines_}
    assert blend.rows > 50
    assert blend.chosen_on == "folds"
    assert blend.gain > blend.standard_error if blend.adopted else len(blend.used) == 1
    assert model.evaluate(rows(64)).weights.keys() <= {
        "network alone",
        *(one.name for one in model.baselines_.values()),
    }


@every
def test_probabilities_are_some_and_the_label_is_the_likeliest(fitted, name):
    model, rows = fitted(name)
    shares = model.predict_proba(rows)
    assert (shares >= 0).all()
    if name != "labels":
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
        assert (model.classes_[shares.argmax(1)] == model.predict(rows)).all()


@every
def test_an_answer_does_not_depend_on_its_company(fitted, name):
    model, rows = fitted(name)
    np.testing.assert_allclose(model.predict_proba(rows[2:3]), model.predict_proba(rows)[2:3], atol=1e-6)


@every
def test_the_answers_of_a_stream_are_those_of_whole_records(fitted, name):
    model, rows = fitted(name)
    stream = model.stream()
    draw = np.random.default_rng(0)
    for row in rows[:6]:
        state, answers = stream.initial_state(), []
        cuts = sorted(draw.integers(0, len(row["x"]) + 1, 3))
        for start, end in zip([0, *cuts], [*cuts, len(row["x"])], strict=True):
            event = {key: value for key, value in row.items() if key != "y"} | {"x": row["x"][start:end]}
            answer, state = stream.step(event, stream.unpack(stream.pack(state)))
            answers.append(answer)
        answers.append(stream.finish(state)[0])
        answer = [one for one in answers if one is not None][-1]  # an empty piece has no answer
        found = np.array([*answer["probabilities"].values()])
        np.testing.assert_allclose(found, model.predict_proba([row])[0], atol=2e-5)


@every
def test_streams_keep_every_law(fitted, name):
    model, rows = fitted(name)
    found = model.check(rows)
    assert found.holds, str(found)


@every
def test_a_loaded_model_gives_the_same_answers(fitted, name, tmp_path):
    model, rows = fitted(name)
    again = ur.load(model.save(tmp_path / "model"))
    assert again.blend_ == model.blend_
    np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
    assert again.stream().fingerprint == model.stream().fingerprint


@every
def test_the_table_shows_the_blend_every_part_and_the_network(fitted, name):
    model, rows = fitted(name)
    scores = model.evaluate(rows)
    assert set(scores.baselines) == {one.name for one in model.baselines_.values()}
    assert scores.network is not None
    assert set(scores.weights) <= {"network alone", *scores.baselines}
    lines = str(scores).splitlines()
    assert lines[1].startswith("this model, a blend")
    assert lines[2].startswith("network alone")
    assert any(line.rstrip().endswith("weight") for line in lines)  # in a second table, where a line has no room
    assert type(scores).from_json(json.loads(json.dumps(scores.to_json()))) == scores


def test_sessions_answer_as_whole_records_do(fitted):
    model, rows = fitted("characters")
    with ur.Sessions(model.stream()) as sessions:
        for start in range(0, 60, 7):
            for row in rows[:3]:
                piece = row["x"][start : start + 7]
                if piece:
                    last = sessions.step(row["x"], {"x": piece})
                    whole = model.predict_proba([{"x": row["x"][: start + 7]}])[0]
                    np.testing.assert_allclose([*last["probabilities"].values()], whole, atol=2e-5)


def test_without_a_blend_the_network_answers_as_before():
    rows = words(60)
    options = {name: value for name, value in OPTIONS.items() if name != "answer"}
    model = ur.Classifier(inputs=ur.Words("x"), **options).fit(rows)
    assert model.blend_ is None
    scores = model.evaluate(rows)
    assert scores.network is None
    assert "weight" not in str(scores)


def test_an_unknown_answer_is_refused_with_the_nearest():
    with pytest.raises(OptionError, match="blend"):
        ur.Classifier(answer="blnd").fit(words(12))


def test_few_records_leave_the_network_alone():
    assert ur.Classifier(inputs=ur.Words("x"), **OPTIONS).fit(words(30)).blend_ is None


def test_without_baselines_the_network_answers_alone():
    assert ur.Classifier(inputs=ur.Words("x"), **OPTIONS).fit(words(60), baselines=False).blend_ is None


def test_with_minutes_the_weights_are_chosen_on_a_held_out_part():
    model = ur.Classifier(inputs=ur.Words("x"), **OPTIONS).fit(words(100), minutes=0.01)
    assert model.blend_.chosen_on == "held-out part"
    assert model.blend_.rows < 20


def test_a_class_that_a_fold_lacks_is_no_fault():
    rows = [*words(60), {"x": "a rare one", "y": "rare"}]
    model = ur.Classifier(inputs=ur.Words("x"), class_weights={"rare": 2.0, "odd": 0.5}, **OPTIONS).fit(rows)
    assert model.predict_proba(rows).shape == (61, 4)


def test_rows_of_one_group_stay_together(monkeypatch):
    import unrolled.tasks.classification.blend_choice as choice

    seen = []
    real = choice.group_folds
    monkeypatch.setattr(choice, "group_folds", lambda *given: seen.append(real(*given)) or seen[-1])
    rows = [{**row, "who": number // 4} for number, row in enumerate(words(60))]
    table = Table(pl.DataFrame(rows), group="who")
    ur.Classifier(inputs=ur.Words("x"), **OPTIONS).fit(table)
    for fold in seen[0]:
        assert not {table.frame["who"][int(row)] for row in fold.fitted} & {
            table.frame["who"][int(row)] for row in fold.held
        }


def test_a_clone_is_a_classifier_with_the_same_options():
    model = ur.Classifier(inputs="x", **OPTIONS)
    assert clone(model).get_params()["answer"] == "blend"


def test_ctrl_c_in_the_folds_keeps_a_model_that_answers(monkeypatch):
    import unrolled.tasks.classification.blend_choice as choice

    rows, calls = words(60), []
    real = choice._like

    def interrupting(task, truth):
        part = real(task, truth)
        calls.append(1)
        fit = part.fit

        def stopped(*given, **options):
            fit(*given, **options)
            part.history_.interrupted = len(calls) == 2
            return part

        part.fit = stopped
        return part

    monkeypatch.setattr(choice, "_like", interrupting)
    model = ur.Classifier(inputs=ur.Words("x"), **OPTIONS).fit(rows)
    assert len(calls) == 2
    assert model.blend_ is None or model.blend_.rows < 20
    assert len(model.predict(rows)) == 60


def test_the_inspection_says_which_part_decided(fitted):
    model, rows = fitted("words")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.inspect(rows, row=1)
    shares = np.sort(model.predict_proba(rows)[1])
    said = model.predict(rows)
    assert [(one.true, one.given) for one in found.mistakes] == [
        (str(rows[one.row]["y"]), str(said[one.row])) for one in found.mistakes
    ]
    assert {one.row for one in found.mistakes} == {at for at, row in enumerate(rows) if row["y"] != said[at]}
    assert [part.decided for part in found.parts] == [True] + [False] * (len(found.parts) - 1)
    assert {part.name for part in found.parts} == set(found.scores.weights)
    if len(found.parts) > 1:
        assert sum(part.pull for part in found.parts) == pytest.approx(np.log(shares[-1] / shares[-2]), rel=1e-3)


def test_the_card_the_description_and_the_export_name_the_parts(fitted, tmp_path):
    model, _ = fitted("words")
    assert model.describe().parts == {key: model.blend_.weight_of(key) for key in model.blend_.used}
    card = (model.save(tmp_path / "model") / "README.md").read_text(encoding="utf-8")
    assert "weight of bag_of_words" in card
    with pytest.warns(UnrolledWarning, match="bag of words"):
        folder = model.export(tmp_path / "numpy", "numpy")
    said = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert said["left_out"] == [one.name for one in model.baselines_.values()][::-1]


def test_a_record_of_a_blend_with_unknown_members_is_refused(fitted, tmp_path):
    model, _ = fitted("words")
    record, tensors = model._to_record()
    record["blend"]["members"] = ["network", *["strange"] * (len(record["blend"]["members"]) - 1)]
    with pytest.raises(Exception, match="blend"):
        type(model)._from_record(record, tensors)
