"""Where the native kernel cuts time into dense calls."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.kernels import native

sorted_lengths = st.lists(st.integers(0, 300), min_size=1, max_size=12).map(lambda ns: np.array(sorted(ns)[::-1]))


def cost(lengths: np.ndarray, cuts: list[int]) -> int:
    """Row-steps of the dense calls between the cuts, and the price of the calls."""
    pairs = itertools.pairwise([0, *cuts])
    return sum(int((lengths > begin).sum()) * (end - begin) + native.CALL_COST for begin, end in pairs)


@given(sorted_lengths.filter(np.any), st.booleans())
def test_cuts_rise_to_the_longest_length_and_fall_where_a_sequence_ends(lengths, every_length):
    cuts = native._cuts(lengths, every_length)
    assert cuts == sorted(set(cuts))
    assert cuts[-1] == lengths.max()
    assert set(cuts) <= set(lengths.tolist())
    if every_length:
        assert set(cuts) == set(lengths.tolist()) - {0}


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6).map(lambda ns: np.array(sorted(ns)[::-1])).filter(np.any))
def test_no_other_cuts_are_cheaper(lengths):
    ends = sorted(set(lengths.tolist()) - {0})
    subsets = itertools.chain.from_iterable(itertools.combinations(ends[:-1], n) for n in range(len(ends)))
    best = min(cost(lengths, [*subset, ends[-1]]) for subset in subsets)
    assert cost(lengths, native._cuts(lengths, False)) == best


def test_many_different_lengths_are_thinned_out_before_the_search():
    lengths = np.arange(5000, 0, -1) * 7
    cuts = native._cuts(lengths, False)
    assert len(cuts) <= native.MAX_CANDIDATES + 1  # and the longest
    assert cuts[-1] == 35000
    assert cost(lengths, cuts) < 1.05 * lengths.sum()  # hardly more than the real steps


@pytest.mark.parametrize("every_length", [True, False])
def test_equal_lengths_are_one_call(every_length):
    assert native._cuts(np.array([5, 5, 5, 0]), every_length) == [5]
