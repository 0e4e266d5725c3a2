"""Whatever dies, a session is the state before an event or after it, and no acknowledged event is lost."""

import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from redis_server import RedisServer
from streaming.toy import toy_stream
from streaming.victim import history
from unrolled.errors import ArtifactError, StoreUnavailable, UnrolledError
from unrolled.streaming.sessions import Sessions
from unrolled.streaming.stores.base import Write
from unrolled.streaming.stores.registry import open_store
from unrolled.streaming.stores.sqlite import SQLiteStore

KEYS, EVENTS = 6, 150
MODEL = "0123456789abcdef"
MODELS = [MODEL]
VICTIM = Path(__file__).with_name("victim.py")


@pytest.fixture
def server():
    with tempfile.TemporaryDirectory() as folder:
        started = RedisServer(Path(folder))
        yield started
        started.kill()


@pytest.fixture(params=["sqlite", "redis"])
def address(request, tmp_path):
    return f"sqlite:///{tmp_path}/s.db" if request.param == "sqlite" else request.getfixturevalue("server").address


class Life:
    """One life of the victim; what it acknowledged is noted while it lives."""

    def __init__(self, address: str, acknowledged: dict[str, int]) -> None:
        words = [sys.executable, str(VICTIM), address, str(KEYS), str(EVENTS)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write("".join(f"{key} {done}\n" for key, done in acknowledged.items()))
        self.process.stdin.close()
        self.lines = 0
        self.reader = threading.Thread(target=self._read, args=(acknowledged,))
        self.reader.start()

    def _read(self, acknowledged: dict[str, int]) -> None:
        for line in self.process.stdout:
            if not line.endswith("\n"):
                break  # killed within the line, so nobody heard it
            key, done, count = line.split()
            assert done == count, "an event was lost or stepped twice"
            acknowledged[key] = int(done)
            self.lines += 1

    def after(self, lines: int) -> None:
        while self.lines < lines and self.process.poll() is None:
            time.sleep(0.001)

    def end(self, kill: bool) -> int:
        if kill:
            self.process.kill()
        code = self.process.wait(60)
        self.reader.join()
        self.process.stdout.close()
        return code


def check(address: str, acknowledged: dict[str, int]) -> dict[str, int]:
    """Every state is that of some whole number of events, none fewer than were acknowledged."""
    stream, found = toy_stream(), {}
    with Sessions(stream, open_store(address)) as sessions:
        for key, done in acknowledged.items():
            state = sessions.state(key)
            found[key] = state.memory[0]
            assert found[key] >= done, "an acknowledged event was lost"
            own = stream.feed(history(key, EVENTS)[: found[key]])
            assert own.memory == state.memory
            assert np.array_equal(own.network, state.network), "a mixture of two states"
    return found


@pytest.mark.parametrize("kills", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_a_process_killed_at_any_moment_loses_nothing_and_mixes_nothing(address, kills):
    rng, acknowledged = random.Random(0), {}
    for _ in range(kills):
        life = Life(address, acknowledged)
        life.after(rng.randint(1, 120))
        life.end(kill=True)
        check(address, acknowledged)
    assert sum(acknowledged.values()) < KEYS * EVENTS  # the kills met work in progress
    assert Life(address, acknowledged).end(kill=False) == 0
    assert set(check(address, acknowledged).values()) == {EVENTS}


def test_a_redis_server_killed_under_load_loses_no_acknowledged_event(server):
    acknowledged: dict[str, int] = {}
    life = Life(server.address, acknowledged)
    for lines in (100, 200, 300):
        life.after(lines)
        server.kill()
        time.sleep(0.1)
        server.start()
    assert life.end(kill=False) == 0
    assert set(check(server.address, acknowledged).values()) == {EVENTS}


def test_while_redis_is_away_events_fail_in_a_bounded_time_and_afterwards_go_on(server):
    with Sessions(toy_stream(), open_store(f"{server.address}?patience=0.3")) as sessions:
        assert sessions.step("a", 1.0)["count"] == 1
        server.kill()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match=r"redis\.sock"):
                sessions.step("a", 1.0)
        with pytest.raises(StoreUnavailable):
            sessions.state("a")
        assert sessions.statistics["unavailable"] == 3
        server.start()
        assert sessions.step("a", 1.0)["count"] == 2


def test_redis_that_comes_back_within_patience_is_not_noticed(server):
    with Sessions(toy_stream(), open_store(f"{server.address}?patience=20")) as sessions:
        sessions.step("a", 1.0)
        server.kill()
        future = sessions.submit("a", 1.0)
        time.sleep(0.1)
        server.start()
        assert future.result(20)["count"] == 2


def test_what_somebody_else_put_under_a_key_is_refused_alone(server):
    import redis

    client = redis.Redis.from_url(f"unix://{server.socket}")
    with Sessions(toy_stream(), server.address) as sessions:
        sessions.step("a", 1.0)
        client.set("unrolled:b", b"short")
        client.set("unrolled:c", b"somebody else's text")
        found = sessions.step_many([(key, 1.0) for key in "abc"], errors="return")
        assert [isinstance(answer, ArtifactError) for answer in found] == [False, True, True]
        for key in "bc":
            sessions.import_state(key, sessions.export("a"))
            assert sessions.step(key, 1.0)["count"] == 3
    client.close()


# ---- files of SQLite -------------------------------------------------------------------------------


def filled(path: Path, sessions: int = 300) -> bytes:
    with Sessions(toy_stream(), SQLiteStore(path)) as made:
        made.step_many([(f"key {number}", float(number)) for number in range(sessions)])
    return path.read_bytes()


def use_all(path: Path) -> None:
    with Sessions(toy_stream(), SQLiteStore(path)) as sessions:
        for answer in sessions.step_many([(f"key {number}", 1.0) for number in range(300)], errors="return"):
            if isinstance(answer, Exception):
                raise answer


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.6, 0.95])
def test_a_truncated_store_is_refused_with_a_remedy_and_left_as_it_is(tmp_path, share):
    path = tmp_path / "s.db"
    whole = filled(path)
    cut = whole[: max(1, int(share * len(whole)))] if share else b"x"
    path.write_bytes(cut)
    with pytest.raises(ArtifactError, match=r"s\.db.*restore a copy"):
        use_all(path)
    assert path.read_bytes() == cut


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_store_never_ends_in_anything_but_an_error_of_ours(tmp_path, seed):
    path = tmp_path / "s.db"
    whole, rng = bytearray(filled(path)), random.Random(seed)
    for _ in range(200):
        whole[rng.randrange(len(whole))] = rng.randrange(256)
    path.write_bytes(whole)
    with pytest.raises(UnrolledError):
        use_all(path)


