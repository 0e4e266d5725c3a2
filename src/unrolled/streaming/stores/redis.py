"""RedisStore: sessions in Redis or Valkey, which workers on many machines share."""

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, TypeVar

from unrolled.errors import OptionError, StoreUnavailable, UnsupportedError, message
from unrolled.streaming.stores.address import seconds, split_address, yes_or_no
from unrolled.streaming.stores.base import UNREADABLE, Found, Write

Answer = TypeVar("Answer")

HEAD = 8  # bytes of the version before the value
PAGE = 1000  # keys that the server is asked for at a time
AT_A_TIME = 100  # sessions written or evicted by one command, so that the server is never busy for long
CLUSTER = "redis+cluster"

# Keys and, for each, the version that was read and the value. A write of the version that is there already was
# answered, and the answer was lost: it is good.
WRITE = """
local lasting, index, done = ARGV[1], ARGV[2], {}
for place, key in ipairs(KEYS) do
  local before, value = ARGV[2 * place + 1], ARGV[2 * place + 2]
  local there = redis.call('GETRANGE', key, 0, 7)
  if there == string.sub(value, 1, 8) then done[place] = 1
  elseif there ~= before then done[place] = 0
  else
    if lasting == '' then redis.call('SET', key, value) else redis.call('SET', key, value, 'PX', lasting) end
    if index ~= '' then
      local now = redis.call('TIME')
      redis.call('ZADD', index, now[1] .. '.' .. string.format('%06d', now[2]), key)
    end
    done[place] = 1
  end
end
return done
"""
DELETE = """
if KEYS[2] then redis.call('ZREM', KEYS[2], KEYS[1]) end
return redis.call('DEL', KEYS[1])
"""
EXPIRE = "return redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1] - ARGV[1])"
EVICT = """
local surplus = math.min(redis.call('ZCARD', KEYS[1]) - ARGV[1], ARGV[2])
if surplus <= 0 then return 0 end
local oldest = redis.call('ZPOPMIN', KEYS[1], surplus)
for place = 1, #oldest, 2 do redis.call('DEL', oldest[place]) end
return surplus
"""


