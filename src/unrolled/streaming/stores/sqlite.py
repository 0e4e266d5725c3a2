"""A store in one SQLite file on this machine, which survives a crash of the process."""

import math
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import unquote

from unrolled.errors import AnswerLost, ArtifactError, OptionError, StoreUnavailable, message, reason
from unrolled.places import local_path
from unrolled.streaming.stores.address import Address, seconds, yes_or_no
from unrolled.streaming.stores.base import UNREADABLE, Stored, Write

APPLICATION = 0x75525353  # "uRSS" in the file's header
VERSION = 2
OWNER_ONLY = 0o600
SIDES = ("", "-wal", "-shm")  # suffixes of the file and those that SQLite makes next to it
AWAY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
SAYS = {
    sqlite3.SQLITE_BUSY: "another process writes to it",
    sqlite3.SQLITE_LOCKED: "another process writes to it",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_READONLY: "it can only be read",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "no access",
    sqlite3.SQLITE_NOTADB: "another kind of file",
    sqlite3.SQLITE_CORRUPT: "damaged",
}
TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS sessions
    (key BLOB PRIMARY KEY, model TEXT, version INTEGER, written REAL, until REAL, value BLOB);
CREATE INDEX IF NOT EXISTS by_age ON sessions (model, written);
CREATE INDEX IF NOT EXISTS by_end ON sessions (until) WHERE until IS NOT NULL;
CREATE TABLE IF NOT EXISTS totals (model TEXT PRIMARY KEY, sessions INTEGER);
CREATE TRIGGER IF NOT EXISTS one_more AFTER INSERT ON sessions BEGIN
    INSERT INTO totals VALUES (NEW.model, 1) ON CONFLICT (model) DO UPDATE SET sessions = sessions + 1; END;
CREATE TRIGGER IF NOT EXISTS one_less AFTER DELETE ON sessions BEGIN
    UPDATE totals SET sessions = sessions - 1 WHERE model = OLD.model; END;
CREATE TRIGGER IF NOT EXISTS moved AFTER UPDATE OF model ON sessions WHEN OLD.model <> NEW.model BEGIN
    UPDATE totals SET sessions = sessions - 1 WHERE model = OLD.model;
    INSERT INTO totals VALUES (NEW.model, 1) ON CONFLICT (model) DO UPDATE SET sessions = sessions + 1; END;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


