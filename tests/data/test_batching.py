"""Buckets and lanes deal out everything exactly once, the same way for the same seed."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.batch import Batch
from unrolled.data.batching import Buckets, Lanes
from unrolled.errors import OptionError
from unrolled.ragged import Ragged

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=12)


def examples(lengths: list[int]) -> Batch:
    """Steps numbered from 1 over all sequences; targets are the same numbers negated."""
    values = torch.arange(1, sum(lengths) + 1)
    return Batch({"x": Ragged(values, torch.tensor(lengths))}, targets=Ragged(-values, torch.tensor(lengths)))


def step_numbers(batch: Batch) -> Ragged:
    x = batch.inputs["x"]
    assert isinstance(x, Ragged)
    assert isinstance(batch.targets, Ragged)
    assert torch.equal(batch.targets.values, -x.values)
    return x


@given(LENGTHS, st.integers(1, 5), st.integers(0, 3), st.booleans())
def test_buckets_deal_every_sequence_once(lengths: list[int], batch_size: int, epoch: int, shuffle: bool) -> None:
    source = Buckets(examples(lengths), batch_size, seed=3, shuffle=shuffle)
    batches = list(source.epoch(epoch))
    assert len(batches) == len(source)
    seen = sorted(row.tolist() for batch in batches for row in step_numbers(batch))
    assert seen == sorted(row.tolist() for row in step_numbers(examples(lengths)))


def test_buckets_put_similar_lengths_together() -> None:
    lengths = torch.randperm(400, generator=torch.Generator().manual_seed(0)).tolist()
    batches = list(Buckets(examples(lengths), 10).epoch(0))
    spread = [int(batch.lengths.max() - batch.lengths.min()) for batch in batches]
    assert max(spread) < 20
    assert [int(batch.lengths[0]) for batch in batches] != sorted(int(batch.lengths[0]) for batch in batches)


@given(LENGTHS.filter(any), st.integers(1, 4), st.integers(1, 5), st.integers(0, 3), st.booleans())
def test_lanes_deal_every_step_once_and_restart_at_every_beginning(
    lengths: list[int], lanes: int, steps: int, epoch: int, shuffle: bool
) -> None:
    data = examples(lengths)
    rows: list[list[int]] = [[] for _ in range(lanes)]
    restarts: set[int] = set()
    for number, batch in enumerate(Lanes(data, lanes, steps, seed=1, shuffle=shuffle).epoch(epoch)):
        assert batch.carries == (number > 0)
        assert batch.batch_size == lanes
        assert int(batch.lengths.max()) <= steps
        assert batch.reset is not None
        x = step_numbers(batch)
        restarts |= set(x.values[batch.reset].tolist())
        for row, part in zip(rows, x, strict=True):
            row += part.tolist()
    assert sorted(value for row in rows for value in row) == list(range(1, sum(lengths) + 1))
    beginnings = {int(row[0]) for row in step_numbers(data) if len(row)}
    assert beginnings <= restarts
    for row in rows:  # between two restarts a lane reads one sequence in order
        for before, after in itertools.pairwise(row):
            assert after == before + 1 or after in restarts


def test_one_long_sequence_is_cut_for_all_lanes() -> None:
    batches = list(Lanes(examples([1000]), lanes=8, steps=25, shuffle=False).epoch(0))
    assert all(batch.num_steps == 200 for batch in batches)
    assert len(batches) == 5
    assert batches[0].reset is not None
    assert int(batches[0].reset.sum()) == 8
    assert all(batch.reset is not None and not batch.reset.any() for batch in batches[1:])


def test_windows_begin_elsewhere_in_another_epoch() -> None:
    source = Lanes(examples([1000]), lanes=4, steps=50)
    sizes = {next(iter(source.epoch(epoch))).num_steps for epoch in range(12)}
    assert len(sizes) > 5


@pytest.mark.parametrize("kind", ["buckets", "lanes"])
@pytest.mark.parametrize("start", [1, 3])
def test_an_epoch_can_be_entered_in_the_middle(kind: str, start: int) -> None:
    data = examples([5, 9, 0, 3, 8, 2, 7])
    source = Buckets(data, 2) if kind == "buckets" else Lanes(data, 2, 3)
    whole, late = list(source.epoch(2)), list(source.epoch(2, start=start))
    assert len(late) == len(whole) - start > 0
    for left, right in zip(whole[start:], late, strict=True):
        assert torch.equal(step_numbers(left).values, step_numbers(right).values)
        assert left.carries == right.carries


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_do_not() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        return [step_numbers(b).values.tolist() for b in Buckets(examples([1] * 40), 4, seed=seed).epoch(epoch)]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 1)


def test_per_sequence_answers_are_refused_by_lanes() -> None:
    batch = Batch({"x": Ragged(torch.arange(3), torch.tensor([1, 2]))}, targets=torch.tensor([0, 1]))
    with pytest.raises(OptionError, match="bptt_steps"):
        Lanes(batch, 2, 3)


@pytest.mark.parametrize("arguments", [(0, 1), (1, 0)])
def test_sizes_below_one_are_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match=">= 1"):
        Lanes(examples([3]), *arguments)
