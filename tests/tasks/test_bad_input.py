"""What users get wrong is said in one sentence, and what is merely odd is counted."""

import math

import pytest

from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.labels import Labels
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.words import Words
from unrolled.errors import DataError, InputError
from unrolled.reading_report import UnrolledWarning
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.classification.tagger import Tagger

TEXTS, LABELS = ["abc", "cba", "bca", "acb"] * 5, ["up", "down"] * 10


@pytest.fixture(scope="module")
def model():
    return Classifier(Characters("x"), hidden_size=4).fit(TEXTS, LABELS, epochs=1)


def one_sentence(caught) -> bool:
    return "expected" in str(caught.value) and "\n" not in str(caught.value)


def test_one_class_alone_is_refused():
    with pytest.raises(DataError, match=r"y.*(two|2|different|only)") as caught:
        Classifier(hidden_size=4).fit(TEXTS, ["same"] * 20, epochs=1)
    assert one_sentence(caught)


@pytest.mark.parametrize("count", [0, 1, 19, 21])
def test_targets_of_another_length_are_refused(count):
    with pytest.raises(DataError, match=f"20 targets, received {count}"):
        Classifier(hidden_size=4).fit(TEXTS, LABELS[:1] * count, epochs=1)


def test_targets_that_are_missing_altogether_suggest_the_columns():
    with pytest.raises(DataError, match=r"column.*'y'|column.*y"):
        Classifier(hidden_size=4).fit(TEXTS, epochs=1)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e300])
def test_infinity_is_refused_with_its_place(value):
    series = [[1.0, 2.0], [0.5], [value, 1.0], [3.0]] * 5
    with pytest.raises(DataError, match="x") as caught:
        Classifier(Numbers("x", scaling="none"), hidden_size=4).fit(series, LABELS, epochs=1)
    assert one_sentence(caught)


def test_missing_numbers_are_counted_and_learnt_from():
    series = [[1.0, math.nan], [2.0], [math.nan, 3.0], [-1.0]] * 5
    model = Classifier(Numbers("x"), hidden_size=4).fit(series, LABELS, epochs=1)
    shares = model.predict_proba([[math.nan], [math.nan, 1.0]])
    assert ((shares > 0) & (shares < 1)).all()


def test_a_column_without_any_number_does_no_harm():
    model = Classifier(Numbers("x"), hidden_size=4).fit([[math.nan], [math.nan, math.nan]] * 10, LABELS, epochs=1)
    assert model.predict_proba([[math.nan]]).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_labels_unseen_in_training_count_as_wrong_and_are_named(model):
    scores = model.evaluate(["abc"], ["sideways"])
    assert scores.model["accuracy"] == 0
    assert any("sideways" in note for note in scores.notes)
    tags = [{"words": ["a", "b"], "tags": ["X", "Y"]}] * 9
    scores = Tagger(hidden_size=4).fit(tags, epochs=1).evaluate([{"words": ["a"], "tags": ["Z"]}])
    assert scores.model["accuracy"] == 0
    assert any("'Z'" in note for note in scores.notes)


def test_unseen_characters_categories_and_words_are_counted():
    rows = [{"x": text, "c": "pq"[n % 2], "w": ["to", "be"], "y": n % 2} for n, text in enumerate(TEXTS)]
    for codec, odd in ((Characters("x"), "zzz"), (Categories("c"), "never"), (Words("w"), ["not"])):
        inputs = [codec] if codec.columns != ("c",) else [Characters("x"), codec]
        model = Classifier(inputs, hidden_size=4).fit(rows, epochs=1)
        (column,) = codec.columns
        with pytest.warns(UnrolledWarning, match=column):
            shares = model.predict_proba([{**rows[0], column: odd}])
        assert shares.sum() == pytest.approx(1, abs=1e-5)
        assert sum(model.codecs_.report().values()) == (3 if column == "x" else 1)
        model.predict_proba(rows[:1])
        assert not model.codecs_.report()


def test_sequences_without_a_step_are_answered_but_not_all_of_them_learnt_from(model):
    assert model.predict(["", "abc"]).shape == (2,)
    with pytest.raises(DataError) as caught:
        Classifier(Characters("x"), hidden_size=4).fit([""] * 20, LABELS, epochs=1)
    assert one_sentence(caught)
    empty = Classifier(Numbers("x"), hidden_size=4).fit([[], [1.0], [2.0], []] * 5, LABELS, epochs=1)
    assert empty.predict([[]]).shape == (1,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inputs": "reviw"}, "the nearest is 'review'"),
        ({"inputs": Words("Review")}, "the nearest is 'review'"),
        ({"target": "star"}, "the nearest is 'stars'"),
        ({"target": Labels("star")}, "the nearest is 'stars'"),
        ({"target": Words("stars")}, "target"),
        ({"inputs": []}, "inputs"),
        ({"inputs": ["stars"]}, "other than the one to predict"),
    ],
)
def test_columns_that_do_not_exist_or_do_not_fit_are_refused(options, words):
    rows = [{"review": "a good one", "stars": n % 2} for n in range(20)]
    with pytest.raises(InputError, match=words) as caught:
        Classifier(**{"target": "stars", "hidden_size": 4, **options}).fit(rows, epochs=1)
    assert one_sentence(caught)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pooling": "maximum"}, "did you mean 'max'|choose"),
        ({"epochs": 1.5}, "epochs"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"device": "cdua"}, "device"),
        ({"optimizer": "adamm"}, "adam"),
        ({"validation": 1.0}, "validation"),
    ],
)
def test_options_are_refused_by_name(options, words):
    own = {name: options[name] for name in options if name == "pooling"}
    training = {name: options[name] for name in options if name != "pooling"}
    with pytest.raises(InputError, match=words):
        Classifier(hidden_size=4, **own).fit(TEXTS, LABELS, **{"epochs": 1, **training})
