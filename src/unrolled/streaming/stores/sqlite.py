"""SQLiteStore: sessions in one file on this machine, which survive whatever happens to the process."""

import math
import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote

from unrolled.errors import ArtifactError, OptionError, StoreUnavailable, message
from unrolled.places import local_path
from unrolled.streaming.stores.address import seconds, split_address, yes_or_no
from unrolled.streaming.stores.base import UNREADABLE, Found, Write

APPLICATION = 0x75525353  # "uRSS" in the file's header
VERSION = 1
AWAY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS sessions (key BLOB PRIMARY KEY, version INTEGER, written REAL, value BLOB);
CREATE INDEX IF NOT EXISTS by_age ON sessions (written);
CREATE TABLE IF NOT EXISTS total (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), sessions INTEGER);
INSERT OR IGNORE INTO total VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS one_more AFTER INSERT ON sessions BEGIN UPDATE total SET sessions = sessions + 1; END;
CREATE TRIGGER IF NOT EXISTS one_less AFTER DELETE ON sessions BEGIN UPDATE total SET sessions = sessions - 1; END;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


class SQLiteStore:
    """Sessions in one file; several processes of one machine may share it.

    A batch is one transaction of a write-ahead log, and by default it is on the disk when it is acknowledged.

    Ages are told by the wall clock as it was when the store was opened and by the monotonic clock since, so that a
    clock which is set while a process runs changes nothing. Where another process wrote by a later clock, its
    sessions look as if from the future: `expire` dates them now, so that they live one `ttl` longer and not for ever.

    Args:
        path: of the file; it is made where there is none.
        patience: seconds to wait for other processes that write, before StoreUnavailable.
        durable: whether an acknowledged write survives a loss of power; without, only the death of the process.
        clock: seconds since 1970; default as said above.

    Example:
        >>> import tempfile
        >>> store = SQLiteStore(Path(tempfile.mkdtemp(), "sessions.db"))
        >>> store.commit([Write("ada", b"state", None, version=1)], ttl=None)
        [True]
        >>> store.load(["ada", "bob"], ttl=None)
        [Found(value=b'state', version=1), None]
        >>> store.close()
    """

    counts_at_once = True

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
        with self._faults():
            self._base = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            with self._faults():
                self._open(durable)
        except Exception:
            self._base.close()
            raise

    def load(self, keys: Sequence[str], ttl: float | None) -> list[Found | None]:
        """What is kept under each key."""
        oldest, ask = self._oldest(ttl), "SELECT value, version FROM sessions WHERE key = ? AND written > ?"
        with self._lock, self._faults():
            rows = [self._base.execute(ask, (key.encode(), oldest)).fetchone() for key in keys]
        return [None if row is None else _found(*row) for row in rows]

    def commit(self, writes: Sequence[Write], ttl: float | None) -> list[bool]:
        """Write sessions of different keys in one transaction; False where another version was there."""
        oldest, now = self._oldest(ttl), self._clock()
        with self._transaction() as base:
            return [_write(base, write, now, oldest) for write in writes]

    def delete(self, keys: Sequence[str]) -> int:
        """Forget sessions; how many there were."""
        with self._transaction() as base:
            return sum(base.execute("DELETE FROM sessions WHERE key = ?", (key.encode(),)).rowcount for key in keys)

    def keys(self, limit: int) -> list[str]:
        """The keys written last, at most `limit`."""
        with self._lock, self._faults():
            rows = self._base.execute("SELECT key FROM sessions ORDER BY written DESC LIMIT ?", (limit,)).fetchall()
        return [key.decode() for (key,) in rows]

    def count(self) -> int:
        """How many sessions are kept."""
        with self._lock, self._faults():
            return self._base.execute("SELECT sessions FROM total").fetchone()[0]

    def expire(self, ttl: float) -> int:
        """Forget sessions that nobody wrote for `ttl` seconds; how many there were."""
        now = self._clock()
        with self._transaction() as base:
            base.execute("UPDATE sessions SET written = ? WHERE written > ?", (now, now + 1))
            return base.execute("DELETE FROM sessions WHERE written <= ?", (now - ttl,)).rowcount

    def evict(self, most: int) -> int:
        """Forget those that nobody wrote for the longest time until at most `most` are left; how many."""
        if self.count() <= most:
            return 0
        with self._transaction() as base:
            surplus = max(0, base.execute("SELECT sessions FROM total").fetchone()[0] - most)
            oldest = "SELECT rowid FROM sessions ORDER BY written LIMIT ?"
            return base.execute(f"DELETE FROM sessions WHERE rowid IN ({oldest})", (surplus,)).rowcount

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    # ---- inside --------------------------------------------------------------------------------------

    def _refuse_truncated(self) -> None:
        """SQLite takes a file that lost half a page, or all but a few bytes, for a good one and writes to it."""
        log = self._path.with_name(f"{self._path.name}-wal")
        if not self._path.is_file() or (log.exists() and log.stat().st_size):  # the log may hold what is missing
            return
        with self._path.open("rb") as file:
            head = file.read(100)
        size = self._path.stat().st_size
        pages = int.from_bytes(head[28:32], "big") if head[24:28] == head[92:96] else 0
        page = int.from_bytes(head[16:18], "big")
        if 0 < size < 100 or size < pages * (65536 if page == 1 else page):
            raise self._damaged("truncated")

    def _open(self, durable: bool) -> None:
        self._base.execute("BEGIN")  # all three as of one moment: another process may be making the file
        ask = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        kind, version, tables = (self._base.execute(question).fetchone()[0] for question in ask)
        self._base.execute("COMMIT")
        if tables and (kind != APPLICATION or version > VERSION):
            received = "another program's database" if kind != APPLICATION else f"format version {version}"
            raise ArtifactError(
                message("store", expected=f"a file of sessions, format version <= {VERSION}",
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
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def _faults(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
            if code in AWAY:
                raise StoreUnavailable(
                    f"store: {self._path} cannot be written now ({fault}); try again later"
                ) from fault
            raise self._damaged(fault) from fault
        except UnicodeDecodeError as fault:  # from SQLite's words about a damaged file
            raise self._damaged("damaged") from fault

    def _damaged(self, how: object) -> ArtifactError:
        return ArtifactError(
            message("store", expected="a whole file of sessions that can be written", received=f"{self._path} ({how})",
                    remedy="it was left as it is: restore a copy, or save what can be read with "
                    f"`sqlite3 {self._path.name} .recover`, or name another file")
        )  # fmt: skip

    def _oldest(self, ttl: float | None) -> float:
        return -math.inf if ttl is None else self._clock() - ttl


def open_address(address: str) -> SQLiteStore:
    """The store of "sqlite:///path?patience=5&durable=yes"; with four slashes the path begins at the root."""
    place, options = split_address(address, {"patience": seconds, "durable": yes_or_no})
    path = unquote(place.partition(":")[2].removeprefix("//").removeprefix("/"))
    if not path or "\0" in path:
        raise OptionError(message("store", expected='a file, as in "sqlite:///sessions.db"', received=address))
    return SQLiteStore(path, **options)


def _found(value: Any, version: Any) -> Found:
    """A row; what a damaged file gives in place of bytes is taken for a damaged session."""
    return Found(value if isinstance(value, bytes) else b"", version if isinstance(version, int) else UNREADABLE)


def _write(base: sqlite3.Connection, write: Write, now: float, oldest: float) -> bool:
    key, value, before, version = write
    if before is None:
        done = base.execute(
            "INSERT INTO sessions (key, version, written, value) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) "
            "DO UPDATE SET version = ?2, written = ?3, value = ?4 WHERE written <= ?5 OR version = ?2",
            (key.encode(), version, now, value, oldest),
        )
    else:
        done = base.execute(
            "UPDATE sessions SET version = ?2, written = ?3, value = ?4 "
            "WHERE key = ?1 AND (version = ?6 OR version = ?2) AND written > ?5",
            (key.encode(), version, now, value, oldest, before),
        )
    return done.rowcount == 1
