"""Consistency checks on the user's own model and data: every way to query a model must give the same answers."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unrolled.batch import Batch
from unrolled.decoding.sampling import MAX_SEED
from unrolled.errors import DataError, UnsupportedError, message, whole_number
from unrolled.inspection.laws import Law, network_laws
from unrolled.inspection.probing import TOLERANCE
from unrolled.streaming.state import PRECISIONS
from unrolled.streaming.stream import Stream

STREAMS, EVENTS = 6, 40  # number of streams in a check, and of events per stream
STRETCH = 100  # steps of each series to check, where they have to be made


@dataclass(frozen=True)
class Check:
    """The result of the consistency checks; prints as a short report.

    Args:
        model: name of the task.
        laws: the laws that were checked.
        notes: what could not be checked, and how far states of lower precision change answers.
    """

    model: str
    laws: tuple[Law, ...]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every law holds."""
        return all(law.holds for law in self.laws)

    def __str__(self) -> str:
        broken = sum(not law.holds for law in self.laws)
        end = f"{broken} of {len(self.laws)} laws BROKEN" if broken else f"all {len(self.laws)} laws hold"
        head = f"{self.model}: largest differences, as a share of the largest number or of 1"
        return "\n".join([head, *(f"  {law}" for law in self.laws), *(f"  note    {note}" for note in self.notes), end])

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        laws = [law.to_json() for law in self.laws]
        return {"model": self.model, "holds": self.holds, "laws": laws, "notes": list(self.notes)}


def check_task(task: Any, data: Any, y: Any = None, seed: int = 0) -> Check:
    """Check every law on a fitted task.

    Args:
        task: the fitted task.
        data: what its `evaluate` takes; a few sequences are used.
        y: targets, when `data` is a list of sequences.
        seed: random seed of the places where sequences are cut.

    Raises:
        DataError: data without a step, or data that do not fit into memory.
    """
    network = task._fitted()
    seed = whole_number("seed", seed, 0, MAX_SEED)
    source = task._source(data, y)
    examples = task._encode(source)
    if not isinstance(examples, Batch) or not examples.num_steps:
        expected = "a few sequences with steps, that fit into memory"
        raise DataError(message("data", expected=expected, received=type(examples).__name__))
    examples = examples.expanded(STRETCH)
    laws = network_laws(network, examples, seed)
    with tempfile.TemporaryDirectory() as folder:
        again = type(task).load(task.save(Path(folder) / "model"))
        laws.append(Law("saved and loaded", _same_weights(network, again.network_), 0.0))
        try:
            streams = [each.stream() for each in (task, again)]
        except UnsupportedError as reason:
            return Check(type(task).__name__, tuple(laws), (f"not checked event by event: {reason}",))
    rng = np.random.default_rng(seed)
    events = [some[:EVENTS] for some in streams[0].events(source, seed) if some][:STREAMS]
    more, notes = stream_laws(streams[0], streams[1], events, rng)
    return Check(type(task).__name__, tuple(laws + more), tuple(notes))


def stream_laws(
    stream: Stream, other: Stream, events: Sequence[Sequence[Any]], rng: np.random.Generator
) -> tuple[list[Law], list[str]]:
    """Return the laws about streams, and notes on how far states of half the size change answers.

    Args:
        stream: a stream of the model.
        other: a stream of the same model, loaded again.
        events: the events of a few streams.
        rng: decides the order of the streams.
    """
    truth = [_walk(stream, some) for some in events]
    laws = [
        Law("streams: a history fed at once, then one step", _gap(_fed(stream, events, rng), truth), TOLERANCE),
        Law("streams: many of them interleaved, side by side", _gap(_mixed(stream, events, rng), truth), TOLERANCE),
        Law(
            "streams: states as bytes, passed to the loaded model",
            _gap(_passed(stream, other, events), truth),
            TOLERANCE,
        ),
    ]
    state = stream.feed(events[0]) if events else stream.initial_state()
    notes = []
    for precision in PRECISIONS:
        size = len(stream.pack(state, precision))
        if precision == PRECISIONS[0]:
            notes.append(f"a state is {size:,} bytes after {len(events[0]) if events else 0} events")
        elif len(state.network):
            gap = _gap([_walk(stream, some, precision) for some in events], truth)
            notes.append(f"as {precision} {size:,} bytes, and answers differ by up to {gap:.1e}")
    return laws, notes


def _same_weights(one: Any, other: Any) -> float:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max((float((a.double() - b.double()).abs().max()) for a, b in pairs if a.numel()), default=0.0)


# ---- ways to query -------------------------------------------------------------------------------------


def _walk(stream: Stream, events: Sequence[Any], precision: str = "") -> list[Any]:
    state, answers = stream.initial_state(), []
    for event in events:
        answer, state = stream.step(event, state)
        state = stream.unpack(stream.pack(state, precision)) if precision else state
        answers.append(answer)
    return answers


def _fed(stream: Stream, streams: Sequence[Sequence[Any]], rng: np.random.Generator) -> list[list[Any]]:
    """Return the answers when each stream is cut at one place and everything before it is fed without answers."""
    said = []
    for events in streams:
        cut = int(rng.integers(0, len(events)))
        answer, _ = stream.step(events[cut], stream.feed(events[:cut]))
        said.append([_SKIPPED] * cut + [answer] + [_SKIPPED] * (len(events) - cut - 1))
    return said


def _mixed(stream: Stream, streams: Sequence[Sequence[Any]], rng: np.random.Generator) -> list[list[Any]]:
    said: list[list[Any]] = [[] for _ in streams]
    states: list[Any] = [None] * len(streams)
    while waiting := [row for row, events in enumerate(streams) if len(said[row]) < len(events)]:
        chosen = [row for row in waiting if rng.random() < 0.7] or waiting[:1]
        answers, after = stream.step_many([streams[r][len(said[r])] for r in chosen], [states[r] for r in chosen])
        for row, answer, state in zip(chosen, answers, after, strict=True):
            said[row].append(answer)
            states[row] = state
    return said


def _passed(stream: Stream, other: Stream, streams: Sequence[Sequence[Any]]) -> list[list[Any]]:
    said = []
    for events in streams:
        data, answers = stream.pack(stream.initial_state()), []
        for place, event in enumerate(events):
            holder = (stream, other)[place % 2]
            answer, state = holder.step(event, holder.unpack(data))
            data = holder.pack(state)
            answers.append(answer)
        said.append(answers)
    return said


# ---- comparing -----------------------------------------------------------------------------------------

_SKIPPED = object()


def _gap(said: Sequence[Sequence[Any]], truth: Sequence[Sequence[Any]]) -> float:
    """Return the largest difference between the numbers of two sets of answers; infinite if their counts differ."""
    largest, gap = 1.0, 0.0
    for answers, wanted in zip(said, truth, strict=True):
        for answer, want in zip(answers, wanted, strict=True):
            if answer is _SKIPPED:
                continue
            one, other = (torch.tensor(_numbers(each), dtype=torch.float64) for each in (answer, want))
            if one.shape != other.shape:
                return float("inf")
            if len(one):
                gap = max(gap, float((one - other).abs().nan_to_num().max()))
                largest = max(largest, float(other.abs().nan_to_num().max()))
    return gap / largest


def _numbers(answer: Any) -> list[float]:
    """Return the numbers of an answer, in order; None becomes NaN."""
    if isinstance(answer, dict):
        return [number for value in answer.values() for number in _numbers(value)]
    if isinstance(answer, list | tuple):
        return [number for value in answer for number in _numbers(value)]
    if answer is None:
        return [float("nan")]
    return [float(answer)] if isinstance(answer, int | float) else []
