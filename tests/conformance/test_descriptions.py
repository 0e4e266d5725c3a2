"""What every task says of itself is true: its codecs, its columns, its answers, and whether it opens files."""

import functools
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from jsonschema_rs import validate

import unrolled as ur
from audit import heard
from serving.media_models import MAKERS as MEDIA
from serving.media_models import fitted as fitted_media
from unrolled.codecs.base import Codec
from unrolled.codecs.registry import CODECS, codec_from_json
from unrolled.errors import DataError, InputError, UnrolledError
from unrolled.tasks.description import Ability, Answer, Kind
from unrolled.tasks.registry import TASKS, load

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "description.schema.json").read_text(encoding="utf-8"))

QUICK = {"epochs": 1, "validation": 0.0, "baselines": False}
TEXTS = [{"text": f"{'abc'[row % 3]} word or {row % 5}", "more": row % 3, "y": "uv"[row % 2]} for row in range(20)]
TAGGED = [{"words": ["a", "b", "a"][: 1 + row % 3], "tags": ["x", "y", "x"][: 1 + row % 3]} for row in range(20)]
FRAMES = [{"frames": [[row % 2, 1, 0], [0, 1, row % 3]]} for row in range(20)]
DAYS = [{"t": step, "k": "ab"[step % 2], "y": float(step % 7), "more": step % 3} for step in range(160)]
HOSTS = [{"t": step, "k": "ab"[step % 2], "e": "pqr"[step // 2 % 3]} for step in range(300)]
BOUGHT = [
    {"user": row % 4, "item": ["tea", "milk", "jam"][row // 4 % 3], "time": row, "price": row % 5} for row in range(60)
]
SEEN = [{"user": row % 4, "latitude": 48 + row // 4 % 3, "longitude": 11.0, "time": row} for row in range(60)]

# for each task: one made small, and its data
CASES: dict[str, Any] = {
    "Classifier": lambda: (ur.Classifier(hidden_size=4, inputs=["text", "more"]), TEXTS),
    "Classifier of several labels": lambda: (
        ur.Classifier("text", ur.MultiLabels("many"), hidden_size=4),
        [{**row, "many": [row["y"]]} for row in TEXTS],
    ),
    "Classifier with a rival": lambda: (ur.Classifier("text", hidden_size=4), TEXTS),
    "Tagger": lambda: (ur.Tagger(hidden_size=4), TAGGED),
    "Forecaster": lambda: (
        ur.Forecaster("y", 2, hidden_size=4, past_covariates=["more"]),
        ur.as_source(DAYS, time="t", group="k"),
    ),
    "Forecaster of one series": lambda: (ur.Forecaster("y", 2, hidden_size=4), [{"y": row["y"]} for row in DAYS]),
    "Detector": lambda: (ur.Detector("y", hidden_size=4, warm_up=20), ur.as_source(DAYS, time="t", group="k")),
    "Detector of events": lambda: (
        ur.Detector("e", hidden_size=4, warm_up=20),
        ur.as_source(HOSTS, time="t", group="k"),
    ),
    "LanguageModel": lambda: (ur.LanguageModel(hidden_size=4), TEXTS),
    "LanguageModel given columns": lambda: (ur.LanguageModel(hidden_size=4, given=["more", "y"]), TEXTS),
    "SequenceModel": lambda: (ur.SequenceModel(hidden_size=4), FRAMES),
    "Translator": lambda: (ur.Translator("text", "y", unit="characters", hidden_size=4), TEXTS),
    "Captioner": lambda: (
        ur.Captioner("picture", hidden_size=4),
        [{"picture": np.full((8, 8), row % 2 * 200, dtype=np.uint8), "caption": "so it is"} for row in range(20)],
    ),
    "Recommender": lambda: (
        ur.Recommender(hidden_size=4, embedding_size=4, features="price", item_features="price"),
        BOUGHT,
    ),
    "NextPlace": lambda: (
        ur.NextPlace(hidden_size=4, embedding_size=4, place=ur.Places("latitude", "longitude", least=1)),
        SEEN,
    ),
}


@functools.cache
def fitted(name: str) -> Any:
    if name in MEDIA:
        return fitted_media(name)
    task, data = CASES[name]()
    return task.fit(data, **QUICK, **({"rival": True} if "rival" in name else {}))


@pytest.fixture(params=[*CASES, *MEDIA])
def task(request):
    found = fitted(request.param)
    yield found
    found.allow_files(True)


def codecs_within(task: Any) -> dict[int, Codec]:
    """Every codec that can be reached from a task, but for those that its constructor was given."""
    given = task.get_params(deep=False)
    found: dict[int, Codec] = {}
    seen: set[int] = set()
    waiting: list[Any] = [value for name, value in vars(task).items() if name not in given]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Codec):
            found[id(one)] = one
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple | set):
            waiting += one
        elif type(one).__module__.startswith("unrolled.") and hasattr(one, "__dict__"):
            hidden = one.get_params(deep=False) if type(one).__name__ in TASKS else {}  # a rival
            waiting += [value for name, value in vars(one).items() if name not in hidden]
    return found


def test_every_task_is_looked_at():
    assert {name.split()[0] for name in CASES} == set(TASKS)
    media = {
        type(codec).__name__ for name in MEDIA for codec in codecs_within(fitted(name)).values() if codec.opens_files
    }
    assert media == {kind.__name__ for kind in CODECS.values() if kind.opens_files}


@pytest.mark.parametrize("kind", CODECS.values(), ids=lambda kind: kind.name)
def test_every_codec_says_itself_whether_it_opens_files(kind):
    assert isinstance(vars(kind)["opens_files"], bool)


def test_a_task_names_every_codec_that_it_has(task):
    every = [task] if task.rival_ is None else [task, task.rival_]
    named = {id(codec) for one in every for codec in (*one._input_codecs(), *one._answer_codecs())}
    assert named == set(codecs_within(task))


def test_one_word_shuts_and_opens_all_of_a_task(task, tmp_path):
    task.save(tmp_path / "model")
    for one in (task, load(tmp_path / "model"), load(tmp_path / "model", files=False).allow_files()):
        codecs = codecs_within(one).values()
        assert [codec.may_open for codec in codecs] == [codec.opens_files for codec in codecs]
    for one in (
        task.allow_files(False),
        load(tmp_path / "model", files=False),
        load(tmp_path / "model").allow_files(False),
    ):
        assert not any(codec.may_open for codec in codecs_within(one).values())


def test_the_columns_that_are_named_are_all_that_an_answer_needs(task, request):
    name = request.node.callspec.params["task"]
    said = task.describe()
    assert said.opens_files == tuple(column.name for column in said.columns if column.kind == "media")
    if name in MEDIA:
        return
    _, data = CASES[name]()
    names = [column.name for column in said.columns]
    assert len(set(names)) == len(names)
    records = [{column: record[column] for column in names} for record in data]
    source = ur.as_source(records, time=said.time, group=said.group) if said.time in names else records
    assert len(task.predict(source))
    for column in said.columns:
        if column.kind not in ("time", "group") and said.answer != "forecast":
            spoilt = [{"else" if name == column.name else name: record[name] for name in names} for record in records]
            with pytest.raises(UnrolledError, match=column.name):
                task.predict(spoilt)
        if column.takes_text and column.kind == "text":
            assert isinstance(records[0][column.name], str)


def test_answers_are_of_the_kind_that_is_said(task):
    said = task.describe()
    kinds = {
        "label": "Classifier", "labels": "Tagger", "text": "Translator Captioner", "token": "LanguageModel",
        "items": "Recommender NextPlace", "frames": "SequenceModel", "forecast": "Forecaster", "scores": "Detector",
    }  # fmt: skip
    assert said.task == type(task).__name__
    assert said.task in kinds[said.answer].split()
    assert ("probabilities" in said.abilities) == hasattr(task, "predict_proba")
    assert ("generate" in said.abilities) == hasattr(task, "score_texts")
    assert said.classes is not None or "probabilities" not in said.abilities


def test_a_task_that_has_learnt_nothing_describes_nothing():
    for name in CASES:
        task, _ = CASES[name]()
        for ask in (task.describe, task.allow_files):
            with pytest.raises(UnrolledError, match="learnt nothing"):
                ask()


# ---- media where they have no place -----------------------------------------------------------------

IMAGE = [[[0, 9], [9, 0]]] * 2
REFUSING = {
    "Forecaster": lambda codec: ur.Forecaster("y", 2, hidden_size=4, past_covariates=[codec]),
    "Forecaster, static": lambda codec: ur.Forecaster("y", 2, hidden_size=4, static_covariates=[codec]),
    "Recommender": lambda codec: ur.Recommender(hidden_size=4, embedding_size=4, features=[codec]),
    "Recommender of items": lambda codec: ur.Recommender(hidden_size=4, embedding_size=4, item_features=[codec]),
    "NextPlace": lambda codec: ur.NextPlace(place="item", hidden_size=4, embedding_size=4, features=[codec]),
    "Translator": lambda codec: ur.Translator(codec, "item", hidden_size=4),
    "Translator into": lambda codec: ur.Translator("item", codec, hidden_size=4),
    "LanguageModel": lambda codec: ur.LanguageModel(text="media", unit=codec, hidden_size=4),
    "SequenceModel": lambda codec: ur.SequenceModel(codec, hidden_size=4),
    "Classifier into": lambda codec: ur.Classifier("item", codec, hidden_size=4),
    "Tagger into": lambda codec: ur.Tagger("item", target=codec, hidden_size=4),
}
ROWS = [{"user": row % 4, "item": "abc"[row % 3], "time": row, "y": float(row), "media": IMAGE} for row in range(40)]


@pytest.mark.filterwarnings("ignore:rows are read as one series")  # as a forecaster would read these
@pytest.mark.parametrize("kind", [ur.Pictures, ur.Video, ur.Audio], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", REFUSING)
def test_media_are_refused_where_they_have_no_place(name, kind):
    with pytest.raises(InputError):
        REFUSING[name](kind("media")).fit(ROWS, **QUICK)


# ---- codecs of media --------------------------------------------------------------------------------

VALUES = {"audio": [0.1] * 800, "pictures": IMAGE[0], "video": IMAGE}


@pytest.mark.parametrize("kind", [kind for kind in CODECS.values() if kind.opens_files], ids=lambda kind: kind.name)
def test_a_codec_that_was_read_opens_nothing_until_it_may(kind, tmp_path):
    codec = kind("x").fit([{"x": VALUES[kind.name]}])
    again = codec_from_json(codec.to_json())
    assert codec.may_open
    assert not again.may_open
    (tmp_path / "there.png").write_bytes(b"x")
    said = set()
    for name in (
        tmp_path / "there.png",
        str(tmp_path / "there.png"),
        str(tmp_path / "nowhere"),
        str(tmp_path),
        "x" * 20_000,
    ):
        with heard() as events, pytest.raises(DataError) as caught:
            again.encode([{"x": name}])
        assert not events
        said.add(str(caught.value))
    assert said == {"column 'x', record 0: expected numbers, as files are not opened here, received a text"}
    again.allow_files(True)
    with pytest.raises(DataError, match=r"there\.png"):
        again.encode([{"x": str(tmp_path / "there.png")}])


@pytest.mark.parametrize("name", CASES)
def test_a_description_is_plain_json_by_the_schema_in_the_docs(name):
    task, data = CASES[name]()
    said = json.loads(json.dumps(task.fit(data, **QUICK).describe().to_json(), allow_nan=False))
    validate(SCHEMA, said)
    assert set(said) == set(SCHEMA["properties"])


def test_the_schema_in_the_docs_has_every_ability_answer_and_kind():
    known = SCHEMA["properties"]
    assert tuple(known["abilities"]["items"]["enum"]) == get_args(Ability)
    assert tuple(known["answer"]["enum"]) == get_args(Answer)
    assert tuple(known["columns"]["items"]["properties"]["kind"]["enum"]) == get_args(Kind)
