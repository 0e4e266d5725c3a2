"""The laws of stores, for every member of the registry."""

import os
import random
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

import pytest

from redis_server import RedisCluster, RedisServer
from unrolled.errors import (
    AnswerLost,
    ArtifactError,
    OptionError,
    StoreUnavailable,
    UnrolledError,
    UnsupportedError,
)
from unrolled.streaming.stores.address import Address
from unrolled.streaming.stores.base import Store, Stored, Write
from unrolled.streaming.stores.memory import MemoryStore
from unrolled.streaming.stores.registry import STORES, open_store
from unrolled.streaming.stores.sqlite import SQLiteStore

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
    assert store.load(["b", "x", "a"], None, MODEL) == [Stored(b"", 6), None, Stored(b"1", 5)]
    assert store.count(MODELS) == 2
    assert sorted(store.keys(10, MODELS)) == ["a", "b"]
    assert len(store.keys(1, MODELS)) == 1
    assert store.keys(0, MODELS) == []
    assert store.load([], None, MODEL) == store.commit([], None, MODEL) == []


def test_a_write_that_read_another_version_is_refused_and_changes_nothing(store):
    put(store, a=b"old", b=b"old")
    writes = [Write("a", b"new", 7, 8), Write("b", b"new", 6, 9), Write("c", b"new", 3, 10), Write("a2", b"", None, 11)]
    assert store.commit(writes, None, MODEL) == [True, False, False, True]
    assert store.load(["a", "b", "c"], None, MODEL) == [Stored(b"new", 8), Stored(b"old", 7), None]
    assert store.commit([Write("a", b"other", None, 12)], None, MODEL) == [False]
    assert store.load(["a"], None, MODEL) == [Stored(b"new", 8)]


def test_the_same_write_twice_is_written_once(store):
    for _ in range(2):
        assert store.commit([Write("a", b"1", None, 5)], None, MODEL) == [True]
    for _ in range(2):
        assert store.commit([Write("a", b"2", 5, 6)], None, MODEL) == [True]
    assert store.load(["a"], None, MODEL) == [Stored(b"2", 6)]
    assert store.count(MODELS) == 1


def test_a_session_that_began_anew_is_not_taken_for_the_old_one(store):
    put(store, a=b"old")
    assert store.delete(["a", "never"]) == 1
    assert store.load(["a"], None, MODEL) == [None]
    assert store.commit([Write("a", b"late", 7, 8)], None, MODEL) == [False]
    assert store.commit([Write("a", b"anew", None, 9)], None, MODEL) == [True]
    assert store.commit([Write("a", b"late", 7, 8)], None, MODEL) == [False]
    assert store.load(["a"], None, MODEL) == [Stored(b"anew", 9)]


def test_versions_may_be_as_large_as_allowed(store):
    largest = 2**63 - 1
    assert store.commit([Write("a", b"1", None, largest)], None, MODEL) == [True]
    assert store.commit([Write("a", b"2", largest, largest - 1)], None, MODEL) == [True]
    assert store.load(["a"], None, MODEL) == [Stored(b"2", largest - 1)]


def test_keys_are_only_names(store):
    writes = [Write(key, key.encode(), None, place + 1) for place, key in enumerate(STRANGE)]
    assert all(store.commit(writes, None, MODEL))
    assert store.load(STRANGE, None, MODEL) == [Stored(key.encode(), place + 1) for place, key in enumerate(STRANGE)]
    assert sorted(store.keys(100, MODELS)) == sorted(STRANGE)
    assert store.delete([STRANGE[0]]) == 1
    assert store.count(MODELS) == len(STRANGE) - 1


def test_values_are_any_bytes(store):
    value = bytes(range(256)) * 4096  # a megabyte
    put(store, a=value)
    assert store.load(["a"], None, MODEL) == [Stored(value, 7)]


def test_a_session_that_nobody_writes_is_gone_after_its_time(store):
    store.commit([Write("short", b"1", None, 1)], 0.05, MODEL)
    time.sleep(0.1)
    assert store.load(["short"], 0.05, MODEL) == [None]
    assert store.commit([Write("short", b"late", 1, 2)], 0.05, MODEL) == [False]
    assert store.commit([Write("short", b"anew", None, 3)], 0.05, MODEL) == [True]
    assert store.commit([Write("long", b"1", None, 1)], 3600, MODEL) == [True]
    store.expire(3600, MODELS)
    assert store.load(["long"], 3600, MODEL) == [Stored(b"1", 1)]
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
    assert again.load(["a"], None, MODEL) == [Stored(b"1", 7)]
    assert again.commit([Write("a", b"2", 7, 8)], None, MODEL) == [True]
    assert store.commit([Write("a", b"3", 7, 9)], None, MODEL) == [False]  # the other one was faster
    assert store.load(["a"], None, MODEL) == [Stored(b"2", 8)]
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
                    truth[key] = Stored(writes[-1].value, writes[-1].version)
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


