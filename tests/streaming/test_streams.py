"""What all streams share, below any task: rows of states, pieces of records, habits."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.habits import Habits
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.tables.own_history import recalled
from unrolled.codecs.text.words import Words
from unrolled.data.event_log import event_log
from unrolled.data.source import Table
from unrolled.errors import DataError
from unrolled.streaming.fingerprint import fingerprint
from unrolled.streaming.record_pieces import Pieces
from unrolled.streaming.stacked_states import StreamStates, memories_of, rows_of
from unrolled.streaming.state import StreamState


@given(items=st.lists(st.integers(0, 4), min_size=1, max_size=30), gaps=st.lists(st.integers(0, 9000), min_size=30))
@settings(max_examples=100, deadline=None)
def test_habits_kept_event_by_event_are_those_of_the_whole_history(items, gaps):
    times = 1.7e9 + np.cumsum(gaps[: len(items)]) + np.arange(len(items))
    frame = pl.DataFrame({"user": 0, "item": items, "time": times})
    log = event_log(Table(frame), "user", "item", "time")
    whole = recalled(log, np.array(items), nothing=9)
    habits = Habits()
    for place, (item, time) in enumerate(zip(items, times.tolist(), strict=True)):
        habits = Habits.from_values(tuple(habits.with_event(item, time)))
        assert habits.recalled(nothing=9) == {name: int(values[place]) for name, values in whole.items()}


def test_states_side_by_side_are_those_alone():
    states = StreamStates([1, 2, 3], np.arange(6, dtype=np.float32).reshape(3, 2))
    alone = list(states)
    assert [one.memory for one in alone] == [1, 2, 3] == list(memories_of(alone))
    assert np.array_equal(rows_of(states), rows_of(alone))
    alone[0].network[:] = 9
    assert states.rows[0, 0] == 0
    assert [one.memory for one in states[1:]] == [2, 3]


RECORDS = [{"load": [1.0, 2.0], "note": "all is well", "site": "north"}, {"load": [3.0], "note": "so", "site": "south"}]


def test_columns_grow_and_single_values_stay():
    pieces = Pieces([codec.fit(RECORDS) for codec in (Numbers("load"), Categories("site"))])
    record, memory = pieces.take({"load": 5.0, "site": "north"}, pieces.initial())
    assert record == {"load": [5.0], "site": "north"}
    assert pieces.take({"load": [6.0, 7.0]}, memory)[0] == {"load": [6.0, 7.0], "site": "north"}
    assert pieces.rest(memory)[0] == {"load": [], "site": "north"}
    record, memory = pieces.take({"load": 5.0, "site": None}, pieces.initial())  # missing, as it may be in a table
    assert pieces.take({"load": 6.0}, memory)[0] == {"load": [6.0], "site": None}
    pieces.form.check(memory, "memory")
    with pytest.raises(DataError, match="'site': expected a value in the first event"):
        pieces.take({"load": 5.0}, pieces.initial())
    with pytest.raises(DataError, match=r"'load': expected in the data.*the nearest is 'laod'"):
        pieces.take({"laod": 5.0, "site": "north"}, pieces.initial())


def test_a_bare_event_needs_a_single_growing_column():
    one, two = Pieces([Words("note").fit(RECORDS)]), Pieces([c.fit(RECORDS) for c in (Numbers("load"), Words("note"))])
    assert one.take("all is", one.initial())[0] == {"note": "all "}
    with pytest.raises(DataError, match="a record with 'load', 'note'"):
        two.take("all is", two.initial())


def test_a_fingerprint_changes_with_what_was_learnt_and_with_nothing_else():
    import torch

    plain, tensors = {"a": [1, 2.5], "b": "ä"}, {"w": torch.arange(3.0), "v": torch.zeros(2)}
    same = fingerprint({"b": "ä", "a": [1, 2.5]}, dict(reversed(tensors.items())))
    assert fingerprint(plain, tensors) == same
    others = [
        fingerprint({**plain, "a": [1, 2]}, tensors),
        fingerprint(plain, {**tensors, "v": torch.ones(2)}),
        fingerprint(plain, {**tensors, "v": torch.zeros(1, 2)}),
        fingerprint(plain, {"w": tensors["w"], "u": tensors["v"]}),
    ]
    assert len({same, *others}) == len(others) + 1


def test_a_state_is_a_plain_pair():
    state = StreamState(None, np.zeros(2, dtype=np.float32))
    assert tuple(state) == (state.memory, state.network)
