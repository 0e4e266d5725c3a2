"""Sessions: each key as if it were alone, in order, once, and never half."""

import math
import random
import threading
import time

import numpy as np
import pytest
from polars.exceptions import PanicException

from streaming.toy import Toy, toy_stream
from unrolled.errors import ArtifactError, DataError, OptionError, StoreUnavailable
from unrolled.streaming.sessions import Sessions
from unrolled.streaming.state import StreamState
from unrolled.streaming.stores.memory import MemoryStore
from unrolled.streaming.stores.sqlite import SQLiteStore
from unrolled.streaming.stream import Stream


@pytest.fixture(params=["memory", "bytes in memory", "packed in memory", "sqlite"])
def sessions(request, tmp_path):
    kinds = {"memory": lambda: None, "sqlite": lambda: SQLiteStore(tmp_path / "s.db")}
    store = kinds.get(request.param, MemoryStore)()
    precision = "bfloat16" if request.param == "packed in memory" else "float32"
    with Sessions(toy_stream(), store, precision=precision) as made:
        yield made


@pytest.fixture
def two_workers(tmp_path):
    """As two processes would, with a store of their own each in one file."""
    made = [Sessions(toy_stream(), SQLiteStore(tmp_path / "s.db")) for _ in range(2)]
    yield made
    for sessions in made:
        sessions.close()


