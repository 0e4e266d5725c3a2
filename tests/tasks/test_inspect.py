"""Every task shows what happens inside: of the data it is given, with the scores that `evaluate` gives."""

import json

import numpy as np
import pytest

from unrolled.codecs.tables.labels import MultiLabels
from unrolled.errors import InputError, NotFittedError, UnsupportedError
from unrolled.inspection.graph import INPUT, LOSS, TOTAL
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.classification.tagger import Tagger
from unrolled.tasks.forecasting.forecaster import Forecaster
from unrolled.tasks.language.language_model import LanguageModel
from unrolled.tasks.registry import load
from unrolled.tasks.vectors.sequence_model import SequenceModel

NAMES = [{"name": name, "y": name[0] in "aeiou"} for name in ("anna", "bob", "emil", "tim", "ida", "zoe") * 4]
TAGGED = [
    {"words": ["the", "cat", "sat"], "tags": ["DET", "NOUN", "VERB"]},
    {"words": ["a", "dog"], "tags": ["DET", "NOUN"]},
] * 8
FRAMES = [{"frames": [[t % 2, 1 - t % 2] for t in range(12)]} for _ in range(8)]
WAVE = np.sin(np.arange(120) * np.pi / 4)
SMALL = {"hidden_size": 6, "dropout": 0.0}
OPINIONS = [{"text": "so good", "y": 1}, {"text": "so bad", "y": 0}] * 8
SIGNS = [{"x": [1.5, 0.5, 2.5, 1.0], "y": "up"}, {"x": [-1.0, -0.5, -2.0], "y": "down"}] * 8
TOPICS = [{"name": "anna", "topics": ["a", "n"]}, {"name": "bob", "topics": ["b"]}] * 8
KINDS = [{"text": "abc", "kind": "x"}, {"text": "cba", "kind": "y"}] * 6
CASES = {
    "classifier": (lambda: Classifier(**SMALL), NAMES, {}),
    "classifier of words": (lambda: Classifier("text", "y", **SMALL), OPINIONS, {}),
    "classifier of numbers": (lambda: Classifier("x", "y", **SMALL), SIGNS, {}),
    "classifier, many labels": (lambda: Classifier("name", MultiLabels("topics"), **SMALL), TOPICS, {}),
    "tagger": (lambda: Tagger(**SMALL), TAGGED, {}),
    "language": (lambda: LanguageModel(**SMALL), ['say "ab" (twice) '] * 6, {"bptt_steps": 5}),
    "language, given": (lambda: LanguageModel(given=["kind"], **SMALL), KINDS, {}),
    "sequence": (lambda: SequenceModel(**SMALL), FRAMES, {"bptt_steps": 4}),
    "forecaster": (lambda: Forecaster(horizon=2, hidden_size=4), WAVE, {}),
}
every = pytest.mark.parametrize("case", CASES)


@pytest.fixture(scope="module")
def fitted():
    """Each task fitted once, when it is first asked for."""
    known = {}

    def fit(case):
        if case not in known:
            make, data, options = CASES[case]
            known[case] = make().fit(data, epochs=1, **options), data
        return known[case]

    return fit


@every
def test_an_inspection_is_of_one_sequence_and_fits_together(fitted, case):
    model, data = fitted(case)
    seen = model.inspect(data)
    length = seen.unfolding.length
    assert len(seen.saliency.gradient) == length
    assert seen.states.layers[0].fields["hidden"].lengths.tolist() == [length]
    assert len(seen.labels) in (0, length)
    assert seen.scores == model.evaluate(data)
    assert (seen.unfolding.of_kind(TOTAL) or seen.unfolding.of_kind(LOSS))[-1].values["J"]
    assert json.loads(json.dumps(seen.to_json()))["scores"]["n"] == seen.scores.n


@every
def test_a_loaded_model_shows_the_same(fitted, case, tmp_path):
    model, data = fitted(case)
    again = load(model.save(tmp_path / "model")).inspect(data)
    assert again.to_json() == model.inspect(data).to_json()


def test_characters_are_told_by_name_and_the_boundary_by_none(fitted):
    model, data = fitted("language")
    seen = model.inspect(data)
    assert "".join(seen.labels) == data[0]
    first, second = seen.unfolding.of_kind(INPUT)[:2]
    assert (first.text, second.text) == ("", "s")
    assert seen.unfolding.of_kind(LOSS)[0].text == "s"
    assert {"inside quotes", "bracket depth", "is a vowel"} <= {one.feature for one in seen.tracking}


def test_words_and_tags_are_told_by_name(fitted):
    model, data = fitted("tagger")
    seen = model.inspect(data, row=1)
    assert seen.labels == ("a", "dog")
    assert [loss.text for loss in seen.unfolding.of_kind(LOSS)] == ["DET", "NOUN"]


def test_a_class_is_told_by_name(fitted):
    model, data = fitted("classifier")
    seen = model.inspect(data, row=2)
    assert "".join(seen.labels) == "emil"
    assert [loss.text for loss in seen.unfolding.of_kind(LOSS)] == ["True"]


@pytest.mark.parametrize(("case", "steps"), [("language", 5), ("sequence", 4), ("language, given", 0), ("tagger", 0)])
def test_the_gradient_stops_where_training_stopped_it(fitted, case, steps, tmp_path):
    model, data = fitted(case)
    windows = load(model.save(tmp_path / "model")).inspect(data).unfolding.windows
    first = windows[0]
    assert (first.stop == steps and len(windows) > 1) if steps else (len(windows) == 1)


def test_numbers_have_features_of_their_own(fitted):
    model, data = fitted("forecaster")
    assert {"value", "running mean"} <= {one.feature for one in model.inspect(data).tracking}


def test_what_cannot_be_inspected_is_refused_in_a_sentence(fitted):
    model, data = fitted("tagger")
    with pytest.raises(InputError, match="0 to 15, received 16"):
        model.inspect(data, row=16)
    with pytest.raises(NotFittedError):
        Tagger().inspect(data)
    with pytest.raises(UnsupportedError, match="use a cell such as 'lstm'"):
        Tagger(cell="conv", **SMALL).fit(data, epochs=1, baselines=False).inspect(data)
