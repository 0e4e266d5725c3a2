"""The laws of stores, for every member of the registry."""

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from redis_server import RedisCluster, RedisServer
from unrolled.errors import OptionError, StoreUnavailable, UnsupportedError
from unrolled.streaming.stores.base import Found, Store, Write
from unrolled.streaming.stores.registry import STORES, open_store

KINDS = ["memory", "sqlite", "redis", "redis with an index", "redis cluster"]
MODEL, OTHER = "0123456789abcdef", "fedcba9876543210"
MODELS = [MODEL]
STRANGE = [
    "../../etc/passwd",
    "a\0b",
    "a\0c",
    "a",
    "A",
    "é",
    "e\u0301",
    "日本",
    "*",
    "[a]*",
    "{a}b",
    "k:1",
    " ",
    "\n",
    "x" * 512,
]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory() as folder:
        started = RedisServer(Path(folder))
        yield started
        started.kill()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with tempfile.TemporaryDirectory() as folder:
        started = RedisCluster(Path(folder))
        yield started
        started.kill()


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sessions.db"
    base = request.getfixturevalue("cluster" if "cluster" in request.param else "server").address
    prefix = "".join(letter if letter.isalnum() else "-" for letter in tmp_path.name)
    return f"{base}?prefix={prefix}&index={'yes' if 'index' in request.param else 'no'}"


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    opened = open_store(address)
    yield opened
    opened.close()


def put(store: Store, **values: bytes) -> None:
    assert all(store.commit([Write(key, value, None, 7) for key, value in values.items()], None, MODEL))


def test_every_store_of_the_registry_is_tested():
    assert {home.rpartition(".")[2] for home in STORES.values()} == {kind.split()[0] for kind in KINDS}


def test_what_was_written_is_read(store):
    assert store.load(["a"], None, MODEL) == [None]
    assert store.commit([Write("a", b"1", None, 5), Write("b", b"", None, 6)], None, MODEL) == [True, True]
    assert store.load(["b", "x", "a"], None, MODEL) == [Found(b"", 6), None, Found(b"1", 5)]
    assert store.count(MODELS) == 2
    assert sorted(store.keys(10, MODELS)) == ["a", "b"]
    assert len(store.keys(1, MODELS)) == 1
    assert store.keys(0, MODELS) == []
    assert store.load([], None, MODEL) == store.commit([], None, MODEL) == []


def test_a_write_that_read_another_version_is_refused_and_changes_nothing(store):
    put(store, a=b"old", b=b"old")
    writes = [Write("a", b"new", 7, 8), Write("b", b"new", 6, 9), Write("c", b"new", 3, 10), Write("a2", b"", None, 11)]
    assert store.commit(writes, None, MODEL) == [True, False, False, True]
    assert store.load(["a", "b", "c"], None, MODEL) == [Found(b"new", 8), Found(b"old", 7), None]
    assert store.commit([Write("a", b"other", None, 12)], None, MODEL) == [False]
    assert store.load(["a"], None, MODEL) == [Found(b"new", 8)]


def test_the_same_write_twice_is_written_once(store):
    for _ in range(2):
        assert store.commit([Write("a", b"1", None, 5)], None, MODEL) == [True]
    for _ in range(2):
        assert store.commit([Write("a", b"2", 5, 6)], None, MODEL) == [True]
    assert store.load(["a"], None, MODEL) == [Found(b"2", 6)]
    assert store.count(MODELS) == 1


def test_a_session_that_began_anew_is_not_taken_for_the_old_one(store):
    put(store, a=b"old")
    assert store.delete(["a", "never"]) == 1
    assert store.load(["a"], None, MODEL) == [None]
    assert store.commit([Write("a", b"late", 7, 8)], None, MODEL) == [False]
    assert store.commit([Write("a", b"anew", None, 9)], None, MODEL) == [True]
    assert store.commit([Write("a", b"late", 7, 8)], None, MODEL) == [False]
    assert store.load(["a"], None, MODEL) == [Found(b"anew", 9)]


def test_versions_may_be_as_large_as_allowed(store):
    largest = 2**63 - 1
    assert store.commit([Write("a", b"1", None, largest)], None, MODEL) == [True]
    assert store.commit([Write("a", b"2", largest, largest - 1)], None, MODEL) == [True]
    assert store.load(["a"], None, MODEL) == [Found(b"2", largest - 1)]


def test_keys_are_only_names(store):
    writes = [Write(key, key.encode(), None, place + 1) for place, key in enumerate(STRANGE)]
    assert all(store.commit(writes, None, MODEL))
    assert store.load(STRANGE, None, MODEL) == [Found(key.encode(), place + 1) for place, key in enumerate(STRANGE)]
    assert sorted(store.keys(100, MODELS)) == sorted(STRANGE)
    assert store.delete([STRANGE[0]]) == 1
    assert store.count(MODELS) == len(STRANGE) - 1


def test_values_are_any_bytes(store):
    value = bytes(range(256)) * 4096  # a megabyte
    put(store, a=value)
    assert store.load(["a"], None, MODEL) == [Found(value, 7)]