class Gate(Toy):
    """A toy that waits before every step until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[float]] = []
        self.entered, self.open = threading.Event(), threading.Event()

    def step_many(self, events, states):
        self.entered.set()
        assert self.open.wait(10)
        self.seen.append(list(events))
        return super().step_many(events, states)


def repr_of(value):
    return f"{type(value).__name__} {str(value)[:9]}" if not isinstance(value, int) or value < 2**64 else "huge"


def alone(events, seed=0):
    """The answers of a stream that nobody shares."""
    stream, state, answers = toy_stream(seed), None, []
    for event in events:
        answer, state = stream.step(event, state)
        answers.append(answer)
    return answers


# ---- each key as if it were alone ------------------------------------------------------------------


def test_many_threads_and_keys_get_the_answers_of_streams_alone(tmp_path):
    rng = random.Random(0)
    history = {f"user {user}": [rng.uniform(-1, 1) for _ in range(30)] for user in range(20)}
    got: dict[str, list] = {}
    with Sessions(toy_stream(), SQLiteStore(tmp_path / "s.db"), max_batch=7) as sessions:

        def use(key):
            got[key] = [sessions.step(key, event) for event in history[key]]

        threads = [threading.Thread(target=use, args=(key,)) for key in history]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sessions.statistics["events"] == 600
        assert sessions.statistics["largest_batch"] > 1
    assert got == {key: alone(events) for key, events in history.items()}


def test_events_of_a_key_are_stepped_in_the_order_of_submit(sessions):
    futures = [sessions.submit("a", float(number)) for number in range(100)]
    assert [future.result()["count"] for future in futures] == list(range(1, 101))


def test_many_pairs_at_once_are_answered_in_their_order(sessions):
    pairs = [(f"k{place % 7}", float(place)) for place in range(100)]
    answers = sessions.step_many(pairs)
    for key in range(7):
        assert [answer["count"] for answer in answers[key::7]] == list(range(1, len(answers[key::7]) + 1))
    assert sessions.step_many([]) == []
    found = sessions.step_many([("a", 1.0), ("a", "no number"), ("a", 2.0)], errors="return")
    assert (found[0]["sum"], found[2]["sum"]) == (1.0, 3.0)
    assert isinstance(found[1], DataError)


def test_a_batch_never_holds_two_events_of_a_key_and_holds_what_waits():
    gate = Gate()
    with Sessions(Stream(gate, "0" * 16), max_batch=4) as sessions:
        futures = [sessions.submit("first", 0.0)]
        gate.entered.wait(10)
        for number, key in enumerate("aabbabcde", 1):
            futures.append(sessions.submit(key, float(number)))
        assert sessions.statistics["waiting"] == 9
        gate.open.set()
        for future in futures:
            future.result()
    # heads of a, b, c, d wait first; then what became free; order per key holds
    assert gate.seen[:2] == [[0.0], [1.0, 3.0, 7.0, 8.0]]
    assert sorted(event for batch in gate.seen for event in batch) == [float(number) for number in range(10)]
    assert all(len(batch) <= 4 for batch in gate.seen)
    owners = dict(enumerate("-aabbabcde"))
    for batch in gate.seen:
        assert len({owners[int(event)] for event in batch}) == len(batch)


def test_an_event_that_was_cancelled_harms_nobody():
    gate = Gate()
    with Sessions(Stream(gate, "0" * 16)) as sessions:
        futures = [sessions.submit("a", 1.0) for _ in range(4)]
        gate.entered.wait(10)
        assert futures[2].cancel()
        gate.open.set()
        assert [futures[place].result()["count"] for place in (0, 1, 3)] == [1, 2, 4]
        assert futures[2].cancelled()


def test_closing_answers_what_waits_and_takes_no_more():
    gate = Gate()
    sessions = Sessions(Stream(gate, "0" * 16))
    futures = [sessions.submit("a", 1.0) for _ in range(5)]
    gate.entered.wait(10)
    closer = threading.Thread(target=sessions.close)
    closer.start()
    gate.open.set()
    closer.join()
    assert [future.result()["count"] for future in futures] == [1, 2, 3, 4, 5]
    with pytest.raises(StoreUnavailable, match="closed"):
        sessions.step("a", 1.0)


# ---- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [None, "x", math.nan, [1.0], {"a": 1}])
def test_a_bad_event_is_refused_and_leaves_its_session_and_its_neighbours_as_they_were(sessions, event):
    sessions.step("a", 1.0)
    found = sessions.step_many([("a", event), ("b", 5.0)], errors="return")
    assert isinstance(found[0], DataError)
    assert found[1]["sum"] == 5.0
    assert sessions.step("a", 2.0)["sum"] == 3.0
    assert sessions.statistics["refused"] == 1


@pytest.mark.parametrize("key", [None, 3, b"a", "", "x" * 513, "é" * 257, "\ud800", ["a"]])
def test_what_is_no_key_is_refused(sessions, key):
    for ask in (lambda: sessions.step(key, 1.0), lambda: sessions.reset(key), lambda: sessions.state(key)):
        with pytest.raises(DataError, match="key"):
            ask()
    with pytest.raises(DataError, match="key"):
        sessions.step_many([("good", 1.0), (key, 1.0)])
    assert len(sessions) == 0


@pytest.mark.parametrize("name", [-1, 2**63, 10**5000, True, 1.5, b"a", "", "x" * 513], ids=repr_of)
def test_what_is_no_event_id_is_refused(sessions, name):
    with pytest.raises(DataError, match="event_id"):
        sessions.step("a", 1.0, event_id=name)


def test_strange_keys_are_different_sessions(sessions):
    keys = ["../../etc/passwd", "a\0b", "a\0c", "a", "A", "é", "e\u0301", "日本", "*", " ", "\n", "x" * 512]
    for number, key in enumerate(keys):
        sessions.step(key, float(number))
    assert [sessions.step(key, 0.0)["sum"] for key in keys] == [float(number) for number in range(len(keys))]
    assert sorted(sessions.keys()) == sorted(keys)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(ZeroDivisionError("our fault"), "our fault"), (PanicException("polars gave up"), "a panic of polars")],
)
@pytest.mark.parametrize("others", [1, 0])
def test_a_fault_of_a_stream_harms_only_the_event_that_met_it(fault, said, others):
    class Broken(Toy):
        def step_many(self, events, states):
            if 13.0 in events:
                raise fault
            return super().step_many(events, states)

    with Sessions(Stream(Broken(), "0" * 16)) as sessions:
        found = sessions.step_many([("b", 13.0), *[("a", 1.0), ("c", 2.0)] * others], errors="return")
        assert [output["sum"] for output in found[1:]] == [1.0, 2.0] * others
        assert said in str(found[0])
        assert isinstance(found[0], Exception)  # a panic is none
        assert sessions.step("b", 1.0)["count"] == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_numbers_that_the_precision_cannot_hold_refuse_their_own_event_alone(tmp_path, kind):
    class Huge(Toy):
        def step_many(self, events, states):
            outputs, after = super().step_many(events, states)
            return outputs, [
                StreamState(one.memory, one.network + (1e9 if event == 9.0 else 0))
                for event, one in zip(events, after, strict=True)
            ]

    store = "memory:" if kind == "memory" else f"sqlite:///{tmp_path}/s.db"
    with Sessions(Stream(Huge(), "0" * 16), store, precision="float16") as sessions:
        found = sessions.step_many([("a", 1.0), ("b", 9.0), ("c", 1.0)], errors="return")
        assert [isinstance(answer, OptionError) for answer in found] == [False, True, False]
        assert "bfloat16" in str(found[1])
        assert sessions.state("b") is None


@pytest.mark.parametrize(
    "option",
    [{"max_batch": 0}, {"remembered_events": 0}, {"remembered_ids": 63}, {"remembered_bytes": -1},
     {"max_bytes": 0}, {"max_wait": -1}, {"ttl": 0}, {"ttl": math.nan}, {"max_sessions": 0},
     {"precision": "float8"}, {"other_model": "mix"}],
    ids=str,
)  # fmt: skip
def test_an_option_without_sense_is_refused(option):
    with pytest.raises(OptionError, match=next(iter(option))):
        Sessions(toy_stream(), **option)


# ---- exactly once ----------------------------------------------------------------------------------


def test_an_event_that_comes_again_gets_its_answer_again_and_changes_nothing(sessions):
    first = sessions.step("a", 1.0, event_id="one")
    second = sessions.step("a", 2.0, event_id="two")
    assert sessions.step("a", 1.0, event_id="one") == first
    assert sessions.step("a", 99.0, event_id="two") == second
    assert sessions.step("b", 5.0, event_id="one")["sum"] == 5.0  # another key's ids are its own
    assert sessions.step("a", 3.0)["sum"] == 6.0
    assert sessions.statistics["repeated"] == 2


def test_an_id_twice_in_one_breath_is_stepped_once(sessions):
    answers = sessions.step_many([("a", 1.0)] * 5, event_ids=["same"] * 5)
    assert [answer["count"] for answer in answers] == [1] * 5


def test_an_event_that_was_refused_is_not_remembered(sessions):
    with pytest.raises(DataError):
        sessions.step("a", "bad", event_id="one")
    assert sessions.step("a", 1.0, event_id="one")["count"] == 1


def test_after_a_reset_elsewhere_an_id_is_new(two_workers):
    here, there = two_workers
    assert here.step("a", 1.0, event_id="one")["count"] == 1
    assert there.reset("a")
    assert here.step("a", 2.0, event_id="one") == alone([2.0])[0]


# ---- several writers -------------------------------------------------------------------------------


def test_two_workers_share_sessions_and_lose_no_update(two_workers):
    keys, each = ["a", "b", "c"], 40

    def use(sessions, offset):
        for number in range(each):
            sessions.step_many([(key, 1.0) for key in keys], event_ids=[f"{offset}-{number}"] * 3)

    threads = [threading.Thread(target=use, args=(worker, place)) for place, worker in enumerate(two_workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key in keys:
        states = [worker.state(key) for worker in two_workers]
        assert states[0].memory == (2 * each, 2.0 * each)
        assert np.array_equal(states[0].network, states[1].network)


def test_a_session_that_another_worker_changed_is_read_again(two_workers):
    here, there = two_workers
    answers = [here.step("a", 1.0), there.step("a", 1.0), here.step("a", 1.0)]
    assert [answer["count"] for answer in answers] == [1, 2, 3]
    assert here.statistics["conflicts"] == 1


# ---- time to live, bounds, export ------------------------------------------------------------------


def test_a_session_without_events_begins_anew_after_its_time():
    now = [0.0]
    with Sessions(toy_stream(), MemoryStore(clock=lambda: now[0]), ttl=10) as sessions:
        sessions.step("a", 1.0)
        now[0] = 9.0
        assert sessions.step("a", 1.0)["count"] == 2
        now[0] = 18.0  # each event counts
        assert sessions.step("a", 1.0)["count"] == 3
        now[0] = 28.0
        assert sessions.state("a") is None
        assert sessions.step("a", 1.0)["count"] == 1


def test_beyond_the_bound_those_without_events_for_the_longest_time_go():
    with Sessions(toy_stream(), max_sessions=3) as sessions:
        for key in "abcad":
            sessions.step(key, 1.0)
        sessions.close()
        assert sorted(sessions.keys()) == ["a", "c", "d"]
        assert sessions.statistics["evicted"] == 1


def until(true):
    """What happens within a second or two happens within twenty."""
    for _ in range(1000):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_a_file_is_swept_while_nobody_asks(tmp_path):
    with Sessions(toy_stream(), f"sqlite:///{tmp_path}/s.db", max_sessions=3) as sessions:
        sessions.step_many([(key, 1.0) for key in "abcdef"])
        until(lambda: sessions.statistics["evicted"] == 3)
        assert len(sessions) == 3
    with Sessions(toy_stream(), f"sqlite:///{tmp_path}/s.db", ttl=0.2) as sessions:
        until(lambda: sessions.statistics["expired"] == 3)
        assert len(sessions) == 0


def test_a_reset_session_begins_anew(sessions):
    sessions.step("a", 1.0)
    assert sessions.reset("a")
    assert not sessions.reset("a")
    assert sessions.state("a") is None
    assert sessions.step("a", 2.0)["sum"] == 2.0


def test_an_exported_session_goes_on_elsewhere(sessions):
    for event in (0.1, 0.2):
        sessions.step("a", event)
    with Sessions(toy_stream()) as elsewhere:
        elsewhere.step("b", 100.0)
        elsewhere.import_state("b", sessions.export("a"))
        assert elsewhere.step("b", 0.3) == sessions.step("a", 0.3)
    with pytest.raises(DataError, match="exists"):
        sessions.export("nobody")


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 100], ids=len)
def test_bytes_that_are_no_state_are_not_imported(sessions, data):
    sessions.step("a", 1.0)
    with pytest.raises(ArtifactError):
        sessions.import_state("a", data)
    assert sessions.step("a", 1.0)["count"] == 2


def test_halved_states_answer_the_same_whether_read_or_kept(tmp_path):
    events = [0.3, -0.7, 0.9]
    with Sessions(toy_stream(), SQLiteStore(tmp_path / "one.db"), precision="bfloat16") as sessions:
        kept = [sessions.step("a", event) for event in events]
    read = []
    for event in events:
        with Sessions(toy_stream(), SQLiteStore(tmp_path / "two.db"), precision="bfloat16") as sessions:
            read.append(sessions.step("a", event))
    assert kept == read
    exact = alone(events)
    assert kept != exact
    assert all(abs(one["hidden"] - other["hidden"]) < 0.05 for one, other in zip(kept, exact, strict=True))


# ---- another model ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "bytes in memory", "sqlite"])
def test_after_a_swap_sessions_of_the_same_model_go_on_and_others_begin_anew(tmp_path, kind):
    store = {"memory": None, "bytes in memory": MemoryStore()}.get(kind, f"sqlite:///{tmp_path}/s.db")
    with Sessions(toy_stream(0), store) as sessions:
        for key in "ab":
            sessions.step(key, 1.0)
        sessions.swap(toy_stream(0))
        assert sessions.step("a", 2.0) == alone([1.0, 2.0])[-1]
        assert sessions.statistics["restarted"] == 0
        sessions.swap(toy_stream(1))
        assert sessions.fingerprint == toy_stream(1).fingerprint
        assert sessions.step("a", 3.0) == alone([3.0], seed=1)[-1]
        assert sessions.step("a", 4.0) == alone([3.0, 4.0], seed=1)[-1]
        assert sessions.statistics["restarted"] == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_state_of_another_model_is_refused_and_kept(tmp_path, kind):
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "s.db")
    first = Sessions(toy_stream(0), store)
    first.step("a", 1.0)
    second = Sessions(toy_stream(1), store)
    found = second.step_many([("a", 1.0), ("b", 1.0)], errors="return")
    assert isinstance(found[0], ArtifactError)
    assert "model" in str(found[0])
    assert found[1]["count"] == 1
    with pytest.raises(ArtifactError, match="model"):
        second.state("a")
    assert first.step("a", 2.0) == alone([1.0, 2.0])[-1]
    restarting = Sessions(toy_stream(1), store, other_model="restart")
    assert restarting.step("a", 1.0)["count"] == 1
    for each in (first, second, restarting):
        each.close()


# ---- waiting ---------------------------------------------------------------------------------------


def test_an_event_that_comes_alone_does_not_wait_for_others():
    with Sessions(toy_stream(), max_wait=30.0) as sessions:
        start = time.monotonic()
        for _ in range(20):
            sessions.step("a", 1.0)
        assert time.monotonic() - start < 20  # one wait alone would be thirty seconds
