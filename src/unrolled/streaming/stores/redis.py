"""A store in Redis or Valkey, which workers on many machines can share."""

import re
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import quote

from unrolled.errors import AnswerLost, OptionError, StoreUnavailable, UnsupportedError, message
from unrolled.streaming.stores.address import Address, seconds, yes_or_no
from unrolled.streaming.stores.base import UNREADABLE, Stored, Write

Answer = TypeVar("Answer")

MODEL = 8  # bytes of a model's fingerprint
HEAD = 8 + MODEL  # bytes of the version and the model before the value
PAGE = 1000  # keys per request of a scan
AT_A_TIME = 100  # sessions written or evicted by one command, so that the server is never busy for long
CLUSTER = "redis+cluster"

# The name of a model's index is a common base and the fingerprint in hexadecimal digits.
_INDEX = """
local function index_of(base, model)
  return base .. string.gsub(model, '.', function(one) return string.format('%02x', string.byte(one)) end)
end
"""
# Arguments: keys and, for each, the version that was read and the value. If the stored version is that of the write,
# an earlier try succeeded and its answer was lost: report success.
WRITE = (
    _INDEX
    + """
local lasting, base, done = ARGV[1], ARGV[2], {}
for place, key in ipairs(KEYS) do
  local before, value = ARGV[2 * place + 1], ARGV[2 * place + 2]
  local there = redis.call('GETRANGE', key, 0, 15)
  if string.sub(there, 1, 8) == string.sub(value, 1, 8) then done[place] = 1
  elseif string.sub(there, 1, 8) ~= before then done[place] = 0
  else
    if lasting == '' then redis.call('SET', key, value) else redis.call('SET', key, value, 'PX', lasting) end
    if base ~= '' then
      local old, new = string.sub(there, 9, 16), string.sub(value, 9, 16)
      if old ~= '' and old ~= new then redis.call('ZREM', index_of(base, old), key) end
      local now = redis.call('TIME')
      redis.call('ZADD', index_of(base, new), now[1] .. '.' .. string.format('%06d', now[2]), key)
    end
    done[place] = 1
  end
end
return done
"""
)
DELETE = (
    _INDEX
    + """
if ARGV[1] ~= '' then
  redis.call('ZREM', index_of(ARGV[1], redis.call('GETRANGE', KEYS[1], 8, 15)), KEYS[1])
end
return redis.call('DEL', KEYS[1])
"""
)
EXPIRE = "return redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1] - ARGV[1])"
EVICT = """
local oldest = redis.call('ZPOPMIN', KEYS[1], ARGV[1])
for place = 1, #oldest, 2 do
  if redis.call('GETRANGE', oldest[place], 8, 15) == ARGV[2] then redis.call('DEL', oldest[place]) end
end
return #oldest / 2
"""
# error codes of a server and their meaning
SAYS = {
    "OOM": "its memory is full",
    "READONLY": "it accepts no writes",
    "LOADING": "it is loading its data",
    "BUSY": "a script keeps it busy",
    "MISCONF": "it cannot write its disk",
    "NOREPLICAS": "too few replicas are there",
    "MASTERDOWN": "its master is down",
    "CLUSTERDOWN": "its cluster is not whole",
    "TRYAGAIN": "its cluster is being rebuilt",
    "NOPERM": "its user may not do that",
}


