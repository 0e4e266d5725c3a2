"""Live sessions against a plain dictionary of states, whatever happens in whatever order."""

import random
import threading
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest

from streaming.toy import Toy, toy_stream
from unrolled.errors import ArtifactError, DataError
from unrolled.streaming.event_batching import Work
from unrolled.streaming.event_ids import IdWindow
from unrolled.streaming.in_process import Live
from unrolled.streaming.live_table import LiveTable
from unrolled.streaming.sessions import Sessions
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Stream

KEYS = [f"user {number}" for number in range(150)]
TTL, MOST, KEPT = 50.0, 100, 2
REMEMBERED = IdWindow(answers=KEPT)
KINDS = ["step"] * 12 + ["reset", "reset", "replace", "replace", "sweep", "pause", "swap"]


class Noted(Work):
    """Keeps what it is answered."""

    found = None

    def answer(self, found):
        self.found = found


class Meddled(Toy):
    """A toy during whose steps something else happens."""

    def __init__(self, seed, size):
        super().__init__(seed, size)
        self.meanwhile = lambda: None

    def step_many(self, events, states):
        self.meanwhile()
        if "break" in events:
            raise ZeroDivisionError("our fault")
        return super().step_many(events, states)


class Plain:
    """What live sessions should be: a state, answers and a time in a dictionary, the longest unwritten first."""

    def __init__(self):
        self.kept = OrderedDict()  # key: [model, state, answers by id, time]
        self.restarted = self.expired = self.evicted = 0

    def write(self, key, model, state, answers, now):
        self.kept[key] = [model, state, answers, now]
        self.kept.move_to_end(key)

    def expire(self, now):
        for key in [key for key, one in self.kept.items() if one[3] <= now - TTL]:
            del self.kept[key]
            self.expired += 1

    def evict(self):
        while len(self.kept) > MOST:
            self.kept.popitem(last=False)
            self.evicted += 1


class Play:
    """Random acts, each done to both."""

    def __init__(self, seed):
        self.rng, self.now, self.model, self.ids = random.Random(seed), 0.0, 0, 0
        self.toys = [Meddled(number, size) for number, size in enumerate((8, 3, 8))]
        self.streams = [Stream(toy, f"{number:016x}") for number, toy in enumerate(self.toys)]
        self.live, self.plain = Live(TTL, MOST, REMEMBERED, clock=lambda: self.now), Plain()
        self.written, self.beginning, self.replaced = [], set(), set()  # by or during the last batch

    def act(self):
        self.now += self.rng.random()
        kind = self.rng.choice(KINDS)
        getattr(self, kind)()
        self.compare()

    def reset(self):
        for key in self.rng.sample(KEYS, self.rng.choice([1, 1, 30])):
            if key in self.beginning:  # its first event is being stepped, so there is nothing yet
                assert not self.live.reset(key)
            else:
                assert self.live.reset(key) == (self.plain.kept.pop(key, None) is not None)

    def replace(self):
        for key in self.rng.sample(KEYS, self.rng.choice([1, 1, 30])):
            size = len(self.toys[self.model].weights)
            numbers = np.array([self.rng.random() for _ in range(size)], dtype=np.float32)
            state = StreamState((self.rng.randrange(100), 0.0), numbers)
            self.live.replace(self.streams[self.model], key, state)
            self.plain.write(key, self.model, state, {}, self.now)
            self.beginning.discard(key)
            self.replaced.add(key)

    def sweep(self):
        self.live.sweep()
        self.plain.expire(self.now)
        self.plain.evict()

    def pause(self):
        self.now += self.rng.choice([5.0, 30.0, 2 * TTL])

    def swap(self):
        self.model = self.rng.randrange(3)
        self.live.swapped(self.streams[self.model])

    def step(self):
        events = [1.0, -0.5, 0.25, "bad", "break"] if self.rng.random() < 0.3 else [1.0, -0.5, 0.25]
        works = []
        for key in self.rng.sample(KEYS, self.rng.choice([1, 2, 7, 100])):
            known = list(self.plain.kept[key][2]) if key in self.plain.kept else []
            self.ids += 1
            name = self.rng.choice([None, None, f"event {self.ids}", *known])
            works.append(Noted(key, self.rng.choice(events), name))
        due = self.due(works)
        meddling = self.rng.random() < 0.4
        toy, acts = self.toys[self.model], [self.reset, self.replace] if meddling else []
        toy.meanwhile = lambda: [acts.pop()() for _ in list(acts)]
        self.live.answer(self.streams[self.model], works)
        toy.meanwhile = lambda: None
        self.beginning = set()
        for work, output in zip(works, due, strict=True):
            assert work.settled
            if isinstance(output, type):
                assert isinstance(work.found, output)
            else:
                assert work.found == output
        for key in self.written:
            if key in self.plain.kept and key not in self.replaced:
                self.plain.kept.move_to_end(key)  # the batch was written after what happened meanwhile
        if self.stepped:
            self.plain.evict()
        if meddling:
            self.plain.restarted = self.live.counts.restarted

    def due(self, works):
        """The answers that are due, and the dictionary as it is after them."""
        self.plain.expire(self.now)
        before, outputs, self.stepped = set(self.plain.kept), [], False
        self.written, self.replaced = [], set()
        for work in works:
            model, state, answers, _ = self.plain.kept.get(work.key, (self.model, None, {}, 0.0))
            if model != self.model:
                state, answers = None, {}
            if work.event_id in answers:
                outputs.append(answers[work.event_id])
                continue
            self.stepped = True
            if isinstance(work.event, str):
                outputs.append(DataError if work.event == "bad" else ZeroDivisionError)
                continue
            twin = Toy(self.model, len(self.toys[self.model].weights))
            output, after = twin.step(work.event, state or twin.initial_state())
            outputs.append(output)
            self.plain.restarted += model != self.model
            if work.event_id is not None:
                answers = dict(list({**answers, work.event_id: output}.items())[-KEPT:])
            self.plain.write(work.key, self.model, after, answers, self.now)
            self.written.append(work.key)
        self.beginning = set(self.written) - before
        return outputs

    def compare(self):
        live, plain = self.live, self.plain
        assert live.count() == len(plain.kept)
        assert set(live.keys(1000)) == set(plain.kept)
        for key in KEYS:
            model, due, _, written = plain.kept.get(key, (None, None, None, None))
            found = live.read(self.streams[self.model], key)
            if model != self.model or written <= self.now - TTL:
                assert found is None
            else:
                assert found.memory == due.memory
                assert np.array_equal(found.network, due.network)
        counts = live.counts
        assert (counts.restarted, counts.expired, counts.evicted) == (plain.restarted, plain.expired, plain.evicted)