# ---- several models and prefixes in one place --------------------------------------------------------


def test_two_models_neither_count_nor_list_nor_evict_each_others_sessions(store, address):
    put(store, a=b"1", b=b"1", c=b"1")
    assert store.commit([Write(key, b"2", None, 9) for key in "xyz"], None, OTHER) == [True] * 3
    assert (store.count([MODEL]), store.count([OTHER]), store.count([MODEL, OTHER])) == (3, 3, 6)
    assert sorted(store.keys(10, [MODEL])) == ["a", "b", "c"]
    assert sorted(store.keys(10, [OTHER, MODEL])) == ["a", "b", "c", "x", "y", "z"]
    assert len(store.keys(4, [OTHER, MODEL])) == 4
    if "redis" not in address or "index=yes" in address:
        assert store.evict(1, [MODEL]) == 2
        assert (store.count([MODEL]), store.count([OTHER])) == (1, 3)
        assert store.evict(2, [OTHER, MODEL]) == 2  # the first model's go first
        assert (store.count([MODEL]), store.count([OTHER])) == (1, 1)


def test_a_key_is_one_session_and_goes_over_to_the_model_that_wrote_it(store):
    put(store, a=b"1", b=b"1")
    assert store.load(["a"], None, OTHER) == [Stored(b"1", 7)]
    assert store.commit([Write("a", b"2", None, 9)], None, OTHER) == [False]
    assert store.commit([Write("a", b"2", 7, 9)], None, OTHER) == [True]
    assert (store.count([MODEL]), store.count([OTHER])) == (1, 1)
    assert store.load(["a"], None, MODEL) == [Stored(b"2", 9)]
    assert store.delete(["a"]) == 1
    assert (store.count([MODEL]), store.count([OTHER])) == (1, 0)


def test_a_time_to_live_is_that_of_the_model_that_wrote(store):
    store.commit([Write("mine", b"1", None, 1)], 0.05, MODEL)
    store.commit([Write("theirs", b"1", None, 1)], 3600, OTHER)
    time.sleep(1.1)  # an index of Redis tells whole seconds
    store.expire(0.05, [MODEL])
    assert store.load(["mine", "theirs"], 0.05, MODEL) == [None, Stored(b"1", 1)]
    assert (store.count([MODEL]), store.count([OTHER])) == (0, 1)


def test_the_sessions_of_a_model_that_no_longer_answers_end_in_a_file_too(tmp_path):
    now = [1000.0]
    store = SQLiteStore(tmp_path / "s.db", clock=lambda: now[0])
    store.commit([Write("left", b"1", None, 1)], 60, OTHER)
    store.commit([Write("kept", b"1", None, 1)], None, OTHER)
    now[0] = 1061.0
    store.expire(5, MODELS)
    assert store.load(["left", "kept"], None, MODEL) == [None, Stored(b"1", 1)]
    store.close()


def test_no_prefix_and_key_are_another_prefix_and_key(server, cluster):
    pairs = [("a", "b:c"), ("a:b", "c"), ("a%3Ab", "c"), ("", "a:b:c"), ("a*", "c"), ("a%by-age%", "c"), ("{a}", "c")]
    for base in (server.address, cluster.address):
        for index in ("no", "yes") if base == server.address else ("no",):
            stores = [open_store(f"{base}?prefix={quote(prefix + index)}&index={index}") for prefix, _ in pairs]
            for place, (store, (_, key)) in enumerate(zip(stores, pairs, strict=True)):
                assert store.load([key], None, MODEL) == [None]
                assert store.commit([Write(key, b"%d" % place, None, place + 1)], None, MODEL) == [True]
            for place, (store, (_, key)) in enumerate(zip(stores, pairs, strict=True)):
                assert store.load([key], None, MODEL) == [Stored(b"%d" % place, place + 1)]
                assert store.keys(10, MODELS) == [key]
                assert store.count(MODELS) == 1
                store.close()


