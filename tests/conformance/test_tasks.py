"""Laws of every task: scikit-learn's manners, saving, seeds, and answers that depend on nothing but the question.

Tasks whose data is one table of series or events have tests of their own.
"""

import copy
import inspect
import json
import pickle
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from unrolled.artifacts import MODEL, read_model, seal
from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.labels import Labels
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.word_characters import WordCharacters
from unrolled.codecs.text.words import Words
from unrolled.errors import ArtifactError, InputError, NotFittedError, OptionError
from unrolled.tasks.base import Task
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.classification.tagger import Tagger
from unrolled.tasks.language.language_model import LanguageModel
from unrolled.tasks.registry import TASKS, load, task_class
from unrolled.tasks.seq2seq.captioner import Captioner
from unrolled.tasks.seq2seq.translator import Translator
from unrolled.tasks.seq2seq.writer import Writer
from unrolled.tasks.vectors.sequence_model import SequenceModel

EPOCHS = 2


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sentences(count: int) -> list[list[str]]:
    draw = rng()
    words = ["Anna", "runs", "the", "Straße", "slowly", "日本", "and"]
    return [[str(word) for word in draw.choice(words, draw.integers(1, 9))] for _ in range(count)]


def roll(count: int) -> list[list[int]]:
    draw = rng()
    return [(draw.random(3) < 0.4).astype(int).tolist() for _ in range(count)]


WORDS = sentences(40)
TEXTS = [
    {
        "text": " ".join(words),
        "other": " ".join(words[::-1]),
        "kind": "ab"[len(words) % 2],
        "y": "uvwu"[row % 4],
        "z": row % 2,
    }
    for row, words in enumerate(WORDS)
]
TAGGED = [
    {
        "words": words,
        "others": words[::-1],
        "tags": ["N" if word[0].isupper() else "X" for word in words],
        "flags": [str(len(word) % 2) for word in words],
    }
    for words in WORDS
]
ROLLS = [{"frames": roll(12)[row % 5 : 5 + row % 8], "keys": roll(9)[: 3 + row % 4]} for row in range(40)]
STROKES = rng().normal(size=(40, 4, 2)).round(3).tolist()
PICTURES = [
    {
        "picture": np.full((8, 8), 255 * row % 251, dtype=np.uint8),
        "vector": [row % 5 / 5, 1.0, row % 2],
        "caption": ["a dark one", "a grey one", "one"][row % 3],
        "other": ["dark", "bright and clear"][row % 2],
    }
    for row in range(40)
]


