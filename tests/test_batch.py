"""Batch and Nested: everything that belongs to a sequence travels with it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from random_sequences import noise, some_lengths, some_ragged
from unrolled.batch import Batch, Nested
from unrolled.errors import ShapeError
from unrolled.ragged import Ragged


def some_batch(lengths: list[int], per_step: bool = True) -> Batch:
    inputs = some_ragged(lengths, 2)
    steps = torch.arange(inputs.num_steps)
    return Batch(
        inputs={"x": inputs, "n": some_nested(lengths)},
        statics={"s": torch.arange(len(lengths))[:, None]},
        targets=inputs.with_values(steps) if per_step else torch.arange(len(lengths)),
        reset=steps % 3 == 0,
        carries=True,
    )


def some_nested(lengths: list[int]) -> Nested:
    pieces = Ragged(torch.arange(6), torch.tensor([2, 0, 1, 3]))
    return Nested(Ragged(torch.arange(sum(lengths)) % 4, torch.tensor(lengths, dtype=torch.int64)), pieces)


def assert_rows(got: Batch, whole: Batch, rows: list[int], start: int = 0, stop: int = 99) -> None:
    """Row i of a batch is row rows[i] of the whole, cut to start <= t < stop."""
    assert got.batch_size == len(got) == len(rows)
    assert got.carries is whole.carries
    reset = Ragged(whole.reset, whole.lengths)
    got_reset = Ragged(got.reset, got.lengths)
    for i, row in enumerate(rows):
        assert torch.equal(got.inputs["x"][i], whole.inputs["x"][row][start:stop])
        assert torch.equal(got.inputs["n"].index[i], whole.inputs["n"].index[row][start:stop])
        assert torch.equal(got_reset[i], reset[row][start:stop])
        assert torch.equal(got.statics["s"][i], whole.statics["s"][row])
        if isinstance(whole.targets, Ragged):
            assert torch.equal(got.targets[i], whole.targets[row][start:stop])
        else:
            assert torch.equal(got.targets[i], whole.targets[row])
    assert got.inputs["n"].pieces is whole.inputs["n"].pieces


@given(some_lengths(min_size=1), st.data(), st.booleans())
def test_selecting_rows_takes_everything_that_belongs_to_them(lengths, data, per_step):
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=6))
    whole = some_batch(lengths, per_step)
    assert_rows(whole.select(torch.tensor(rows, dtype=torch.int64)), whole, rows)


@given(some_lengths(), st.integers(0, 7), st.integers(0, 7), st.booleans())
def test_slicing_time_cuts_what_is_per_step_and_keeps_what_is_not(lengths, start, stop, per_step):
    whole = some_batch(lengths, per_step)
    cut = whole.slice_time(start, stop)
    assert_rows(cut, whole, list(range(len(lengths))), start, stop)
    assert cut.num_steps == sum(len(range(length)[start:stop]) for length in lengths)


def test_a_batch_without_optional_parts_can_be_selected_and_sliced():
    batch = Batch({"x": some_ragged([2, 3])})
    one = batch.select(torch.tensor([1])).slice_time(1, 3)
    assert (one.targets, one.reset, dict(one.statics), one.carries) == (None, None, {}, False)
    assert one.lengths.tolist() == [2]


def test_selecting_by_a_mask_is_refused():
    with pytest.raises(ShapeError, match="received booleans"):
        some_batch([1, 2]).select(torch.tensor([True, False]))


@pytest.mark.parametrize(
    ("batch", "lengths"),
    [
        (Batch({}, targets=some_ragged([2, 0])), [2, 0]),
        (Batch({}, {"s": torch.zeros(3, 1)}, torch.zeros(3)), [0, 0, 0]),
        (Batch({}), []),
    ],
)
def test_without_inputs_the_lengths_come_from_what_there_is(batch, lengths):
    assert batch.lengths.tolist() == lengths
    assert batch.num_steps == sum(lengths)


def test_to_moves_every_part():
    moved = some_batch([1, 2]).to("meta")
    parts = [moved.inputs["x"].values, moved.inputs["n"].index.values, moved.inputs["n"].pieces.values]
    parts += [moved.statics["s"], moved.targets.values, moved.reset]
    assert {part.device.type for part in parts} == {"meta"}
    assert moved.lengths.device.type == "cpu"
    assert some_batch([1, 2], per_step=False).to("meta").targets.device.type == "meta"


X = some_ragged([2, 1])


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"inputs": {"x": X, "y": some_ragged([1, 2])}}, r"inputs\['y'\].* 1 steps instead of 2 in sequence 0"),
        ({"inputs": {"x": X, "n": some_nested([3])}}, r"inputs\['n'\].* 1 sequences instead of 2"),
        ({"inputs": {"x": X}, "statics": {"s": torch.zeros(3, 1)}}, r"statics\['s'\]: expected 2 rows, received 3"),
        ({"inputs": {"x": X}, "targets": some_ragged([2, 2])}, "targets: .* 2 steps instead of 1 in sequence 1"),
        ({"inputs": {"x": X}, "targets": noise(3)}, "targets: expected 2 rows, received 3"),
        ({"inputs": {"x": X}, "reset": torch.zeros(2, dtype=torch.bool)}, r"reset: expected shape \(3,\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused_by_name(parts, says):
    with pytest.raises(ShapeError, match=says):
        Batch(**parts)


def test_sources_have_lengths_of_their_own_and_go_with_their_rows():
    source = Ragged(torch.arange(6), [1, 3, 2])
    batch = Batch({"x": Ragged(torch.arange(4), [2, 0, 2])}, sources={"s": source, "t": source})
    assert batch.sizes.tolist() == [3, 3, 4]
    chosen = batch.select(torch.tensor([2, 0]))
    assert [row.tolist() for row in chosen.sources["t"]] == [[4, 5], [0]]
    assert torch.equal(batch.slice_time(0, 1).sources["s"].values, source.values)
    assert Batch({}, sources={"s": source}).batch_size == 3


def test_sources_that_disagree_are_refused():
    inputs = {"x": Ragged(torch.arange(4), [2, 2])}
    with pytest.raises(ShapeError, match=r"sources\['t'\]: expected the same lengths"):
        Batch(inputs, sources={"s": Ragged(torch.arange(2), [1, 1]), "t": Ragged(torch.arange(2), [0, 2])})
    with pytest.raises(ShapeError, match="expected 2 sequences, received 1"):
        Batch(inputs, sources={"s": Ragged(torch.arange(2), [2])})
