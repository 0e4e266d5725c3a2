"""Laws that every baseline keeps."""

import json
import re
from typing import Any

import numpy as np
import pytest

from small_baselines import CASES, FORECASTS, ITEMS, Case
from unrolled.baselines.registry import BASELINES, baseline_from_state
from unrolled.errors import ArtifactError
from unrolled.metrics.scores import IGNORED

# one answer for a whole sequence
NO_STEPS = ("ngram", *FORECASTS, *ITEMS)
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and one and isinstance(one[0], list | str):
        return one == other
    return len(one) == len(other) and all(
        np.allclose(a, b, rtol=1e-6, atol=1e-9) for a, b in zip(one, other, strict=True)
    )


def test_every_baseline_is_under_these_laws():
    assert set(CASES) == set(BASELINES)


@every
def test_there_is_one_answer_for_each_question(case):
    assert len(case.fitted().predict(case.asked)) == len(case.asked)


@every
def test_state_survives_json_and_arrays(case):
    baseline = case.fitted()
    plain, arrays = {}, {}
    for name, value in baseline.state().items():
        (arrays if isinstance(value, np.ndarray) else plain)[name] = value
    state = {**json.loads(json.dumps(plain, allow_nan=False)), **arrays}
    again = baseline_from_state(f"{baseline.key}:variant", state)
    assert type(again) is type(baseline)
    assert again.name == baseline.name
    assert same(again.predict(case.asked), baseline.predict(case.asked))
    assert all(np.isfinite(array).all() for array in arrays.values())


@every
def test_fitting_twice_gives_the_same(case):
    assert same(case.fitted().predict(case.asked), case.fitted().predict(case.asked))


@every
def test_an_answer_does_not_depend_on_its_neighbours(case):
    baseline = case.fitted()
    together = baseline.predict(case.asked)
    order = [3, 0, 4, 1, 2]
    shuffled = baseline.predict([case.asked[place] for place in order])
    assert same([together[place] for place in order], list(shuffled))
    assert same(baseline.predict(case.asked[1:2]), together[1:2])


@every
def test_the_order_of_examples_does_not_matter(case):
    turned = case.fitted(case.inputs[::-1], case.targets[::-1])
    for one, other in zip(case.fitted().predict(case.asked), turned.predict(case.asked), strict=True):
        if isinstance(one, list | str):
            assert one == other
        else:
            np.testing.assert_allclose(one, other, rtol=1e-2, atol=2e-3)  # solvers stop near the optimum


@every
def test_empty_sequences_survive_training_and_answering(case):
    baseline = case.fitted(
        [case.empty, *case.inputs], [case.targets[0] if is_whole(case) else case.empty, *case.targets]
    )
    answers = baseline.predict([case.empty, *case.asked])
    assert len(answers) == len(case.asked) + 1
    if case.make().key not in NO_STEPS and not is_whole(case):
        assert len(answers[0]) == 0
    for answer in answers:
        if not isinstance(answer, list | str):
            assert np.isfinite(answer).all()


def is_label(case: Case) -> bool:
    return isinstance(case.targets[0], int)


def is_whole(case: Case) -> bool:
    """One answer for a sequence, not one for each step."""
    return isinstance(case.targets[0], int | tuple | str)


@every
def test_nobody_asked_nobody_answers(case):
    assert len(case.fitted().predict([])) == 0


@every
def test_inputs_are_not_changed(case):
    before = repr([case.inputs, case.targets, case.asked])
    case.fitted().predict(case.asked)
    assert repr([case.inputs, case.targets, case.asked]) == before


@pytest.mark.parametrize("key", [key for key, case in CASES.items() if is_label(case)])
def test_probabilities_are_some(key):
    shares = CASES[key].fitted().predict(CASES[key].asked)
    assert shares.shape == (len(CASES[key].asked), 3)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("key", [key for key, case in CASES.items() if is_label(case)])
def test_one_class_alone_is_learnt(key):
    case = CASES[key]
    shares = case.fitted(targets=[1] * len(case.inputs)).predict(case.asked)
    assert (shares.argmax(1) == 1).all()


