"""Stream: one event in, one answer out, and the state in between is yours to keep."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from unrolled.data.source import Source
from unrolled.errors import ArtifactError, ShapeError, UnrolledError, message, unknown
from unrolled.state_forms import Form
from unrolled.streaming.signed_state import bare
from unrolled.streaming.stacked_states import StreamStates
from unrolled.streaming.state import StreamState, pack, unpack

Answer = tuple[Any, StreamState]
Answers = tuple[list[Any], Sequence[StreamState]]


class Stepping(Protocol):
    """What a task gives a stream: its codecs, its network and its answers, one event at a time.

    Attributes:
        form: what a state's memory may hold.
    """

    @property
    def form(self) -> Form: ...

    def initial_state(self) -> StreamState: ...

    def step(self, event: Any, state: StreamState) -> Answer: ...

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState]) -> Answers:
        """An event that cannot be read has its error in the answer's place, and its state stays."""
        ...

    def feed(self, history: Sequence[Any], state: StreamState) -> StreamState: ...

    def finish(self, state: StreamState) -> Answer: ...

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]: ...


class Stream:
    """A fitted model that is asked event by event: raw events in, answers out, state as a value.

    One model serves any number of streams: whoever holds a state holds a stream. Nothing is kept here between two
    calls, so that threads and users cannot mix.

    Args:
        stepping: the task's part.
        fingerprint: of the model, 16 hexadecimal digits.

    Example:
        >>> import unrolled as ur
        >>> model = ur.LanguageModel(hidden_size=16, dropout=0.0).fit("abcabc" * 100, epochs=12, learning_rate=0.02)
        >>> stream = model.stream()
        >>> answer, state = stream.step("ab")
        >>> answer["next"], stream.step("c", state)[0]["next"]
        ('c', 'a')
    """

    def __init__(self, stepping: Stepping, fingerprint: str) -> None:
        self._stepping, self.fingerprint = stepping, fingerprint

    def initial_state(self) -> StreamState:
        """What is remembered before the first event."""
        return self._stepping.initial_state()

    def step(self, event: Any, state: StreamState | None = None) -> Answer:
        """Read one event of one stream.

        Args:
            event: as the model's own data hold it: a record, or a piece of one.
            state: what is remembered; None = nothing yet. It is not changed.

        Returns:
            The answer, in plain values, and what is remembered after it.

        Raises:
            DataError: an event that the model cannot read; the state is still good.
        """
        return self._stepping.step(event, self._stepping.initial_state() if state is None else state)

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState | None], errors: str = "raise") -> Answers:
        """Read one event of each of many streams, side by side; the answers are those of `step`.

        Args:
            events: one for each stream.
            states: what is remembered of each; None = nothing yet. Where they are what the last call returned, as a
                whole, nothing has to be put together.
            errors: "raise", or "return": the error stands in the answer's place, and that state stays as it was.

        Raises:
            ShapeError: not one state for each event.
            DataError: an event that the model cannot read, unless errors are returned.
        """
        if len(events) != len(states):
            raise ShapeError(message("states", expected=f"{len(events)}, one for each event", received=len(states)))
        outputs, after = self._stepping.step_many(events, self._begun(states))
        if errors == "raise":
            for output in outputs:
                if isinstance(output, UnrolledError):
                    raise output
        return outputs, after

    def _begun(self, states: Sequence[StreamState | None]) -> Sequence[StreamState]:
        if isinstance(states, StreamStates):
            return states
        first = self._stepping.initial_state()
        return [first if state is None else state for state in states]

    def feed(self, history: Iterable[Any], state: StreamState | None = None) -> StreamState:
        """Read many events of one stream at once; the state is that of so many calls of `step`.

        Args:
            history: events in order.
            state: what is remembered; None = nothing yet.
        """
        return self._stepping.feed(list(history), self._stepping.initial_state() if state is None else state)

    def finish(self, state: StreamState) -> Answer:
        """Read what was held back, such as a last word that might have gone on: the answer to the whole sequence.

        Where nothing was held back the answer is the last one, or None where that is not kept.
        """
        return self._stepping.finish(state)

    def events(self, source: Source, seed: int = 0) -> list[list[Any]]:
        """A data set as the events that streams would have seen: for each sequence a list of them.

        Args:
            source: records, or a table of many series or users.
            seed: of the places where texts are cut.
        """
        return self._stepping.events(source, np.random.default_rng(seed))

    def pack(self, state: StreamState, precision: str = "float32") -> bytes:
        """A state as bytes, to be kept anywhere, see `unrolled.streaming.state.pack`.

        Args:
            state: what to write.
            precision: float32, or float16 or bfloat16 for half the bytes; `precision_error` says what that costs.
        """
        return pack(state, self.fingerprint, precision)

    def unpack(self, data: bytes, finite: bool = True) -> StreamState:
        """The state that `pack` wrote, or that a server handed out; a signature is not looked at here.

        Every part is checked against the model before it is used: kinds, sizes, and ranges of indices and counts.

        Args:
            data: the bytes.
            finite: refuse NaN and infinities in the network's part, but for those that it begins with; a store that
                nobody else writes to gives back whatever the model's own steps came to.

        Raises:
            ArtifactError: bytes that are no state, are damaged, or belong to another model or a newer version.
        """
        state = unpack(bare(data), self.fingerprint)
        self.require(state, finite)
        return state

    def require(self, state: StreamState, finite: bool = True) -> None:
        """Refuse a state that this model cannot have come to; see `unpack`.

        Raises:
            ArtifactError: another shape, kind or range.
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