def test_a_session_that_nobody_writes_is_gone_after_its_time(store):
    store.commit([Write("short", b"1", None, 1)], 0.05, MODEL)
    time.sleep(0.1)
    assert store.load(["short"], 0.05, MODEL) == [None]
    assert store.commit([Write("short", b"late", 1, 2)], 0.05, MODEL) == [False]
    assert store.commit([Write("short", b"anew", None, 3)], 0.05, MODEL) == [True]
    assert store.commit([Write("long", b"1", None, 1)], 3600, MODEL) == [True]
    store.expire(3600, MODELS)
    assert store.load(["long"], 3600, MODEL) == [Found(b"1", 1)]
    assert store.commit([Write("long", b"2", 1, 2)], 3600, MODEL) == [True]


def test_expired_sessions_leave_no_trace(store):
    store.commit([Write(str(place), b"1", None, 1) for place in range(10)], 0.05, MODEL)
    time.sleep(1.1)  # an index of Redis tells whole seconds
    store.expire(0.05, MODELS)
    assert store.count(MODELS) == 0
    assert store.keys(10, MODELS) == []


def test_those_without_events_for_the_longest_time_make_room(store, address):
    if "redis" in address and "index=yes" not in address:
        with pytest.raises(Exception, match="index=yes"):
            store.evict(3, MODELS)
        return
    for place in range(6):
        put(store, **{str(place): b"1"})
        time.sleep(0.002)
    assert store.commit([Write("0", b"2", 7, 8)], None, MODEL) == [True]  # used again
    assert store.evict(3, MODELS) == 3
    assert store.evict(3, MODELS) == 0
    assert set(store.keys(10, MODELS)) == {"0", "4", "5"}
    assert store.count(MODELS) == 3
    assert store.load(["1"], None, MODEL) == [None]


def test_no_update_is_lost_between_threads(store):
    put(store, n=b"0")
    versions = iter(range(100, 10**6))
    lock = threading.Lock()

    def add() -> None:
        for _ in range(50):
            while True:
                (found,) = store.load(["n"], None, MODEL)
                with lock:
                    version = next(versions)
                if store.commit([Write("n", b"%d" % (int(found.value) + 1), found.version, version)], None, MODEL)[0]:
                    break

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load(["n"], None, MODEL)[0].value == b"200"


def test_what_was_written_is_there_when_it_is_opened_again(store, address):
    if address == "memory:":
        return
    put(store, a=b"1")
    again = open_store(address)
    assert again.load(["a"], None, MODEL) == [Found(b"1", 7)]
    assert again.commit([Write("a", b"2", 7, 8)], None, MODEL) == [True]
    assert store.commit([Write("a", b"3", 7, 9)], None, MODEL) == [False]  # the other one was faster
    assert store.load(["a"], None, MODEL) == [Found(b"2", 8)]
    again.close()


@pytest.mark.parametrize("seed", range(3))
def test_any_sequence_of_calls_does_what_a_dictionary_would(store, seed):
    rng, truth = random.Random(seed), {}
    for number in range(1, 150):
        keys = rng.sample("abcdef", rng.randint(1, 4))
        kind = rng.choice(["commit", "commit", "commit", "load", "delete"])
        if kind == "load":
            assert store.load(keys, None, MODEL) == [truth.get(key) for key in keys]
        elif kind == "delete":
            assert store.delete(keys) == sum(truth.pop(key, None) is not None for key in keys)
        else:
            writes, due = [], []
            for place, key in enumerate(keys):
                there = truth.get(key)
                right = None if there is None else there.version
                before = rng.choice([right, right, None, rng.randint(1, 1000)])
                writes.append(Write(key, rng.randbytes(rng.randint(0, 50)), before, 10 * number + place))
                due.append(before == right)
                if before == right:
                    truth[key] = Found(writes[-1].value, writes[-1].version)
            assert store.commit(writes, None, MODEL) == due
        assert sorted(store.keys(100, MODELS)) == sorted(truth)
        assert store.count(MODELS) == len(truth)


# ---- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("sqlit:///a.db", "did you mean 'sqlite'"),
        ("sessions.db", "sqlite:///sessions.db"),
        ("sqlite://", "a file"),
        ("sqlite:///", "a file"),
        ("sqlite:///a.db?patienc=1", "did you mean 'patience'"),
        ("sqlite:///a.db?patience=soon", "seconds"),
        ("sqlite:///a.db?durable=1", '"yes" or "no"'),
        ("memory:name", "no name"),
        ("redis+cluster://127.0.0.1:1?index=yes", "cluster"),
        ("redis://127.0.0.1:port/0", "redis://host:6379/0"),
    ],
)
def test_an_address_that_names_no_store_is_refused_with_a_remedy(address, says):
    with pytest.raises(OptionError) as fault:
        open_store(address)
    assert says in str(fault.value)


def test_a_server_that_is_not_there_is_said_in_a_bounded_time():
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1"):
        open_store("redis://someone:secret@127.0.0.1:1/0?patience=0.2")


def test_a_password_is_not_shown():
    with pytest.raises(StoreUnavailable) as fault:
        open_store("redis://someone:secret@127.0.0.1:1/0?patience=0")
    assert "secret" not in str(fault.value)


def test_without_the_package_redis_the_remedy_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("unrolled.streaming.stores.redis.import_module", missing)
    with pytest.raises(UnsupportedError, match=r"unrolled\[serve\]"):
        open_store("redis://127.0.0.1:1/0")
