"""The latest events of a log are held out: nothing that is scored is learnt from, and every item is known."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unrolled as ur
from unrolled.data.event_log import event_log
from unrolled.data.source import Table
from unrolled.metrics.ranking import MISSED, Ranked, place_scores, ranking_scores
from unrolled.tasks.items.held_events import hold_out, numbered, questions_of, without_left_out
from unrolled.tasks.items.item_ranking import owners, places, questions

TINY = {"hidden_size": 4, "embedding_size": 4, "dropout": 0.0}
ONCE = {"epochs": 1, "device": "cpu"}


def split(table: Table, time: str | None, share: float = 0.2):
    user = None if table.frame["item"].dtype == pl.List else "user"
    table = numbered(table, "item")
    train, held = hold_out(table, event_log(table, user, "item", time), share, 0)
    assert held is not None
    return tuple(without_left_out(event_log(part, user, "item", time)) for part in (train, held))


def drawn(seed: int, users: int = 30, clock: int = 400) -> pl.DataFrame:
    """A log in no order, with rows twice and rows without an item."""
    draw = np.random.default_rng(seed)
    rows = users * 12
    items = [None if draw.random() < 0.05 else f"i{one}" for one in draw.integers(9, size=rows)]
    frame = pl.DataFrame({"user": draw.integers(users, size=rows), "item": items, "t": draw.integers(clock, size=rows)})
    return pl.concat([frame, frame[:20]])


def keys(log, *columns: str) -> set:
    return set(log.frame.select(columns).rows())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([3, 40, 400]))
def test_no_event_is_both_learnt_from_and_asked_about_and_all_that_is_learnt_is_earlier(seed, clock):
    train, held = split(Table(drawn(seed, clock=clock)), "t")
    asked = questions_of(held)
    assert asked is not None
    assert asked.sum() >= 8
    assert not keys(train, "user", "item", "t") & set(held.frame.filter(pl.Series(asked))["user", "item", "t"].rows())
    assert (places(held)[asked] > 0).all()
    same_clock = train.seconds.max() < held.seconds[asked].min()
    own_clock = all(  # many events share one time: each user's last part
        train.seconds[owners(train) == mine].max(initial=-1) <= held.seconds[row]
        for row in np.flatnonzero(asked)
        for mine in np.flatnonzero(train.users.to_numpy() == held.users[int(owners(held)[row])])
    )
    assert same_clock or own_clock
    whole = event_log(Table(drawn(seed, clock=clock)), "user", "item", "t")
    assert str(train.report) == str(whole.report)


def test_without_times_the_last_part_of_each_history_is_held_out():
    table = Table(drawn(1).select("user", "item").drop_nulls())
    train, held = split(table, None)
    whole = event_log(table, "user", "item")
    theirs = dict(zip(whole.users, np.split(whole.items.to_numpy(), np.cumsum(whole.lengths)[:-1]), strict=True))
    for user, items in zip(train.users, np.split(train.items.to_numpy(), np.cumsum(train.lengths)[:-1]), strict=True):
        assert list(theirs[user][: len(items)]) == list(items)
    left = len(whole.items) - len(train.items)
    assert abs(left - 0.2 * len(whole.items)) < 15
    assert questions_of(held).sum() == left


def test_sessions_in_lists_are_split_inside():
    sessions = [["a", "b", "c", "d"], [], None, ["a"], ["b", "c"]] * 20
    train, held = split(Table(pl.DataFrame({"item": sessions}, schema={"item": pl.List(pl.String)})), None)
    assert len(train.items) + questions_of(held).sum() == 7 * 20
    assert set(train.lengths) <= {1, 2, 3, 4}
    assert "a" not in held.items.filter(pl.Series(questions_of(held))).to_list()


def test_at_most_a_thousand_events_are_asked_about_and_few_are_no_reason_to_hold_out():
    frame = pl.DataFrame({"user": np.arange(30_000) % 500, "item": np.arange(30_000) % 7, "t": np.arange(30_000)})
    train, held = split(Table(frame), "t", 0.1)
    assert len(train.items) == 27_000
    assert questions_of(held).sum() == 1_000
    few = numbered(Table(frame[:60]), "item")
    assert hold_out(few, event_log(few, "user", "item", "t"), 0.1, 0) == (few, None)


@pytest.fixture(scope="module")
def model():
    """Users have an item of their own, the last one; the other items come in turn."""
    rows = [
        {"user": user, "item": f"last of {user}" if step == 9 else f"i{step % 3}", "t": 100 * step + user}
        for user in range(20)
        for step in range(10)
    ]
    return ur.Recommender(user="user", item="item", time="t", **TINY).fit(rows, **ONCE)


def test_the_catalogue_comes_from_all_rows_and_counts_only_what_was_learnt(model):
    assert model.catalogue_.size == 23
    assert model.catalogue_.counts_.sum() == 180
    assert (model.catalogue_.counts_ == 0).sum() == 20
    assert model.scores_.n == 20
    assert model.summary_["events"] == 180


def test_baselines_have_not_seen_what_is_scored(model):
    for scores in model.scores_.baselines.values():
        assert scores["hr_1"] == 0  # nobody can know the last items
    assert {len(one.popular_) for one in model.baselines_.values()} == {23}


def test_an_unknown_item_is_a_miss_however_small_the_catalogue():
    ranks = Ranked(np.array([1.0, MISSED]), np.array([[0, 1], [0, 1]]))
    assert ranking_scores(ranks, {}, np.array([2, 1])).model["hr_20"] == 0.5
    scores = place_scores(ranks, {}, np.array([0, 2]), np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert scores.model["accuracy_10"] == 0.5
    assert scores.model["km"] == 0.0  # of the one that has a position
    log = event_log(Table(pl.DataFrame({"item": [["a", "z"]]})), None, "item")
    assert questions(log, np.array([0, 2]), 2, 1, None)[0].tolist() == [1]


def test_places_that_have_no_column_are_held_out_too():
    draw = np.random.default_rng(1)
    where = draw.integers(3, size=200)
    rows = pl.DataFrame({"user": np.arange(200) % 9, "time": np.arange(200), "lat": where / 10, "lon": np.zeros(200)})
    task = ur.NextPlace(place=ur.Places("lat", "lon"), **TINY)
    task._start_anew()
    train, held = task._hold_out(Table(rows), 0.1, 0)
    assert (len(task._log(train).items), questions_of(task._log(held)).sum()) == (180, 20)
    assert len(task.places_.centres_) == 3


def test_one_time_for_all_events_holds_out_the_last_of_each_user():
    train, held = split(Table(drawn(2).drop_nulls().with_columns(t=pl.lit(7, dtype=pl.Int64))), "t", 0.6)
    assert len(train.users) == 30
    assert questions_of(held).sum() > 8


def test_a_place_that_was_added_later_is_scored_with_its_position():
    draw = np.random.default_rng(0)
    rows = [
        {"user": u, "place": f"p{p}", "time": t, "lat": float(p), "lon": 0.0}
        for u in range(6)
        for t, p in enumerate(draw.integers(4, size=6))
    ]
    walks = ur.NextPlace(latitude="lat", longitude="lon", **TINY).fit(rows, validation=0, **ONCE)
    new = [{**row, "place": "new", "lat": 50.0} if row["time"] == 5 else row for row in rows]
    assert walks.evaluate(new).model["accuracy_1"] == 0
    walks.partial_fit(new, device="cpu")
    assert walks.centres_[walks.catalogue_.index_of("new")].tolist() == [50.0, 0.0]
    assert np.isfinite(walks.evaluate(new).model["km"])