class RedisStore:
    """Sessions in a Redis or Valkey server, or a cluster of them.

    One session is one value, `prefix:key`, and one script writes it where the version that was read is still there:
    any number of workers may share sessions, and none loses an update. How durable an acknowledged write is, is the
    server's setting: `appendonly yes` with `appendfsync always` loses nothing.

    Where the server goes away, a call tries again for `patience` seconds; while it stays away, the calls after that
    fail at once.

    The server forgets a session by its own clock `ttl` seconds after the last write. Should that clock be set back,
    sessions live longer by as much; no clock of a worker matters.

    Args:
        address: "redis://user:password@host:6379/0", "rediss://..." with TLS, "redis+unix:///path/of/socket", or
            "redis+cluster://host:6379", any node of a cluster.
        patience: seconds to try, before StoreUnavailable.
        prefix: of the names of sessions.
        index: keep a list of sessions by age, about 100 bytes for each, which `max_sessions` needs and with which
            counting is quick; not in a cluster.

    Raises:
        UnsupportedError: the package `redis` is not installed.
        StoreUnavailable: nobody answers there.
    """

    def __init__(self, address: str, patience: float = 5.0, prefix: str = "unrolled", index: bool = False) -> None:
        scheme = address.partition(":")[0]
        if index and scheme == CLUSTER:
            raise OptionError(
                message("index", expected="no in a cluster, where a list would be on one node", received="yes")
            )
        self._library = _library()
        self._together = 1 if scheme == CLUSTER else AT_A_TIME  # in a cluster each key may be on another node
        self._patience, self._away, self._name = patience, False, address.rpartition("@")[2]
        self._sessions, self._index = f"{prefix}:".encode(), f"{prefix}-by-age".encode() if index else None
        self.counts_at_once = index
        try:
            self._server = self._asked(lambda: _connected(self._library, address, max(0.1, min(patience, 2.0))))
        except ValueError as fault:
            raise OptionError(
                message("store", expected="redis://host:6379/0", received=f"{self._name} ({fault})")
            ) from fault
        self._asked(self._server.ping)

    def load(self, keys: Sequence[str], ttl: float | None) -> list[Found | None]:
        """What is kept under each key."""
        names = [self._named(key) for key in keys]
        if self._together == 1:
            values = self._many([("GET", name) for name in names])
        else:
            values = self._many([("MGET", *names)])[0] if names else []
        return [None if value is None else _found(value) for value in values]

    def commit(self, writes: Sequence[Write], ttl: float | None) -> list[bool]:
        """Write sessions of different keys, each wholly or not at all; False where another version was there."""
        lasting = b"" if ttl is None else b"%d" % max(1, round(ttl * 1000))
        asked = []
        for start in range(0, len(writes), self._together):
            some = writes[start : start + self._together]
            words: list[bytes] = [lasting, self._index or b""]
            for _, value, before, version in some:
                words.append(b"" if before is None else before.to_bytes(HEAD, "big"))
                words.append(version.to_bytes(HEAD, "big") + value)
            asked.append(("EVAL", WRITE, len(some), *(self._named(write.key) for write in some), *words))
        return [good == 1 for done in self._many(asked) for good in done]

    def delete(self, keys: Sequence[str]) -> int:
        """Forget sessions; how many there were."""
        index = () if self._index is None else (self._index,)
        names = [(self._named(key), *index) for key in keys]
        return sum(self._many([("EVAL", DELETE, len(each), *each) for each in names]))

    def keys(self, limit: int) -> list[str]:
        """Some keys, at most `limit`; with an index those written last."""
        if self._index is not None:
            index = self._index
            found = self._asked(lambda: self._server.zrevrange(index, 0, limit - 1)) if limit > 0 else []
        else:
            found = self._scan(limit)
        return [name[len(self._sessions) :].decode() for name in found]

    def count(self) -> int:
        """How many sessions are kept; without an index the server reads all names, so ask rarely."""
        if self._index is not None:
            index = self._index
            return self._asked(lambda: self._server.zcard(index))
        return len(self._scan(None))

    def expire(self, ttl: float) -> int:
        """The server forgets by itself; only the index has to be told."""
        if self._index is None:
            return 0
        index = self._index
        return self._asked(lambda: self._server.eval(EXPIRE, 1, index, ttl))

    def evict(self, most: int) -> int:
        """Forget those that nobody wrote for the longest time until at most `most` are left; how many.

        Raises:
            UnsupportedError: without an index.
        """
        if self._index is None:
            raise UnsupportedError(
                "max_sessions in Redis needs its index: add index=yes to the address; or leave max_sessions out "
                "and set maxmemory and maxmemory-policy allkeys-lru on the server"
            )
        index, gone = self._index, 0
        while done := self._asked(lambda: self._server.eval(EVICT, 1, index, most, AT_A_TIME)):
            gone += done
        return gone

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    # ---- inside --------------------------------------------------------------------------------------

    def _named(self, key: str) -> bytes:
        return self._sessions + key.encode()

    def _many(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        def ask() -> list[Any]:
            with self._server.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                return pipeline.execute()

        return self._asked(ask) if commands else []

    def _scan(self, limit: int | None) -> set[bytes]:
        found: set[bytes] = set()
        pattern = (
            b"".join(b"\\" + bytes([byte]) if byte in b"*?[]\\" else bytes([byte]) for byte in self._sessions) + b"*"
        )

        def walk() -> set[bytes]:
            for name in self._server.scan_iter(match=pattern, count=PAGE):
                if limit is not None and len(found) >= limit:
                    break
                found.add(name)
            return found

        return self._asked(walk)

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer, or patience is at its end."""
        faults = self._library.exceptions
        until, pause = time.monotonic() + (0 if self._away else self._patience), 0.01
        while True:
            try:
                answer = ask()
            except faults.AuthenticationError as fault:
                raise OptionError(message("store", expected="a user and password that the server takes",
                                          received=f"{self._name} ({fault})")) from fault  # fmt: skip
            except faults.RedisError as fault:  # gone, or full, or read-only while another takes over
                if time.monotonic() + pause > until:
                    self._away = True
                    raise StoreUnavailable(
                        f"store: {self._name} cannot be used now ({fault}); try again later"
                    ) from fault
                time.sleep(pause)
                pause = min(2 * pause, 0.25)
            else:
                self._away = False
                return answer


def open_address(address: str) -> RedisStore:
    """The store of "redis://host:6379/0?patience=5&prefix=unrolled&index=no" and its like."""
    place, options = split_address(address, {"patience": seconds, "prefix": str, "index": yes_or_no})
    return RedisStore(place, **options)


def _found(value: bytes) -> Found:
    return Found(value[HEAD:], int.from_bytes(value[:HEAD], "big") if len(value) >= HEAD else UNREADABLE)


def _library() -> Any:
    try:
        return import_module("redis")
    except ImportError as fault:
        raise UnsupportedError("sessions in Redis need the package redis; pip install 'unrolled[serve]'") from fault


def _connected(library: Any, address: str, timeout: float) -> Any:
    settings = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "health_check_interval": 30,
    }
    scheme, _, rest = address.partition(":")
    if scheme == CLUSTER:
        return library.RedisCluster.from_url(f"redis:{rest}", **settings)
    retry = library.retry.Retry(library.backoff.NoBackoff(), 0)  # trying again is done here
    return library.Redis.from_url(f"unix:{rest}" if scheme == "redis+unix" else address, retry=retry, **settings)
