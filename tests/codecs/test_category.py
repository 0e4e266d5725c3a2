"""Categories, labels and sets of labels."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.labels import IGNORED, Labels, MultiLabels
from unrolled.errors import DataError, OptionError
from unrolled.ragged import Ragged

values = st.one_of(st.none(), st.text(max_size=3), st.integers(-5, 5), st.booleans())


def rows(*values: Any) -> list[dict[str, Any]]:
    return [{"x": value} for value in values]


@given(st.lists(values, min_size=1).filter(lambda column: column.count(None) < len(column)))
def test_categories_come_back(column: list[Any]) -> None:
    codec = Categories("x").fit(rows(*column))
    assert codec.decode(codec.encode(rows(*column))) == column
    assert codec.report() == {}


@pytest.mark.parametrize(("count", "width"), [(2, 0), (10, 0), (11, 7), (100, 22), (5000, 50)])
def test_the_embedding_grows_with_the_categories(count: int, width: int) -> None:
    assert Categories("x").fit(rows(*range(count))).spec.embedding_size == width
    assert Categories("x", embedding_size=4).fit(rows(*range(count))).spec.embedding_size == 4


def test_rare_categories_are_unknown() -> None:
    records = rows("a", "a", "a", "b", "b", "c")
    assert Categories("x", max_size=2).fit(records).categories_ == ["a", "b"]
    assert Categories("x", min_count=3).fit(records).categories_ == ["a"]


def test_numpy_values_and_nan_are_plain_categories() -> None:
    codec = Categories("x").fit(rows(np.int64(3), np.str_("a"), float("nan"), np.bool_(True)))
    assert sorted(map(str, codec.categories_)) == ["3", "None", "True", "a"]
    assert codec.encode(rows(None, float("nan"))).values.unique().numel() == 1


def test_dates_are_no_categories() -> None:
    with pytest.raises(DataError, match=r"record 1: expected text, a number or true/false.*TimeFeatures"):
        Categories("x").fit(rows("a", np.datetime64("2024-01-01")))


def test_labels_are_sorted() -> None:
    codec = Labels("x").fit(rows("b", "c", "a", "b"))
    assert codec.classes_ == ["a", "b", "c"]
    assert codec.spec.unknown_index is None
    assert codec.decode_indices(torch.tensor([2, 0, IGNORED])) == ["c", "a", None]
    assert codec.decode_indices(np.array([1])) == ["b"]


def test_an_unseen_label_is_named_with_the_nearest() -> None:
    codec = Labels("x").fit(rows("spam", "ham"))
    with pytest.raises(DataError, match=r"column 'x', record 1: .*received spma; did you mean 'spam'"):
        codec.encode(rows("ham", "spma"))
    with pytest.raises(DataError, match="record 0: expected one of 1, 5, received 3"):
        Labels("x").fit(rows(1, 5)).encode(rows(3))


def test_ignored_labels_have_the_index_that_losses_skip() -> None:
    codec = Labels("x", unseen="ignore").fit(rows(["a", "b"], ["a", None]))
    assert codec.encode(rows(["c", "b", None])).values.tolist() == [-100, 1, -100]
    assert codec.report() == {"unknown": 2}


def test_a_missing_label_is_an_error_unless_ignored() -> None:
    with pytest.raises(DataError, match="record 2: expected a label, received None"):
        Labels("x").fit(rows("a", "b", None))
    assert Labels("x", unseen="ignore").fit(rows("a", "b", None)).classes_ == ["a", "b"]


def test_one_class_only_is_refused() -> None:
    with pytest.raises(DataError, match=r"column 'x': expected at least two classes, received \['a'\]"):
        Labels("x").fit(rows("a", "a"))


def test_an_unknown_policy_is_refused() -> None:
    for codec in (Labels, MultiLabels):
        with pytest.raises(OptionError, match="did you mean 'ignore'"):
            codec("x", unseen="ignor").fit(rows(["a"], ["b"]))


def test_label_vectors_hold_each_label_once() -> None:
    codec = MultiLabels("x").fit(rows(["b", "a"], ["c"]))
    encoded = codec.encode(rows(["c", "a", "c"], [], None))
    assert encoded.values.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert not codec.spec.per_step


def test_label_vectors_decode_probabilities() -> None:
    codec = MultiLabels("x").fit(rows(["b", "a"]))
    assert codec.decode(Ragged(torch.tensor([[0.9, 0.1], [0.2, 0.6]]), torch.ones(2))) == [["a"], ["b"]]


def test_unseen_labels_of_a_set_are_named_or_dropped() -> None:
    with pytest.raises(DataError, match=r"record 1: .*received z"):
        MultiLabels("x").fit(rows(["b", "a"])).encode(rows(["a"], ["b", "z"]))
    codec = MultiLabels("x", unseen="ignore").fit(rows(["b", "a"]))
    assert codec.encode(rows(["b", "z"])).values.tolist() == [[0, 1]]
    assert codec.report() == {"unknown": 1}
