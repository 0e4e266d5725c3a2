"""An event counts once, however often it is sent: for numbers for ever, for texts within a stated window."""

import random
import tempfile
import threading
from pathlib import Path

import pytest

from redis_server import RedisServer
from streaming.toy import Toy, toy_stream
from unrolled.errors import ArtifactError, DataError, OptionError, RepeatedEvent
from unrolled.streaming.event_ids import NOTHING, PRINT, Again, IdWindow, is_heard
from unrolled.streaming.session_record import session_bytes
from unrolled.streaming.sessions import Sessions
from unrolled.streaming.stores.base import Write
from unrolled.streaming.stores.memory import MemoryStore
from unrolled.streaming.stream import Stream

KINDS = ["memory", "bytes in memory", "sqlite", "redis"]


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory() as folder:
        started = RedisServer(Path(folder))
        yield started
        started.kill()


@pytest.fixture(params=KINDS)
def store(request, tmp_path):
    """What `Sessions` is given, each time the same place."""
    shared = MemoryStore()
    return {
        "memory": lambda: None,
        "bytes in memory": lambda: shared,
        "sqlite": lambda: f"sqlite:///{tmp_path}/s.db",
        "redis": lambda: f"{request.getfixturevalue('server').address}?prefix={tmp_path.name}",
    }[request.param]


def test_a_number_counts_once_for_ever(store):
    with Sessions(toy_stream(), store(), remembered_events=4) as sessions:
        for number in range(0, 1000, 2):  # numbers may leave gaps
            assert sessions.step("a", 1.0, event_id=number)["count"] == number // 2 + 1
        assert sessions.step("a", 1.0, event_id=992)["count"] == 497  # answered again
        for late in (0, 1, 500, 989, 990):  # among them some that never came: they come too late
            with pytest.raises(RepeatedEvent, match="a number above 990"):
                sessions.step("a", 1.0, event_id=late)
        assert sessions.step("a", 1.0, event_id=995)["count"] == 501  # within the window the order is free
        assert sessions.step("b", 1.0, event_id=0)["count"] == 1
        assert sessions.statistics["too_late"] == 5
        assert sessions.statistics["repeated"] == 1


def test_a_name_is_answered_again_then_refused_and_at_last_unknown(store):
    with Sessions(toy_stream(), store(), remembered_events=3, remembered_ids=10) as sessions:
        for number in range(20):
            sessions.step("a", 1.0, event_id=f"e{number}")
        for known in (17, 18, 19):
            assert sessions.step("a", 1.0, event_id=f"e{known}")["count"] == known + 1
        for known in range(10, 17):
            with pytest.raises(RepeatedEvent, match="counted already"):
                sessions.step("a", 1.0, event_id=f"e{known}")
        assert sessions.state("a").memory[0] == 20
        assert sessions.step("a", 1.0, event_id="e9")["count"] == 21  # as the docs say, beyond the window it is new


def test_the_same_name_and_number_are_two_events(store):
    with Sessions(toy_stream(), store()) as sessions:
        assert [sessions.step("a", 1.0, event_id=name)["count"] for name in ("1", 1, "1", 1)] == [1, 2, 1, 2]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_ids_outlive_the_process(kind, tmp_path, request):
    place = f"sqlite:///{tmp_path}/s.db"
    if kind == "redis":
        place = f"{request.getfixturevalue('server').address}?prefix={tmp_path.name}"
    options = {"remembered_events": 2, "remembered_ids": 6}
    for life in range(3):
        with Sessions(toy_stream(), place, **options) as sessions:
            for number in range(4):
                for name in (4 * life + number, f"e{4 * life + number}"):
                    sessions.step("a", 1.0, event_id=name)
    with Sessions(toy_stream(), place, **options) as sessions:
        for name in (0, 5, 10, "e6", "e9"):
            with pytest.raises(RepeatedEvent):
                sessions.step("a", 1.0, event_id=name)
        assert sessions.step("a", 1.0, event_id="e11")["count"] == 24
        assert sessions.state("a").memory[0] == 24


