"""Event logs: whatever order, repetition or gap they come with, each user's events end up in the order of time."""

import datetime as dt
import time as clock

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.event_log import event_log
from unrolled.data.readers import as_source
from unrolled.data.source import Table
from unrolled.errors import DataError

EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 30)), min_size=1, max_size=40)


def log_of(rows: list[tuple[object, object, object]], **options: object):
    columns = {name: [row[place] for row in rows] for place, name in enumerate(("user", "item", "time"))}
    return event_log(Table(pl.DataFrame(columns)), "user", "item", "time", **options)


@given(EVENTS)
def test_each_users_events_are_sorted_and_none_is_lost_but_repetitions(rows):
    log = log_of(rows)
    edges = np.cumsum(log.lengths)[:-1]
    found = {
        user: list(zip(items, times, strict=True))
        for user, items, times in zip(
            log.users, np.split(log.items.to_numpy(), edges), np.split(log.seconds, edges), strict=True
        )
    }
    wanted: dict[int, list[tuple[int, int]]] = {}
    for user, item, time in rows:
        if (item, time) not in wanted.setdefault(user, []):
            wanted[user].append((item, time))
    assert list(found) == list(wanted)  # users in the order in which the data first name them
    for user, events in wanted.items():
        assert found[user] == sorted(events, key=lambda event: event[1])  # stable: ties stay in order
    assert log.report.duplicates == len(rows) - sum(map(len, wanted.values()))


@given(EVENTS)
def test_the_order_of_rows_of_different_users_does_not_matter(rows):
    by_user = sorted(rows, key=lambda row: row[0])
    one, other = log_of(rows), log_of(by_user)
    order = np.argsort(one.users.to_numpy())
    assert one.select(order).items.to_list() == other.items.to_list()


def test_rows_out_of_order_repeated_incomplete_or_in_the_future_are_counted():
    later = clock.time() + 10 * 86_400
    rows = [(1, 1, 2e9 - 3), (1, 2, 1.6e9), (1, 2, 1.6e9), (2, None, 1.6e9), (None, 1, 1.6e9), (2, 1, later)]
    report = log_of(rows).report
    assert (report.unsorted, report.duplicates, report.incomplete) == (1, 1, 2)
    assert report.future == 1 + (later < 2e9 - 3)
    assert "out of order (sorted)" in str(report)
    assert "in the future" in str(report)


def test_times_are_the_same_in_every_form():
    moment = dt.datetime(2024, 3, 1, 12, 30)
    forms = [moment, moment.isoformat(), 1_709_296_200, 1_709_296_200_000, 1_709_296_200_000_000, "2024-03-01 12:30"]
    for form in forms:
        log = log_of([("a", 1, form)])
        assert log.seconds.tolist() == [1_709_296_200.0]
        assert log.calendar


def test_time_zones_are_brought_to_one_clock():
    log = log_of([("a", 1, "2024-03-01T12:00:00+02:00"), ("a", 2, "2024-03-01T11:30:00+00:00")])
    assert log.items.to_list() == [1, 2]  # ten o'clock comes before half past eleven
    assert log.seconds[1] - log.seconds[0] == 5400


def test_a_mix_of_times_with_and_without_zone_is_refused():
    with pytest.raises(DataError, match="time"):
        log_of([("a", 1, "2024-03-01T12:00:00+02:00"), ("a", 2, "2024-03-01 11:30")])


def test_numbers_that_are_no_dates_only_say_what_came_first():
    log = log_of([("a", 1, 7), ("a", 2, 3)])
    assert log.items.to_list() == [2, 1]
    assert not log.calendar


def test_sessions_as_lists_are_users_of_their_own():
    log = event_log(as_source([["x", "y"], ["z"]]), None, "x")
    assert log.items.to_list() == ["x", "y", "z"]
    assert log.lengths.tolist() == [2, 1]


def test_an_empty_session_is_a_newcomer_where_one_is_asked_about():
    sessions = as_source([["x"], [], ["y"]])
    assert event_log(sessions, None, "x").lengths.tolist() == [1, 1]
    assert event_log(sessions, None, "x", empty=True).lengths.tolist() == [1, 0, 1]


def test_lists_beside_the_items_must_be_as_long():
    data = Table(pl.DataFrame({"x": [["a", "b"]], "price": [[1.0]]}))
    with pytest.raises(DataError, match="price"):
        event_log(data, None, "x")


@pytest.mark.parametrize(
    ("frame", "user", "words"),
    [
        ({"user": [1], "item": [2]}, "usr", "user"),
        ({"user": [1], "item": [2]}, None, "identifies the user"),
        ({"user": [None], "item": [2]}, "user", "at least one event"),
    ],
    ids=["a misspelt column", "no user", "nothing whole"],
)
def test_what_is_no_log_is_refused(frame, user, words):
    with pytest.raises(DataError, match=words):
        event_log(Table(pl.DataFrame(frame)), user, "item")


def test_an_infinite_time_is_refused():
    with pytest.raises(DataError, match="finite"):
        log_of([("a", 1, float("inf"))])
