"""Tables: what happens to times, and how rows are dealt out."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.source import Table
from unrolled.errors import DataError, OptionError

shares = st.floats(0.05, 0.95)
seeds = st.integers(0, 2**31)


def table(count: int = 20, **columns) -> Table:
    return Table(pl.DataFrame({"n": range(count), **columns}))


def daily(count: int = 10, **columns) -> Table:
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=day) for day in range(count)]
    return Table(pl.DataFrame({"day": days, "x": [float(n) for n in range(count)], **columns}), time="day")


def column(source, name="n") -> list:
    return [record[name] for record in source]


# ---- times ---------------------------------------------------------------------------------------

JAN_2 = dt.date(2024, 1, 2)
NOON = dt.datetime(2024, 1, 2, 12, 0)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("2024-01-02", JAN_2),
        ("2024/01/02", JAN_2),
        ("20240102", JAN_2),
        ("02.01.2024", JAN_2),
        ("01/13/2024", dt.date(2024, 1, 13)),
        ("2024-01", dt.date(2024, 1, 1)),
        ("Jan 2024", dt.date(2024, 1, 1)),
        ("January 2024", dt.date(2024, 1, 1)),
        ("Jan 2 2024", JAN_2),
        ("2024-01-02T12:00:00", NOON),
        ("2024-01-02 12:00:00", NOON),
        ("2024-01-02 12:00:00.000", NOON),
        ("2024-01-02 12:00", NOON),
        ("2024-01-02T12:00", NOON),
        ("2024/01/02 12:00:00", NOON),
        ("2024-01-02T12:00:00Z", NOON.replace(tzinfo=dt.UTC)),
        ("2024-01-02T13:00:00+01:00", NOON.replace(tzinfo=dt.UTC)),
    ],
)
def test_times_are_read_in_every_usual_form(text, want):
    source = Table(pl.DataFrame({"t": [text], "x": [1]}), time="t")
    assert column(source, "t") == [want]


def test_zoned_datetimes_keep_their_zone_and_numbers_stay():
    here = pl.Series("t", [NOON], dtype=pl.Datetime("ms", "Europe/Berlin"))
    source = Table(here.to_frame(), time="t")
    assert source.frame["t"].dtype == pl.Datetime("us", "Europe/Berlin")
    assert column(source, "t") == here.to_list()
    assert column(Table(pl.DataFrame({"t": [3, 1, 2]}), time="t"), "t") == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["2024-01-01", "yesterday"], "'yesterday'"),
        (["2024-01-01", "2024-02-30"], "2024-02-30"),
        ([True, False], "column 't'"),
        ([[1], [2]], "column 't'"),
    ],
)
def test_times_that_cannot_be_read_are_shown(values, words):
    with pytest.raises(DataError, match=words):
        Table(pl.DataFrame({"t": values}), time="t")


def test_rows_are_sorted_by_series_and_time_and_the_frame_given_is_untouched():
    frame = pl.DataFrame({"t": [2, 1, 1, 2], "g": ["b", "b", "a", "a"], "x": [4, 3, 1, 2]})
    copy = frame.clone()
    source = Table(frame, time="t", group="g")
    assert column(source, "x") == [1, 2, 3, 4]
    assert frame.equals(copy)
    assert [(key, part["x"].to_list()) for key, part in source.series()] == [("a", [1, 2]), ("b", [3, 4])]


def test_of_duplicated_times_the_last_row_is_kept_and_counted():
    source = Table(pl.DataFrame({"t": [1, 2, 2, 3], "x": [1, 2, 20, 3]}), time="t")
    assert column(source, "x") == [1, 20, 3]
    assert source.report.duplicates == 1
    assert "1 duplicated" in str(source.report)


def test_the_same_time_in_two_series_is_no_duplicate():
    source = Table(pl.DataFrame({"t": [1, 1], "g": ["a", "b"]}), time="t", group="g")
    assert source.report.duplicates == 0
    assert source.report.series == 2


def test_the_report_says_the_calendar_in_words():
    assert (
        str(Table(pl.DataFrame({"t": [1, 2, 3, 7, 8]}), time="t").report)
        == "1 series: steps of 1, 3 of 8 steps missing"
    )
    months = [f"2023-{month:02}" for month in range(1, 13)]
    assert str(Table(pl.DataFrame({"t": months}), time="t").report) == "1 series: monthly, on day 1"
    months = [f"{month}-01" for month in months]
    days = [f"2024-01-{day:02}" for day in range(1, 13)]
    both = Table(pl.DataFrame({"t": months + days, "g": ["m"] * 12 + ["d"] * 12}), time="t", group="g")
    assert str(both.report) == "2 series: 1 series daily; 1 series monthly, on day 1"


def test_missing_times_are_counted():
    assert Table(pl.DataFrame({"t": ["2024-01-01", None, "2024-01-02"]}), time="t").report.missing == 1


def test_one_row_has_no_step():
    assert Table(pl.DataFrame({"t": [5]}), time="t").report.calendar == "no step, as no series has two times"


# ---- splits --------------------------------------------------------------------------------------


@given(st.integers(2, 40), shares, seeds)
def test_every_row_is_in_exactly_one_part_and_keeps_its_place(count, share, seed):
    train, test = table(count).split(test=share, seed=seed)
    assert sorted(column(train) + column(test)) == list(range(count))
    assert column(train) == sorted(column(train))
    assert column(test) == sorted(column(test))
    assert len(test) == min(max(1, round(count * share)), count - 1)


def test_the_seed_fixes_the_split():
    one, other = (column(table(50).split(seed=seed)[1]) for seed in (0, 1))
    assert one == column(table(50).split(seed=0)[1])
    assert one != other


@given(st.lists(st.sampled_from("abc"), min_size=4, max_size=60).filter(lambda v: len(set(v)) < len(v)), shares, seeds)
def test_stratified_parts_have_the_shares_of_the_whole(labels, share, seed):
    try:
        train, test = table(len(labels), y=labels).split(test=share, seed=seed, stratify="y")
    except DataError:
        assert len(labels) * share < 1
        return
    assert sorted(column(train) + column(test)) == list(range(len(labels)))
    for label in set(labels):
        count = labels.count(label)
        held = column(test, "y").count(label)
        assert held < count
        assert abs(held - count * share) <= 1.5 or held == count - 1


@given(st.lists(st.integers(0, 6), min_size=3, max_size=40).filter(lambda v: len(set(v)) > 1), shares, seeds)
def test_groups_stay_whole(groups, share, seed):
    train, test = table(len(groups), g=groups).split(test=share, seed=seed, group="g")
    assert set(column(train, "g")).isdisjoint(column(test, "g"))
    assert len(train) + len(test) == len(groups)
    assert len(train)
    assert len(test)


def test_series_of_a_long_table_stay_whole():
    frame = pl.DataFrame({"t": [1, 2] * 10, "g": [n // 2 for n in range(20)]})
    train, test = Table(frame, time="t", group="g").split(test=0.3)
    assert set(column(train, "g")).isdisjoint(column(test, "g"))
    assert (train.time, test.group) == ("t", "g")


def test_one_series_is_not_dealt_out_at_random():
    with pytest.raises(OptionError, match="split_at"):
        daily().split()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"test": 0}, "test"),
        ({"test": 1.0}, "test"),
        ({"test": -3}, "test"),
        ({"stratify": "y", "group": "y"}, "both"),
        ({"stratify": "label"}, "label"),
        ({"group": "N"}, "the nearest is 'n'"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(options, words):
    with pytest.raises((OptionError, DataError), match=words):
        table(y=[0, 1] * 10).split(**options)


def test_one_row_cannot_be_split():
    with pytest.raises(DataError, match="at least 2 rows"):
        table(1).split()
    with pytest.raises(DataError, match="at least 2 groups"):
        table(3, g=[1, 1, 1]).split(group="g")
    with pytest.raises(DataError, match="more than once"):
        table(3, y=[1, 2, 3]).split(stratify="y")


# ---- split_at ------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", ["2024-01-04", dt.date(2024, 1, 4), dt.datetime(2024, 1, 4), "2024-01-03 12:00"])
def test_the_past_ends_before_the_edge(edge):
    past, recent = daily().split_at(edge)
    assert column(past, "x") == [0, 1, 2]
    assert column(recent, "x") == list(range(3, 10))
    assert past.time == "day"


@given(st.integers(1, 9), st.data())
def test_the_future_cannot_change_the_past(edge, data):
    whole = daily()
    noise = data.draw(st.lists(st.floats(-9, 9), min_size=10 - edge, max_size=10 - edge))
    changed = daily(x=[float(n) for n in range(edge)] + noise)
    day = dt.date(2024, 1, 1) + dt.timedelta(days=edge)
    past, other = whole.split_at(day)[0], changed.split_at(day)[0]
    assert past.frame.equals(other.frame)
    assert past.report == other.report


def test_every_series_is_cut_at_the_same_time():
    frame = pl.DataFrame({"t": [1, 2, 3, 2, 3, 4], "g": ["a"] * 3 + ["b"] * 3})
    past, recent = Table(frame, time="t", group="g").split_at(3)
    assert list(past) == [{"t": 1, "g": "a"}, {"t": 2, "g": "a"}, {"t": 2, "g": "b"}]
    assert len(recent) == 3


@pytest.mark.parametrize("edge", ["2023-01-01", "2024-01-01", "2025-01-01"])
def test_an_edge_with_nothing_on_one_side_says_the_range(edge):
    with pytest.raises(DataError, match="between 2024-01-01 and 2024-01-10"):
        daily().split_at(edge)


@pytest.mark.parametrize("edge", ["soon", 3, 2.5])
def test_an_edge_of_another_kind_is_refused(edge):
    with pytest.raises(DataError):
        daily().split_at(edge)


def test_without_a_time_column_there_is_no_past():
    with pytest.raises(OptionError, match="time="):
        table().split_at(3)


# ---- the face of a table -------------------------------------------------------------------------


def test_rows_are_selected_in_the_order_asked():
    source = table(5).select([4, 0, 0])
    assert column(source) == [4, 0, 0]
    assert len(source) == 3


def test_a_missing_column_suggests_the_nearest():
    with pytest.raises(DataError, match="the nearest is 'review'"):
        Table(pl.DataFrame({"review": ["a"], "stars": [1]})).require("stars", "reviw")
    with pytest.raises(DataError, match="the nearest is 'shop'"):
        Table(pl.DataFrame({"shop": ["a"], "t": [1]}), time="t", group="shops")


def test_a_table_shows_its_size_and_columns():
    assert "20 rows" in repr(table())
    assert "n: Int64" in repr(table())