@pytest.mark.parametrize("seed", range(8))
def test_live_sessions_do_what_a_dictionary_of_states_would(seed):
    play = Play(seed)
    for _ in range(250):
        play.act()
    assert min(play.plain.restarted, play.plain.expired, play.plain.evicted) > 0


# ---- what happens while an event is being stepped ------------------------------------------------------


@pytest.fixture
def halfway():
    """Sessions of which `a` has an event that is being stepped until the second of these is set."""
    toy, entered, go_on = Meddled(0, 8), threading.Event(), threading.Event()
    with Sessions(Stream(toy, "0" * 16)) as sessions:
        sessions.step("a", 1.0)
        toy.meanwhile = lambda: (entered.set(), go_on.wait(10))
        future = sessions.submit("a", 2.0)
        assert entered.wait(10)
        yield sessions, future, go_on
        go_on.set()


def test_a_session_that_was_reset_while_it_was_stepped_does_not_come_back(halfway):
    sessions, future, go_on = halfway
    assert sessions.reset("a")
    assert not sessions.reset("a")
    go_on.set()
    assert future.result(10)["sum"] == 3.0
    assert sessions.state("a") is None
    assert sessions.step("a", 5.0)["sum"] == 5.0


def test_a_session_that_was_imported_while_it_was_stepped_is_the_imported_one(halfway):
    sessions, future, go_on = halfway
    with Sessions(toy_stream()) as elsewhere:
        elsewhere.step("b", 100.0)
        sessions.import_state("a", elsewhere.export("b"))
    go_on.set()
    assert future.result(10)["sum"] == 3.0
    assert sessions.step("a", 1.0)["sum"] == 101.0


def test_who_gets_the_room_of_a_session_that_was_reset_while_it_was_stepped_keeps_it(halfway):
    sessions, future, go_on = halfway
    with Sessions(toy_stream()) as elsewhere:
        elsewhere.step("b", 100.0)
        given, data = elsewhere.state("b"), elsewhere.export("b")
    sessions.reset("a")
    for number in range(500):
        sessions.import_state(f"b{number}", data)
    go_on.set()
    future.result(10)
    for number in range(500):
        assert np.array_equal(sessions.state(f"b{number}").network, given.network)