def test_a_row_that_is_no_session_is_refused_alone(tmp_path):
    path = tmp_path / "s.db"
    filled(path, 3)
    base = sqlite3.connect(path)
    base.execute("UPDATE sessions SET value = 7, version = 'x' WHERE key = ?", (b"key 1",))
    base.commit()
    base.close()
    with Sessions(toy_stream(), SQLiteStore(path)) as sessions:
        found = sessions.step_many([(f"key {number}", 1.0) for number in range(3)], errors="return")
        assert [isinstance(answer, ArtifactError) for answer in found] == [False, True, False]
        sessions.import_state("key 1", sessions.export("key 0"))
        assert sessions.state("key 1").memory == sessions.state("key 0").memory


def test_a_damaged_session_harms_no_other(tmp_path):
    path = tmp_path / "s.db"
    filled(path, 3)
    base = sqlite3.connect(path)
    base.execute("UPDATE sessions SET value = substr(value, 1, length(value) - 3) WHERE key = ?", (b"key 1",))
    base.commit()
    base.close()
    with Sessions(toy_stream(), SQLiteStore(path)) as sessions:
        found = sessions.step_many([(f"key {number}", 1.0) for number in range(3)], errors="return")
        assert [isinstance(answer, ArtifactError) for answer in found] == [False, True, False]
        assert "reset" in str(found[1])
        assert sessions.reset("key 1")
        assert sessions.step("key 1", 1.0)["count"] == 1


