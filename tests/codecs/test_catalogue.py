"""The catalogue: items by falling frequency, unknown ones together, and room for new ones."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.codecs.tables.catalogue import Catalogue
from unrolled.errors import ArtifactError, DataError, NotFittedError

ITEMS = st.one_of(
    st.lists(st.integers(-5, 5), min_size=1),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), min_size=1),
)


@given(ITEMS)
def test_every_item_comes_back_and_frequent_ones_come_first(items):
    catalogue = Catalogue().fit(pl.Series("item", items))
    indices = catalogue.encode(pl.Series("item", items))
    assert catalogue.decode(indices) == items
    assert (np.diff(catalogue.counts_) <= 0).all()
    assert catalogue.counts_.sum() == len(items)


@given(ITEMS)
def test_a_catalogue_survives_json(items):
    catalogue = Catalogue().fit(pl.Series("item", items))
    again = Catalogue.from_json(json.loads(json.dumps(catalogue.to_json())))
    assert again.items_.equals(catalogue.items_)
    assert again.counts_.tolist() == catalogue.counts_.tolist()


def test_unknown_and_missing_items_share_the_index_after_all_others():
    catalogue = Catalogue().fit(pl.Series(["a", "b", "a"]))
    assert catalogue.encode(pl.Series(["zzz", None, "b"])).tolist() == [2, 2, 1]


def test_numbers_read_as_text_are_the_same_items():
    catalogue = Catalogue().fit(pl.Series([7, 8]))
    for form in (pl.Series(["7", "8"]), pl.Series([7.0, 8.0]), pl.Series([7, 8], dtype=pl.UInt8)):
        assert catalogue.encode(form).tolist() == catalogue.encode(pl.Series([7, 8])).tolist()


def test_new_items_come_last_and_old_ones_keep_their_places():
    catalogue = Catalogue().fit(pl.Series(["a", "b", "a"]))
    longer = catalogue.extended(pl.Series(["c", "a", "c", None]))
    assert longer.items_.to_list() == ["a", "b", "c"]
    assert longer.counts_.tolist() == [2, 1, 0]


def test_rare_items_are_left_out():
    assert Catalogue(min_count=2).fit(pl.Series(["a", "b", "a"])).items_.to_list() == ["a"]
    with pytest.raises(DataError, match="2 times"):
        Catalogue(min_count=2).fit(pl.Series("thing", ["a", "b"]))


def test_items_that_are_neither_texts_nor_whole_numbers_are_refused():
    with pytest.raises(DataError, match="whole numbers"):
        Catalogue().fit(pl.Series("price", [0.5, 1.5]))


def test_nothing_is_known_before_fit():
    with pytest.raises(NotFittedError):
        Catalogue().size  # noqa: B018


def test_a_newer_catalogue_is_refused():
    with pytest.raises(ArtifactError, match="version"):
        Catalogue.from_json({"version": 2})
