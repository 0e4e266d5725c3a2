"""Laws that every baseline keeps."""

import json
import re
from typing import Any

import numpy as np
import pytest

from unrolled.baselines.base import Baseline
from unrolled.baselines.densities import GaussianFrames
from unrolled.baselines.forecasting import Forecast
from unrolled.baselines.frames import FrameRidge
from unrolled.baselines.histories import History
from unrolled.baselines.per_label import PerLabel
from unrolled.baselines.registry import BASELINES, baseline_from_state
from unrolled.errors import ArtifactError
from unrolled.metrics.scores import IGNORED


class Case:
    """A baseline maker, what it learns from, and what it is asked."""

    def __init__(self, make: Any, inputs: list[Any], targets: list[Any], asked: list[Any], empty: Any) -> None:
        self.make, self.inputs, self.targets, self.asked, self.empty = make, inputs, targets, asked, empty

    def fitted(self, inputs: Any = None, targets: Any = None) -> Baseline:
        return self.make().fit(inputs or self.inputs, targets or self.targets)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sentences(count: int) -> list[str]:
    draw = rng()
    words = ["good", "bad", "maths", "Grüße", "but", "日本", "42"]
    return [" ".join(draw.choice(words, draw.integers(1, 7))) for _ in range(count)]


def signals(count: int) -> list[list[float]]:
    draw = rng()
    return [(draw.normal(size=draw.integers(1, 9)) + number % 3).tolist() for number in range(count)]


def rolls(count: int, binary: bool) -> list[np.ndarray]:
    draw = rng()
    frames = [draw.normal(size=(draw.integers(2, 8), 3)) for _ in range(count)]
    return [(rows > 0.3).astype(float) for rows in frames] if binary else frames


TEXTS = [{"x": text} for text in sentences(40)]
DNA = [{"x": "".join(row)} for row in rng().choice(list("ACGT"), (40, 12))]
SPECTRA = [{"x": rng().normal(size=(1 + number % 5, 4)).astype(np.float32) + number % 3} for number in range(40)]
SERIES = [{"x": values} for values in signals(40)]
MIXED = [{**text, "values": row["x"], "age": len(row["x"]) / 2} for text, row in zip(TEXTS, SERIES, strict=True)]
THREE = [number % 3 for number in range(40)]
WORDS = [text.split() for text in sentences(40)]
TAGS = [["UP" if word[0].isupper() else "LOW" for word in row] for row in WORDS]
IDS = [rng().integers(0, 7, number % 9) for number in range(1, 40)]
WAVES = [np.arange(40.0) + 3 * np.sin(np.arange(40)) + number for number in range(6)]
HISTORIES = [History(wave, 3, rng().normal(size=(44, 2))) for wave in WAVES]
KEYS, NUMBERS = rolls(12, True), rolls(12, False)
FILMS = [{"x": rng().integers(0, 256, (1 + number % 4, 3, 20, 20), dtype=np.uint8)} for number in range(40)]
NO_FRAME = {"x": FILMS[0]["x"][:0]}
STROKES = [np.stack([rows[:, 0], rows[:, 1] > 0, rows[:, 2]], 1) for rows in NUMBERS]  # a switch between two numbers
SAYINGS = sentences(40)
SAID = [" ".join(text.upper().split()[::-1][:3]) for text in SAYINGS]
PICTURES = [film["x"][0] for film in FILMS]
NO_PICTURE = PICTURES[0][:, :0, :0]
ITEMS = ("popularity", "recent_popularity", "markov_items", "item_neighbours", "own_history")
FORECASTS = tuple(key for key, kind in BASELINES.items() if issubclass(kind, Forecast))
SESSIONS = [rng().permutation(9)[: 1 + number % 7] for number in range(40)]
SESSIONS = [(session + number) % 9 for number, session in enumerate(SESSIONS)]
CLOCKS = [np.arange(len(session)) + 100.0 * number for number, session in enumerate(SESSIONS)]
NEW_TEXT, NEW_SERIES = {"x": "unseen Ωmega"}, {"x": [1.0, None, 3.0]}
NOTHING = np.zeros((0, 3))


def classification(key: str, inputs: list[Any], new: Any, empty: Any) -> Case:
    return Case(lambda: BASELINES[key](3), inputs, THREE, [*inputs[:7], new], empty)


def frames(key: str, rows: list[np.ndarray]) -> Case:
    return Case(BASELINES[key], [r[:-1] for r in rows], [r[1:] for r in rows], rows[:5], NOTHING)


