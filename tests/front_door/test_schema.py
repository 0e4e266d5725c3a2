"""A model keeps the kinds of the columns that it learnt from: every later table, record and event is cast by them."""

import datetime as dt
import functools
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unrolled as ur
from unrolled.data import casts as casting
from unrolled.data.readers import as_source, read_csv, read_jsonl, read_parquet, scan_parquet
from unrolled.data.schema import Schema
from unrolled.errors import ArtifactError, DataError

FAST = {"epochs": 1, "progress": False, "baselines": False}
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(day) for day in range(40)]


def records(count=40):
    rng = np.random.default_rng(0)
    return [
        {
            "v": rng.normal(size=4).round(2).tolist(),
            "age": int(rng.integers(20, 60)),
            "code": ["007", "A5", "12"][row % 3],
            "text": ["355 left", "12", "one two"][row % 3],
            "words": [["a", "7"], ["b"], ["c", "d", "e"]][row % 3],
            "tags": [["X", "N"], ["X"], ["X", "N", "X"]][row % 3],
            "y": ["1", "2", "other"][row % 3],
        }
        for row in range(count)
    ]


def visits():
    return [
        {"user": f"{user:02d}", "item": ["007", "A5", "12", "b"][(user + step) % 4]}
        for user in range(12)
        for step in range(6)
    ]


def sales():
    return [
        {"shop": shop, "day": day, "y": base + place % 7.0}
        for shop, base in (("012", 100), ("A5", 5))
        for place, day in enumerate(DAYS)
    ]


def series(rows=None):
    return as_source(sales() if rows is None else rows, time="day", group="shop")


MAKERS = {
    "numbers and codes": lambda: ur.Classifier(["v", "age", "code"], "y", hidden_size=4).fit(records(), **FAST),
    "texts": lambda: ur.Classifier("text", "y", hidden_size=4).fit(records(), **FAST),
    "tags": lambda: ur.Tagger(hidden_size=4).fit(records(), **FAST),
    "language": lambda: ur.LanguageModel(hidden_size=4).fit(records(), **FAST),
    "translation": lambda: ur.Translator("text", "y", hidden_size=4).fit(records(), **FAST),
    "frames": lambda: ur.SequenceModel("frames", hidden_size=4).fit(
        [{"frames": [[0.5, 1.0], [1.0, 2.0], [0.25, 0.0]]}] * 8, **FAST
    ),
    "items": lambda: ur.Recommender(user="user", item="item", hidden_size=4).fit(visits(), **FAST),
    "forecast": lambda: ur.Forecaster(target="y", horizon=2, hidden_size=4).fit(series(), **FAST),
    "detection": lambda: ur.Detector("y", hidden_size=4, warm_up=5).fit(series(), **FAST),
}


@functools.cache
def fitted(name):
    return MAKERS[name]()


every = pytest.mark.parametrize("name", MAKERS)


def plain(answer):
    if isinstance(answer, pl.DataFrame):
        return answer.rows()
    return [np.asarray(one).tolist() if not isinstance(one, str) else one for one in answer]


# ---- kept, shown and saved --------------------------------------------------------------------------


@every
def test_the_columns_that_are_read_are_kept_with_their_kinds(name, tmp_path):
    model = fitted(name)
    described = model.describe()
    assert set(model.schema_.kinds) <= {column.name for column in described.columns} | {described.target}
    assert all(column.holds for column in described.columns)
    again = ur.load(model.save(tmp_path / "model"))
    assert again.schema_ == model.schema_
    assert again.describe() == described


def test_a_damaged_schema_is_refused():
    schema = fitted("numbers and codes").schema_
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    for damaged in ({}, {"columns": {"a": "what"}, "missing": [], "optional": [], "left": []}, {"columns": 3}):
        with pytest.raises(ArtifactError):
            Schema.from_json(damaged)


def test_a_model_that_was_saved_without_a_schema_still_answers():
    record, tensors = fitted("texts")._to_record()
    old = ur.Classifier._from_record(json.loads(json.dumps(record)), tensors)
    assert old.schema_ == Schema()
    rows = [{"text": "one two"}, {"text": "12"}]
    np.testing.assert_array_equal(old.predict_proba(rows), fitted("texts").predict_proba(rows))


