"""The settings of a server; worker processes get them in environment variables."""

import ipaddress
import json
import math
import os
from dataclasses import asdict, dataclass, field
from typing import Self

from unrolled.errors import OptionError, message

SETTINGS = "UNROLLED_SERVE"  # environment variables
TOKEN, STORE, STATE_KEY = "UNROLLED_TOKEN", "UNROLLED_STORE", "UNROLLED_STATE_KEY"
SECRETS = {"token": TOKEN, "store": STORE, "state_key": STATE_KEY}
MOST_IN_MEMORY = 1_000_000  # sessions, by default
LOOPBACK = ("127.0.0.1", "::1", "localhost")
LONGEST = 86_400  # seconds, of a timeout
COUNTS = (
    "workers",
    "max_body",
    "max_length",
    "max_items",
    "max_cells",
    "max_columns",
    "max_depth",
    "max_events",
    "min_rate",
)
COUNTS += ("max_requests", "max_sockets", "max_batch")


@dataclass(frozen=True)
class Settings:
    """The options of `unrolled serve`.

    Args:
        model: model folder.
        store: where sessions are stored: sqlite:///sessions.db or redis://host; in the memory of the process by
            default.
        host: address to listen on; 0.0.0.0 accepts other machines.
        port: port to listen on; 0 = any free port.
        token: secret that clients have to send; empty = anybody may send requests. A file or the environment hides it
            from ps.
        state_key: secrets that exported states are signed with, one per line, the newest first; empty = the token is
            used, and without a token states are not signed.
        open_to_all: listen without a token on an address that other machines can reach.
        workers: number of processes; more than one needs a store.
        max_body: maximum bytes of a request.
        max_length: maximum characters of a text, items of a list, and tokens to generate.
        max_items: maximum values of a JSON body.
        max_cells: maximum cells (rows times columns) of a CSV body, and of the probabilities of an answer.
        max_columns: maximum columns of a table, and different names in the objects of a body.
        max_depth: maximum depth of nested lists and objects.
        max_events: maximum events of a request.
        max_sessions: maximum number of sessions; the least recently used are removed first; 0 = no limit. By default a
            million in memory, and no limit in a store.
        max_session_bytes: maximum bytes of the sessions of a process; the least recently used are removed first.
        remembered_events: answers kept per session, for events that are sent again with the same id.
        remembered_ids: text ids remembered per session; there is no limit for ids that are growing numbers.
        remembered_bytes: maximum bytes of the answers kept per session.
        other_model: for a session of another model in the store: refuse its events, or restart it.
        ttl: seconds after which an unused session is deleted; 0 = never.
        timeout: maximum seconds of a request, and of a client that does not read its answers.
        min_rate: minimum bytes per second that a client sends of its body or reads of its answer.
        max_requests: maximum requests at once; further ones get status 429.
        max_sockets: maximum WebSocket connections at once.
        max_batch: maximum events in a batch.
        max_wait: maximum seconds that an event waits to be batched.
        reload_every: seconds between two checks whether the model's folder has changed; 0 = only on SIGHUP.
        ping_every: seconds between two pings of a WebSocket; one that does not answer within this time is closed.
    """

    model: str
    store: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = field(default="", repr=False)
    state_key: str = field(default="", repr=False)
    open_to_all: bool = False
    workers: int = 1
    max_body: int = 8_000_000
    max_length: int = 100_000
    max_items: int = 200_000
    max_cells: int = 1_000_000
    max_columns: int = 1_000
    max_depth: int = 32
    max_events: int = 5_000
    max_sessions: int | None = None
    max_session_bytes: int = 2**30
    remembered_events: int = 64
    remembered_ids: int = 512
    remembered_bytes: int = 16_384
    other_model: str = "refuse"
    ttl: float = 0.0
    timeout: float = 30.0
    min_rate: int = 4_000
    max_requests: int = 64
    max_sockets: int = 10_000
    max_batch: int = 256
    max_wait: float = 0.002
    reload_every: float = 0.0
    ping_every: float = 20.0

    def __post_init__(self) -> None:
        lows = dict.fromkeys(COUNTS, 1) | {"port": 0, "max_sessions": 0, "ttl": 0, "max_wait": 0, "reload_every": 0}
        lows |= {"max_session_bytes": 1, "remembered_events": 1, "remembered_ids": 1, "remembered_bytes": 0}
        for name, low in lows.items():
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not low <= value < math.inf):
                raise OptionError(message(name, expected=f"a number >= {low}", received=value))
        for name in ("timeout", "ping_every"):
            if not 0 < getattr(self, name) <= LONGEST:
                raise OptionError(
                    message(name, expected=f"seconds > 0, at most {LONGEST:,}", received=getattr(self, name))
                )
        if not (self.is_loopback or self.token or self.open_to_all):
            raise OptionError(
                message("host", expected="127.0.0.1 where there is no token", received=self.host,
                        remedy="give --token-file, or --open-to-all if everybody who reaches it may send requests")
            )  # fmt: skip
        if self.workers > 1 and self.is_in_memory:
            raise OptionError(
                message("workers", expected="1 where sessions are kept in the process", received=self.workers,
                        remedy="give the workers a store they share: --store sqlite:///sessions.db or redis://host")
            )  # fmt: skip

    @property
    def is_in_memory(self) -> bool:
        """Whether sessions are kept in the memory of the process."""
        return self.store.partition(":")[0] in ("", "memory")

    @property
    def most_sessions(self) -> int | None:
        """Maximum number of sessions; None = no limit."""
        if self.max_sessions is None:
            return MOST_IN_MEMORY if self.is_in_memory else None
        return self.max_sessions or None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host in LOOPBACK:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name
            return False

    def to_environment(self) -> None:
        """Put the settings into the environment of child processes, each secret in its own variable."""
        told = asdict(self)
        for name, variable in SECRETS.items():
            os.environ[variable] = told.pop(name)
        os.environ[SETTINGS] = json.dumps(told)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings that `to_environment` wrote."""
        secrets = {name: os.environ.get(variable, "") for name, variable in SECRETS.items()}
        return cls(**{**json.loads(os.environ[SETTINGS]), **secrets})