def test_an_index_that_is_behind_does_not_forget_another_models_session(server):
    store = open_store(f"{server.address}?prefix=behind&index=yes")
    store.commit([Write("a", b"1", None, 1)], 0.05, MODEL)
    time.sleep(0.1)  # the server forgot it, and the index did not
    store.commit([Write("a", b"2", None, 2)], None, OTHER)
    store.evict(0, MODELS)
    assert store.load(["a"], None, OTHER) == [Stored(b"2", 2)]
    assert store.count(MODELS) == 0
    store.close()


def test_memory_is_bounded_in_bytes():
    store = open_store("memory:")
    assert store.held_bytes == 0
    store = MemoryStore(max_bytes=100_000)
    for place in range(1000):
        put(store, **{str(place): b"x" * 1000})
    assert 90_000 < store.held_bytes <= 100_000
    assert store.keys(1, MODELS) == ["999"]
    put(store, large=b"x" * 1_000_000)  # one alone stays
    assert store.count(MODELS) == 1
    store.delete(["large"])
    assert store.held_bytes == 0


# ---- what is secret ----------------------------------------------------------------------------------

SECRETS = [
    "redis://someone:hunter2@127.0.0.1:1/0?patience=0",
    "rediss://:hunter2@127.0.0.1:1/0?patience=0",
    "redis://someone:hun/hunter2@127.0.0.1:1/0?patience=0",
    "redis://someone:hun?hunter2@127.0.0.1:1/0",
    "redis://someone:hun@hunter2@127.0.0.1:1/0?patience=0",
    "redis+cluster://someone:hunter2@127.0.0.1:1?patience=0",
    "redis://someone:hunter2@127.0.0.1:port/0",
    "redis://someone:hunter2@127.0.0.1:1/0?patienc=1",
    "redis://someone:hunter2@127.0.0.1:1/0?index=perhaps",
    "redis+cluster://someone:hunter2@127.0.0.1:1?index=yes",
    "redos://someone:hunter2@127.0.0.1:1",
]


@pytest.mark.parametrize("address", SECRETS)
def test_no_message_and_no_traceback_shows_a_password(address):
    with pytest.raises(UnrolledError) as fault:
        open_store(address)
    assert "hunter2" not in "".join(traceback.format_exception(fault.value, chain=True)).replace(address, "")
    assert "hunter2" not in f"{Address(address)} {Address(address)!r}"


def test_a_wrong_password_is_said_without_it():
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        try:
            redis = import_module("redis").Redis.from_url(f"unix://{server.socket}")
            redis.config_set("requirepass", "right")
            redis.close()
            address = f"redis+unix://:{'hunter'}2@{server.socket}?patience=0"
            with pytest.raises(UnrolledError) as fault:
                open_store(address)
            assert "user and password" in str(fault.value)
            assert "hunter2" not in "".join(traceback.format_exception(fault.value))
        finally:
            server.kill()


def test_a_server_that_refuses_is_said_without_scripts_and_sessions(server):
    redis = import_module("redis").Redis.from_url(f"unix://{server.socket}")
    store = open_store(f"{server.address}?patience=0&prefix=full")
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(AnswerLost) as fault:
            store.commit([Write("a secret key", b"a secret state", None, 7)], None, MODEL)
    finally:
        redis.config_set("maxmemory", 0)
        redis.close()
    said = "".join(traceback.format_exception(fault.value))
    assert "its memory is full" in said
    for word in ("redis.call", "GETRANGE", "secret"):
        assert word not in str(fault.value)
    assert "GETRANGE" not in said
    store.close()


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such rights")
def test_the_file_is_for_its_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        path = tmp_path / "s.db"
        store = SQLiteStore(path)
        put(store, a=b"1")
        assert [(tmp_path / f"s.db{side}").stat().st_mode & 0o777 for side in ("", "-wal", "-shm")] == [0o600] * 3
        for side in ("", "-wal", "-shm"):
            (tmp_path / f"s.db{side}").chmod(0o666)  # as an older version, or a copy, left it
        again = SQLiteStore(path)
        assert [(tmp_path / f"s.db{side}").stat().st_mode & 0o777 for side in ("", "-wal", "-shm")] == [0o600] * 3
        for each in (store, again):
            each.close()
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such rights")
def test_a_file_of_another_user_that_others_may_read_is_refused(tmp_path, monkeypatch):
    SQLiteStore(tmp_path / "s.db").close()
    (tmp_path / "s.db").chmod(0o644)
    monkeypatch.setattr("unrolled.streaming.stores.sqlite.os.geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ArtifactError, match="chmod 600"):
        SQLiteStore(tmp_path / "s.db")
