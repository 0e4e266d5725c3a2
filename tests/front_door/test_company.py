"""No answer depends on what else is in the same call, nor on the order of the records: for every task."""

import functools
from typing import Any

import numpy as np
import polars as pl
import pytest

from folders.tiny_tasks import MAKERS, tiny
from unrolled.errors import DataError

ROUNDING = 2e-6  # a product of one row and one of several are rounded differently in float32

# values of a column that no training record has: other kinds, other depths, missing ones
ODD: dict[str, list[Any]] = {
    "words": [["zz", None], [], None, ["a", 7], [7, 8], [True], [1.5]],
    "text": ["", None, 7, "007", True, 1.5, "1.10", "[1, 2]"],
    "kind": [None, 7, "zz", True, 1.5],
    "size": [None, 1, "NA", True, float("nan"), 1e300, "3"],
    "roll": [[], [[1, 0, 1]], [[1.5, 0, None]], None, [[True, False, True]]],
    "stroke": [[], [[1, 2]], [[None, 1.0]], None, [[True, 0.5]]],
    "picture": [
        np.zeros((8, 8), np.uint8),
        [[0.5] * 8] * 8,
        [[0, 1] * 4] * 8,
        np.ones((4, 4)),
        np.zeros((8, 8, 3), np.uint8),
        np.ones((3, 8, 8), np.uint8),
    ],
    "tags": [None, [], ["N", 7]],
    "y": [None, 7, "q", 1.5],
    "further": ["x", 1, [1], {"a": 1}, {1: "a", "1": "b"}, {1, 2}],
}
BY_RECORD = [
    name for name in MAKERS if name.partition(",")[0] not in ("Forecaster", "Detector", "Recommender", "NextPlace")
]


def best(model: Any, rows: Any) -> Any:
    return [[(one.text, one.log_probability) for one in found] for found in model.n_best(rows)]


ASK = {
    "Classifier": lambda model, rows: model.predict_proba(rows),
    "Tagger": lambda model, rows: model.predict_proba(rows),
    "LanguageModel": lambda model, rows: model.score_texts(rows),
    "SequenceModel": lambda model, rows: model.predict(rows),
    "Translator": best,
    "Captioner": best,
}


@functools.cache
def alone(name: str, place: int) -> Any:
    return ASK[name.partition(",")[0]](tiny(name).model, [tiny(name).data[place]])[0]


def same(one: Any, other: Any) -> bool:
    """Whether two answers are the same but for the rounding of float32."""
    if isinstance(one, list | tuple) or (isinstance(one, np.ndarray) and one.dtype.kind == "O"):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str):
        return one == other
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=ROUNDING, atol=ROUNDING, equal_nan=True)


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")  # others are unknown on purpose
@pytest.mark.parametrize("name", BY_RECORD)
def test_a_record_is_answered_the_same_alone_in_company_and_in_any_order(name):
    model, records, _ = tiny(name)
    ask = ASK[name.partition(",")[0]]
    columns = [*(column.name for column in model.describe().columns), "y", "tags", "further"]
    odd = [(column, value) for column in dict.fromkeys(columns) for value in ODD[column]]
    for place, (column, value) in enumerate(odd):
        other = {**records[place % 3], column: value}
        mine = place % 5
        company = [{**records[4 - mine], "further": [place]}, other, records[mine]]
        try:
            answers = ask(model, company)
        except DataError:
            with pytest.raises(DataError):  # refused for itself, and not for its company
                ask(model, [other])
            continue
        assert same(answers[2], alone(name, mine)), (column, value)
        assert same(ask(model, company[::-1]), answers[::-1]), (column, value)


SERIES = {
    "Forecaster": ("site", "load", lambda model, rows: model.predict(rows)),
    "Detector": ("site", "load", lambda model, rows: model.detect(rows)),
    "Recommender": ("user", "price", lambda model, rows: model.predict(rows, k=4)),
    "NextPlace": ("user", "lat", lambda model, rows: model.predict(rows, k=4)),
}


