"""Times closer than a microsecond, days that are counted within a year, and numbers of every size."""

import numpy as np
import polars as pl
import pytest

from unrolled.data.time_forms import learn_form, read_times
from unrolled.data.time_options import TimeOptions
from unrolled.errors import DataError


@pytest.mark.parametrize("make", [lambda ns: ns.astype("M8[ns]"), lambda ns: ns])
def test_nanoseconds_within_one_microsecond_are_no_repeated_times(make):
    start = 1_704_067_200 * 10**9
    near, apart = start + np.array([0, 100, 1000]), start + np.arange(3) * 1000 + 7
    with pytest.raises(DataError, match=r"at least a microsecond apart.*in row 1.*unit=\"number\""):
        learn_form(pl.Series("t", make(near)))
    assert learn_form(pl.Series("t", make(apart))).kind == "datetime"
    assert (
        learn_form(pl.Series("t", make(near[:2])), group=pl.Series(["one", "other"])).kind == "datetime"
    )  # each once in its series


def test_days_of_one_year_without_months_are_no_numbers():
    days = pl.Series("day", range(2_023_300, 2_023_366))
    with pytest.raises(DataError, match="a period of a year"):
        learn_form(days)
    assert read_times(days, TimeOptions(time_format="%Y%j"))[0][0].isoformat() == "2023-10-27"
    assert learn_form(days, TimeOptions(unit="number")).kind == "number"


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64])
def test_whole_numbers_of_every_size_count_steps(kind):
    steps = pl.Series("step", [1, 2, 4, 120], dtype=kind)
    read, form = read_times(steps)
    assert form.kind == "number"
    assert form.parse(steps).to_list() == read.to_list() == [1, 2, 4, 120]


@pytest.mark.parametrize("kind", [pl.Int32, pl.UInt32, pl.Float64])
def test_seconds_since_1970_are_dates_in_small_numbers_too(kind):
    seconds = pl.Series("at", [1_700_000_000, 1_700_003_600, 1_700_007_200], dtype=kind)
    read, form = read_times(seconds)
    assert form.unit == "s"
    assert read[0].isoformat().startswith("2023-11-14T22:13:20")
