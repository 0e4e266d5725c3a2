"""Own habits and times of events: equal to keeping count event by event, and blind to the future."""

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from unrolled.codecs.tables.event_time import EventTimes
from unrolled.codecs.tables.own_history import recalled
from unrolled.data.event_log import EventLog, event_log
from unrolled.data.source import Table

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 400)), min_size=1, max_size=40)
START = 1_700_000_000
NOTHING = 99


def log_of(rows: list[tuple[int, int, int]]) -> EventLog:
    columns = {"user": [r[0] for r in rows], "item": [r[1] for r in rows], "time": [START + 1800 * r[2] for r in rows]}
    return event_log(Table(pl.DataFrame(columns)), "user", "item", "time")


def by_hand(items: list[int], hours: list[int]) -> list[tuple[int, int, int]]:
    """The three suggestions after each event of one user, from dictionaries."""
    after: dict[int, int] = {}
    at_hour: dict[int, int] = {}
    counts: Counter[int] = Counter()
    found, last, best = [], None, None
    for item, hour in zip(items, hours, strict=True):
        if last is not None:
            after[last[0]], at_hour[last[1]] = item, item
        counts[item] += 1
        if best is None or counts[item] > counts[best]:
            best = item
        found.append((after.get(item, NOTHING), best, at_hour.get(hour, NOTHING)))
        last = (item, hour)
    return found


@given(EVENTS)
def test_suggestions_are_those_of_keeping_count(rows):
    log = log_of(rows)
    items = log.items.to_numpy()
    found = recalled(log, items, NOTHING)
    hours = (log.seconds // 3600).astype(int) % 168
    wanted, start = [], 0
    for length in log.lengths:
        wanted += by_hand(items[start : start + length].tolist(), hours[start : start + length].tolist())
        start += length
    assert list(zip(found["after"], found["most"], found["hour"], strict=True)) == wanted


@given(EVENTS, st.integers(0, 400))
def test_what_comes_later_changes_nothing_before(rows, edge):
    past = [row for row in rows if row[2] < edge]
    if not past:
        return
    whole, part = log_of(rows), log_of(past)
    early = whole.seconds < START + 1800 * edge
    order = np.argsort(whole.users.to_numpy()), np.argsort(part.users.to_numpy())
    rows_of = [log.rows_of(users) for log, users in zip((whole, part), order, strict=True)]
    for name, values in recalled(whole, whole.items.to_numpy(), NOTHING).items():
        theirs = recalled(part, part.items.to_numpy(), NOTHING)[name][rows_of[1]]
        assert values[rows_of[0]][early[rows_of[0]]].tolist() == theirs.tolist()


def test_times_say_the_gap_the_hour_and_the_weekday():
    monday = 1_704_067_200  # the first of January 2024
    log = event_log(
        Table(pl.DataFrame({"user": [0, 0, 1], "item": [1, 2, 3], "time": [monday, monday + 6 * 3600, monday]})),
        "user", "item", "time",
    )  # fmt: skip
    times = EventTimes.learnt(log)
    values = times.encode(log)
    assert values.shape == (3, times.size) == (3, 5)
    np.testing.assert_allclose(values[0], [0, 0, 1, 0, 1], atol=1e-6)  # no gap, midnight, Monday
    np.testing.assert_allclose(values[1, 1:3], [1, 0], atol=1e-6)  # six o'clock is a quarter of the day
    assert (values[0] == values[2]).all()
    again = EventTimes.from_json(times.to_json())
    assert (again.encode(log) == values).all()
