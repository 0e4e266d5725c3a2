"""Answers of a detector: converts the rows of one series and its state to scores and expected values."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.pauses import pause
from unrolled.ragged import Ragged
from unrolled.tasks.detection.alarms import is_alarm
from unrolled.tasks.detection.clocked_rows import NetworkRows
from unrolled.tasks.detection.likelihood import Usual, judge_all, unknown_usual
from unrolled.tasks.detection.series_state import DetectorState
from unrolled.tasks.detection.tables import Rows
from unrolled.tasks.shared.online_learning import Memory, joined

BLOCK = 8192  # steps per pass


class Answers(NamedTuple):
    """The answers for the given rows of one series, (G,) each."""

    score: np.ndarray  # NaN in the warm-up and where no value is known
    loud: np.ndarray  # whether the score is higher than all scores of the last steps
    warm_up: np.ndarray
    more: dict[str, Any]  # columns with the expected values


def first_state(plan: Any, network: Any, warm_up: int, prior: Usual | None) -> DetectorState:
    """Return the state before the first step of a series.

    Args:
        plan: how the series is converted to numbers.
        network: gives its initial state.
        warm_up: steps without a score.
        prior: the usual scores of other series.
    """
    with torch.no_grad():
        return DetectorState(plan.start(), network.initial_state(1), unknown_usual(plan.size, warm_up, prior))


def answer(
    plan: Any, network: Any, one: Rows, state: DetectorState, quiet: int, memory: Memory | None = None
) -> tuple[Answers, DetectorState]:
    """Score the next rows of a series.

    Args:
        plan: how the series is converted to numbers.
        network: the model, in evaluation mode.
        one: the rows; their times come after that of the state.
        state: the state of the series.
        quiet: steps after a score in which only a higher one is loud.
        memory: keeps the rows for later training.

    Returns:
        The answers for the rows, and the state after them.
    """
    parts = []
    for start in range(0, max(len(one.times), 1), BLOCK):
        pause()
        own = slice(start, start + BLOCK)
        values = one.values[own]
        reading = plan.read(one.name, one.times[own], values, state.history)
        batch = example(reading)
        raw, after = _read(network, batch, state.network)
        targets = torch.from_numpy(reading.targets)
        surprise = plan.surprise(network.output, raw, targets)
        warm = state.usual.warm_up
        judged, usual = judge_all(surprise, plan.levels(reading), state.usual, quiet)
        given = np.flatnonzero(reading.given)
        told = [judged[row] for row in given.tolist()]
        blame = np.array([about.blame for about in told], dtype=np.int64)
        more = plan.expected(network.output, raw, reading, one.name, values, blame)
        score = np.array([about.score for about in told], dtype=np.float64)
        parts.append(Answers(score, np.array([about.loud for about in told], dtype=bool), given < warm, more))
        state = DetectorState(reading.history, after, usual)
        if memory is not None and batch.num_steps:
            memory.add(batch)
    return _joined(parts), state


def _read(network: Any, batch: Batch, state: Any) -> tuple[Tensor, Any]:
    """Return the network's answers (T, width) and its state after them."""
    with torch.no_grad():
        if batch.num_steps == 1:
            return network.step(batch, state)
        if not batch.num_steps:
            return torch.zeros(0, network.output.width), state
        raw, after = network(batch, state)
        return raw.values, after


def example(reading: NetworkRows) -> Batch:
    """Return rows as one training sequence."""
    lengths = torch.tensor([len(reading.given)])
    inputs = {name: Ragged(torch.from_numpy(values), lengths) for name, values in reading.inputs.items()}
    return Batch(inputs, targets=Ragged(torch.from_numpy(reading.targets), lengths))


def read_examples(plan: Any, rows: Sequence[Rows]) -> Batch:
    """Return whole series, each from its first step, as training sequences."""
    return joined([example(plan.read(one.name, one.times, one.values, plan.start())) for one in rows])


def _joined(parts: Sequence[Answers]) -> Answers:
    if len(parts) == 1:
        return parts[0]
    more = {name: np.concatenate([np.asarray(part.more[name]) for part in parts]) for name in parts[0].more}
    scores, louds = (np.concatenate([getattr(part, field) for part in parts]) for field in ("score", "loud"))
    return Answers(scores, louds, np.concatenate([part.warm_up for part in parts]), more)


def as_table(keys: pl.DataFrame, answers: Answers, threshold: float) -> pl.DataFrame:
    """Return a table of the answers with the time and group of their rows.

    Args:
        keys: time and group of each row.
        answers: the answers.
        threshold: a score at or above this, if it is loud, is an alarm.
    """
    columns = {**_common(answers, threshold), **answers.more}
    text = {"variable", *(("seen", "expected") if "probability" in columns else ())}
    kinds = {"alarm": pl.Boolean, "warm_up": pl.Boolean, **dict.fromkeys(text, pl.String)}
    found = [pl.Series(name, list(values), dtype=kinds.get(name, pl.Float64)) for name, values in columns.items()]
    return keys.with_columns(column.fill_nan(None) if column.dtype.is_float() else column for column in found)


def as_row(answers: Answers, threshold: float) -> dict[str, Any]:
    """Return the answer for a single row, as plain values."""
    row = {}
    for name, values in {**_common(answers, threshold), **answers.more}.items():
        value = values[0].item() if isinstance(values[0], np.generic) else values[0]
        row[name] = None if isinstance(value, float) and np.isnan(value) else value
    return row


def _common(answers: Answers, threshold: float) -> dict[str, Any]:
    """Return the columns that all answers have."""
    alarms = is_alarm(answers.score, answers.loud, threshold)
    return {"score": answers.score, "alarm": alarms, "warm_up": answers.warm_up}