class SQLiteStore:
    """Sessions in one file, which only its owner may read; several processes of one machine may share it.

    A batch is one transaction of a write-ahead log, and by default it is on the disk when it is acknowledged.

    Time is the wall clock at the opening of the store plus the monotonic clock since, so setting the clock while a
    process runs changes nothing. If another process wrote with a later clock, its sessions have times in the future:
    `expire` sets them to now, so that they live one `ttl` longer and not for ever. Sessions of models that no longer
    answer expire by the `ttl` that they were written with.

    Args:
        path: of the file; it is created if missing.
        patience: seconds to wait for other processes that write, before StoreUnavailable.
        durable: whether an acknowledged write survives a power failure; if False, only a crash of the process.
        clock: returns seconds since 1970; by default as described above.

    Example:
        >>> import tempfile
        >>> store, model = SQLiteStore(Path(tempfile.mkdtemp(), "sessions.db")), "0123456789abcdef"
        >>> store.commit([Write("ada", b"state", None, version=1)], None, model)
        [True]
        >>> store.load(["ada", "bob"], None, model)
        [Stored(value=b'state', version=1), None]
        >>> store.close()
    """

    counts_at_once, held_bytes = True, 0

    def __init__(
        self,
        path: str | Path,
        patience: float = 5.0,
        durable: bool = True,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._path, self._lock = local_path(path, "store", ArtifactError), Lock()
        start = time.time() - time.monotonic()
        self._clock = clock or (lambda: start + time.monotonic())
        self._refuse_truncated()
        self._keep_to_owner()
        with self._faults():
            self._base = sqlite3.connect(
                self._path.absolute(), timeout=patience, isolation_level=None, check_same_thread=False
            )
        try:
            with self._faults():
                self._open(durable)
        except Exception:
            self._base.close()
            raise

    def load(self, keys: Sequence[str], ttl: float | None, model: str) -> list[Stored | None]:
        """Load the session of each key."""
        oldest = self._oldest(ttl)
        ask = "SELECT value, version FROM sessions WHERE key = ? AND (written > ? OR model <> ?)"
        with self._lock, self._faults():
            rows = [self._base.execute(ask, (key.encode(), oldest, model)).fetchone() for key in keys]
        return [None if row is None else _found(*row) for row in rows]

    def commit(self, writes: Sequence[Write], ttl: float | None, model: str) -> list[bool]:
        """Write sessions of different keys in one transaction; return False where the version has changed."""
        now = self._clock()
        of = _Writing(model, now, None if ttl is None else now + ttl, self._oldest(ttl))
        with self._transaction() as base:
            return [_write(base, write, of) for write in writes]

    def delete(self, keys: Sequence[str]) -> int:
        """Delete sessions; return how many there were."""
        with self._transaction() as base:
            return sum(base.execute("DELETE FROM sessions WHERE key = ?", (key.encode(),)).rowcount for key in keys)

    def keys(self, limit: int, models: Sequence[str]) -> list[str]:
        """Return the keys written last, at most `limit`."""
        ask, found = "SELECT key FROM sessions WHERE model = ? ORDER BY written DESC LIMIT ?", []
        with self._lock, self._faults():
            for model in reversed(models):
                found += self._base.execute(ask, (model, limit - len(found))).fetchall()
        return [key.decode() for (key,) in found]

    def count(self, models: Sequence[str]) -> int:
        """Return the number of sessions of these models."""
        with self._lock, self._faults():
            return sum(_total(self._base, model) for model in models)

    def expire(self, ttl: float, models: Sequence[str]) -> int:
        """Delete sessions that these models did not write for `ttl` seconds, and expired ones of other models."""
        now, gone = self._clock(), 0
        marks = ", ".join("?" * len(models))
        with self._transaction() as base:
            for model in models:
                future = "UPDATE sessions SET written = ? WHERE model = ? AND written > ?"
                base.execute(future, (now, model, now + 1))
                past = "DELETE FROM sessions WHERE model = ? AND written <= ?"
                gone += base.execute(past, (model, now - ttl)).rowcount
            base.execute(f"DELETE FROM sessions WHERE until <= ? AND model NOT IN ({marks})", (now, *models))
        return gone

    def evict(self, most: int, models: Sequence[str]) -> int:
        """Delete sessions until at most `most` are left, those of the first model first; return how many."""
        if self.count(models) <= most:
            return 0
        with self._transaction() as base:
            counts = [_total(base, model) for model in models]
            surplus = sum(counts) - most
            oldest = "SELECT rowid FROM sessions WHERE model = ? ORDER BY written LIMIT ?"
            gone = 0
            for model in models:
                some = (model, max(0, surplus - gone))
                gone += base.execute(f"DELETE FROM sessions WHERE rowid IN ({oldest})", some).rowcount
        return gone

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    # ---- inside --------------------------------------------------------------------------------------

    def _keep_to_owner(self) -> None:
        """Create the file with mode 600 before SQLite does; SQLite gives its other files the same mode."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
            return
        except FileExistsError:
            pass
        except OSError as fault:
            raise self._damaged(reason(fault)) from fault
        if os.name != "posix":
            return  # other systems have no such modes; a file gets the rights of its folder
        for side in SIDES:
            path = self._path.with_name(f"{self._path.name}{side}")
            try:
                about = path.stat()
                if not stat.S_ISREG(about.st_mode) or not about.st_mode & 0o077:
                    continue
                if about.st_uid != os.geteuid():
                    raise ArtifactError(
                        message("store", expected="a file that only its owner may read",
                                received=f"another user's, {path} with mode {stat.S_IMODE(about.st_mode):o}",
                                remedy=f"let its owner `chmod 600 {path.name}`, or name another file")
                    )  # fmt: skip
                path.chmod(OWNER_ONLY)
            except FileNotFoundError:
                continue

    def _refuse_truncated(self) -> None:
        """Refuse a truncated file, which SQLite would accept and write to."""
        log = self._path.with_name(f"{self._path.name}-wal")
        if not self._path.is_file() or (log.exists() and log.stat().st_size):  # the log may hold the missing part
            return
        with self._path.open("rb") as file:
            head = file.read(100)
        size = self._path.stat().st_size
        pages = int.from_bytes(head[28:32], "big") if head[24:28] == head[92:96] else 0
        page = int.from_bytes(head[16:18], "big")
        if 0 < size < 100 or size < pages * (65536 if page == 1 else page):
            raise self._damaged("truncated")

    def _open(self, durable: bool) -> None:
        self._base.execute("BEGIN")  # read all three in one transaction: another process may be creating the file
        ask = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        kind, version, tables = (self._base.execute(question).fetchone()[0] for question in ask)
        self._base.execute("COMMIT")
        if tables and (kind != APPLICATION or version != VERSION):
            received = "another program's database" if kind != APPLICATION else f"format version {version}"
            raise ArtifactError(
                message("store", expected=f"a file of sessions, format version {VERSION}",
                        received=f"{self._path}: {received}", remedy="name another file, or upgrade unrolled")
            )  # fmt: skip
        self._base.execute("PRAGMA journal_mode = WAL").fetchone()
        self._base.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        if not tables:
            self._base.executescript(TABLES)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock, self._faults():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._end()
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    def _end(self) -> None:
        """Commit; after a disk error it is unknown whether the transaction was written."""
        try:
            self._base.execute("COMMIT")
        except sqlite3.Error as fault:
            if _code(fault) in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL):
                raise AnswerLost(
                    f"store: {self._path} failed during a write ({_why(fault)}); it is unknown whether it was written"
                ) from fault
            raise

    @contextmanager
    def _faults(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            if _code(fault) in AWAY:
                raise StoreUnavailable(
                    f"store: {self._path} cannot be written now ({_why(fault)}); try again later"
                ) from fault
            raise self._damaged(_why(fault)) from fault
        except UnicodeDecodeError as fault:  # from SQLite's error text about a damaged file
            raise self._damaged("damaged") from fault

    def _damaged(self, how: str) -> ArtifactError:
        return ArtifactError(
            message("store", expected="a whole file of sessions that can be written", received=f"{self._path} ({how})",
                    remedy="it was left as it is: restore a copy, or save what can be read with "
                    f"`sqlite3 {self._path.name} .recover`, or name another file")
        )  # fmt: skip

    def _oldest(self, ttl: float | None) -> float:
        return -math.inf if ttl is None else self._clock() - ttl


def _code(fault: sqlite3.Error) -> int:
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF  # faults of Python's module itself have none


def _why(fault: sqlite3.Error) -> str:
    return SAYS.get(_code(fault), "it cannot be used")


def open_address(address: Address) -> SQLiteStore:
    """Open the store of "sqlite:///path?patience=5&durable=yes"; with four slashes the path is absolute."""
    options = address.options({"patience": seconds, "durable": yes_or_no})
    path = unquote(address.place.partition(":")[2].removeprefix("//").removeprefix("/"))
    if not path or "\0" in path:
        raise OptionError(message("store", expected='a file, as in "sqlite:///sessions.db"', received=str(address)))
    return SQLiteStore(path, **options)


def _found(value: Any, version: Any) -> Stored:
    """Convert a row; values of the wrong type, from a damaged file, become a damaged session."""
    return Stored(value if isinstance(value, bytes) else b"", version if isinstance(version, int) else UNREADABLE)


class _Writing(NamedTuple):
    model: str
    now: float
    until: float | None  # when sessions written now expire
    oldest: float  # sessions that this model wrote before are expired


def _total(base: sqlite3.Connection, model: str) -> int:
    row = base.execute("SELECT sessions FROM totals WHERE model = ?", (model,)).fetchone()
    return 0 if row is None else row[0]


def _write(base: sqlite3.Connection, write: Write, of: _Writing) -> bool:
    key, value, before, version = write
    # ?1 key, ?2 version, ?3 now, ?4 value, ?5 oldest, ?6 model, ?7 until, ?8 the version that was read
    told = (key.encode(), version, of.now, value, of.oldest, of.model, of.until)
    change = "SET version = ?2, written = ?3, value = ?4, model = ?6, until = ?7"
    if before is None:
        done = base.execute(
            "INSERT INTO sessions (key, version, written, value, model, until) VALUES (?1, ?2, ?3, ?4, ?6, ?7) "
            f"ON CONFLICT (key) DO UPDATE {change} WHERE (model = ?6 AND written <= ?5) OR version = ?2",
            told,
        )
    else:
        done = base.execute(
            f"UPDATE sessions {change} "
            "WHERE key = ?1 AND (version = ?8 OR version = ?2) AND (written > ?5 OR model <> ?6)",
            (*told, before),
        )
    return done.rowcount == 1
