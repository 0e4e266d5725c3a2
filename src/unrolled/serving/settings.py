"""All that a server can be told; it travels to worker processes as one environment variable."""

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
MOST_IN_MEMORY = 1_000_000  # sessions, where nobody says
LOOPBACK = ("127.0.0.1", "::1", "localhost")
LONGEST = 86_400  # seconds, of what has to end
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
    """What `unrolled serve` was told.

    Args:
        model: folder of the model.
        store: where sessions are kept: sqlite:///file or redis://host; empty = in this process.
        host: address to listen on; loopback unless told.
        port: port to listen on; 0 takes a free one.
        token: what clients have to send; empty = anybody may ask.
        state_key: what states that leave the server are signed with, a secret a line, the newest first; empty = the
            token serves, and without one states are not signed.
        open_to_all: listen without a token on an address that other machines reach.
        workers: processes.
        max_body: bytes of a request at most.
        max_length: characters of a text, items of a list, and tokens to write at most.
        max_items: values of a JSON body at most.
        max_cells: rows times columns of a CSV body, or of probabilities that are answered, at most.
        max_columns: columns of a table, or different names in the objects of a body, at most.
        max_depth: lists and objects inside each other at most.
        max_events: events in one request at most.
        max_sessions: sessions kept at most; the least recently used goes first. 0 = no bound; None = a million in this
            process, and no bound in a store.
        other_model: what becomes of a session that another model left in the store: "refuse" its events, or "restart".
        max_session_bytes: of a process that sessions may take; the least recently used make room.
        remembered_events: answers kept for each session, for events that come again with the same id.
        remembered_ids: texts known as ids for each session; numbers have no such bound.
        remembered_bytes: of the answers kept for a session.
        ttl: seconds after which an unused session is forgotten; 0 = never.
        timeout: seconds a request may take, and a slow client may hold up its answers.
        min_rate: bytes a second that a client has to send of its body, or take of its answer, after a moment.
        max_requests: requests answered at once; more are told to come back.
        max_sockets: WebSocket connections at once.
        max_batch: events that are read side by side at most.
        max_wait: seconds an event may wait for company.
        reload_every: seconds between two looks whether the model's folder changed; 0 = only on SIGHUP.
        ping_every: seconds between two pings of a WebSocket; one that does not answer for as long is closed.
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
                        remedy="give --token-file, or say --open-to-all if everybody who reaches it may ask")
            )  # fmt: skip
        if self.workers > 1 and self.is_in_memory:
            raise OptionError(
                message("workers", expected="1 where sessions are kept in the process", received=self.workers,
                        remedy="give the workers a store they share: --store sqlite:///sessions.db or redis://host")
            )  # fmt: skip

    @property
    def is_in_memory(self) -> bool:
        """Whether sessions live in the process."""
        return self.store.partition(":")[0] in ("", "memory")

    @property
    def most_sessions(self) -> int | None:
        """The bound; None = no bound."""
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
        """Leave the settings to the processes that are started from here, what is secret in variables of its own."""
        told = asdict(self)
        for name, variable in SECRETS.items():
            os.environ[variable] = told.pop(name)
        os.environ[SETTINGS] = json.dumps(told)

    @classmethod
    def from_environment(cls) -> Self:
        """What `to_environment` left."""
        secrets = {name: os.environ.get(variable, "") for name, variable in SECRETS.items()}
        return cls(**{**json.loads(os.environ[SETTINGS]), **secrets})