def rows_of(found: pl.DataFrame, group: str, key: str) -> list[Any]:
    return [tuple(row.values()) for row in found.filter(pl.col(group) == key).to_dicts()]


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
@pytest.mark.parametrize("change", ["decimals", "whole numbers", "missing", "another name", "fewer rows"])
@pytest.mark.parametrize("name", SERIES)
def test_a_series_is_answered_the_same_alone_in_company_and_in_any_order(name, change):
    model, table, _ = tiny(name)
    group, column, ask = SERIES[name]
    frame = table if isinstance(table, pl.DataFrame) else table.frame
    mine, other, *_ = frame[group].unique(maintain_order=True).to_list()
    own, theirs = (frame.filter(pl.col(group) == key) for key in (mine, other))
    values = {
        "decimals": pl.col(column) + 0.123,
        "whole numbers": pl.col(column).cast(pl.Int64).cast(pl.Float64),
        "missing": pl.when(pl.int_range(pl.len()) % 3 > 0).then(column),
    }
    theirs = theirs.with_columns(values.get(change, pl.col(column)).alias(column))
    if change == "another name":
        theirs = theirs.with_columns(pl.lit("12").alias(group))
    theirs = theirs[: len(theirs) // 2] if change == "fewer rows" else theirs
    want = rows_of(ask(model, own.to_dicts()), group, mine)
    for company in (pl.concat([own, theirs]), pl.concat([theirs, own])):
        for way in (company, company.to_dicts(), company.sample(fraction=1, shuffle=True, seed=1)):
            assert same_rows(rows_of(ask(model, way), group, mine), want), (change, type(way))


def same_rows(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and np.isclose(a, b, rtol=1e-5, atol=1e-6))
        for row, wanted in zip(one, other, strict=True)
        for a, b in zip(row, wanted, strict=True)
    )


# ---- what is drawn, searched and scored ----------------------------------------------------------------

TOTALS = {  # a score that is a mean over answers
    "Classifier": "log_loss",
    "Tagger": "accuracy",
    "LanguageModel": "nats_per_token",
    "SequenceModel": "nats_per_frame",
    "Captioner": "exact",
    "Translator": "exact",
}


@pytest.mark.parametrize("name", BY_RECORD)
def test_the_scores_of_several_records_are_the_sums_of_their_own(name):
    model, records, _ = tiny(name)
    metric = TOTALS[name.partition(",")[0]]
    single = [model.evaluate([record]) for record in records]
    for order in (records, records[::-1]):
        whole = model.evaluate(order)
        assert whole.n == sum(one.n for one in single)
        wanted = sum(one.n * one.model[metric] for one in single)
        np.testing.assert_allclose(whole.n * whole.model[metric], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BY_RECORD)
def test_predict_answers_each_record_as_alone(name):
    model, records, _ = tiny(name)
    whole = model.predict(records)
    for place, record in enumerate(records):
        assert same(whole[place], model.predict([record])[0])
        assert same(model.predict(records[::-1])[len(records) - 1 - place], whole[place])


@pytest.mark.parametrize("name", ["LanguageModel", "SequenceModel", "SequenceModel, mixture"])
def test_what_is_generated_depends_on_the_seed_and_not_on_earlier_calls(name):
    model, records, _ = tiny(name)
    start = {"LanguageModel": "Anna", "SequenceModel": records[0]["roll"]}.get(name, records[0]["stroke"])
    options = {"given": {"kind": "a"}} if name == "LanguageModel" else {"temperature": 1.0}
    first = model.generate(start, length=12, seed=3, **options)
    np.random.seed(5)  # noqa: NPY002 - the state that another library may leave behind
    model.generate(start, length=5, seed=4, **options)
    assert same(model.generate(start, length=12, seed=3, **options), first)
    assert not same(model.generate(start, length=12, seed=8, **options), first)


def test_what_is_drawn_depends_on_the_seed_and_not_on_earlier_calls():
    model = tiny("SequenceModel, mixture").model
    first = model.draw(3, length=6, seed=1)
    model.draw(2, length=4, seed=2)
    assert same(model.draw(3, length=6, seed=1), first)
    assert not same(model.draw(3, length=6, seed=2), first)
