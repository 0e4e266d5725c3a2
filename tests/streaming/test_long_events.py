"""Long events: read in parts between the events of others, with the answers and states of events read whole."""

import threading
from functools import cache

import numpy as np
import pytest

import unrolled as ur
from streaming.toy import SIZE, Toy
from unrolled.errors import DataError, StoreUnavailable
from unrolled.state_forms import FixedParts, Real, Whole
from unrolled.streaming.event_batching import FIRST_ROOM, PART, Waiting, Work
from unrolled.streaming.sessions import Sessions
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Stream

pytestmark = pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
SMALL = {"epochs": 1, "validation": 0.0, "baselines": False, "device": "cpu"}
FEW = 7  # steps of a part in these tests
TEXT = "The cat sat on the mat, ΣΑΣ. Straße 3.50 日本 don't! " * 3
WORDS = TEXT.split()


@pytest.fixture
def short_parts(monkeypatch):
    for module in ("batch_step", "event_batching"):
        monkeypatch.setattr(f"unrolled.streaming.{module}.PART", FEW)


@pytest.fixture(params=["memory:", "sqlite"])
def store(request, tmp_path):
    return request.param if request.param == "memory:" else f"sqlite:///{tmp_path / 'sessions.db'}"


# ---- real models -----------------------------------------------------------------------------------------


def numbers(seed, width=3, count=40):
    return np.random.default_rng(seed).normal(size=(count, width)).round(3).tolist()


LONG = [row[0] for row in numbers(5)]


def language(**options):
    texts = [{"text": TEXT[start : start + 90], "kind": "ab"[start % 2]} for start in range(0, 60, 5)]
    return ur.LanguageModel(hidden_size=4, **options).fit(texts, batch_size=4, **SMALL)


def classifier(**options):
    records = [
        {"load": LONG[:30], "name": WORDS[:30], "text": TEXT[seed:], "site": "ns"[seed % 2], "y": "ab"[seed % 2]}
        for seed in range(12)
    ]
    return ur.Classifier(target="y", hidden_size=4, bidirectional=False, **options).fit(records, **SMALL)


def tagger():
    records = [{"words": WORDS[seed:], "tags": [word[:1] for word in WORDS[seed:]]} for seed in range(8)]
    return ur.Tagger(hidden_size=4, bidirectional=False).fit(records, **SMALL)


def sequences(**options):
    return ur.SequenceModel(hidden_size=4, **options).fit([{"frames": numbers(seed)} for seed in range(8)], **SMALL)


# by name: how the model is made, and the events of a stream, short ones among long ones
MODELS = {
    "characters": (language, ["T", TEXT, "h", TEXT[:9]]),
    "lower case": (lambda: language(unit=ur.Characters("text", lowercase=True)), [TEXT, "Σ", TEXT[3:], "..." * 9]),
    "words": (lambda: language(unit="words"), ["a", TEXT, "t", TEXT[:20], "e"]),
    "subwords": (lambda: language(unit="subwords"), ["a", TEXT, "t", TEXT[:20], "e"]),
    "a text with a start": (
        lambda: language(given=["kind"]),
        [{"text": TEXT, "kind": "a"}, {"text": "t"}, {"text": TEXT[5:]}],
    ),
    "numbers and a value": (
        lambda: classifier(inputs=[ur.Numbers("load"), "site"]),
        [{"load": LONG, "site": "n"}, {"load": 0.5}, {"load": LONG[:8]}],
    ),
    "attention": (lambda: classifier(inputs=[ur.Words("text")], pooling="attention"), ["The", TEXT, "mat", TEXT]),
    "two columns": (
        lambda: classifier(inputs=[ur.Numbers("load"), ur.Words("name")]),
        [{"load": LONG[:24], "name": WORDS[:24]}, {"load": LONG[:1], "name": ["cat"]}, {"load": [], "name": []}],
    ),
    "tags": (tagger, [{"words": WORDS}, {"words": ["cat"]}, {"words": WORDS[:8]}]),
    "frames": (sequences, [numbers(3), numbers(4)[0], numbers(5)]),
    "frames with a mixture": (
        lambda: sequences(output="mixture", components=2),
        [numbers(3), numbers(4)[0], numbers(5)],
    ),
}


@cache
def model(name):
    return MODELS[name][0]()


