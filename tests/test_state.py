"""The tools that walk a state, over states of every nesting."""

import json
import sys
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.cells.registry import CELLS, make_cell
from unrolled.errors import ArtifactError, UnsupportedError
from unrolled.state import choose_rows, map_state, state_from_plain, state_tensors, state_to_plain, with_tensors


class Pair(NamedTuple):
    first: object
    second: object


LEAVES = st.integers(0, 3).map(lambda size: torch.arange(2 * size).view(2, size)) | st.sampled_from([None, 3, "a", 0.5])
STATES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.tuples(inner, inner).map(lambda two: Pair(*two))
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@given(STATES)
def test_the_nesting_and_everything_that_is_no_tensor_stays(state):
    assert same(map_state(torch.clone, state), state)
    assert same(map_state(lambda one, other: one + other - one, state, state), state)
    assert same(with_tensors(state, state_tensors(state)), state)


@given(STATES)
def test_a_state_comes_back_from_a_file_as_it_went_in(state):
    tensors: list[torch.Tensor] = []
    plain = json.loads(json.dumps(state_to_plain(state, tensors)))
    assert same(state_from_plain(plain, dict(enumerate(tensors))), state)
    assert same(tensors, state_tensors(state))


@given(STATES)
def test_rows_are_chosen_in_every_tensor(state):
    other = map_state(lambda field: field + 100, state)
    mixed = choose_rows(torch.tensor([True, False]), state, other)
    for field, one, another in zip(*map(state_tensors, (mixed, state, other)), strict=True):
        assert torch.equal(field, torch.stack([one[0], another[1]]))


@pytest.mark.parametrize("name", CELLS)
def test_the_state_of_every_cell_is_stored(name):
    state, tensors = make_cell(name, 2, 3).initial_state(2), []
    again = state_from_plain(state_to_plain(state, tensors), dict(enumerate(tensors)))
    assert type(again) is type(state)
    assert same(again, state)


def test_what_cannot_be_stored_is_refused():
    with pytest.raises(UnsupportedError, match="checkpoint: expected a carried state of tensors"):
        state_to_plain(({1, 2},), [])


NAMES = [["builtins", "list"], ["builtins", "tuple"], ["os", "system"], ["not.imported", "Pair"]]


@pytest.mark.parametrize("named", NAMES, ids=str)
def test_a_file_brings_no_class_into_use(named):
    assert "not" not in sys.modules
    with pytest.raises(ArtifactError, match="a state of a class in use"):
        state_from_plain({"named": named, "items": [{"value": "x"}]}, {})
    assert "not" not in sys.modules
