"""Marks of missing values hold for every task and every way in, are learnt with the model, and are no values."""

import functools
import json

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from folders.tiny_tasks import log, series
from unrolled.data.readers import as_source, read_csv, read_jsonl
from unrolled.errors import OptionError

FAST = {"epochs": 1, "progress": False, "baselines": False, "validation": 0, "device": "cpu"}
MARKS = [-9999, "absent"]


def rows():
    rng = np.random.default_rng(3)
    return [
        {
            "text": ["to be", "or not", "that is"][row % 3],
            "size": None if row % 4 == 1 else row / 7,
            "count": None if row % 5 == 2 else row,
            "steps": [round(float(one), 2) if one > -1 else None for one in rng.normal(size=4)],
            "frames": [[0.5, row / 9], [0.25, 1.0], [row / 5, 0.0]],
            "words": ["a", "b"] if row % 2 else ["b", "c"],
            "tags": ["X", "N"],
            "y": "uv"[row % 2],
        }
        for row in range(24)
    ]


@functools.cache  # drawn once
def long():
    frame = series(60).frame
    gap = pl.int_range(pl.len()) % 11 == 5
    return [*frame.with_columns(pl.when(~gap).then("load").alias("load")).to_dicts()]


@functools.cache  # drawn once
def visits(name):
    frame = log()
    gap = pl.int_range(pl.len()) % 7 == 5
    return frame.with_columns(pl.when(~gap).then(name).alias(name), pl.col("time").cast(pl.String)).to_dicts()


IN_TIME = {"time": "day", "group": "site"}
MAKERS = {  # the task, its data, and the options of reading them
    "Classifier": (lambda: ur.Classifier([ur.Words("text"), "size", "count"], "y", hidden_size=4), rows, {}),
    "Classifier, steps": (lambda: ur.Classifier(ur.Numbers("steps"), "y", hidden_size=4), rows, {}),
    "LanguageModel": (lambda: ur.LanguageModel("text", given=["size"], hidden_size=4), rows, {}),
    "Forecaster": (lambda: ur.Forecaster("load", past_covariates=["heat"], horizon=2, hidden_size=4), long, IN_TIME),
    "Detector": (lambda: ur.Detector(["load", "heat"], hidden_size=4, warm_up=5), long, IN_TIME),
    "Recommender": (
        lambda: ur.Recommender("user", "item", "time", features=["price"], hidden_size=4),
        lambda: visits("price"),
        {},
    ),
}
ASK = {
    "Classifier": lambda model, data: model.predict_proba(data),
    "LanguageModel": lambda model, data: model.score_texts(data),
    "Recommender": lambda model, data: model.predict(data, k=4),
    "Detector": lambda model, data: model.detect(data),
}


def marked(records, mark):
    """Return records in which a mark stands for each missing value, also in lists of numbers."""

    def one(value):
        return mark if value is None else [one(step) for step in value] if isinstance(value, list) else value

    return [{name: one(value) for name, value in record.items()} for record in records]


@functools.cache
def fitted(name):
    make, data, options = MAKERS[name]
    return make().fit(as_source(marked(data(), -9999), missing=MARKS, **options), **FAST)


def answer(name, model, data):
    found = ASK.get(name.partition(",")[0], lambda model, data: model.predict(data))(model, data)
    return found.rows() if isinstance(found, pl.DataFrame) else np.asarray(found).tolist()


def flat(records):
    return [{name: one for name, one in record.items() if not isinstance(one, list)} for record in records]


every = pytest.mark.parametrize("name", MAKERS)


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
@every
def test_a_model_learns_the_same_from_marks_as_from_missing_values(name):
    make, data, options = MAKERS[name]
    plain = make().fit(as_source(data(), **options), **FAST)
    asked = as_source(data(), **options)
    assert answer(name, fitted(name), asked) == answer(name, plain, asked)


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
@pytest.mark.parametrize("mark", [-9999, -9999.0, "-9999", "absent", " absent "])
@every
def test_a_model_answers_marks_as_missing_values_in_every_table(name, mark, tmp_path):
    _, data, options = MAKERS[name]
    model, records = fitted(name), data()
    want = answer(name, model, as_source(records, **options))
    given = marked(records, mark)
    if isinstance(mark, str):  # in lists, only numbers can be marks
        given = [{**one, "steps": record.get("steps")} for one, record in zip(given, records, strict=True)]
    ways = [as_source(given, **options)]
    lines = tmp_path / "a.jsonl"
    lines.write_text("\n".join(json.dumps(one, default=str) for one in given), encoding="utf-8")
    ways += [read_jsonl(lines, **options), read_jsonl(lines, missing=MARKS, **options)]
    if name != "Classifier, steps":
        pl.DataFrame(flat(given), strict=False, infer_schema_length=None).write_csv(tmp_path / "a.csv")
        ways += [read_csv(tmp_path / "a.csv", **options), read_csv(tmp_path / "a.csv", missing=MARKS, **options)]
    for way in ways:
        assert answer(name, model, way) == want


@pytest.mark.parametrize("mark", [-9999, "-9999", "absent"])
@pytest.mark.parametrize("name", ["Forecaster", "Detector", "Recommender"])
def test_a_mark_in_an_event_is_a_missing_value(name, mark):
    _, data, _ = MAKERS[name]
    stream = fitted(name).stream()
    records = data()[:6]  # of one series or user, with a gap
    states = [stream.feed(one) for one in (records, marked(records, mark))]
    assert stream.pack(states[0]) == stream.pack(states[1])


@every
def test_marks_are_kept_with_the_model_and_shown(name, tmp_path):
    model = ur.load(fitted(name).save(tmp_path / "model"))
    assert model.schema_.given_marks == ("-9999", "absent")
    assert "-9999, absent" in str(model.schema_)
    assert "-9999, absent" in model.describe().reading["missing values"]
    assert "-9999, absent" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("mark", ["NA", "n/a", "-", "", None, float("nan")])
@every
def test_the_usual_marks_are_missing_in_columns_of_numbers(name, mark):
    _, data, options = MAKERS[name]
    model = _usual(name)
    want = answer(name, model, as_source(data(), **options))
    assert answer(name, model, as_source(marked(data(), mark), **options)) == want


@functools.cache
def _usual(name):
    make, data, options = MAKERS[name]
    return make().fit(as_source(marked(data(), "NA"), **options), **FAST)


def test_marks_that_are_no_list_are_refused():
    for missing in ("NA", 3, [None], [["NA"]]):
        with pytest.raises(OptionError, match="missing"):
            as_source([{"a": 1}], missing=missing)
