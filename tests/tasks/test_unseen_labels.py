"""`evaluate` counts a label that training never saw as answered wrong, and says so; every task with labels does."""

import numpy as np
import pytest

import unrolled as ur
from unrolled.codecs.tables.labels import Labels, MultiLabels
from unrolled.errors import DataError

WORDS = [["the", "cat"], ["a", "dog"], ["the", "dog"], ["a", "cat"]] * 8
TAGS = [["D", "N"]] * 32
NAMES = ["anna", "bob", "carla", "dan"] * 8


@pytest.fixture(scope="module")
def tagger():
    data = [{"words": words, "tags": tags} for words, tags in zip(WORDS, TAGS, strict=True)]
    return ur.Tagger(hidden_size=8).fit(data, epochs=20)


@pytest.fixture(scope="module")
def classifier():
    return ur.Classifier(hidden_size=8).fit(NAMES, ["a", "b"] * 16, epochs=20, learning_rate=0.02)


def test_a_tag_that_training_never_saw_is_answered_wrong(tagger):
    known, odd = {"words": ["the", "cat"], "tags": ["D", "N"]}, {"words": ["a", "dog"], "tags": ["D", "X"]}
    assert tagger.evaluate([known]).model["accuracy"] == 1
    got = tagger.evaluate([known, odd])
    assert (got.n, got.model["accuracy"], got.model["whole_sequences"]) == (4, 0.75, 0.5)
    assert got.model["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)  # of D, N (once too often) and X
    assert got.notes == ("1 label that training never saw count as answered wrong: 'X'",)
    assert "never saw" in str(got)
    assert got.baselines["most frequent label per value"]["accuracy"] == 0.75


def test_a_tag_that_is_to_be_ignored_does_not_count():
    data = [{"words": words, "tags": tags} for words, tags in zip(WORDS, TAGS, strict=True)]
    lenient = ur.Tagger(target=Labels("tags", unseen="ignore"), hidden_size=8).fit(data, epochs=2, baselines=False)
    got = lenient.evaluate([{"words": ["a", "dog"], "tags": ["D", "X"]}])
    assert (got.n, got.notes) == (1, ())


def test_a_class_that_training_never_saw_is_answered_wrong(classifier):
    known = classifier.evaluate(["anna", "bob"], ["a", "b"])
    assert known.model["accuracy"] == 1
    with pytest.warns(ur.UnrolledWarning, match="column 'y': 50.0% of 4 labels are unknown, such as 'z'"):
        got = classifier.evaluate(["anna", "bob", "carla", "dan"], ["a", "b", "z", "z"])
    assert (got.n, got.model["accuracy"]) == (4, 0.5)
    assert got.model["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert got.model["log_loss"] == pytest.approx(known.model["log_loss"], abs=1e-6)
    assert got.notes == ("2 labels that training never saw count as answered wrong: 'z'",)


def test_a_label_of_a_set_that_training_never_saw_is_not_found():
    rows = [{"text": name, "topics": ["a"] if place % 2 == 0 else ["b"]} for place, name in enumerate(NAMES)]
    model = ur.Classifier(target=MultiLabels("topics"), hidden_size=8).fit(rows, epochs=30, learning_rate=0.02)
    assert model.evaluate(rows[:2]).model["exact"] == 1
    got = model.evaluate([rows[0], {"text": "bob", "topics": ["b", "z"]}])
    assert got.model["exact"] == 0.5
    assert got.model["micro_f1"] == pytest.approx(2 * 2 / (2 + 3))
    assert got.notes == ("1 label that training never saw count as not found: 'z'",)


def test_a_missing_label_is_still_refused(tagger, classifier):
    with pytest.raises(DataError):
        tagger.evaluate([{"words": ["a", "dog"], "tags": ["D", None]}])
    with pytest.raises(DataError):
        classifier.evaluate(["anna"], [None])


def test_probabilities_that_vanish_in_half_the_digits_still_have_their_nats(classifier):
    shares = classifier._network_shares(classifier._asked(["anna"]))
    assert shares.dtype == np.float64
    assert classifier.predict_proba(["anna"]).dtype == np.float32