@pytest.mark.parametrize("key", [key for key, case in CASES.items() if is_label(case)])
def test_a_class_that_never_occurs_gets_next_to_nothing(key):
    case = CASES[key]
    shares = case.fitted(targets=[2 * (number % 2) for number in range(len(case.inputs))]).predict(case.asked)
    assert (shares[:, 1] < 0.2).all()
    assert (shares.argmax(1) != 1).all()


TAGGERS = ["most_frequent_tag", "window_tagger"]


@pytest.mark.parametrize("key", [key for key, case in CASES.items() if is_label(case)])
def test_examples_whose_class_nobody_knows_change_nothing(key):
    case = CASES[key]
    more = case.fitted([*case.inputs, case.inputs[0], case.inputs[3]], [*case.targets, IGNORED, IGNORED])
    assert same(more.predict(case.asked), case.fitted().predict(case.asked))


@pytest.mark.parametrize("key", TAGGERS)
def test_steps_whose_label_nobody_knows_are_not_learnt(key):
    case = CASES[key]
    some = case.fitted(case.inputs, [[None, *row[1:]] for row in case.targets])
    answers = some.predict([*case.inputs, ["never", "seen"]])
    assert {label for row in answers for label in row} == {"UP", "LOW"}


def test_an_unknown_baseline_in_a_saved_model_is_refused():
    with pytest.raises(ArtifactError, match="bag_of_words"):
        baseline_from_state("bag_of_word", {})


MANY = 30
CUT = {  # the constant that bounds the fit, and a case with more than that allows
    "bag_of_words": ("classification.MAX_ROWS", MANY),
    "character_ngrams": ("classification.MAX_ROWS", MANY),
    "fixed_window": ("classification.MAX_ROWS", MANY),
    "summary_statistics": ("classification.MAX_ROWS", MANY),
    "every_column": ("classification.MAX_ROWS", MANY),
    "window_tagger": ("tagging.MAX_STEPS", MANY),
    "frame_ridge": ("frames.MAX_FRAMES", MANY),
    "frame_logistic": ("frames.MAX_FRAMES", MANY),
    "gaussian_frames": ("frames.MAX_FRAMES", MANY),
    "ridge_window": ("forecasting.MAX_WINDOWS", MANY),
    "boosted_lags": ("boosted_lags.MAX_ROWS", MANY),
    "nearest_source": ("retrieval.MAX_ROWS", MANY),
    "nearest_picture": ("captions.MAX_ROWS", MANY),
    "item_neighbours": ("items.MAX_EVENTS", MANY),
    "session_neighbours": ("session_neighbours.MAX_EVENTS", MANY),
    "linear_items": ("linear_items.MAX_ITEMS", 5),
    "isolation_forest": ("anomalies.MAX_WINDOWS", MANY),
}


@pytest.mark.parametrize("key", CUT)
def test_a_baseline_fitted_on_a_part_says_so_and_keeps_saying_so(key, monkeypatch):
    case = CASES[key]
    whole = case.fitted()
    limit, most = CUT[key]
    monkeypatch.setattr(f"unrolled.baselines.{limit}", most)
    part = case.fitted()
    found = re.fullmatch(r"(.*) \((\d+) of (\d+) \w+\)", part.name)
    assert found is not None
    assert found[1] == whole.name
    assert 0 < int(found[2]) <= most < int(found[3])
    assert BASELINES[key].from_state(part.state()).name == part.name
    assert len(part.predict(case.asked)) == len(case.asked)


def test_fitting_again_on_everything_forgets_that_it_was_a_part(monkeypatch):
    case = CASES["window_tagger"]
    model = case.make()
    with monkeypatch.context() as bounded:
        bounded.setattr("unrolled.baselines.tagging.MAX_STEPS", MANY)
        assert " of " in model.fit(case.inputs, case.targets).name.replace("window of", "")
    assert model.fit(case.inputs, case.targets).name == type(model).name