class RedisStore:
    """Sessions in a Redis or Valkey server, or a cluster of them.

    One session is one value, `prefix:key`, and a script writes it only if its version has not changed since it was
    read: any number of workers may share sessions without losing updates. The prefix is percent-encoded in the name,
    so it ends at the first colon and names are unique. The durability of an acknowledged write depends on the server:
    `appendonly yes` with `appendfsync always` loses nothing.

    If the server is unavailable, a call retries for `patience` seconds; until it is back, later calls fail at once.

    The server deletes a session `ttl` seconds after the last write, by its own clock; the clocks of workers do not
    matter. If the server's clock is set back, sessions live longer by as much.

    Args:
        address: "redis://user:password@host:6379/0", "rediss://..." with TLS, "redis+unix:///path/of/socket", or
            "redis+cluster://host:6379", any node of a cluster.
        patience: seconds to retry before StoreUnavailable.
        prefix: of the names of sessions.
        index: keep a list of sessions by age, about 100 bytes per session. `max_sessions` needs it, and it makes
            counting fast; not available in a cluster.

    Raises:
        UnsupportedError: the package `redis` is not installed.
        StoreUnavailable: no server answers there.
    """

    held_bytes = 0

    def __init__(
        self, address: Address | str, patience: float = 5.0, prefix: str = "unrolled", index: bool = False
    ) -> None:
        self._address = Address(address) if isinstance(address, str) else address
        if index and self._address.scheme == CLUSTER:
            raise OptionError(
                message("index", expected="no in a cluster, where a list would be on one node", received="yes")
            )
        self._library = _library()
        self._together = (
            1 if self._address.scheme == CLUSTER else AT_A_TIME
        )  # in a cluster each key may be on another node
        self._patience, self._away = patience, False
        named = quote(prefix, safe="")
        self._sessions = f"{named}:".encode()
        self._index = f"{named}%by-age%".encode() if index else None  # no prefix and key have such a name
        self.counts_at_once = index
        try:
            place, timeout = self._address.place, max(0.1, min(patience, 2.0))
            self._server = self._asked(lambda: _connected(self._library, place, timeout))
        except ValueError:  # its text may contain the password
            raise OptionError(
                message("store", expected="redis://host:6379/0, a / or @ of a password as %2F or %40",
                        received=str(self._address))
            ) from None  # fmt: skip
        self._asked(self._server.ping)

    def load(self, keys: Sequence[str], ttl: float | None, model: str) -> list[Stored | None]:
        """Load the session of each key."""
        names = [self._named(key) for key in keys]
        if self._together == 1:
            values = self._many([("GET", name) for name in names])
        else:
            values = self._many([("MGET", *names)])[0] if names else []
        return [None if value is None else _found(value) for value in values]

    def commit(self, writes: Sequence[Write], ttl: float | None, model: str) -> list[bool]:
        """Write sessions of different keys, each wholly or not at all; return False where the version has changed."""
        lasting = b"" if ttl is None else b"%d" % max(1, round(ttl * 1000))
        asked, digest = [], bytes_of(model)
        for start in range(0, len(writes), self._together):
            some = writes[start : start + self._together]
            words: list[bytes] = [lasting, self._index or b""]
            for _, value, before, version in some:
                words.append(b"" if before is None else before.to_bytes(8, "big"))
                words.append(version.to_bytes(8, "big") + digest + value)
            asked.append(("EVAL", WRITE, len(some), *(self._named(write.key) for write in some), *words))
        return [good == 1 for done in self._many(asked, writes=True) for good in done]

    def delete(self, keys: Sequence[str]) -> int:
        """Delete sessions; return how many there were."""
        asked = [("EVAL", DELETE, 1, self._named(key), self._index or b"") for key in keys]
        return sum(self._many(asked, writes=True))

    def keys(self, limit: int, models: Sequence[str]) -> list[str]:
        """Return at most `limit` keys; with an index those written last."""
        if self._index is None:
            found = list(islice(self._asked(lambda: self._scan(models, limit)), limit))
        else:
            found = []
            for index in map(self._index_of, reversed(models)):
                last = limit - len(found) - 1
                found += (
                    []
                    if last < 0
                    else self._asked(lambda index=index, last=last: self._server.zrevrange(index, 0, last))
                )
        return [name[len(self._sessions) :].decode() for name in found]

    def count(self, models: Sequence[str]) -> int:
        """Return the number of sessions; slow without an index, as the server then reads all names."""
        if self._index is None:
            return len(self._asked(lambda: self._scan(models, None)))
        return sum(self._many([("ZCARD", self._index_of(model)) for model in models]))

    def expire(self, ttl: float, models: Sequence[str]) -> int:
        """Remove expired sessions from the indexes; the server deletes the sessions by itself."""
        if self._index is None:
            return 0
        return sum(self._many([("EVAL", EXPIRE, 1, self._index_of(model), ttl) for model in models]))

    def evict(self, most: int, models: Sequence[str]) -> int:
        """Delete sessions until at most `most` are left, those of the first model first; return how many.

        Raises:
            UnsupportedError: without an index.
        """
        if self._index is None:
            raise UnsupportedError(
                "max_sessions in Redis needs its index: add index=yes to the address; or leave max_sessions out "
                "and set maxmemory and maxmemory-policy allkeys-lru on the server"
            )
        gone = 0
        for model in models:
            while (surplus := self.count(models) - most) > 0:
                asked = ("EVAL", EVICT, 1, self._index_of(model), min(surplus, AT_A_TIME), bytes_of(model))
                (done,) = self._many([asked])
                gone += done
                if not done:
                    break
        return gone

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    # ---- inside --------------------------------------------------------------------------------------

    def _named(self, key: str) -> bytes:
        return self._sessions + key.encode()

    def _index_of(self, model: str) -> bytes:
        assert self._index is not None
        return self._index + model.encode()

    def _many(self, commands: Sequence[tuple[Any, ...]], writes: bool = False) -> list[Any]:
        def ask() -> list[Any]:
            with self._server.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                return pipeline.execute()

        return self._asked(ask, writes) if commands else []

    def _scan(self, models: Sequence[str], limit: int | None) -> set[bytes]:
        """Return the names of sessions of these models, at most about `limit`."""
        found, page, wanted = set[bytes](), list[bytes](), {bytes_of(model) for model in models}
        if limit == 0:
            return found

        def look() -> None:
            with self._server.pipeline(transaction=False) as pipeline:
                for name in page:
                    pipeline.getrange(name, HEAD - MODEL, HEAD - 1)
                found.update(name for name, model in zip(page, pipeline.execute(), strict=True) if model in wanted)
            page.clear()

        for name in self._server.scan_iter(match=self._sessions + b"*", count=PAGE):
            page.append(name)
            if len(page) >= PAGE or (limit is not None and len(page) >= limit):
                look()
                if limit is not None and len(found) >= limit:
                    return found
        if page:
            look()
        return found

    def _asked(self, ask: Callable[[], Answer], writes: bool = False) -> Answer:
        """Send a command, with retries until `patience` ends; errors do not repeat the command."""
        faults = self._library.exceptions
        until, pause = time.monotonic() + (0 if self._away else self._patience), 0.01
        while True:
            try:
                answer = ask()
            except faults.AuthenticationError:
                raise OptionError(
                    message("store", expected="a user and password that the server takes", received=str(self._address))
                ) from None
            except (
                faults.RedisError,
                faults.RedisClusterException,
            ) as fault:  # unavailable, full, or read-only during a failover
                if time.monotonic() + pause > until:
                    self._away = True
                    raise self._unavailable(_reason(faults, fault), writes) from None
                time.sleep(pause)
                pause = min(2 * pause, 0.25)
            else:
                self._away = False
                return answer

    def _unavailable(self, reason: str, writes: bool) -> StoreUnavailable:
        if writes:
            return AnswerLost(f"store: {self._address} did not answer a write ({reason}); it may or may not be made")
        return StoreUnavailable(f"store: {self._address} cannot be used now ({reason}); try again later")


