"""States as bytes: the same value comes back, and nothing else is taken for a state."""

import datetime as dt
import zlib

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from unrolled.errors import ArtifactError, OptionError
from unrolled.streaming.state import HEADER, StreamState, is_of, pack, rounded, unpack

PRINT = "0123456789abcdef"
plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(),
        st.binary(),
        st.dates(),
        st.datetimes(),
        st.datetimes(timezones=st.just(dt.UTC)),
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text() | st.integers(0, 99), inner, max_size=3)
    ),
    max_leaves=8,
)
vectors = arrays.arrays(np.float32, st.integers(0, 9), elements=st.floats(-100, 100, width=32))
STATE = StreamState(("half a wor", 3), np.arange(5, dtype=np.float32))


@given(memory=plain, network=vectors)
@settings(max_examples=200, deadline=None)
def test_a_state_comes_back_as_it_was(memory, network):
    back = unpack(pack(StreamState(memory, network), PRINT), PRINT)
    assert back.memory == memory
    assert np.array_equal(back.network, network)


@given(array=arrays.arrays(np.float64, arrays.array_shapes(min_dims=1, max_dims=3, max_side=3, min_side=0)))
@settings(max_examples=50, deadline=None)
def test_arrays_in_a_memory_keep_kind_and_shape(array):
    for value in (array, array > 0, np.zeros(3, dtype="M8[us]"), np.arange(4, dtype=np.int64)):
        (back,) = unpack(pack(StreamState((value,), STATE.network), PRINT), PRINT).memory
        assert back.dtype == value.dtype
        assert np.array_equal(back, value, equal_nan=back.dtype.kind == "f")


@pytest.mark.parametrize(("precision", "error"), [("float16", 2**-11), ("bfloat16", 2**-8)])
@given(network=vectors)
@settings(max_examples=60, deadline=None)
def test_half_precision_halves_the_bytes_and_errs_by_its_last_digit(precision, error, network):
    state = StreamState(None, network)
    short = pack(state, PRINT, precision)
    assert len(short) <= len(pack(state, PRINT)) - 2 * len(network)
    back = unpack(short, PRINT).network
    assert np.all(np.abs(back - network) <= error * np.abs(network) + 1e-7)
    assert np.array_equal(back, rounded(network, precision))


def test_infinite_starts_of_a_maximum_survive_and_large_numbers_are_refused_where_they_do_not_fit():
    started = StreamState(None, np.array([-np.inf, 1.0], dtype=np.float32))
    assert np.array_equal(unpack(pack(started, PRINT, "float16"), PRINT).network, started.network)
    large = StreamState(None, np.array([1e6], dtype=np.float32))
    assert np.isclose(unpack(pack(large, PRINT, "bfloat16"), PRINT).network[0], 1e6, rtol=0.01)
    with pytest.raises(OptionError, match="bfloat16"):
        pack(large, PRINT, "float16")
    with pytest.raises(OptionError, match="did you mean 'float16'"):
        pack(large, PRINT, "float61")


@given(cut=st.integers(0, 60), flip=st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_are_refused_never_read(cut, flip):
    data = pack(STATE, PRINT)
    with pytest.raises(ArtifactError, match="state"):
        unpack(data[: min(cut, len(data) - 1)], PRINT)
    place = flip % (len(data) - 4) + 4  # behind the magic and the version
    changed = bytearray(data)
    changed[place] ^= 1 << flip % 8
    if place > 4:
        with pytest.raises(ArtifactError, match="state"):
            unpack(bytes(changed), PRINT)


def test_another_models_state_and_a_newer_format_are_told_apart():
    data = pack(STATE, PRINT)
    assert is_of(data, PRINT)
    assert not is_of(data, "f" * 16)
    assert not is_of(b"", PRINT)
    with pytest.raises(ArtifactError, match="model 0123456789abcdef; step it with the model that made it"):
        unpack(data, "f" * 16)
    newer = HEADER.pack(b"uRS", 9, *HEADER.unpack_from(data)[2:]) + data[HEADER.size :]
    with pytest.raises(ArtifactError, match="upgrade"):
        unpack(newer, PRINT)
    with pytest.raises(ArtifactError, match="bytes that a stream packed"):
        unpack(b"PK\x03\x04" + data, PRINT)


def test_a_memory_that_has_no_form_as_bytes_is_our_fault():
    with pytest.raises(TypeError, match="cannot be stored as bytes"):
        pack(StreamState(object(), STATE.network), PRINT)


def test_half_a_character_in_a_memory_comes_back():
    assert unpack(pack(StreamState(("\ud83d",), STATE.network), PRINT), PRINT).memory == ("\ud83d",)


@pytest.mark.parametrize("kind", ["|O", "<U1", "f8,i4", "|S4", "__import__('os')", "<f16", ">f8"])
def test_no_text_of_a_sender_becomes_an_element_type(kind):
    array = msgpack.ExtType(1, msgpack.packb((kind, (2,))) + bytes(16))
    body = msgpack.packb(((array,), bytes(4)))
    data = HEADER.pack(b"uRS", 1, 0, bytes.fromhex(PRINT), zlib.crc32(body)) + body
    with pytest.raises(ArtifactError, match="damaged"):
        unpack(data, PRINT)
