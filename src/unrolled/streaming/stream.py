"""Stream: a model that reads one event at a time and returns an answer and the new state."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from unrolled.data.schema import Schema
from unrolled.data.source import Source
from unrolled.errors import ArtifactError, ShapeError, UnrolledError, message, unknown
from unrolled.state_forms import Form
from unrolled.streaming.signed_state import bare
from unrolled.streaming.stacked_states import StreamStates
from unrolled.streaming.state import StreamState, pack, unpack

Answer = tuple[Any, StreamState]
Answers = tuple[list[Any], Sequence[StreamState]]


class Stepping(Protocol):
    """The task's part of a stream: it reads events with the codecs and the network, and makes answers.

    Attributes:
        form: of the memory of a state.
    """

    @property
    def form(self) -> Form: ...

    def initial_state(self) -> StreamState: ...

    def step(self, event: Any, state: StreamState) -> Answer: ...

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState]) -> Answers:
        """Read one event per stream; an event that cannot be read has its error as answer, and its state stays."""
        ...

    def feed(self, history: Sequence[Any], state: StreamState) -> StreamState: ...

    def finish(self, state: StreamState) -> Answer: ...

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]: ...

    def parts(self, event: Any, most: int) -> list[Any]:
        """Cut an event into events of at most `most` steps, if it can be cut."""
        ...

    def joined(self, outputs: Sequence[Any]) -> Any:
        """Return the answer to an event from those to its parts."""
        ...


def step_alone(stepping: Stepping, event: Any, state: StreamState) -> Answer:
    """Read one event by `step_many`, and raise the error of an event that cannot be read."""
    (answer,), (after,) = stepping.step_many([event], [state])
    if isinstance(answer, UnrolledError):
        raise answer
    return answer, after


class Stream:
    """A fitted model that reads raw events one at a time; the caller keeps the state.

    One model serves any number of streams, each with its own state. Nothing is kept here between two calls, so
    threads and users cannot get mixed up.

    Args:
        stepping: the task's part.
        fingerprint: of the model, 16 hexadecimal digits.
        schema: kinds of the columns that the model learnt from; events are cast by it.
        codecs: of the model, whose unknown tokens `Sessions` count.
        unnamed: the column of events that are a value without a name; empty where every event is a record.

    Example:
        >>> import unrolled as ur
        >>> model = ur.LanguageModel(hidden_size=16, dropout=0.0).fit("abcabc" * 100, epochs=12, learning_rate=0.02)
        >>> stream = model.stream()
        >>> answer, state = stream.step("ab")
        >>> answer["next"], stream.step("c", state)[0]["next"]
        ('c', 'a')
    """

    def __init__(
        self,
        stepping: Stepping,
        fingerprint: str,
        schema: Schema | None = None,
        codecs: Sequence[Any] = (),
        unnamed: str = "",
    ) -> None:
        self._stepping, self.fingerprint, self.codecs = stepping, fingerprint, codecs
        self._cast = None if schema is None or not schema.checks_events else partial(schema.cast_event, unnamed=unnamed)

    def initial_state(self) -> StreamState:
        """Return the state before the first event."""
        return self._stepping.initial_state()

    def step(self, event: Any, state: StreamState | None = None) -> Answer:
        """Read one event of one stream.

        Args:
            event: in the form of the training data: a record, or a piece of one.
            state: of the stream; None = a new stream. It is not changed.

        Returns:
            The answer, in plain values, and the new state.

        Raises:
            DataError: an event that the model cannot read; the state is still valid.
        """
        return self._stepping.step(
            event if self._cast is None else self._cast(event),
            self._stepping.initial_state() if state is None else state,
        )

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState | None], errors: str = "raise") -> Answers:
        """Read one event of each of many streams in one batch; the answers equal those of `step`.

        Args:
            events: one per stream.
            states: of each stream; None = a new stream. Passing the list that the last call returned saves stacking.
            errors: "raise", or "return" to return an error in place of the answer; that state stays unchanged.

        Raises:
            ShapeError: not one state per event.
            DataError: an event that the model cannot read, unless errors are returned.
        """
        if len(events) != len(states):
            raise ShapeError(message("states", expected=f"{len(events)}, one for each event", received=len(states)))
        outputs, after = self._stepping.step_many(self._as_learnt(events), self._begun(states))
        if errors == "raise":
            for output in outputs:
                if isinstance(output, UnrolledError):
                    raise output
        return outputs, after

    def _as_learnt(self, events: Sequence[Any]) -> Sequence[Any]:
        return events if self._cast is None else list(map(self._cast, events))

    def _begun(self, states: Sequence[StreamState | None]) -> Sequence[StreamState]:
        if isinstance(states, StreamStates):
            return states
        first = self._stepping.initial_state()
        return [first if state is None else state for state in states]

    def parts(self, event: Any, most: int) -> list[Any]:
        """Cut a long event into events that give the same state, one after the other.

        Args:
            event: as for `step`.
            most: maximum number of steps of a part: characters of a text, items of lists.

        Returns:
            The parts in order; only the event where it is short or cannot be cut.

        Example:
            >>> import unrolled as ur
            >>> model = ur.LanguageModel(hidden_size=4, dropout=0.0).fit("abcabc" * 100, epochs=1)
            >>> model.stream().parts("abcab", 2)
            ['a', 'bc', 'ab']
        """
        return self._stepping.parts(event if self._cast is None else self._cast(event), most)

    def joined(self, outputs: Sequence[Any]) -> Any:
        """Return the answer to an event from those to its parts, in order."""
        return self._stepping.joined(outputs)

    def feed(self, history: Iterable[Any], state: StreamState | None = None) -> StreamState:
        """Read many events of one stream at once, and return the same state as calls of `step` would.

        Args:
            history: events in order.
            state: of the stream; None = a new stream.
        """
        return self._stepping.feed(
            self._as_learnt(list(history)), self._stepping.initial_state() if state is None else state
        )

    def finish(self, state: StreamState) -> Answer:
        """End a sequence: read held-back input, such as a last word that could have continued, and answer.

        Where nothing was held back the answer is the last one, or None where that is not kept.
        """
        return self._stepping.finish(state)

    def events(self, source: Source, seed: int = 0) -> list[list[Any]]:
        """Split a data set into the events that streams would read: one list per sequence.

        Args:
            source: records, or a table of many series or users.
            seed: of the random places where texts are cut.
        """
        return self._stepping.events(source, np.random.default_rng(seed))

    def pack(self, state: StreamState, precision: str = "float32") -> bytes:
        """Pack a state into bytes, see `unrolled.streaming.state.pack`.

        Args:
            state: what to write.
            precision: float32, or float16 or bfloat16 for half the bytes; `precision_error` measures the error.
        """
        return pack(state, self.fingerprint, precision)

    def unpack(self, data: bytes, finite: bool = True) -> StreamState:
        """Unpack a state that `pack` wrote or a server exported; a signature is not checked here.

        Every part is checked against the model: types, sizes, and ranges of indices and counts.

        Args:
            data: the bytes.
            finite: refuse NaN and infinities in the network's part, except those of the initial state. A private store
                needs no such check: it holds only states that the model computed.

        Raises:
            ArtifactError: bytes that are no state, are damaged, or belong to another model or a newer version.
        """
        state = unpack(bare(data), self.fingerprint)
        self.require(state, finite)
        return state

    def require(self, state: StreamState, finite: bool = True) -> None:
        """Refuse a state that this model cannot have produced; see `unpack`.

        Raises:
            ArtifactError: a wrong shape, type or range.
        """
        first = self._stepping.initial_state().network
        if state.network.shape != first.shape:
            raise ArtifactError(
                message("state", expected=f"{len(first)} numbers", received=f"shape {state.network.shape}")
            )
        if finite and not (np.isfinite(state.network) | (state.network == first)).all():
            raise ArtifactError(
                message("state", expected="finite numbers", received="NaN or infinity",
                        remedy="start again from initial_state()")
            )  # fmt: skip
        self._stepping.form.check(state.memory, "memory")


def refuse_others(options: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """Refuse options that a function has no parameter for.

    Raises:
        OptionError: the first such option, with the nearest name.
    """
    known = inspect.signature(function).parameters
    for name in options:
        if name not in known:
            raise unknown("stream option", name, known)