# ---- one record does not change another's answer ----------------------------------------------------

ODD = {
    "numbers and codes": [
        {"v": [1, 2], "age": 30.5, "code": "x", "y": None},
        {"v": [1, 2.5, None], "age": "31", "code": 12, "y": "n/a"},
        {"v": [], "age": None, "code": None, "y": 7},
    ],
    "texts": [{"text": "abc"}, {"text": None}, {"text": 7}],
    "tags": [{"words": ["q"]}, {"words": [1, 2]}, {"words": []}],
}
WHOLE = {
    "numbers and codes": [{"v": [1, 0, 1], "age": 30, "code": 12}, {"v": [0, 1], "age": 40, "code": "007"}],
    "texts": [{"text": 12}, {"text": "355"}],
    "tags": [{"words": ["a", "7"]}, {"words": [7]}],
}


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")  # others are unknown on purpose
@pytest.mark.parametrize("name", ODD)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_record_is_answered_the_same_alone_and_in_company(name, data):
    model = fitted(name)
    mine = data.draw(st.sampled_from(WHOLE[name]))
    others = data.draw(st.lists(st.sampled_from(ODD[name]), min_size=1, max_size=3))
    place = data.draw(st.integers(0, len(others)))
    company = [*others[:place], mine, *others[place:]]
    ask = model.predict if name == "tags" else model.predict_proba
    one, other = np.asarray(ask([mine])[0]), np.asarray(ask(company)[place])
    if name == "tags":
        np.testing.assert_array_equal(one, other)
    else:  # a product of one row and one of several are rounded differently in float32
        np.testing.assert_allclose(one, other, rtol=2e-6)


# ---- any format, the same answers -------------------------------------------------------------------


def flat(rows):
    return [{name: value for name, value in row.items() if name in ("age", "code", "text", "y")} for row in rows]


@pytest.mark.parametrize("rows", [slice(0, 40), slice(0, 40, 3), slice(2, 40, 3), slice(1, 2)])
def test_a_model_answers_the_same_whatever_format_the_rows_come_in(tmp_path, rows):
    model = ur.Classifier([ur.Words("text"), "age", "code"], "y", hidden_size=4).fit(flat(records()), **FAST)
    asked = flat(records())[rows]
    want = model.predict_proba(asked)
    frame = pl.DataFrame(asked)
    frame.write_csv(tmp_path / "a.csv")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.write_parquet(tmp_path / "a.parquet")
    pd.DataFrame(asked).to_csv(tmp_path / "pandas.csv", index=False)
    ways = [
        read_csv(tmp_path / "a.csv"),
        read_csv(tmp_path / "pandas.csv"),
        read_csv(tmp_path / "a.csv", texts=model.schema_.texts()),
        read_jsonl(tmp_path / "a.jsonl"),
        read_parquet(tmp_path / "a.parquet"),
        scan_parquet(tmp_path / "a.parquet"),
        pd.read_csv(tmp_path / "pandas.csv", dtype={"code": "string"}),
        frame,
        frame.to_arrow(),
        pd.DataFrame(asked),
    ]
    for way in ways:
        np.testing.assert_array_equal(model.predict_proba(way), want)


def test_a_lazy_file_is_cast_too(tmp_path):
    model = fitted("texts")
    pl.DataFrame({"text": [12, 355]}).write_parquet(tmp_path / "a.parquet")
    np.testing.assert_array_equal(
        model.predict_proba(scan_parquet(tmp_path / "a.parquet")),
        model.predict_proba([{"text": "12"}, {"text": "355"}]),
    )


def test_labels_that_look_like_numbers_are_still_the_labels_that_were_learnt():
    model = fitted("texts")
    rows = [{"text": "12", "y": label} for label in (1, 2, 1)]
    assert model.evaluate(rows).n == model.evaluate([{**row, "y": str(row["y"])} for row in rows]).n == 3
    assert set(model.predict(rows)) <= {"1", "2", "other"}


