"""Lists in the cells of a table of text are lists, as JSON or as pandas writes them, if all cells of a column are."""

import json

import numpy as np
import pandas as pd
import pytest

import unrolled as ur
from unrolled.data.readers import read_csv, read_tsv

LISTS = {
    "whole numbers": [[1, 2], [], [3]],
    "numbers": [[1.0, 2.5], [-1e-9], [0.0]],
    "missing ones": [[1.0, None], [2.5], [None]],
    "texts": [["a", "it's"], ['"b", c'], []],
    "missing texts": [["a", None], ["None"], ["x"]],
    "true and false": [[True, False], [True], [False]],
    "vectors": [[[1, 2], [3, 4]], [[5, 6]], [[7, 8]]],
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_come_back_from_json_and_from_pandas(kind):
    lists = LISTS[kind]
    written = pd.DataFrame({"v": list(map(json.dumps, lists)), "n": range(3)}).to_csv(index=False)
    assert read_csv(written.encode()).frame["v"].to_list() == lists
    tabs = "v\tn\n" + "".join(f"{json.dumps(one)}\t1\n" for one in lists)
    assert read_tsv(tabs.encode()).frame["v"].to_list() == lists
    held = [[np.nan if step is None else step for step in one] if kind == "missing ones" else one for one in lists]
    pandas = pd.DataFrame({"v": held, "n": range(3)}).to_csv(index=False)
    assert read_csv(pandas.encode()).frame["v"].to_list() == lists


@pytest.mark.parametrize(
    "held",
    [
        [np.array([1.0, 2.5]), np.array([-3e5, 1e-7])],
        [np.array([1, 20, 300]), np.array([4])],
        [np.arange(40) / 8, np.arange(3) / 8],  # written on several lines
        [np.array([[1.0, 2.0], [3.0, 4.5]]), np.array([[5.0, 6.0]])],
        [np.array([True, False]), np.array([True])],
        [np.array(["a", "it's"]), np.array(["b c"])],
        [[np.float64(0.5), np.float64(2.0)], [np.float64(1.0)]],
        [[np.int64(3), np.int64(4)], []],
        [[np.str_("a"), np.str_("b")], [np.str_("c")]],
        [[np.True_, np.False_], [np.False_]],
    ],
)
def test_arrays_and_their_numbers_come_back_from_what_pandas_writes(held):
    written = pd.DataFrame({"v": held, "n": range(2)}).to_csv(index=False)
    assert read_csv(written.encode()).frame["v"].to_list() == [np.asarray(one).tolist() for one in held]


def test_an_array_that_is_shortened_is_named():
    table = read_csv(pd.DataFrame({"v": [np.arange(2000.0)] * 2, "n": range(2)}).to_csv(index=False).encode())
    assert table.notes == (
        "column 'v' is text: '...' stands for values that were not written; save whole lists, such as array.tolist()",
    )


@pytest.mark.parametrize(
    "cells",
    [
        ["[deleted]", "[removed]"],
        ["[1, 2]", "no list"],
        ["[deleted by a user]", "[1 2]"],
        ["[1 - 2]", "[3 4]"],
        ["[1]", "[[1]]"],
        ["['a\\n']"],
        ["[007]"],
        ["[" * 3000 + "]" * 3000],
    ],
)
def test_what_is_no_list_in_every_cell_stays_text(cells):
    table = pd.DataFrame({"v": cells, "n": range(len(cells))}).to_csv(index=False)
    assert read_csv(table.encode()).frame["v"].to_list() == cells


def test_cells_without_a_value_are_missing_lists():
    assert read_csv(b'v,n\n"[1, 2]",1\nNA,2\n,3\n').frame["v"].to_list() == [[1, 2], None, None]


def test_a_model_of_lists_learns_and_answers_the_same_from_a_table_of_text():
    rows = [{"v": [0.1 * row, 1.0, row % 3], "y": "ab"[row % 2]} for row in range(16)]
    options = {"epochs": 1, "progress": False, "baselines": False}
    want = ur.Classifier("v", "y", hidden_size=4).fit(rows, **options).predict_proba(rows)
    table = read_csv(pd.DataFrame(rows).to_csv(index=False).encode())
    model = ur.Classifier("v", "y", hidden_size=4).fit(table, **options)
    assert str(model.schema_).splitlines()[:2] == ["v: lists of numbers", "y: text"]
    np.testing.assert_array_equal(model.predict_proba(table), want)
    np.testing.assert_array_equal(model.predict_proba({"v": [str(row["v"]) for row in rows]}), want)
