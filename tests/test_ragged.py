"""Ragged: its written guarantees, and every method against the same thing done with a list of tensors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from random_sequences import noise, seeds, some_lengths
from unrolled.errors import ShapeError
from unrolled.ragged import Ragged

features = st.sampled_from([(), (1,), (3,), (2, 3)])
dtypes = st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool])


@st.composite
def batches(draw: st.DrawFn, min_size: int = 0) -> list[Tensor]:
    """Sequences (T_i, *feature) of one dtype; T_i may be 0."""
    shape, dtype = draw(features), draw(dtypes)
    lengths, seed = draw(some_lengths(min_size)), draw(seeds)
    return [(3 * noise(length, *shape, seed=seed + i)).to(dtype) for i, length in enumerate(lengths)]


def ragged_of(sequences: list[Tensor]) -> Ragged:
    return Ragged.from_sequences(sequences)


def assert_holds(got: Ragged, want: list[Tensor]) -> None:
    """The same sequences, and the guarantees."""
    assert_guarantees(got)
    assert got.batch_size == len(want)
    for mine, theirs in zip(got, want, strict=True):
        assert mine.dtype == theirs.dtype
        assert torch.equal(mine, theirs)


def assert_guarantees(ragged: Ragged) -> None:
    assert ragged.values.is_contiguous()
    assert ragged.lengths.dtype == torch.int64
    assert ragged.lengths.ndim == 1
    assert ragged.lengths.device.type == "cpu"
    assert bool((ragged.lengths >= 0).all())
    assert int(ragged.lengths.sum()) == ragged.values.shape[0] == ragged.num_steps


# ---- making one ---------------------------------------------------------------------------------


@given(batches())
def test_sequences_go_in_and_come_out(sequences):
    ragged = ragged_of(sequences)
    assert_holds(ragged, sequences)
    assert [ragged[i].tolist() for i in range(len(ragged))] == [s.tolist() for s in sequences]
    assert ragged.max_length == max((len(s) for s in sequences), default=0)
    if sequences:
        assert torch.equal(ragged[-1], sequences[-1])
        assert ragged.feature_shape == sequences[0].shape[1:]


def test_values_become_contiguous_and_lengths_int64():
    ragged = Ragged(torch.arange(12).view(3, 4).T, np.array([1, 3], dtype=np.int32))
    assert_guarantees(ragged)
    assert ragged.values[:, 0].tolist() == [0, 1, 2, 3]


def test_lists_and_arrays_become_sequences():
    ragged = Ragged.from_sequences([[1, 2], [], np.array([3])])
    assert_holds(ragged, [torch.tensor([1, 2]), torch.tensor([], dtype=torch.int64), torch.tensor([3])])


def test_no_sequences_make_an_empty_batch():
    ragged = Ragged.from_sequences([])
    assert_guarantees(ragged)
    assert (ragged.batch_size, ragged.num_steps, ragged.max_length) == (0, 0, 0)
    assert list(ragged) == []
    assert ragged.padded().shape == ragged.mask().shape == (0, 0)


def test_empty_sequences_keep_their_feature_shape():
    ragged = Ragged.from_sequences([torch.zeros(0, 3), torch.zeros(0, 3)])
    assert ragged.feature_shape == (3,)
    assert [tuple(sequence.shape) for sequence in ragged] == [(0, 3), (0, 3)]


@pytest.mark.parametrize(
    ("values", "lengths", "says"),
    [
        (torch.zeros(3), [4, -1], "lengths: expected integers >= 0, received -1"),
        (torch.zeros(3), [1, 1], "sum of N = 3 .* received 2"),
        (torch.zeros(3), [[1, 2]], r"lengths: expected shape \(B,\)"),
        (torch.tensor(1.0), [1], "values: expected shape"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(values, lengths, says):
    with pytest.raises(ShapeError, match=says):
        Ragged(values, torch.tensor(lengths))


@pytest.mark.parametrize("lengths", [[3, 1], [1], [1, 1, 1]])
def test_padding_that_does_not_hold_the_lengths_is_refused(lengths):
    with pytest.raises(ShapeError, match="every length <= 2"):
        Ragged.from_padded(torch.zeros(2, 2), lengths)


def test_a_flat_tensor_is_not_padding():
    with pytest.raises(ShapeError, match=r"padded: expected shape \(B, T"):
        Ragged.from_padded(torch.zeros(2), [1, 1])


@pytest.mark.parametrize("index", [2, -3])
def test_a_sequence_that_is_not_there_is_an_index_error(index):
    with pytest.raises(IndexError, match="of 2"):
        Ragged(torch.zeros(3), torch.tensor([1, 2]))[index]


# ---- padding and addresses ------------------------------------------------------------------------


@given(batches(), st.integers(0, 1))
def test_padding_puts_each_step_in_its_place_and_the_value_elsewhere(sequences, value):
    ragged = ragged_of(sequences)
    padded, mask = ragged.padded(value), ragged.mask()
    assert padded.shape == (len(sequences), ragged.max_length, *ragged.feature_shape)
    assert padded.dtype == ragged.values.dtype
    assert mask.shape == padded.shape[:2]
    for row, real, sequence in zip(padded, mask, sequences, strict=True):
        assert real.tolist() == [t < len(sequence) for t in range(ragged.max_length)]
        assert torch.equal(row[: len(sequence)], sequence)
        assert bool((row[len(sequence) :] == value).all())


@given(batches())
def test_padding_and_dropping_it_is_the_identity(sequences):
    ragged = ragged_of(sequences)
    assert_holds(Ragged.from_padded(ragged.padded(), ragged.lengths), sequences)


@given(batches())
def test_every_step_knows_its_sequence_and_its_time(sequences):
    ragged = ragged_of(sequences)
    want = [(b, t) for b, sequence in enumerate(sequences) for t in range(len(sequence))]
    assert list(zip(ragged.sequence_ids.tolist(), ragged.positions.tolist(), strict=True)) == want
    assert ragged.offsets.tolist() == [sum(len(s) for s in sequences[:b]) for b in range(len(sequences) + 1)]


def test_padding_carries_gradients_to_real_steps_only():
    values = torch.ones(3, requires_grad=True)
    (Ragged(values, torch.tensor([1, 0, 2])).padded(7.0) * torch.tensor([[1.0, 2], [3, 4], [5, 6]])).sum().backward()
    assert values.grad.tolist() == [1, 5, 6]


# ---- other values -----------------------------------------------------------------------------------


@given(batches())
def test_map_and_with_values_keep_the_lengths(sequences):
    ragged = ragged_of(sequences)
    assert_holds(ragged.map(torch.clone), sequences)
    ids = ragged.with_values(ragged.sequence_ids)
    assert [set(s.tolist()) - {b} for b, s in enumerate(ids)] == [set()] * len(sequences)
    assert ragged.to(torch.float16).values.dtype == torch.float16


def test_values_of_another_number_of_steps_are_refused():
    with pytest.raises(ShapeError, match="N = 2"):
        Ragged(torch.zeros(3), torch.tensor([3])).map(lambda values: values[1:])


# ---- other sequences ----------------------------------------------------------------------------------


@given(batches())
def test_reversing_turns_each_sequence_around_and_twice_is_the_identity(sequences):
    ragged = ragged_of(sequences)
    assert_holds(ragged.reversed(), [sequence.flip(0) for sequence in sequences])
    assert_holds(ragged.reversed().reversed(), sequences)


@given(batches(min_size=1), st.data())
def test_selecting_takes_sequences_in_the_order_asked(sequences, data):
    count = len(sequences)
    rows = data.draw(st.lists(st.integers(-count, count - 1), max_size=6))
    want = [sequences[row] for row in rows]
    ragged = ragged_of(sequences)
    assert_holds(ragged.select(rows), want)
    assert_holds(ragged.select(np.array(rows, dtype=np.int32)), want)
    assert ragged.select([]).feature_shape == ragged.feature_shape


def test_selecting_by_a_mask_is_refused():
    with pytest.raises(ShapeError, match=r"indices: expected integers, received booleans; use mask.nonzero"):
        Ragged(torch.zeros(3), torch.tensor([1, 2])).select(torch.tensor([True, False]))


def test_selecting_a_row_that_is_not_there_is_an_index_error():
    with pytest.raises(IndexError):
        Ragged(torch.zeros(3), torch.tensor([1, 2])).select([2])


@given(batches(), st.integers(0, 7), st.integers(0, 7))
def test_slicing_is_slicing_each_sequence(sequences, start, stop):
    ragged = ragged_of(sequences)
    assert_holds(ragged.slice(start, stop), [sequence[start:stop] for sequence in sequences])


@given(batches(), st.data())
def test_slices_may_differ_by_sequence(sequences, data):
    cuts = data.draw(st.lists(st.integers(0, 7), min_size=len(sequences), max_size=len(sequences)))
    ragged = ragged_of(sequences)
    at = torch.tensor(cuts, dtype=torch.int64)
    assert_holds(ragged.slice(0, at), [s[:cut] for s, cut in zip(sequences, cuts, strict=True)])
    assert_holds(ragged.slice(at, 9), [s[cut:] for s, cut in zip(sequences, cuts, strict=True)])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, -1)])
def test_negative_times_are_refused(start, stop):
    with pytest.raises(ShapeError, match="slice: expected start and stop >= 0"):
        Ragged(torch.zeros(3), torch.tensor([3])).slice(start, stop)


@given(batches(), st.integers(0, 7))
def test_the_last_steps_are_the_ends_of_the_sequences(sequences, count):
    want = [sequence[max(0, len(sequence) - count) :] for sequence in sequences]
    assert_holds(ragged_of(sequences).last_steps(count), want)


@given(batches(min_size=1))
def test_last_is_the_final_step_or_the_fill(sequences):
    ragged = ragged_of(sequences)
    last = ragged.last(fill=1)
    assert last.shape == (ragged.batch_size, *ragged.feature_shape)
    for row, sequence in zip(last, sequences, strict=True):
        want = sequence[-1] if len(sequence) else torch.ones_like(row)
        assert torch.equal(row, want)


@given(batches(min_size=1))
def test_concatenating_single_sequences_gives_the_batch_back(sequences):
    assert_holds(Ragged.concatenate([ragged_of([sequence]) for sequence in sequences]), sequences)


# ---- time-major ---------------------------------------------------------------------------------------


@given(batches())
def test_time_major_is_packed_by_time_with_longest_first(sequences):
    ragged = ragged_of(sequences)
    layout = ragged.time_major
    order = sorted(range(len(sequences)), key=lambda b: -len(sequences[b]))  # stable, as the layout is
    assert layout.order.tolist() == order
    assert layout.rank.tolist() == [order.index(b) for b in range(len(sequences))]
    assert layout.batch_sizes.tolist() == [sum(len(s) > t for s in sequences) for t in range(ragged.max_length)]
    want = [sequences[b][t] for t in range(ragged.max_length) for b in order if len(sequences[b]) > t]
    assert ragged.values[layout.gather].tolist() == [step.tolist() for step in want]
    assert torch.equal(ragged.values[layout.gather][layout.scatter], ragged.values)


@given(st.permutations(range(1, 6)))
def test_time_major_is_the_order_of_torch_packing(lengths):
    ragged = Ragged(noise(sum(lengths), 2), torch.tensor(lengths))  # without ties, which torch may order otherwise
    packed = torch.nn.utils.rnn.pack_sequence(list(ragged), enforce_sorted=False)
    assert torch.equal(packed.batch_sizes, ragged.time_major.batch_sizes)
    assert torch.equal(packed.data, ragged.values[ragged.time_major.gather])


# ---- a value ------------------------------------------------------------------------------------------


@given(batches(min_size=1))
def test_no_method_writes_into_the_tensors(sequences):
    ragged = ragged_of(sequences)
    values, lengths = ragged.values.clone(), ragged.lengths.clone()
    ragged.padded(1).add_(1) if ragged.values.dtype != torch.bool else ragged.padded(1).fill_(True)
    for other in (
        ragged.reversed(),
        ragged.select([0, 0]),
        ragged.slice(0, 9),
        ragged.last_steps(2),
        ragged.map(torch.clone),
        Ragged.concatenate([ragged, ragged]),
    ):
        other.values.zero_()
    ragged.last().zero_()
    assert torch.equal(ragged.values, values)
    assert torch.equal(ragged.lengths, lengths)


def test_a_ragged_cannot_be_reassigned_and_shows_its_shape():
    ragged = Ragged(torch.zeros(3, 2), torch.tensor([1, 2]))
    with pytest.raises(AttributeError):
        ragged.values = torch.zeros(3, 2)
    assert repr(ragged) == "Ragged(B=2, N=3, T=2, feature=(2,), dtype=torch.float32)"