class Case:
    """A small task, its data, its answers as arrays, and for each option another value that must matter.

    An option that needs others is changed together with them: beside its value stands what it is compared with.
    """

    def __init__(
        self, kind: type[Task], data: list[dict[str, Any]], options: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        self.kind, self.data, self.options = kind, data, {"hidden_size": 8, **options}
        self.changes = {
            "cell": "gru",
            "hidden_size": 9,
            "num_layers": 2,
            "dropout": 0.6,
            "layers": {"learn_initial_state": True},
            "training": {"epochs": 1},
            **changes,
        }

    def make(self, **options: Any) -> Task:
        return self.kind(**{**self.options, **options})

    def fit(self, **options: Any) -> Task:
        training = {"epochs": EPOCHS, "validation": 0.25, "batch_size": 8, "device": "cpu"}
        return self.make(**{"training": training, **options}).fit(self.data)


CASES = {
    "Classifier": Case(
        Classifier,
        TEXTS,
        {"inputs": [Characters("text")]},
        {
            "inputs": [Words("text")],
            "target": "z",
            "bidirectional": False,
            "pooling": "attention",
            "class_weights": "balanced",
            "convolutions": False,
        },
    ),
    "Tagger": Case(
        Tagger,
        TAGGED,
        {},
        {"words": "others", "inputs": [Words("words")], "target": "flags", "bidirectional": False},
    ),
    "LanguageModel": Case(LanguageModel, TEXTS, {}, {"text": "other", "unit": "words", "given": ["kind"]}),
    "SequenceModel": Case(
        SequenceModel,
        [{**record, "points": points} for record, points in zip(ROLLS, STROKES, strict=True)],
        {},
        {
            "frames": "keys",
            "output": ("mixture", {"frames": "points"}),
            "components": (3, {"frames": "points", "output": "mixture"}),
        },
    ),
}
CASES["Translator"] = Case(
    Translator,
    TEXTS,
    {"source": "text", "target": "other"},
    {
        "source": "kind",
        "target": "kind",
        "unit": "characters",
        "attention": "additive",
        "decoder": {"input_feeding": True},
    },
)
CASES["Captioner"] = Case(
    Captioner,
    PICTURES,
    {"picture": Pictures("picture", size=8, channels=1)},
    {
        "picture": "vector",
        "target": "other",
        "unit": "characters",
        "attention": "none",
        "decoder": {"tied": False},
    },
)
every = pytest.mark.parametrize("name", CASES)


def answers(task: Any, data: list[dict[str, Any]]) -> list[np.ndarray]:
    """What a task says about each record, as arrays."""
    if isinstance(task, Classifier | Tagger):
        return list(task.predict_proba(data))
    if isinstance(task, Writer):  # a text tells less than what it is worth
        return [np.array([best.log_probability]) for best, *_ in task.n_best(data)]
    if isinstance(task, LanguageModel):
        return list(task.score_texts([record["text"] for record in data]))
    return task.predict(data)


def assert_same(one: list[np.ndarray], other: list[np.ndarray], tolerance: float = 0.0) -> None:
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


def weights(task: Task) -> dict[str, torch.Tensor]:
    return task.network_.state_dict()


def same_weights(one: Task, other: Task) -> bool:
    mine, theirs = weights(one), weights(other)
    return mine.keys() == theirs.keys() and all(
        mine[name].shape == theirs[name].shape and torch.equal(mine[name], theirs[name]) for name in mine
    )


_FITTED: dict[str, Task] = {}


@pytest.fixture
def fitted(name):
    """One small fitted task of each kind, fitted once; no test changes it."""
    if name not in _FITTED:
        _FITTED[name] = CASES[name].fit()
    return _FITTED[name]


def test_every_task_is_under_these_laws():
    assert set(CASES) | {"Forecaster", "Detector", "Recommender", "NextPlace"} == set(TASKS)
    assert all(task_class(name) is case.kind for name, case in CASES.items())


# ---- scikit-learn's manners ----------------------------------------------------------------------


@every
def test_fit_returns_the_task(name):
    case = CASES[name]
    task = case.make()
    assert task.fit(case.data, epochs=1, baselines=False) is task


@every
def test_the_constructor_only_stores(name):
    case = CASES[name]
    marks = {parameter: object() for parameter in inspect.signature(case.kind).parameters}
    task = case.kind(**marks)
    assert vars(task) == marks
    assert all(task.get_params(deep=False)[parameter] is mark for parameter, mark in marks.items())


@every
def test_clone_and_set_params_give_an_unfitted_copy(name, fitted):
    copied = clone(fitted)
    assert not hasattr(copied, "network_")
    assert copied.get_params(deep=False).keys() == fitted.get_params(deep=False).keys()
    assert copied.set_params(hidden_size=5) is copied
    assert copied.get_params()["hidden_size"] == 5
    assert fitted.get_params()["hidden_size"] == 8


@every
def test_nothing_is_answered_before_fit(name, tmp_path):
    case = CASES[name]
    for act in (
        lambda: answers(case.make(), case.data),
        lambda: case.make().predict(case.data),
        lambda: case.make().evaluate(case.data),
        lambda: case.make().save(tmp_path / "m"),
    ):
        with pytest.raises(NotFittedError, match="call fit"):
            act()
    assert not (tmp_path / "m").exists()


@every
def test_an_unknown_training_option_suggests_the_nearest(name):
    with pytest.raises(OptionError, match="did you mean 'epochs'"):
        CASES[name].make().fit(CASES[name].data, epoch=1)


# ---- learning ------------------------------------------------------------------------------------


@every
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(name, fitted):
    torch.manual_seed(123)  # the state outside must not matter
    assert same_weights(CASES[name].fit(), fitted)
    assert not same_weights(clone(fitted).fit(CASES[name].data, seed=1, baselines=False), fitted)


@every
def test_fitting_again_forgets_what_was_learnt(name, fitted):
    case = CASES[name]
    again = copy.deepcopy(fitted).fit(case.data[:8], epochs=1)
    fresh = clone(fitted).fit(case.data[:8], epochs=1)
    assert same_weights(again, fresh)


@every
def test_what_the_user_gave_is_not_changed_by_fit(name):
    case = CASES[name]
    codecs = {
        "Classifier": {"inputs": [Characters("text")], "target": Labels("y")},
        "Tagger": {"inputs": [Words("words"), WordCharacters("words")], "target": Labels("tags")},
        "LanguageModel": {"unit": Characters("text"), "given": ["kind"]},
        "SequenceModel": {"frames": Frames("frames")},
        "Translator": {"source": Words("text"), "target": Words("other")},
        "Captioner": {"picture": Pictures("picture", size=8), "target": Words("caption")},
    }[name]
    before, data = pickle.dumps(codecs), pickle.dumps(case.data)
    task = case.make(**codecs).fit(case.data, epochs=1, baselines=False)
    assert pickle.dumps(codecs) == before
    assert pickle.dumps(case.data) == data
    assert all(getattr(task, parameter) is given for parameter, given in codecs.items())


@every
def test_fit_leaves_scores_a_history_and_a_summary(name, fitted):
    assert fitted.scores_.n > 0
    assert fitted.scores_.baselines
    assert len(fitted.history_.rows) == EPOCHS
    assert fitted.summary_["records"] == len(CASES[name].data) - round(0.25 * len(CASES[name].data))
    assert not fitted.network_.training
    scores = CASES[name].make().fit(CASES[name].data, epochs=1, baselines=False).scores_
    assert scores is None


@every
def test_every_option_of_the_constructor_changes_what_is_learnt(name, fitted):
    case = CASES[name]
    answering = {"answer"}  # which models answer; the network learns the same: see tests/tasks/test_blend.py
    assert set(case.changes) == set(fitted.get_params(deep=False)) - answering
    for option, value in case.changes.items():
        value, others = value if isinstance(value, tuple) else (value, {})
        other = case.fit(**{option: value}, **others)
        assert not same_weights(case.fit(**others) if others else fitted, other), f"{option} changes nothing"


@every
def test_the_rival_is_trained_and_compared(name, tmp_path):
    case = CASES[name]
    task = case.make(**({"bidirectional": False} if "bidirectional" in case.changes else {}))
    task.fit(case.data, epochs=1, validation=0.3, rival=True)
    (rival,) = (row for row in task.scores_.baselines if "convolution" in row)
    task.save(tmp_path / "m")
    again = load(tmp_path / "m").evaluate(case.data)
    assert again.baselines[rival] == pytest.approx(task.evaluate(case.data).baselines[rival], rel=1e-6)


# ---- answers -------------------------------------------------------------------------------------


@every
def test_an_answer_does_not_depend_on_batch_mates_or_order(name, fitted):
    data = CASES[name].data[:12]
    together = answers(fitted, data)
    alone = [answers(fitted, [record])[0] for record in data]
    turned = answers(fitted, data[::-1])[::-1]
    assert_same(together, alone, 1e-5)
    assert_same(together, turned, 1e-5)
    assert len({np.asarray(answer).tobytes() for answer in together}) > 1


@every
def test_asking_twice_gives_the_same(name, fitted):
    torch.manual_seed(5)
    first = answers(fitted, CASES[name].data)
    torch.manual_seed(6)
    assert_same(first, answers(fitted, CASES[name].data))
    assert fitted.evaluate(CASES[name].data) == fitted.evaluate(CASES[name].data)


@every
def test_training_mode_left_by_a_user_does_not_change_answers(name, fitted):
    task = copy.deepcopy(fitted)
    task.network_.train()
    assert_same(answers(task, CASES[name].data[:4]), answers(fitted, CASES[name].data[:4]))


@every
def test_evaluation_stands_beside_every_baseline(name, fitted):
    scores = fitted.evaluate(CASES[name].data)
    assert {baseline.name for baseline in fitted.baselines_.values()} == set(scores.baselines)
    for values in (scores.model, *scores.baselines.values()):
        assert values.keys() == scores.model.keys()
        assert all(np.isfinite(value) for value in values.values())


# ---- saving --------------------------------------------------------------------------------------


@every
def test_a_loaded_task_is_the_saved_one(name, fitted, tmp_path):
    case = CASES[name]
    assert fitted.save(tmp_path / "m") == tmp_path / "m"
    for again in (load(tmp_path / "m"), case.kind.load(tmp_path / "m")):
        assert type(again) is case.kind
        assert_same(answers(again, case.data), answers(fitted, case.data))
        assert again.evaluate(case.data) == fitted.evaluate(case.data)
        assert again.scores_ == fitted.scores_
        assert again.summary_ == fitted.summary_
        assert len(again.history_.rows) == EPOCHS
        assert again.get_params(deep=False)["hidden_size"] == 8


@every
def test_a_loaded_task_saves_the_same_again(name, fitted, tmp_path):
    fitted.save(tmp_path / "one")
    load(tmp_path / "one").save(tmp_path / "two")
    records = [read_model(tmp_path / place)[0] for place in ("one", "two")]
    for record in records:
        record.pop("saved")
        record.pop("texts")  # a card shows options as they were given, such as a codec
        record["parameters"] = {key: value for key, value in record["parameters"].items() if value is not None}
    assert records[0] == records[1]
    one, two = (next((tmp_path / place).glob("weights-*")) for place in ("one", "two"))
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()


CHILD = """
import json, pickle, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from unrolled.tasks.registry import load
folder = Path(sys.argv[1])
asked = pickle.loads((folder / "asked").read_bytes())
said = {}
for name, data in asked.items():
    task = load(folder / name)
    answer = task.predict(data)
    plain = json.loads(json.dumps(answer, default=lambda array: array.tolist()))
    said[name] = {"predict": plain, "scores": task.evaluate(data).to_json()}
print(json.dumps(said))
"""


def test_a_fresh_process_gives_the_same_answers_and_scores(tmp_path):
    asked = {}
    for name, case in CASES.items():
        task = _FITTED.setdefault(name, None) or case.fit()
        _FITTED[name] = task
        task.save(tmp_path / name)
        asked[name] = case.data[:10]
    (tmp_path / "asked").write_bytes(pickle.dumps(asked))
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    said = json.loads(child.stdout)
    for name, data in asked.items():
        want = json.loads(json.dumps(_FITTED[name].predict(data), default=lambda array: array.tolist()))
        assert said[name]["predict"] == want
        assert said[name]["scores"] == _FITTED[name].evaluate(data).to_json()


@every
def test_the_folder_of_another_task_is_refused(name, fitted, tmp_path):
    fitted.save(tmp_path / "m")
    for other, case in CASES.items():
        if other != name:
            with pytest.raises(OptionError, match=f"a {other}, received a {name}"):
                case.kind.load(tmp_path / "m")


@every
def test_the_card_names_the_task_and_its_scores(name, fitted, tmp_path):
    fitted.save(tmp_path / "m")
    card = (tmp_path / "m" / "README.md").read_text()
    assert card.startswith(f"# {name}\n")
    assert str(fitted.scores_) in card
    assert "object at 0x" not in card


@every
def test_damage_inside_a_folder_is_one_artifact_error(name, fitted, tmp_path):
    fitted.save(tmp_path / "m")
    file = tmp_path / "m" / MODEL
    whole = json.loads(file.read_text())
    for lost in ("task", "parameters", "learnt", "history", "baselines"):
        file.write_text(json.dumps(seal({key: value for key, value in whole.items() if key != lost})))
        with pytest.raises(ArtifactError):
            load(tmp_path / "m")
    other = CASES[name].fit(hidden_size=6)
    other.save(tmp_path / "other")
    files = json.loads((tmp_path / "other" / MODEL).read_text())["files"]
    file.write_text(json.dumps(seal({**whole, "files": files})))
    shutil.copy(tmp_path / "other" / next(iter(files)), tmp_path / "m")
    with pytest.raises(ArtifactError, match="weights: expected"):
        load(tmp_path / "m")


@every
def test_copies_and_pickles_answer_the_same(name, fitted):
    data = CASES[name].data[:6]
    for copied in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert_same(answers(copied, data), answers(fitted, data))


# ---- bad requests --------------------------------------------------------------------------------


@every
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cell": "lstn"}, "did you mean 'lstm'"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"hidden_size": -4}, "hidden_size"),
        ({"num_layers": 0}, "num_layers"),
        ({"dropout": 1.5}, "dropout"),
        ({"layers": {"layer_nrm": True}}, "layer_norm"),
        ({"training": {"epochs": -1}}, "epochs"),
    ],
)
def test_an_illegal_option_is_refused_by_name(name, options, words):
    with pytest.raises(InputError, match=words):
        CASES[name].make(**options).fit(CASES[name].data[:9], baselines=False)


@every
def test_a_model_that_cannot_fit_into_memory_is_refused_before_it_is_made(name):
    with pytest.raises(OptionError, match=r"free memory.*hidden_size"):
        CASES[name].make(hidden_size=10**6).fit(CASES[name].data, baselines=False)


@every
def test_a_missing_column_suggests_the_nearest(name, fitted):
    column = {
        "Classifier": "text",
        "Tagger": "words",
        "LanguageModel": "text",
        "SequenceModel": "frames",
        "Translator": "text",
        "Captioner": "picture",
    }[name]
    data = [{**record, column + "s": record[column]} for record in CASES[name].data[:9]]
    for record in data:
        del record[column]
    with pytest.raises(InputError, match=f"the nearest is '{column}s'"):
        fitted.predict(data)
    with pytest.raises(InputError, match=f"the nearest is '{column}s'"):
        CASES[name].make().fit(data)


@every
@pytest.mark.parametrize("nothing", [[], {}, None])
def test_no_data_is_refused(name, fitted, nothing):
    with pytest.raises(InputError):
        CASES[name].make().fit(nothing)
    with pytest.raises(InputError):
        fitted.evaluate(nothing)