def forecasting(key: str) -> Case:
    asked = [History(one.values[:30], one.season, one.known[:34]) for one in HISTORIES]
    return Case(lambda: BASELINES[key](4, 3), HISTORIES, HISTORIES, asked, History(np.zeros(0), 3, np.zeros((4, 2))))


def watching(key: str, *options: int) -> Case:
    series = [np.stack([h, np.where(np.arange(len(h)) % 5, h**0.5, np.nan)], 1) for h in WAVES]
    return Case(lambda: BASELINES[key](*options), series, series, [rows[:30] for rows in series], np.zeros((0, 2)))


def answers(key: str) -> Case:
    return Case(BASELINES[key], SAYINGS, SAID, ["unseen Ωmega", "good 日本", *SAYINGS[:7]], "")


def items(key: str) -> Case:
    return Case(lambda: BASELINES[key](9), SESSIONS, CLOCKS, [np.array([8, 9, 8, 1]), *SESSIONS[:7]], SESSIONS[0][:0])


CASES = {
    "majority": classification("majority", TEXTS, NEW_TEXT, {"x": ""}),
    "bag_of_words": classification("bag_of_words", TEXTS, NEW_TEXT, {"x": ""}),
    "character_ngrams": classification("character_ngrams", TEXTS, NEW_TEXT, {"x": ""}),
    "positional_naive_bayes": classification("positional_naive_bayes", DNA, {"x": "ACGTNNNNACGTACGTAC"}, {"x": ""}),
    "fixed_window": classification("fixed_window", SERIES, NEW_SERIES, {"x": []}),
    "summary_statistics": classification("summary_statistics", SERIES, NEW_SERIES, {"x": []}),
    "mean_spectrum": classification(
        "mean_spectrum", SPECTRA, {"x": np.ones((2, 4), np.float32)}, {"x": np.zeros((0, 4))}
    ),
    "every_column": classification(
        "every_column", MIXED, {"x": "?", "values": [1.0], "age": None}, {"x": "", "values": []}
    ),
    "mean_frame": classification("mean_frame", FILMS, {"x": 255 - FILMS[1]["x"]}, NO_FRAME),
    "per_label": Case(
        lambda: PerLabel(BASELINES["bag_of_words"], 2),
        TEXTS,
        [(number % 2, number % 3 == 0) for number in range(40)],
        [*TEXTS[:7], NEW_TEXT],
        {"x": ""},
    ),
    "most_frequent_tag": Case(BASELINES["most_frequent_tag"], WORDS, TAGS, [["New", "good"], *WORDS[:5]], []),
    "window_tagger": Case(BASELINES["window_tagger"], WORDS, TAGS, [["New", "good"], *WORDS[:5]], []),
    "ngram": Case(lambda: BASELINES["ngram"](9, 3), IDS, IDS, [np.array([8, 8, 1, 2]), *IDS[:9]], IDS[0][:0]),
    "marginal": frames("marginal", KEYS),
    "key_transitions": frames("key_transitions", KEYS),
    "last_frame": frames("last_frame", NUMBERS),
    "frame_ridge": frames("frame_ridge", NUMBERS),
    "frame_logistic": frames("frame_logistic", KEYS),
    "gaussian_frames": Case(lambda: GaussianFrames(FrameRidge, [1]), STROKES, STROKES, STROKES[:5], NOTHING),
    **{key: forecasting(key) for key in FORECASTS},
    "moving_z_score": watching("moving_z_score"),
    "seasonal_residual": watching("seasonal_residual", 2),
    "isolation_forest": watching("isolation_forest", 3),
    "markov_surprise": Case(
        lambda: BASELINES["markov_surprise"](7),
        [ids[:, None].astype(float) for ids in IDS],
        [ids[:, None].astype(float) for ids in IDS],
        [ids[:, None].astype(float) for ids in IDS[2:9]],
        np.zeros((0, 1)),
    ),
    "copy_source": answers("copy_source"),
    "lead_words": answers("lead_words"),
    "most_frequent_answer": answers("most_frequent_answer"),
    "nearest_source": answers("nearest_source"),
    "nearest_picture": Case(
        BASELINES["nearest_picture"], PICTURES, SAID, [255 - PICTURES[1], *PICTURES[:6]], NO_PICTURE
    ),
    **{key: items(key) for key in ITEMS},
}

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