def flat(value):
    """The numbers of an answer, and everything else in it."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        parts = [flat(one) for one in value]
        return [x for some, _ in parts for x in some], [x for _, more in parts for x in more]
    return ([value], []) if isinstance(value, float) else ([], [value])


@pytest.mark.parametrize("name", MODELS)
def test_an_event_read_in_parts_is_answered_as_one_that_is_read_whole(name, short_parts, store):
    stream, state = model(name).stream(), None
    events = MODELS[name][1]
    if stream.parts(next(event for event in events if Work("", event, None).is_long), FEW)[1:] == []:
        pytest.fail("it is not cut")
    with Sessions(stream, store) as sessions:
        others = [(f"u{place}", events[0]) for place in range(4)]
        found = sessions.step_many([("ada", event) for event in events] + others)
        data = sessions.export("ada")
    for event, answer in zip(events, found, strict=False):
        expected, state = stream.step(event, state)
        (reals, rest), (wanted, same) = flat(answer), flat(expected)
        assert rest == same
        np.testing.assert_allclose(reals, wanted, rtol=0, atol=2e-5)
    after = stream.unpack(data)
    np.testing.assert_allclose(after.network, state.network, rtol=0, atol=2e-5)
    assert after.memory[:1] == state.memory[:1]
    assert after.memory[2:] == state.memory[2:]


# by name of a model, events: refused ones, and one that is not, though its first part alone would be
ODD = {
    "characters": [5, [TEXT]],
    "numbers and a value": [{"load": [*LONG, "x"], "site": "n"}],
    "frames": [[*numbers(3), [1.0]]],
    "two columns": [{"load": LONG, "name": WORDS[:9]}],
    "words": ["x" * 30, "x" * 30 + " y"],
}


@pytest.mark.parametrize(("name", "event"), [(name, event) for name, some in ODD.items() for event in some])
def test_a_long_event_is_refused_as_a_whole_one_is_and_changes_nothing(name, event, short_parts, monkeypatch):
    monkeypatch.setattr("unrolled.codecs.holding.LONGEST_HELD", 20)
    stream = model(name).stream()
    try:
        stream.step(event)
        expected = None
    except DataError as fault:
        expected = str(fault)
    with Sessions(stream) as sessions:
        (found,) = sessions.step_many([("ada", event)], errors="return")
        assert (str(found) if isinstance(found, Exception) else None) == expected
        assert (sessions.state("ada") is None) == (expected is not None)


# ---- what comes between two parts ------------------------------------------------------------------------


class Slow(Toy):
    """Adds up lists of numbers; before every part of a list it calls `between` with the number of parts so far."""

    def __init__(self, seed=0, between=lambda count: None) -> None:
        super().__init__(seed)
        self.read, self.between, self.count = [], between, 0

    @property
    def form(self):
        return FixedParts(Whole(), Real())

    def step_many(self, events, states):
        outputs, after = [], []
        for event, state in zip(events, states, strict=True):
            if isinstance(event, list):
                self.between(self.count)
                self.count += 1
            values = event if isinstance(event, list) else [event]
            self.read.append(len(values))
            count, total = state.memory
            after.append(StreamState((count + 1, total + float(sum(values))), state.network))
            outputs.append({"sum": after[-1].memory[1]})
        return outputs, after

    def parts(self, event, most):
        if not isinstance(event, list):
            return [event]
        return [event[start : start + most] for start in range(0, len(event), most)]


def slow(between=lambda count: None, seed=0):
    toy = Slow(seed, between)
    return toy, Stream(toy, f"{seed:016x}")


def test_short_events_are_read_between_the_parts_of_a_long_one(short_parts, monkeypatch):
    monkeypatch.setattr("unrolled.streaming.event_batching.FIRST_ROOM", FEW)
    first, rest = threading.Event(), threading.Event()

    def between(count):
        first.set()
        assert rest.wait(20)

    toy, stream = slow(between)
    with Sessions(stream) as sessions:
        long = sessions.submit("ada", [1.0] * 10 * FEW)
        assert first.wait(20)
        short = [sessions.submit(f"u{n}", 1.0) for n in range(3)]
        rest.set()
        assert [one.result(20) for one in short] == [{"sum": 1.0}] * 3
        assert long.result(20) == {"sum": 10.0 * FEW}
    places = [place for place, size in enumerate(toy.read) if size == 1]
    assert places[-1] <= 2 * len(places)  # they waited for at most one part each
    assert toy.read.count(FEW) == 10


@pytest.mark.parametrize("store", ["memory:", "sqlite"], indirect=True)
@pytest.mark.parametrize(("change", "before"), [("reset", 0.0), ("import", 100.0), ("nothing", 5.0)])
def test_a_session_that_is_changed_between_two_parts_is_read_from_its_new_state(change, before, short_parts, store):
    def between(count):
        if count == 2 and change == "reset":
            sessions.reset("ada")
        elif count == 2 and change == "import":
            state = StreamState((1, 100.0), np.zeros(SIZE, dtype=np.float32))
            sessions.import_state("ada", stream.pack(state))

    toy, stream = slow(between)
    with Sessions(stream, store) as sessions:
        sessions.step("ada", 5.0)
        expected = {"sum": before + 4 * FEW}
        assert sessions.step("ada", [1.0] * 4 * FEW) == expected
        assert sessions.step("ada", 0.0) == expected
    assert toy.count in ((4,) if change == "nothing" else (7, 8))  # a store tells it when the state is written


def test_a_session_that_is_changed_all_the_time_refuses_the_event_in_the_end(short_parts):
    data = []
    _, stream = slow(lambda count: sessions.import_state("ada", data[0]) if data else None)
    with Sessions(stream) as sessions:
        sessions.step("ada", 5.0)
        data.append(sessions.export("ada"))
        with pytest.raises(StoreUnavailable, match="changed 50 times"):
            sessions.step("ada", [1.0] * 4 * FEW)
        data.clear()
        assert sessions.step("ada", 1.0) == {"sum": 6.0}


def test_a_model_that_is_replaced_between_two_parts_reads_the_event_from_the_start(short_parts):
    old, stream = slow(lambda count: swapping.start() if count == 1 else None)
    new, other = slow(seed=1)
    with Sessions(stream) as sessions:
        swapping = threading.Thread(target=sessions.swap, args=(other,))
        assert sessions.step("ada", [1.0] * 20 * FEW) == {"sum": 20.0 * FEW}
        swapping.join(20)
    assert old.count + new.count >= 20
    assert new.count in (0, 20)  # all of it or, where the swap came late, none


def test_an_id_that_comes_again_while_its_event_is_read_counts_once(short_parts, store):
    again = []

    def between(count):
        if count == 1:
            again.append(sessions.submit("ada", [1.0] * 4 * FEW, "e1"))

    toy, stream = slow(between)
    with Sessions(stream, store) as sessions:
        assert sessions.step("ada", [1.0] * 4 * FEW, "e1") == again[0].result(20) == {"sum": 4.0 * FEW}
        assert sessions.statistics["repeated"] == 1
        assert sessions.step("ada", 1.0) == {"sum": 4.0 * FEW + 1}
    assert toy.count == 4


def test_two_workers_of_one_store_that_read_a_long_event_each_lose_neither(short_parts, tmp_path):
    address = f"sqlite:///{tmp_path / 'sessions.db'}"
    with Sessions(slow()[1], address) as one, Sessions(slow()[1], address) as two:
        asked = [worker.submit("ada", [1.0] * 5 * FEW) for worker in (one, two) for _ in range(3)]
        sums = [future.result(20)["sum"] for future in asked]
    assert sorted(sums) == [5.0 * FEW * n for n in range(1, 7)]


def test_a_long_event_that_nobody_waits_for_is_not_read_to_its_end_and_changes_nothing(short_parts):
    def between(count):
        if count == 1:
            asked[0].cancel()

    toy, stream = slow(between)
    with Sessions(stream) as sessions:
        asked = [sessions.submit("bob", 1.0)]
        asked[0].result(20)
        asked[0] = sessions.submit("ada", [1.0] * 50 * FEW)
        assert sessions.step("bob", 1.0) == {"sum": 2.0}
        assert sessions.step("ada", 1.0) == {"sum": 1.0}
    assert toy.count == 2


# ---- how much is taken at once ---------------------------------------------------------------------------


def taken(waiting):
    works = waiting.take(1.0)
    waiting.done(works)
    return works


def test_a_batch_holds_as_many_steps_as_were_read_in_its_time_before(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("unrolled.streaming.event_batching.time.monotonic", lambda: now[0])
    waiting = Waiting(max_batch=256, max_wait=0.0)
    waiting.put([Work(f"u{n}", "x" * 10 * PART, None) for n in range(200)])
    assert len(waiting.take(1.0)) == FIRST_ROOM // PART
    for seconds, counts in ((1.0, range(1, 3)), (1e-4, range(20, 65))):  # a slow model, then a fast one
        for _ in range(30):
            waiting.put([Work(f"v{n}-{now[0]}", "x" * 10 * PART, None) for n in range(70)])
            works = waiting.take(1.0)
            now[0] += seconds * len(works)
            waiting.done(works)
        assert len(works) in counts
