"""Waiting: who goes with whom, in which order, and when a batch waits for more."""

import threading
import time

import pytest

from unrolled.errors import StoreUnavailable
from unrolled.streaming.event_batching import Waiting, Work


def works(keys):
    return [Work(key, number, None) for number, key in enumerate(keys)]


def taken(waiting, timeout=10.0):
    batch = waiting.take(timeout)
    return batch, [(work.key, work.event) for work in batch]


def test_a_batch_holds_the_first_event_of_each_key_in_the_order_of_arrival():
    waiting = Waiting(max_batch=8, max_wait=0.0)
    waiting.put(works("abacab"))
    batch, seen = taken(waiting)
    assert seen == [("a", 0), ("b", 1), ("c", 3)]
    assert len(waiting) == 3
    waiting.done(batch)
    batch, seen = taken(waiting)
    assert seen == [("a", 2), ("b", 5)]
    waiting.done(batch)
    assert taken(waiting)[1] == [("a", 4)]


def test_a_key_that_is_being_stepped_is_not_taken_and_the_others_are():
    waiting = Waiting(max_batch=2, max_wait=0.0)
    waiting.put(works("abab"))
    first, _ = taken(waiting)
    waiting.put([Work("c", 9, None)])
    second, seen = taken(waiting)
    assert seen == [("c", 9)]
    waiting.done(first)
    assert taken(waiting)[1] == [("a", 2), ("b", 3)]
    waiting.done(second)


def test_a_batch_is_no_larger_than_it_may_be():
    waiting = Waiting(max_batch=3, max_wait=0.0)
    waiting.put(works("abcdefg"))
    sizes = []
    for _ in range(3):
        batch, seen = taken(waiting)
        sizes.append(len(seen))
        waiting.done(batch)
    assert sizes == [3, 3, 1]


def test_nothing_to_take_is_an_empty_batch_and_after_the_end_none():
    waiting = Waiting(max_batch=3, max_wait=0.0)
    assert waiting.take(0.01) == []
    waiting.put(works("a"))
    waiting.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        waiting.put(works("b"))
    batch, seen = taken(waiting)
    assert seen == [("a", 0)]
    waiting.done(batch)
    assert waiting.take(10.0) is None


def test_whoever_takes_is_woken_by_an_event_and_by_the_end():
    waiting, got = Waiting(max_batch=3, max_wait=0.0), []
    thread = threading.Thread(target=lambda: got.extend([waiting.take(60.0), waiting.take(60.0)]))
    thread.start()
    waiting.put(works("a"))
    while len(waiting):
        time.sleep(0.001)
    waiting.close()
    thread.join(30)
    assert not thread.is_alive()
    assert got[1] is None


def busy(max_wait):
    """Waiting after a batch during which very many events of one key arrived."""
    waiting = Waiting(max_batch=8, max_wait=max_wait)
    waiting.put(works("a"))
    batch, _ = taken(waiting)
    waiting.put(works("b" * 100_000))
    waiting.done(batch)
    return waiting


def test_where_events_arrive_fast_a_batch_waits_until_it_has_doubled():
    waiting = busy(max_wait=60.0)
    threading.Timer(0.05, lambda: waiting.put(works("c"))).start()
    start = time.monotonic()
    assert [work.key for work in waiting.take(10.0)] == ["b", "c"]
    assert time.monotonic() - start < 30


def test_and_no_longer_than_it_may():
    waiting = busy(max_wait=0.01)
    assert [work.key for work in waiting.take(10.0)] == ["b"]


def test_an_answer_is_given_once():
    class Noted(Work):
        def answer(self, found):
            seen.append(found)

    seen = []
    work = Noted("a", 0, None)
    work.settle(1)
    work.settle(2)
    assert seen == [1]


def test_every_sender_has_its_turn_however_much_one_of_them_has_sent():
    waiting = Waiting(max_batch=4, max_wait=0.0)
    waiting.put([Work(f"mine{n}", n, None, "loud") for n in range(1000)])
    waiting.put([Work("ada", "a", None), Work("bob", "b", None, "quiet"), Work("bob", "c", None, "quiet")])
    batch, seen = taken(waiting)
    assert seen == [("mine0", 0), ("ada", "a"), ("bob", "b"), ("mine1", 1)]
    waiting.done(batch)
    assert ("bob", "c") in taken(waiting)[1]


def test_events_of_one_sender_keep_their_order_and_none_is_lost():
    waiting = Waiting(max_batch=7, max_wait=0.0)
    for sender in "xyz":
        waiting.put([Work(f"{sender}{n % 5}", n, None, sender) for n in range(40)])
    seen = {}
    while len(waiting):
        batch, _ = taken(waiting)
        for work in batch:
            seen.setdefault(work.key, []).append(work.event)
        waiting.done(batch)
    assert sorted(seen) == sorted(f"{sender}{n}" for sender in "xyz" for n in range(5))
    assert all(events == sorted(events) and len(events) == 8 for events in seen.values())