def open_address(address: Address) -> RedisStore:
    """Open the store of an address such as "redis://host:6379/0?patience=5&prefix=unrolled&index=no"."""
    return RedisStore(address, **address.options({"patience": seconds, "prefix": str, "index": yes_or_no}))


def bytes_of(model: str) -> bytes:
    """Return a model's fingerprint as the bytes within a value."""
    return bytes.fromhex(model)


def _reason(faults: Any, fault: Exception) -> str:
    """Return the reason in our own words: the error's text may contain scripts, sessions and passwords."""
    if isinstance(fault, faults.TimeoutError):
        return "no answer in time"
    if isinstance(fault, faults.RedisClusterException):
        return "no node of the cluster answers"
    words = re.findall(r"[A-Z]{3,}", str(fault).rpartition("caused error: ")[2])  # a script's own error ends with it
    known = [SAYS[word] for word in words if word in SAYS]
    if known or isinstance(fault, faults.OutOfMemoryError):
        return known[0] if known else SAYS["OOM"]
    return "no connection" if isinstance(fault, faults.ConnectionError) else f"a fault of kind {type(fault).__name__}"


def _found(value: bytes) -> Stored:
    return Stored(value[HEAD:], int.from_bytes(value[: HEAD - MODEL], "big") if len(value) >= HEAD else UNREADABLE)


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
    retry = library.retry.Retry(library.backoff.NoBackoff(), 0)  # retries are done here
    return library.Redis.from_url(f"unix:{rest}" if scheme == "redis+unix" else address, retry=retry, **settings)
