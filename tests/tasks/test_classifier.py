"""Classifier: order, all kinds of inputs, rare classes, several labels at once, grids and tables of any library."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

import unrolled as ur
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.labels import Labels, MultiLabels
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.words import Words
from unrolled.data.readers import as_source
from unrolled.errors import DataError, OptionError, UnsupportedError
from unrolled.reading_report import UnrolledWarning
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.registry import load

NAMES = ["David", "Maria", "Chen", "Amal", "Olu", "Ivo"]
FAST = {"epochs": 25, "learning_rate": 0.02, "batch_size": 16, "validation": 0.0}


def pupils(count, seed=0):
    """Texts of the same words, whose label hangs on their order."""
    draw = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        first, second = draw.permutation(["good", "bad"])
        rows.append(
            {
                "text": f"{draw.choice(NAMES)} is {first} at math but {second} in science",
                "likes": "math" if first == "good" else "science",
            }
        )
    return rows


def test_order_is_learnt_where_a_bag_of_words_cannot():
    train, test = pupils(200), pupils(100, seed=1)
    model = Classifier(Words("text", embedding_size=8), "likes", hidden_size=8).fit(train, **{**FAST, "epochs": 10})
    scores = model.evaluate(test)
    assert scores.model["accuracy"] >= 0.95
    assert scores.baselines["bag of words + logistic regression"]["accuracy"] <= 0.6
    assert model.predict([{"text": "Olu is good at math but bad in science"}]).tolist() == ["math"]


def test_without_inputs_everything_but_the_target_is_read():
    model = Classifier(target="likes", hidden_size=8).fit(pupils(60), epochs=1)
    assert model.codecs_.columns == ("text",)
    assert set(model.classes_) == {"math", "science"}


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_labels_keep_their_type_and_probabilities_their_order():
    for labels in (["a", "b"], [3, 7], [True, False]):
        model = Classifier(hidden_size=4).fit(["xx", "yy"] * 8, labels * 8, epochs=1)
        assert sorted(model.classes_.tolist()) == sorted(labels)
        assert {type(label) for label in model.predict(["xx"]).tolist()} == {type(labels[0])}
        shares = model.predict_proba(["xx", "yy", "zz"])
        assert shares.shape == (3, 2)
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
        assert (model.classes_[shares.argmax(1)] == model.predict(["xx", "yy", "zz"])).all()


def test_numbers_of_several_channels_are_read_and_saved(tmp_path):
    draw = np.random.default_rng(0)
    series = [draw.normal(size=(draw.integers(3, 9), 2)) + [0, 2 * (n % 2)] for n in range(60)]
    labels = [n % 2 for n in range(60)]
    model = Classifier(hidden_size=8).fit(series, labels, **FAST)
    assert model.score(series, labels) >= 0.95
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").predict(series).tolist() == model.predict(series).tolist()
    assert {"fixed window + logistic regression", "majority class"} <= set(model.evaluate(series, labels).baselines)


def test_noise_in_the_recurrence_is_saved_with_the_model(tmp_path):
    noise = {"recurrent_dropout": 0.2, "zoneout": 0.5}
    texts, labels = ["xx", "yy"] * 8, ["a", "b"] * 8
    model = Classifier(hidden_size=4, layers=noise).fit(texts, labels, epochs=1)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.layers == noise
    assert np.array_equal(again.predict_proba(texts), model.predict_proba(texts))


def test_mixed_columns_join_sequences_and_single_values():
    draw = np.random.default_rng(1)
    rows = []
    for _ in range(260):
        level, plan = draw.normal(), str(draw.choice(["free", "paid"]))
        rows.append({"text": str(draw.choice(["up", "down"])), "plan": plan, "level": level})
        rows[-1]["y"] = f"{rows[-1]['text']}-{plan}-{level > 0}"
    inputs = [Characters("text"), Categories("plan"), Numbers("level")]
    model = Classifier(inputs, hidden_size=12, dropout=0.0).fit(rows[:200], **{**FAST, "epochs": 20})
    assert model.evaluate(rows[200:]).model["accuracy"] >= 0.9
    for other in ([Characters("text"), "plan"], [Characters("text"), "level"], ["plan", "level"]):
        if other == ["plan", "level"]:
            with pytest.raises(DataError, match="sequence"):
                Classifier(other, hidden_size=4).fit(rows, epochs=1)
        else:
            blind = Classifier(other, hidden_size=4).fit(rows[:200], epochs=1, baselines=False)
            assert blind.codecs_.columns == ("text", other[1])


def topics(count):
    draw = np.random.default_rng(2)
    rows = []
    for _ in range(count):
        chosen = [name for name in ("art", "law", "sea") if draw.random() < 0.5]
        rows.append({"text": " ".join(draw.permutation([*chosen, "the", "of"])), "topics": chosen})
    return rows


def test_any_number_of_labels_at_once(tmp_path):
    model = Classifier(Words("text"), MultiLabels("topics"), hidden_size=12, dropout=0.0)
    model.fit(topics(120), **FAST)
    rows = topics(20)
    assert [sorted(labels) for labels in model.predict(rows)] == [sorted(row["topics"]) for row in rows]
    scores = model.evaluate(rows)
    assert scores.model["micro_f1"] >= 0.95
    assert scores.baselines["bag of words + logistic regression, a label at a time"]["micro_f1"] >= 0.95
    assert scores.baselines["label frequency"]["micro_f1"] < 0.9
    shares = model.predict_proba([{"text": "the of"}, {"text": "art law sea"}])
    assert shares.shape == (2, 3)
    assert shares[1].sum() > 2 > 1 > shares[0].sum()
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.evaluate(rows) == scores
    assert list(again.predict(rows)) == list(model.predict(rows))
    with pytest.raises(UnsupportedError, match="one label"):
        model.confusion(rows)
    assert model.inspect(rows).confusion is None
    with pytest.raises(OptionError, match="class_weights"):
        model.set_params(class_weights="balanced").fit(rows, epochs=1)


def test_class_weights_make_the_rare_class_likelier():
    texts, labels = ["noise"] * 100, ["often"] * 90 + ["rare"] * 10
    shares = {}
    for name, weighting in (("none", None), ("balanced", "balanced"), ("given", {"rare": 9.0})):
        model = Classifier(hidden_size=4, class_weights=weighting, dropout=0.0)
        model.fit(texts, labels, epochs=20, learning_rate=0.05, batch_size=100, validation=0)
        shares[name] = model.predict_proba(["noise"])[0, list(model.classes_).index("rare")]
    assert shares["none"] == pytest.approx(0.1, abs=0.05)
    assert shares["balanced"] == pytest.approx(0.5, abs=0.07)
    assert shares["given"] == pytest.approx(0.5, abs=0.07)
    assert model.class_weights_ == [1.0, 9.0]


@pytest.mark.parametrize(
    ("weighting", "words"), [("balance", "did you mean 'balanced'"), ({"rar": 2.0}, "did you mean 'rare'")]
)
def test_unknown_class_weights_are_refused(weighting, words):
    with pytest.raises(OptionError, match=words):
        Classifier(hidden_size=4, class_weights=weighting).fit(["a", "b"] * 8, ["often", "rare"] * 8, epochs=1)


def test_grids_search_over_lists():
    texts, labels = ["aab", "bba", "abb", "baa"] * 6, ["a", "b", "a", "b"] * 6
    model = Classifier(hidden_size=4, training={"epochs": 1, "validation": 0.0})
    search = GridSearchCV(model, {"hidden_size": [2, 6]}, cv=2, error_score="raise").fit(texts, labels)
    assert search.best_params_["hidden_size"] in (2, 6)
    assert search.predict(["aab"])[0] in ("a", "b")
    assert len(cross_val_score(model, texts, labels, cv=2, error_score="raise")) == 2


@pytest.mark.parametrize("library", [pl.DataFrame, pd.DataFrame])
def test_tables_of_any_library_are_learnt_from(library):
    table = library(pupils(40))
    model = Classifier("text", "likes", hidden_size=4).fit(table, epochs=1)
    plain = Classifier("text", "likes", hidden_size=4).fit(pupils(40), epochs=1)
    np.testing.assert_array_equal(model.predict_proba(table), plain.predict_proba(pupils(40)))
    np.testing.assert_array_equal(model.predict_proba(table[["text"]]), plain.predict_proba(pupils(40)))


def test_the_held_out_share_keeps_the_classes():
    texts, labels = [f"t{n}" for n in range(100)], ["often"] * 80 + ["rare"] * 20
    model = Classifier(hidden_size=4).fit(texts, labels, epochs=1, validation=0.2)
    assert model.scores_.n == 20
    assert model.scores_.baselines["majority class"]["accuracy"] == pytest.approx(0.8)


def test_validation_data_takes_the_place_of_a_held_out_share():
    model = Classifier(target="likes", hidden_size=4).fit(pupils(40), epochs=1, validation_data=pupils(13, seed=3))
    assert model.scores_.n == 13
    assert model.summary_["records"] == 40


def test_one_direction_answers_step_by_step_and_two_do_not():
    for bidirectional in (False, True):
        model = Classifier(hidden_size=4, bidirectional=bidirectional).fit(["ab", "ba"] * 8, [0, 1] * 8, epochs=1)
        network, batch = model.network_, model.codecs_.encode_all([{"x": "aba"}])
        state = network.initial_state(1)
        if bidirectional:
            with pytest.raises(UnsupportedError, match="bidirectional=False"):
                network.step(batch.slice_time(0, 1), state)
            continue
        for step in range(3):
            raw, state = network.step(batch.slice_time(step, step + 1), state)
        np.testing.assert_allclose(network.output.describe(raw).detach(), model.predict_proba(["aba"]), rtol=1e-5)


def test_an_empty_text_gets_an_answer():
    model = Classifier(hidden_size=8, dropout=0.0).fit(["ab", "", "ba", ""] * 16, [0, 1, 0, 1] * 16, **FAST)
    assert model.predict(["", "ab"]).tolist() == [1, 0]


def test_missing_labels_are_refused_or_on_request_do_not_count():
    rows = [{"x": "ab", "y": "one"}, {"x": "ba", "y": "two"}, {"x": "bb", "y": None}] * 10
    with pytest.raises(DataError, match="unseen='ignore'"):
        Classifier(hidden_size=4).fit(rows, epochs=1)
    model = Classifier(target=Labels("y", unseen="ignore"), hidden_size=4, class_weights="balanced").fit(rows, epochs=1)
    assert set(model.classes_) == {"one", "two"}
    with pytest.warns(UnrolledWarning, match="rows left out: 10"):
        assert model.evaluate(rows).n == 20


def test_large_data_is_watched_by_a_thousand_records():
    rows = as_source([{"x": "ab", "y": str(number % 3)} for number in range(30_000)])
    train, held = Classifier()._hold_out(rows, 0.1, 0)
    assert held is not None
    assert len(held) == pytest.approx(1000, abs=3)
    assert len(train) + len(held) == 30_000


def test_sequences_are_read_side_by_side_as_far_as_their_steps_allow(monkeypatch) -> None:
    rows = [{"text": "ab" * (1 + n % 7), "kind": "ab"[n % 2]} for n in range(300)]
    model = ur.Classifier(inputs=ur.Characters("text"), target=ur.Labels("kind"), hidden_size=4).fit(rows, epochs=1)
    together, sizes, forward = model.predict_proba(rows), [], model.network_.forward
    monkeypatch.setattr("unrolled.tasks.shared.batch_sizes.PREDICT_STEPS", 100)
    monkeypatch.setattr(
        model.network_,
        "forward",
        lambda batch: sizes.append((batch.batch_size, int(batch.lengths.sum()))) or forward(batch),
    )
    np.testing.assert_allclose(model.predict_proba([*rows, {"text": "ab" * 200}])[:-1], together, atol=1e-6)
    assert sum(count for count, _ in sizes) == 301
    assert all(steps <= 100 or count == 1 for count, steps in sizes)  # one alone may be longer
    assert len(sizes) < 40
