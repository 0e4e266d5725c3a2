"""Windows lie inside one series and reach its last step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.windows import windows
from unrolled.errors import DataError, OptionError

sizes = st.integers(1, 5)


def brute_force(lengths, context, horizon, stride):
    """Beginnings counted backwards from the last window of every series."""
    size = context + horizon
    return [
        (series, start) for series, length in enumerate(lengths) for start in sorted(range(length - size, -1, -stride))
    ]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), sizes, sizes, sizes)
def test_windows_are_those_counted_back_from_each_end(lengths, context, horizon, stride):
    want = brute_force(lengths, context, horizon, stride)
    if not want:
        with pytest.raises(DataError, match=f"context {context}.*horizon {horizon}"):
            windows(torch.tensor(lengths), context, horizon, stride)
        return
    got = windows(torch.tensor(lengths), context, horizon, stride)
    pairs = list(zip(got.series.tolist(), got.starts.tolist(), strict=True))
    assert pairs == want
    for series, start in pairs:
        assert start >= 0
        assert start + context + horizon <= lengths[series]
    for series, length in enumerate(lengths):
        ends = [start + context + horizon for place, start in pairs if place == series]
        assert (max(ends) == length) if ends else (series in got.skipped.tolist())
    assert got.skipped.tolist() == [s for s, length in enumerate(lengths) if length < context + horizon]


@pytest.mark.parametrize("name", ["context", "horizon", "stride"])
@pytest.mark.parametrize("value", [0, -1])
def test_sizes_below_one_are_refused(name, value):
    with pytest.raises(OptionError, match=name):
        windows(torch.tensor([9]), **{"context": 1, "horizon": 1, "stride": 1, name: value})


@pytest.mark.parametrize("lengths", [[], [0], [4, 2]])
def test_no_series_long_enough_says_what_is_there(lengths):
    with pytest.raises(DataError, match=f"received {max(lengths, default=0)} steps"):
        windows(torch.tensor(lengths, dtype=torch.int64), 3, 2)
