"""A value of any kind in any column of any task is read, or refused in one sentence of ours."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from folders.tiny_tasks import MAKERS, tiny
from unrolled.data.source import Table
from unrolled.errors import DataError, InputError, UnrolledError

VALUES = {
    "None": None,
    "NaN": float("nan"),
    "empty text": "",
    "empty list": [],
    "list of None": [None],
    "dictionary": {"a": 1},
    "object": object(),
    "number": 3,
    "infinity": float("inf"),
    "long number": 10**40,
    "true": True,
    "bytes": b"\xff",
    "date": dt.date(2024, 1, 1),
    "deep list": [[[1, 2]]],
    "texts": ["a", "b"],
    "numbers": [1, 2.5],
    "array": np.ones((3, 3, 3)),
}
WHOLE = {
    "no record": [],
    "no column": {},
    "an empty record": [{}],
    "None": None,
    "a text": "abc",
    "a number": 5,
    "numbers": [1, 2, 3],
    "texts": ["ab", "c"],
    "an array": np.ones((3, 4)),
    "an array of vectors": np.ones((3, 4, 2)),
    "lists of texts": [["a", "b"], ["c"]],
}


def asked(name):
    data = tiny(name).data
    if isinstance(data, list):
        return data
    return (data.frame if isinstance(data, Table) else data).to_dicts()


def read_or_refused(ask, given, what):
    try:
        ask(given)
    except UnrolledError as fault:
        said = str(fault)
        assert said, what
        assert len(said) < 420, what
        assert "\n" not in said, what


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
@pytest.mark.parametrize("name", MAKERS)
def test_a_value_of_any_kind_is_read_or_refused_in_one_sentence(name):
    model, rows = tiny(name).model, asked(name)
    for place, column in enumerate(column.name for column in model.describe().columns):
        for number, (kind, value) in enumerate(VALUES.items()):
            ask = (model.predict, model.evaluate)[(place + number) % 2]
            read_or_refused(ask, [{**row, column: value} for row in rows], (column, kind))
        for verb in (model.predict, model.evaluate):
            lacking = [{key: value for key, value in row.items() if key != column} for row in rows]
            read_or_refused(verb, lacking, (column, "lacking"))


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
@pytest.mark.parametrize("name", MAKERS)
def test_data_of_any_kind_are_read_or_refused_in_one_sentence(name):
    model, rows = tiny(name).model, asked(name)
    for kind, given in WHOLE.items():
        for verb in (model.predict, model.evaluate):
            read_or_refused(verb, given, kind)
    read_or_refused(model.predict, rows[:1], "one row")
    read_or_refused(model.predict, pl.DataFrame(rows[:1]).head(0), "no row")


@pytest.mark.parametrize("name", MAKERS)
def test_further_columns_stop_nothing(name):
    model, rows = tiny(name).model, asked(name)
    odd = [object(), [1], {"a": 1}]
    more = [{**row, "further": odd[place % 3], "": 1} for place, row in enumerate(rows)]
    assert repr(model.predict(more)) == repr(model.predict(rows))


@pytest.mark.parametrize(
    ("words", "tags"),
    [([["a", "b"]], [["X"]]), ([["a"]], [["X", "N"]]), ([["a"]], [None]), ([None, ["a"]], [["X"], ["N"]])],
)
def test_another_number_of_labels_than_of_words_is_refused_in_evaluate(words, tags):
    with pytest.raises(InputError, match="one target for each input step"):
        tiny("Tagger").model.evaluate(words, tags)


def test_bytes_that_are_text_are_text_in_every_form():
    model = tiny("Classifier, characters").model
    want = model.predict_proba([{"text": "Anna"}])
    for given in ([{"text": b"Anna"}], {"text": [b"Anna"]}, pl.DataFrame({"text": [b"Anna"]})):
        np.testing.assert_array_equal(model.predict_proba(given), want)
    with pytest.raises(DataError, match="column 'text': expected text"):
        model.predict(pl.DataFrame({"text": [b"\xff"]}))


@pytest.mark.parametrize("group", [object(), [1], {"a": 1}, b"\xff"], ids=lambda group: type(group).__name__)
def test_names_of_series_and_users_are_single_values(group):
    rows = [{"g": group, "t": step, "y": float(step), "item": step} for step in range(30)]
    with pytest.raises(DataError, match="column 'g': expected single values"):
        ur.as_source(rows, time="t", group="g")
    with pytest.raises(DataError, match="column 'g': expected single values"):
        ur.Recommender("g").fit(rows, epochs=1, progress=False)
