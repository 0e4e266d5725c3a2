"""Long calls take turns: none keeps another waiting, and one that nobody waits for ends at its next pause."""

import threading
import time
from concurrent.futures import wait

import pytest

from unrolled.pauses import pause
from unrolled.serving import fair_workers
from unrolled.serving.fair_workers import FairWorkers, Stopped

SECONDS = 20


@pytest.fixture
def workers(monkeypatch):
    monkeypatch.setattr(fair_workers, "SLICE", 0.0)  # every pause lets the next one go first
    made = FairWorkers(1, 8, "test")
    yield made
    made.close()


class Endless:
    """A call that runs until it is released; `parts` counts its parts."""

    def __init__(self) -> None:
        self.parts, self.released, self.has_begun = 0, threading.Event(), threading.Event()

    def __call__(self) -> int:
        while not self.released.is_set():
            self.parts += 1
            self.has_begun.set()
            time.sleep(0.001)
            pause()
        return self.parts


def submitted(workers, call):
    found = workers.submit(call)
    if isinstance(call, Endless):
        assert call.has_begun.wait(SECONDS)
    return found


def test_a_short_call_does_not_wait_for_the_end_of_long_ones(workers):
    long = [Endless() for _ in range(3)]
    calls = [submitted(workers, one) for one in long]
    assert workers.submit(lambda: "short").future.result(SECONDS) == "short"
    assert not any(call.future.done() for call in calls)
    for one in long:
        one.released.set()
    wait([call.future for call in calls], SECONDS)
    assert [call.future.result(0) for call in calls] == [one.parts for one in long]


def test_long_calls_have_as_many_turns_as_each_other(workers):
    long = [Endless() for _ in range(3)]
    calls = [submitted(workers, one) for one in long]
    before = [one.parts for one in long]
    while long[0].parts < before[0] + 20:
        time.sleep(0.001)
    grown = [one.parts - was for one, was in zip(long, before, strict=True)]
    for one in long:
        one.released.set()
    wait([call.future for call in calls], SECONDS)
    assert max(grown) - min(grown) <= 3


def test_only_so_many_run_at_the_same_time():
    workers, now, most, lock = FairWorkers(2, 8, "test"), [0], [0], threading.Lock()

    def call() -> None:
        for _ in range(5):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.002)
            with lock:
                now[0] -= 1
            pause()

    wait([workers.submit(call).future for _ in range(6)], SECONDS)
    workers.close()
    assert most[0] == 2


def test_a_call_that_runs_ends_at_its_next_pause_and_frees_its_place(workers):
    long = Endless()
    call = submitted(workers, long)
    workers.stop(call)
    with pytest.raises(Stopped):
        call.future.result(SECONDS)
    parts = long.parts
    assert workers.submit(lambda: "next").future.result(SECONDS) == "next"
    assert long.parts == parts


def test_calls_that_wait_are_dropped_at_once(monkeypatch):
    monkeypatch.setattr(fair_workers, "SLICE", 1000.0)  # the first call never lets another go first
    workers, long, begun = FairWorkers(1, 2, "test"), Endless(), []
    call = submitted(workers, long)
    in_line, in_pool = (workers.submit(begun.append, number) for number in range(2))
    deadline = time.monotonic() + SECONDS
    while not in_line.future.running() and time.monotonic() < deadline:
        time.sleep(0.001)
    for one in (in_line, in_pool):
        workers.stop(one)
    with pytest.raises(Stopped):
        in_line.future.result(SECONDS)
    assert in_pool.future.cancelled()
    long.released.set()
    assert call.future.result(SECONDS)
    workers.close()
    assert not begun


def test_a_new_call_goes_before_those_that_had_a_turn_but_not_always(workers):
    long, order = [Endless() for _ in range(4)], []
    calls = [submitted(workers, one) for one in long]
    new = [workers.submit(order.append, number) for number in range(3)]
    before = long[0].parts
    wait([call.future for call in new], SECONDS)
    assert order == [0, 1, 2]
    assert long[0].parts <= before + 3  # a whole round of all before each new one would be more
    for one in long:
        one.released.set()
    wait([call.future for call in calls], SECONDS)


def test_an_error_of_a_call_is_its_own(workers):
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 / 0).future.result(SECONDS)
    assert workers.submit(lambda: "next").future.result(SECONDS) == "next"