@pytest.mark.parametrize("made", ["another program's", "a newer version's", "a text file", "a folder"])
def test_what_is_no_store_is_refused_and_left_as_it_is(tmp_path, made):
    path = tmp_path / "s.db"
    if made == "a folder":
        path.mkdir()
    elif made == "a text file":
        path.write_text("key,value\n" * 100)
    else:
        base = sqlite3.connect(path)
        base.execute("CREATE TABLE sessions (a)")
        if made == "a newer version's":
            base.execute(f"PRAGMA application_id = {0x75525353}")
            base.execute("PRAGMA user_version = 99")
        base.commit()
        base.close()
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(ArtifactError, match=r"s\.db"):
        SQLiteStore(path)
    assert (None if path.is_dir() else path.read_bytes()) == before


def test_a_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(ArtifactError, match="missing"):
        SQLiteStore(tmp_path / "missing" / "s.db")


def test_a_file_that_another_process_holds_is_waited_for_and_then_said(tmp_path):
    store = SQLiteStore(tmp_path / "s.db", patience=0.1)
    holder = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Sessions(toy_stream(), store) as sessions:
        with pytest.raises(StoreUnavailable, match="another process writes to it"):
            sessions.step("a", 1.0)
        holder.execute("ROLLBACK")
        assert sessions.step("a", 1.0)["count"] == 1
    holder.close()


def test_many_processes_may_make_the_file_at_once(tmp_path):
    code = "import sys; from unrolled.streaming.stores.registry import open_store as o; print(o(sys.argv[1]).count([]))"
    words = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/s.db"]
    lives = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [life.communicate(timeout=60)[0].strip() for life in lives] == ["0"] * 6


def test_a_copy_made_while_in_use_is_whole(tmp_path):
    with Sessions(toy_stream(), SQLiteStore(tmp_path / "s.db")) as sessions:
        sessions.step("a", 1.0)
        for end in ("", "-wal"):
            shutil.copy(tmp_path / f"s.db{end}", tmp_path / f"copy.db{end}")
    with Sessions(toy_stream(), SQLiteStore(tmp_path / "copy.db")) as sessions:
        assert sessions.step("a", 1.0)["count"] == 2


# ---- clocks ----------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_neither_ends_sessions_nor_keeps_them_for_ever(tmp_path):
    now = [10_000.0]
    store = SQLiteStore(tmp_path / "s.db", clock=lambda: now[0])
    store.commit([Write("a", b"1", None, 1)], 60, MODEL)
    now[0] = 2_000.0  # back by more than two hours
    assert store.expire(60, MODELS) == 0
    assert store.load(["a"], 60, MODEL)[0] is not None
    now[0] = 2_059.0
    assert store.expire(60, MODELS) == 0
    now[0] = 2_061.0  # one time to live after the first look by the new clock
    assert store.load(["a"], 60, MODEL) == [None]
    assert store.expire(60, MODELS) == 1
    store.close()


def test_a_clock_that_is_set_while_a_process_runs_changes_nothing(tmp_path, monkeypatch):
    store = SQLiteStore(tmp_path / "s.db")
    store.commit([Write("a", b"1", None, 1)], 60, MODEL)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert store.load(["a"], 60, MODEL)[0] is not None
    monkeypatch.setattr(time, "time", lambda: 0.0)
    store.commit([Write("b", b"1", None, 2)], 60, MODEL)
    assert store.expire(60, MODELS) == 0
    assert store.count(MODELS) == 2
    store.close()
