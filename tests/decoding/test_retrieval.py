"""Retrieval: the same answers in blocks as at once, and as by sorting everything."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import unrolled.decoding.retrieval as retrieval
from unrolled.decoding.retrieval import NOTHING, Filters, best_items, true_ranks
from unrolled.errors import OptionError
from unrolled.ragged import Ragged


def table(seed: int, size: int):
    vectors = torch.randn(size, 5, generator=torch.Generator().manual_seed(seed))
    return lambda queries, start, stop: queries @ vectors[start:stop].T


def asked(seed: int, count: int) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed + 1))


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(retrieval, "BLOCK", 7)
    monkeypatch.setattr(retrieval, "QUERIES", 3)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("size", "k"), [(1, 1), (6, 3), (7, 7), (40, 10), (40, 60)])
def test_blocks_give_what_sorting_everything_gives(size, k):
    score, queries = table(0, size), asked(0, 8)
    whole, order = score(queries, 0, size).sort(1, descending=True)
    items, scores = best_items(score, queries, size, k)
    assert items.shape == scores.shape == (8, k)
    assert torch.equal(items[:, :size], order[:, :k])
    torch.testing.assert_close(scores[:, :size], whole[:, :k])
    assert (items[:, size:] == NOTHING).all()
    ranks = true_ranks(score, queries, size, torch.zeros(8, dtype=torch.int64))
    assert ranks.tolist() == ((order == 0).nonzero()[:, 1] + 1).tolist()


@given(st.integers(0, 1000), st.integers(2, 30))
def test_what_is_barred_is_never_answered_and_pushes_nobody_down(seed, size):
    draw = np.random.default_rng(seed)
    score, queries = table(seed, size), asked(seed, 4)
    barred = Ragged.from_sequences([torch.from_numpy(draw.permutation(size)[: draw.integers(size)]) for _ in range(4)])
    items, _ = best_items(score, queries, size, size, Filters(barred))
    for row, own in zip(items, barred, strict=True):
        left = row[row != NOTHING].tolist()
        assert sorted([*left, *own.tolist()]) == list(range(size))
    targets = torch.from_numpy(draw.integers(size, size=4))
    ranks = true_ranks(score, queries, size, targets, Filters(barred))
    for row, target, own, rank in zip(score(queries, 0, size), targets, barred, ranks, strict=True):
        rivals = [item for item in range(size) if item != target and item not in own.tolist()]
        assert rank == 1 + sum(bool(row[item] > row[target]) for item in rivals)


def test_only_allowed_items_are_answered():
    allowed = torch.tensor([False, True, False, True])
    items, _ = best_items(table(0, 4), asked(0, 3), 4, 4, Filters(allowed=allowed))
    assert set(items.flatten().tolist()) == {1, 3, NOTHING}


def test_items_that_tie_share_the_mean_of_their_places():
    same = lambda queries, start, stop: torch.zeros(len(queries), stop - start)  # noqa: E731
    assert true_ranks(same, torch.zeros(1, 1), 5, torch.tensor([4])).tolist() == [3.0]


def test_no_question_has_no_answer():
    items, _ = best_items(table(0, 4), torch.zeros(0, 5), 4, 2)
    assert items.shape == (0, 2)


def test_a_top_of_nothing_is_refused():
    with pytest.raises(OptionError, match="k: expected"):
        best_items(table(0, 4), asked(0, 1), 4, 0)