@pytest.mark.parametrize("named", [False, True])
def test_many_senders_who_repeat_themselves_count_each_event_once(store, named):
    """Two workers where the store is shared; every event is sent three times, by two threads, in any order nearby."""
    first = Sessions(toy_stream(), store(), remembered_events=8)
    second = first if store() is None else Sessions(toy_stream(), store(), remembered_events=8)
    events, faults, counts = 60, [], [set() for _ in range(60)]

    def use(sessions, seed):
        rng = random.Random(seed)
        order = sorted(list(range(events)) * 3, key=lambda number: number + rng.uniform(0, 4))
        for number in order:
            try:
                answer = sessions.step("a", 1.0, event_id=f"e{number}" if named else number)
                counts[number].add(answer["count"])
            except RepeatedEvent:
                pass
            except Exception as fault:
                faults.append(fault)

    threads = [threading.Thread(target=use, args=(each, seed)) for seed, each in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert all(len(answers) <= 1 for answers in counts)  # whoever was answered heard the same
    total = first.state("a").memory[0]
    assert total == len(set().union(*counts))
    assert total == events if named else total <= events  # a number whose turn was over may not have counted, ever
    for each in {first, second}:
        each.close()


def test_a_reset_forgets_ids(store):
    with Sessions(toy_stream(), store()) as sessions:
        sessions.step("a", 1.0, event_id=5)
        sessions.reset("a")
        assert sessions.step("a", 1.0, event_id=5)["count"] == 1


def test_an_answer_that_has_no_form_as_bytes_harms_only_its_event(store):
    class Odd(Toy):
        def step_many(self, events, states):
            outputs, after = super().step_many(events, states)
            return [object() if event == 13.0 else one for event, one in zip(events, outputs, strict=True)], after

    with Sessions(Stream(Odd(), "0" * 16), store()) as sessions:
        pairs = [("a", 1.0), ("b", 13.0), ("c", 2.0)]
        found = sessions.step_many(pairs, event_ids=[1, 1, 1], errors="return")
        assert isinstance(found[1], TypeError)
        assert (found[0]["sum"], found[2]["sum"]) == (1.0, 2.0)
        assert sessions.state("b") is None


# ---- the window itself ---------------------------------------------------------------------------------


def test_what_is_remembered_is_bounded_in_bytes():
    window, heard = IdWindow(answers=50, names=100, size=2000), NOTHING
    for number in range(500):
        heard = window.after(heard, f"e{number}", "x" * 100)
        heard = window.after(heard, number, "y" * 100)
    assert is_heard(heard)
    assert len(heard) < 2000 + 100 * PRINT + 50 * 20
    assert window.look(heard, 499) == Again("y" * 100)
    large = window.after(heard, 500, "z" * 5000)  # the last answer is kept whatever its size, and alone
    assert window.look(large, 500) == Again("z" * 5000)
    with pytest.raises(RepeatedEvent):
        window.look(large, 499)
    assert len(window.after(large, 501, "")) < 1000


def test_an_answer_comes_back_as_it_was():
    window = IdWindow()
    for answer in (None, {"next": [0.1, None], "words": ["a", "\ud83d"]}, [1, 2.5, True], "é"):
        assert window.look(window.after(NOTHING, "a", answer), "a") == Again(answer)


def test_fingerprints_are_found_at_their_own_places_alone():
    window, heard, rng = IdWindow(answers=1, names=3000), NOTHING, random.Random(0)
    names = [f"{rng.random()}" for _ in range(6000)]
    for name in names[:3000]:
        heard = window.after(heard, name, 1)
    for name in names[:2999]:
        with pytest.raises(RepeatedEvent):
            window.look(heard, name)
    assert [window.look(heard, name) for name in names[3000:]] == [None] * 3000


@pytest.mark.parametrize("window", [IdWindow(0), IdWindow(5, 4), IdWindow(size=-1)])
def test_a_window_without_sense_is_refused(window):
    with pytest.raises(OptionError, match="remembered"):
        window.require()


@pytest.mark.parametrize(
    "damage",
    [
        b"\x01",
        b"\x94\x00\x90\x90",
        b"\x94\x00\x91\x01\x90\xc4\x00",
        b"\x94\x00\x90\x90\xc4\x01a",
        b"\x94\xa1a\x90\x90\xc4\x00",
    ],
)
def test_damaged_ids_of_a_stored_session_are_an_error_of_its_own(damage):
    store, stream = MemoryStore(), toy_stream()
    value = session_bytes(stream.pack(stream.initial_state()), damage)
    store.commit([Write("a", value, None, 7)], None, stream.fingerprint)
    with Sessions(stream, store) as sessions:
        found = sessions.step_many([("a", 1.0), ("b", 1.0)], event_ids=[1, 1], errors="return")
        assert isinstance(found[0], ArtifactError)
        assert found[1]["count"] == 1


def test_an_id_is_a_text_or_a_whole_number():
    with Sessions(toy_stream()) as sessions:
        for name in (0, 2**63 - 1, "é" * 256):
            sessions.step("a", 1.0, event_id=name)
        for name in (1.0, False, -1, ("a",)):
            with pytest.raises(DataError, match="event_id"):
                sessions.submit("a", 1.0, event_id=name)