def test_many_threads_and_keys_do_what_a_dictionary_of_states_would_each():
    faults = []

    def use(number):
        rng, stream, kept = random.Random(number), toy_stream(), {}
        try:
            for _ in range(150):
                keys = [f"{number} {each}" for each in rng.sample(range(40), rng.choice([1, 3, 30]))]
                kind = rng.choice(["step", "step", "step", "reset", "import", "read", "swap"])
                if kind == "step":
                    events = [rng.choice([rng.random(), "bad"]) for _ in keys]
                    found = sessions.step_many(list(zip(keys, events, strict=True)), errors="return")
                    for key, event, output in zip(keys, events, found, strict=True):
                        if event == "bad":
                            assert isinstance(output, DataError)
                        else:
                            due, kept[key] = stream.step(event, kept.get(key))
                            assert output == due
                elif kind == "swap":
                    sessions.swap(toy_stream())
                for key in keys:
                    if kind == "reset":
                        assert sessions.reset(key) == (kept.pop(key, None) is not None)
                    elif kind == "import":
                        _, kept[key] = stream.step(rng.random())
                        sessions.import_state(key, stream.pack(kept[key]))
                    elif kind == "read":
                        state = sessions.state(key)
                        assert (state is None) == (key not in kept)
                        assert state is None or np.array_equal(state.network, kept[key].network)
            left[number] = len(kept)
        except BaseException as fault:
            faults.append(fault)

    left = {}
    with Sessions(toy_stream(), max_batch=16) as sessions:
        threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults
        assert len(sessions) == sum(left.values())
        assert sessions.statistics["restarted"] == 0


# ---- memory --------------------------------------------------------------------------------------------


def test_the_memory_of_sessions_that_went_is_given_back():
    toy = Toy(0, 400)
    live, stream = Live(None, None, REMEMBERED), Stream(toy, "0" * 16)
    state = StreamState((1, 1.0), np.arange(400, dtype=np.float32))
    tracemalloc.start()
    try:
        for number in range(5000):
            live.replace(stream, str(number), state)
        full, _ = tracemalloc.get_traced_memory()
        for number in range(20, 5000):
            live.reset(str(number))
        live.sweep()
        few, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert full > 5000 * 400 * 4
    assert few < full / 20
    for number in range(20):
        assert np.array_equal(live.read(stream, str(number)).network, state.network)
    for number in range(20):
        live.reset(str(number))
    assert live.count() == 0


def test_room_is_used_again():
    table, row = LiveTable(Toy(0, 400).initial_state()), np.ones((1, 400), dtype=np.float32)
    tracemalloc.start()
    try:
        for number in range(5000):
            table.write([str(number)], [0], [None], row, now=float(number))
            assert table.drop(str(number - 10)) == (number >= 10)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table.slots) == 10
    assert used < 100 * 400 * 4


def test_a_state_of_another_size_is_refused():
    with Sessions(toy_stream()) as sessions:
        sessions.step("a", 1.0)
        odd = toy_stream().pack(StreamState((9, 9.0), np.ones(1, dtype=np.float32)))
        with pytest.raises(ArtifactError, match="8 numbers"):
            sessions.import_state("a", odd)
        assert sessions.step("a", 1.0)["count"] == 2


@pytest.mark.parametrize("ids", [False, True])
def test_the_bytes_that_sessions_are_said_to_take_are_those_they_take(ids):
    toy = Toy(0, 100)
    stream, works = Stream(toy, "0" * 16), [Noted(f"user {place}", 1.0, None) for place in range(2000)]
    live = Live(None, None, IdWindow(answers=4))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for turn in range(6 if ids else 2):
            for start in range(0, 2000, 250):
                some = [Noted(work.key, 1.0, turn if ids else None) for work in works[start : start + 250]]
                live.answer(stream, some)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= live.held_bytes <= 1.6 * taken
    for work in works:
        live.reset(work.key)
    assert live.held_bytes == 0


def test_beyond_the_bound_in_bytes_those_without_events_for_the_longest_time_go():
    with Sessions(toy_stream(), max_bytes=100_000) as sessions:
        for number in range(300):
            for turn in range(3):
                sessions.step(f"{number}", 1.0, event_id=turn)
            sessions.step("always", 1.0)
            assert sessions.statistics["session_bytes"] <= 100_000
        kept = len(sessions)
        assert 50 < kept < 300
        assert set(sessions.keys()) == {"always", *(str(number) for number in range(301 - kept, 300))}
        assert sessions.statistics["evicted"] == 301 - kept
        data = sessions.export("always")
        for number in range(300):
            sessions.import_state(f"imported {number}", data)
            assert sessions.statistics["session_bytes"] <= 100_000


@pytest.mark.parametrize("kind", ["sqlite", "packed in memory"])
def test_what_is_kept_in_front_of_a_store_is_bounded_in_bytes_too(kind, tmp_path):
    place = f"sqlite:///{tmp_path}/s.db" if kind == "sqlite" else "memory:"
    with Sessions(toy_stream(), place, max_bytes=60_000, precision="bfloat16") as sessions:
        for number in range(200):
            sessions.step(f"{number}", 1.0, event_id=number)
            assert sessions.statistics["session_bytes"] <= 60_000
        assert sessions.statistics["session_bytes"] > 20_000
        if kind == "sqlite":
            assert [sessions.step(f"{number}", 1.0)["count"] for number in range(200)] == [2] * 200
