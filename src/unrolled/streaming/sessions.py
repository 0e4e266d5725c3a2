"""Sessions: the stream states of many users, batched and stored safely."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict
from threading import Lock, Thread
from types import TracebackType
from typing import Any

from unrolled.errors import DataError, OptionError, message, unknown
from unrolled.reading_report import OF_EVENTS, Tally, counted
from unrolled.streaming.durable import Ledger
from unrolled.streaming.event_batching import Waiting, Work
from unrolled.streaming.event_ids import EventId, IdWindow
from unrolled.streaming.in_process import MOST_BYTES, Live
from unrolled.streaming.pending import Asked, Gathered, OneOfMany
from unrolled.streaming.state import PRECISIONS, StreamState
from unrolled.streaming.stores.base import Store
from unrolled.streaming.stores.memory import MemoryStore
from unrolled.streaming.stores.registry import open_store
from unrolled.streaming.stream import Stream

LONGEST_KEY = 512  # bytes of UTF-8
LARGEST_NUMBER = 2**63
SWEEP = 1.0  # seconds between two checks for expired sessions
OTHER_MODEL = ("refuse", "restart")


class Sessions:
    """Many users of one stream, each with a key and its own state.

    Events may come from any number of threads. Waiting events are gathered into batches, with at most one event per
    key, and the events of a key are read in the order of their arrival. An answer is given only after the new state
    was written: after a crash at any time, a session is in the state before an event or after it.

    Args:
        stream: of a fitted model: `model.stream()`.
        store: where sessions are kept: a store, its address as `unrolled.streaming.stores.registry.open_store` takes
            it, such as "sqlite:///sessions.db" or "redis://host:6379/0"; None, or "memory:", for this process.
        max_batch: maximum number of events per batch.
        max_wait: maximum number of seconds an event waits to be batched; it waits only where events arrive fast.
        ttl: seconds after which a session without events is deleted; None = never.
        max_sessions: maximum number of sessions; the least recently used are deleted first. None = no limit.
        precision: of stored states: float32, or float16 or bfloat16 for half the bytes.
        remembered_events: answers kept per session, for events that are sent again with the same id.
        remembered_ids: text ids remembered per session; a repeated event whose answer is no longer kept is refused.
            Whole numbers as ids have no such limit.
        remembered_bytes: maximum bytes of answers per session; the last one is kept regardless of its size.
        max_bytes: maximum bytes of all sessions in this process; beyond it the least recently used are deleted, or
            with a store are read from it again.
        other_model: for a session that another model wrote: "refuse" its events, or "restart" it.

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
        window = IdWindow(remembered_events, remembered_ids, remembered_bytes)
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
        self._tally = Tally(self, stream.codecs)
        if precision == "float32" and (store is None or store == "memory:"):
            self._ledger: Ledger | Live = Live(ttl, max_sessions, window, max_bytes)
        else:
            cached = max_bytes
            if store is None or store == "memory:":
                cached = max_bytes // 2  # the other half is for the cache in front of it
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
            key: of the session: any text of 1 to 512 bytes.
            event: in the form that the stream reads.
            event_id: a name for this event, or a number that grows from event to event of a key. An event sent again
                with its id gets its earlier answer and changes nothing: always for a number, for a name while it is
                among the last `remembered_ids`.

        Raises:
            DataError: an event that the model cannot read, or an invalid key; the session is unchanged.
            RepeatedEvent: it was counted already, or comes too late, and its answer is no longer kept; nothing changed.
            StoreUnavailable: the store cannot be reached, and the event was not counted.
            AnswerLost: it is unknown whether the event was counted; send it again, with its id if it has one.
            ArtifactError: the session is damaged, or of another model.
        """
        return self.submit(key, event, event_id).result()

    def submit(self, key: str, event: Any, event_id: EventId | None = None) -> "Future[Any]":
        """Read one event without waiting: return a future. Events of a key are read in the order of the calls."""
        checked(key, "key")
        if event_id is not None:
            checked_id(event_id)
        asked = Asked(key, event, event_id)
        self._waiting.put((asked,))
        return asked.future

    def put(self, works: Sequence[Work]) -> None:
        """Queue events whose answers do not go to futures: their `answer` is called in the sessions' thread.

        Args:
            works: the events.

        Raises:
            DataError: an invalid key or id; none of the events was queued.
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
            event_ids: as for `step`, one per event; None = no ids.
            errors: "raise", or "return" to return an error in place of the answer.
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
        """Return the state of a session; None = there is no such session.

        Raises:
            ArtifactError: the session is damaged, or of another model.
        """
        return self._ledger.read(self._stream, checked(key, "key"))

    def export(self, key: str) -> bytes:
        """Export the state of a session as bytes, for `import_state` here or elsewhere, or for `Stream.unpack`.

        Raises:
            DataError: there is no such session.
        """
        state = self.state(key)
        if state is None:
            raise DataError(message("key", expected="a session that exists", received=key))
        return self._stream.pack(state, self._ledger.precision)

    def import_state(self, key: str, data: bytes) -> None:
        """Start or replace a session with exported bytes.

        Raises:
            ArtifactError: bytes that are no state, are damaged, or belong to another model.
        """
        self._ledger.replace(self._stream, checked(key, "key"), self._stream.unpack(data))

    def reset(self, key: str) -> bool:
        """Delete a session with its remembered event ids; return whether there was one."""
        return self._ledger.reset(checked(key, "key"))

    def keys(self, limit: int = 1000) -> list[str]:
        """Return the keys of at most `limit` sessions."""
        return self._ledger.keys(limit)

    def __len__(self) -> int:
        return self._ledger.count()

    def swap(self, stream: Stream) -> None:
        """Replace the model between two batches, without losing an event.

        Sessions whose state belongs to the new model are kept; others restart with their next event, and are counted
        as `restarted`.
        """
        with self._serving:
            self._stream = stream
            self._tally.read_by(stream.codecs)
            self._ledger.swapped(stream)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the current model."""
        return self._stream.fingerprint

    @property
    def counts_at_once(self) -> bool:
        """Whether `len` is fast; a Redis server without an index must read all names for it."""
        return self._ledger.counts_at_once

    @property
    def statistics(self) -> dict[str, int]:
        """Counters since the start, the number of `waiting` events, and the `session_bytes` of this process.

        `unknown_tokens` are characters, words, values and items in events that training never saw; `missing_values`,
        `gaps_filled`, `unseen_series` and the like are the counts of a reading report.
        """
        return {
            **asdict(self._ledger.counts),
            "unknown_tokens": self._tally.unknown,
            **{name.replace(" ", "_"): self._tally.counts[name].unknown for name in OF_EVENTS},
            "waiting": len(self._waiting),
            "session_bytes": self._ledger.held_bytes,
        }

    @property
    def unknown(self) -> list[str]:
        """A sentence for each column of the events so far with tokens that training never saw, and for each count."""
        return self._tally.unknown_lines()

    def close(self) -> None:
        """Answer waiting events, accept no more, and close the store."""
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
                if self._waiting.has_long:
                    self._answer_long(works)
                else:
                    self._answer(works)
                    self._waiting.done(works)
            if (now := time.monotonic()) - swept >= SWEEP:
                self._ledger.sweep()
                swept = now

    def _answer(self, works: list[Work]) -> None:
        with self._serving, counted(self._tally):
            self._ledger.answer(self._stream, works)

    def _answer_long(self, works: list[Work]) -> None:
        """Answer a batch with long events: the short ones first, then read one part of each long one."""
        for batch in ([work for work in works if not work.is_long], [work for work in works if work.is_long]):
            if batch:
                self._answer(batch)
        self._waiting.done([work for work in works if work.settled])
        self._waiting.again([work for work in works if not work.settled])


def checked(text: str, name: str) -> str:
    """Check that a key or an event's id can be stored, and return it.

    Raises:
        DataError: not a text, or one that is empty, longer than 512 bytes, or has lone surrogates.
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
    """Check that an event's id is a text like a key, or a whole number in [0, 2^63), and return it.

    Raises:
        DataError: anything else.
    """
    if isinstance(event_id, int) and not isinstance(event_id, bool):
        if not 0 <= event_id < LARGEST_NUMBER:
            raise DataError(message(name, expected="a whole number in [0, 2^63)", received="one beyond that"))
        return event_id
    if not isinstance(event_id, str):
        raise DataError(message(name, expected="a text, or a whole number that grows", received=event_id))
    return checked(event_id, name)
