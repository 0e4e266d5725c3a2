"""Sessions: one state for each user, kept, batched and safe."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict
from threading import Lock, Thread
from types import TracebackType
from typing import Any

from unrolled.errors import DataError, OptionError, message, unknown
from unrolled.streaming.batching import Waiting, Work
from unrolled.streaming.durable import Ledger
from unrolled.streaming.event_ids import EventId, Window
from unrolled.streaming.in_process import MOST_BYTES, Live
from unrolled.streaming.pending import Asked, Gathered, OneOfMany
from unrolled.streaming.state import PRECISIONS, StreamState
from unrolled.streaming.stores.base import Store
from unrolled.streaming.stores.memory import MemoryStore
from unrolled.streaming.stores.registry import open_store
from unrolled.streaming.stream import Stream

LONGEST_KEY = 512  # bytes of UTF-8
LARGEST_NUMBER = 2**63
SWEEP = 1.0  # seconds between two looks for sessions whose time is over
OTHER_MODEL = ("refuse", "restart")


class Sessions:
    """Very many users of one stream, each under a key, each with a state of its own.

    Events may come from any number of threads. What waits is gathered into batches, never two events of one key in
    one, and the events of a key are stepped in the order in which they came. An answer is given only after the state
    behind it was written: whatever dies and whenever, a session is the state before an event or after it.

    Args:
        stream: of a fitted model: `model.stream()`.
        store: where sessions are kept: a store, its address as `unrolled.streaming.stores.registry.open_store` takes
            it, such as "sqlite:///sessions.db" or "redis://host:6379/0"; None, or "memory:", for memory of their own.
        max_batch: events stepped side by side, at most.
        max_wait: seconds that an event waits for others, at most, and only where they arrive fast enough.
        ttl: seconds after which a session that got no event is forgotten; None = never.
        max_sessions: beyond so many, those without events for the longest time are forgotten; None = no bound.
        precision: of kept states: float32, or float16 or bfloat16 for half the bytes.
        remembered_events: answers kept for each session, for events that come again with the same id.
        remembered_ids: texts known as ids for each session; one that comes again after its answer was forgotten is
            refused. Ids that are whole numbers have no such bound.
        remembered_bytes: of the answers kept for a session; the last one is kept whatever its size.
        max_bytes: of this process that sessions may take, all together; beyond it those without events for the
            longest time are forgotten, or with a store are read again.
        other_model: what becomes of a session that another model wrote: "refuse" its events, or "restart" it.

    Example:
        >>> import unrolled as ur
        >>> model = ur.LanguageModel(hidden_size=16, dropout=0.0).fit("abcabc" * 100, epochs=12, learning_rate=0.02)
        >>> with Sessions(model.stream()) as sessions:
        ...     answers = [sessions.step(*event)["next"] for event in [("ada", "ab"), ("bob", "a"), ("ada", "c")]]
        >>> answers
        ['c', 'b', 'a']
    """

    def __init__(
        self,
        stream: Stream,
        store: Store | str | None = None,
        max_batch: int = 256,
        max_wait: float = 0.002,
        ttl: float | None = None,
        max_sessions: int | None = None,
        precision: str = "float32",
        remembered_events: int = 64,
        other_model: str = "refuse",
        remembered_ids: int = 512,
        remembered_bytes: int = 16_384,
        max_bytes: int = MOST_BYTES,
    ) -> None:
        if precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS)
        if other_model not in OTHER_MODEL:
            raise unknown("other_model", other_model, OTHER_MODEL)
        window = Window(remembered_events, remembered_ids, remembered_bytes)
        window.require()
        for name, value in (("max_batch", max_batch), ("max_bytes", max_bytes)):
            if value < 1:
                raise OptionError(message(name, expected="an integer >= 1", received=value))
        if max_wait < 0:
            raise OptionError(message("max_wait", expected="seconds >= 0", received=max_wait))
        if ttl is not None and not ttl > 0:
            raise OptionError(message("ttl", expected="seconds > 0, or None", received=ttl))
        if max_sessions is not None and max_sessions < 1:
            raise OptionError(message("max_sessions", expected="an integer >= 1, or None", received=max_sessions))
        self._stream = stream
        if precision == "float32" and (store is None or store == "memory:"):
            self._ledger: Ledger | Live = Live(ttl, max_sessions, window, max_bytes)
        else:
            cached = max_bytes
            if store is None or store == "memory:":
                cached = max_bytes // 2  # the other half is for what is kept in front of it
                opened: Store = MemoryStore(max_bytes - cached)
            else:
                opened = open_store(store) if isinstance(store, str) else store
            restart = other_model == "restart"
            model = stream.fingerprint
            self._ledger = Ledger(model, opened, ttl, max_sessions, window, cached, precision, restart)
        self._waiting = Waiting(max_batch, max_wait)
        self._serving = Lock()
        self._worker = Thread(target=self._run, name="unrolled-sessions", daemon=True)
        self._worker.start()

    # ---- events --------------------------------------------------------------------------------------

    def step(self, key: str, event: Any, event_id: EventId | None = None) -> Any:
        """Read one event of one session and wait for the answer.

        Args:
            key: whose session: any text of 1 to 512 bytes.
            event: as the stream reads it.
            event_id: a name for this event, or a number that grows from event to event of a key: should it come
                again, it gets its answer again and changes nothing. A number counts once however late it comes
                again; a name as long as it is among the last `remembered_ids`.

        Raises:
            DataError: an event that the model cannot read, or a key that is none; the session is as it was.
            RepeatedEvent: it counted already, or its turn is over, and its answer is forgotten; nothing changed.
            StoreUnavailable: the store is away, and the event was not counted.
            AnswerLost: whether it was counted is not known; send it again, with its id if it has one.
            ArtifactError: the session is damaged, or another model's.
        """
        return self.submit(key, event, event_id).result()

    def submit(self, key: str, event: Any, event_id: EventId | None = None) -> "Future[Any]":
        """`step` without waiting: a future of the answer. Events of a key are stepped in the order of these calls."""
        checked(key, "key")
        if event_id is not None:
            checked_id(event_id)
        asked = Asked(key, event, event_id)
        self._waiting.put((asked,))
        return asked.future

    def put(self, works: Sequence[Work]) -> None:
        """`submit` for who takes answers in another way than a future: each work gets its own in the sessions' thread.

        Args:
            works: events; what becomes of an answer is their `answer`.

        Raises:
            DataError: a key or an id that is none; no event of these was taken.
            StoreUnavailable: after `close`.
        """
        for work in works:
            checked(work.key, "key")
            if work.event_id is not None:
                checked_id(work.event_id)
        self._waiting.put(works)

    def step_many(
        self,
        pairs: Sequence[tuple[str, Any]],
        event_ids: Sequence[EventId | None] | None = None,
        errors: str = "raise",
    ) -> list[Any]:
        """Read many events of any keys, those of one key in order, and wait for all answers.

        Args:
            pairs: key and event of each.
            event_ids: as for `step`, one for each event; None = no event has one.
            errors: "raise", or "return": the error stands in the answer's place.
        """
        if not pairs:
            return []
        gathered, works = Gathered(len(pairs)), []
        for place, (key, event) in enumerate(pairs):
            name = None if event_ids is None else event_ids[place]
            if name is not None:
                checked_id(name)
            works.append(OneOfMany(checked(key, "key"), event, name, gathered, place))
        self._waiting.put(works)
        gathered.over.wait()
        for answer in gathered.answers:
            if errors == "raise" and isinstance(answer, Exception):
                raise answer
        return gathered.answers

    # ---- sessions ------------------------------------------------------------------------------------

    def state(self, key: str) -> StreamState | None:
        """What is remembered of a key; None = nothing.

        Raises:
            ArtifactError: the session is damaged, or another model's.
        """
        return self._ledger.read(self._stream, checked(key, "key"))

    def export(self, key: str) -> bytes:
        """The state of a key as bytes, for `import_state` here or elsewhere, or for `Stream.unpack`.

        Raises:
            DataError: there is no such session.
        """
        state = self.state(key)
        if state is None:
            raise DataError(message("key", expected="a session that exists", received=key))
        return self._stream.pack(state, self._ledger.precision)

    def import_state(self, key: str, data: bytes) -> None:
        """Let a key go on from exported bytes, whatever it was before.

        Raises:
            ArtifactError: bytes that are no state, are damaged, or belong to another model.
        """
        self._ledger.replace(self._stream, checked(key, "key"), self._stream.unpack(data))

    def reset(self, key: str) -> bool:
        """Forget a key, its remembered events included; whether there was something."""
        return self._ledger.reset(checked(key, "key"))

    def keys(self, limit: int = 1000) -> list[str]:
        """Keys that have a session, at most `limit` of them."""
        return self._ledger.keys(limit)

    def __len__(self) -> int:
        return self._ledger.count()

    def swap(self, stream: Stream) -> None:
        """Go on with another model, between two batches and without losing an event.

        Sessions whose state is of the new model are kept; others start anew with their next event, and are counted
        as `restarted`.
        """
        with self._serving:
            self._stream = stream
            self._ledger.swapped(stream)

    @property
    def fingerprint(self) -> str:
        """Of the model that answers now."""
        return self._stream.fingerprint

    @property
    def counts_at_once(self) -> bool:
        """Whether `len` is quick; a Redis server without an index has to read all names for it."""
        return self._ledger.counts_at_once

    @property
    def statistics(self) -> dict[str, int]:
        """Counts since the start, how many events are `waiting` now, and the `session_bytes` of this process."""
        return {
            **asdict(self._ledger.counts),
            "waiting": len(self._waiting),
            "session_bytes": self._ledger.held_bytes,
        }

    def close(self) -> None:
        """Answer what waits, take no more, and let go of the store."""
        self._waiting.close()
        self._worker.join()
        self._ledger.close()

    def __enter__(self) -> "Sessions":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- the worker ----------------------------------------------------------------------------------

    def _run(self) -> None:
        swept = time.monotonic()
        while (works := self._waiting.take(SWEEP)) is not None:
            if works:
                with self._serving:
                    self._ledger.answer(self._stream, works)
                self._waiting.done(works)
            if (now := time.monotonic()) - swept >= SWEEP:
                self._ledger.sweep()
                swept = now


def checked(text: str, name: str) -> str:
    """A key or an event's id that every store can hold.

    Raises:
        DataError: no text, an empty one, one beyond 512 bytes, or half a character.
    """
    if not isinstance(text, str):
        raise DataError(message(name, expected="a text", received=text))
    if text.isascii():
        length = len(text)
    else:
        try:
            length = len(text.encode())
        except UnicodeEncodeError:
            raise DataError(message(name, expected="text of whole characters", received=ascii(text)[:80])) from None
    if not 0 < length <= LONGEST_KEY:
        raise DataError(message(name, expected=f"a text of 1 to {LONGEST_KEY} bytes", received=f"{length:,} bytes"))
    return text


def checked_id(event_id: Any, name: str = "event_id") -> EventId:
    """An event's id: a text as a key is, or a whole number in [0, 2^63).

    Raises:
        DataError: neither.
    """
    if isinstance(event_id, int) and not isinstance(event_id, bool):
        if not 0 <= event_id < LARGEST_NUMBER:
            raise DataError(message(name, expected="a whole number in [0, 2^63)", received="one beyond that"))
        return event_id
    if not isinstance(event_id, str):
        raise DataError(message(name, expected="a text, or a whole number that grows", received=event_id))
    return checked(event_id, name)