def test_items_and_users_that_look_like_numbers_are_still_known():
    model = fitted("items")
    texts = [{"user": "1", "item": "12"}, {"user": "1", "item": "12"}]
    numbers = [{"user": 1, "item": 12}, {"user": 1, "item": 12}]
    assert plain(model.predict(numbers)) == plain(model.predict(texts))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_series_whose_name_looks_like_a_number_is_not_a_stranger(tmp_path, suffix):
    model = fitted("forecast")
    mine = pl.DataFrame([row for row in sales() if row["shop"] == "012"])
    writer = {"csv": mine.write_csv, "jsonl": mine.write_ndjson, "parquet": mine.write_parquet}[suffix]
    writer(tmp_path / f"one.{suffix}")
    answer = model.predict(ur.read(tmp_path / f"one.{suffix}", time="day", group="shop"))
    assert set(answer["shop"]) == {"012"}
    assert plain(answer) == plain(model.predict(series()).filter(pl.col("shop") == "012"))


# ---- refused with column, row and value --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        (
            "numbers and codes",
            [{"v": [1], "age": 1, "code": "a"}, {"v": [1], "age": "old", "code": "a"}],
            "'age'.*'old'.*row 1",
        ),
        (
            "numbers and codes",
            [{"v": [1], "age": 1, "code": "a"}, {"v": ["x"], "age": 1, "code": "a"}],
            "'v'.*'x'.*row 1",
        ),
        ("texts", [{"text": "a"}, {"text": "b"}, {"text": {"a": 1}}], "'text'"),
        ("tags", [{"words": "one string"}], "'words'.*'one string'"),
    ],
)
def test_a_value_that_has_no_place_is_refused_with_column_row_and_value(name, rows, words):
    with pytest.raises(DataError, match=words):
        fitted(name).predict(rows)


def test_a_target_that_is_not_read_stops_no_prediction():
    model = fitted("numbers and codes")
    asked = [{"v": [1.0], "age": 3, "code": "007", "y": what} for what in ("?", None, 3)]
    assert len(model.predict(asked)) == 3


# ---- events ------------------------------------------------------------------------------------------


def test_events_are_cast_as_tables_are():
    model = fitted("items")
    stream = model.stream()
    said, _ = stream.step({"item": 12})
    assert said == stream.step({"item": "12"})[0]
    both, _ = stream.step_many([{"item": 12}, {"item": "A5"}], [None, None])
    assert both[0]["items"] == said["items"]
    state = stream.feed([{"item": 12}, {"item": "b"}])
    assert stream.pack(state) == stream.pack(stream.feed([{"item": "12"}, {"item": "b"}]))


def test_an_event_with_the_kinds_that_were_learnt_is_not_touched():
    schema = Schema({"t": pl.String(), "n": pl.Int64(), "v": pl.List(pl.String()), "x": pl.Float64()})
    event = {"t": "a", "n": 3, "v": "one step", "x": 2}
    assert schema.cast_event(event) is event
    assert schema.cast_event({"t": 7, "v": 5, "n": "3"}) == {"t": "7", "v": "5", "n": 3}
    assert schema.cast_event({"t": None}) == {"t": None}
    assert schema.cast_event("a text") == "a text"


@pytest.mark.parametrize("row", [0, 1, 6, 7, 498, 499])
@pytest.mark.parametrize("other", [["1", "2"], [], None])
def test_the_row_of_a_list_that_has_no_place_is_found_among_many(row, other, monkeypatch):
    lists = pl.Series("v", [["x"] if place == row else other for place in range(500)], dtype=pl.List(pl.String))
    casts = []
    cast = casting.cast
    monkeypatch.setattr(casting, "cast", lambda *given: casts.append(given) or cast(*given))
    with pytest.raises(DataError, match=rf"received \['x'\] in row {row}$"):
        Schema({"v": pl.List(pl.Int64())}).cast(lists.to_frame())
    assert len(casts) < 15
