"""Batches in torch's forms are the same sequences as a Ragged, there and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

from random_sequences import noise, seeds
from unrolled.nn.packing import Packed, Padded, pack
from unrolled.ragged import Ragged

SIZES = st.integers(1, 5)
LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=6)


def sequences(lengths, seed=0):
    return [noise(length, 2, seed=seed + row) for row, length in enumerate(lengths)]


@given(time=SIZES, batch=SIZES, batch_first=st.booleans(), seed=seeds)
def test_a_padded_batch_is_its_sequences(time, batch, batch_first, seed):
    tensor = noise(*((batch, time) if batch_first else (time, batch)), 2, seed=seed)
    padded = Padded(tensor, batch_first)
    ragged = padded.to_ragged()
    for row, sequence in enumerate(ragged):
        assert torch.equal(sequence, tensor[row] if batch_first else tensor[:, row])
    assert torch.equal(ragged.lengths, padded.lengths)
    assert padded.batch_shape == (batch,)
    assert padded.rows.shape == (batch * time, 2)
    back = padded.from_ragged(ragged)
    assert torch.equal(back, tensor)
    assert back.is_contiguous()


@pytest.mark.parametrize("batch_first", [False, True])
def test_one_sequence_needs_no_batch_axis(batch_first):
    tensor, state = noise(4, 2), noise(3, 5)
    single = Padded(tensor, batch_first)
    assert single.batch_shape == ()
    assert single.lengths.tolist() == [4]
    assert torch.equal(single.rows, tensor)
    assert torch.equal(single.from_ragged(single.to_ragged()), tensor)
    assert single.state_to_ragged(state).shape == (3, 1, 5)
    assert torch.equal(single.state_from_ragged(single.state_to_ragged(state)), state)


@given(lengths=LENGTHS, seed=seeds)
def test_a_packed_batch_is_its_sequences_longest_first(lengths, seed):
    given_sequences = sequences(lengths, seed)
    packed = Packed(pack_sequence(given_sequences, enforce_sorted=False))
    ragged = packed.to_ragged()
    assert torch.equal(ragged.lengths, packed.lengths)
    assert ragged.lengths.tolist() == sorted(lengths, reverse=True)
    for sequence, row in zip(ragged, packed.sequence.sorted_indices.tolist(), strict=True):
        assert torch.equal(sequence, given_sequences[row])
    back = packed.from_ragged(ragged)
    assert isinstance(back, PackedSequence)
    for mine, theirs in zip(back, packed.sequence, strict=True):
        assert torch.equal(mine, theirs)


@given(lengths=LENGTHS, seed=seeds)
def test_a_state_is_sorted_with_its_sequences(lengths, seed):
    padded = torch.nn.utils.rnn.pad_sequence(sequences(lengths, seed))
    packed = Packed(pack_padded_sequence(padded, torch.tensor(lengths), enforce_sorted=False))
    state = torch.tensor(lengths, dtype=torch.float64).view(1, -1, 1)  # (1, B, 1) each row knows its length
    longest_first = packed.state_to_ragged(state)
    assert longest_first.flatten().tolist() == sorted(lengths, reverse=True)
    assert torch.equal(packed.state_from_ragged(longest_first), state)


def test_a_batch_packed_in_order_leaves_its_state_alone():
    packed = Packed(pack_sequence(sequences([3, 2, 2])))
    state = noise(1, 3, 4)
    assert packed.state_to_ragged(state) is state
    assert packed.state_from_ragged(state) is state
    assert packed.from_ragged(packed.to_ragged()).sorted_indices is None


@given(lengths=LENGTHS, seed=seeds)
def test_packing_a_ragged_is_packing_its_sequences(lengths, seed):
    longest_first = sorted(lengths, reverse=True)
    mine = pack(Ragged.from_sequences(sequences(longest_first, seed)))
    theirs = pack_sequence(sequences(longest_first, seed))
    assert torch.equal(mine.data, theirs.data)
    assert torch.equal(mine.batch_sizes, theirs.batch_sizes)


def test_packing_leaves_out_empty_sequences():
    packed = pack(Ragged(noise(5, 2), [0, 3, 0, 2]))
    assert packed.batch_sizes.tolist() == [2, 2, 1]
