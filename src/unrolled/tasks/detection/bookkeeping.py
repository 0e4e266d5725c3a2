"""The changing part of a detector: the states of series, the usual scores, and the rows to learn from again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from unrolled.errors import ArtifactError, message
from unrolled.forms import check_form
from unrolled.reading_report import note_unseen, uncounted
from unrolled.tasks.detection.alarms import calm_threshold
from unrolled.tasks.detection.detections import Answers, answer, as_table, first_state
from unrolled.tasks.detection.likelihood import Usual, pooled, unknown_usual
from unrolled.tasks.detection.series_state import DetectorState, states_from_tensors, states_to_tensors
from unrolled.tasks.detection.tables import Rows
from unrolled.tasks.series.long_table import STEP
from unrolled.tasks.shared.online_learning import Memory, learn_on, optimizer_for

CALM = 8000  # scores that set the threshold
BY_HEART = 4  # a step that the network was trained on is less surprising: its weight in the usual scores is divided
GENTLE = 1e-3  # learning rate of updates after training


@dataclass
class Keeping:
    """All parts of a detector that change after training.

    Args:
        network: a trained network, in evaluation mode.
        plan: how series are converted to numbers.
        time: name of the time column.
        alarm_rate: alarms per step that the threshold is set for.
        warm_up: steps of a new series before its first score.
        quiet: steps after a score in which only a higher one is an alarm.
        memory: rows to learn from again.
    """

    network: Any
    plan: Any
    time: str
    alarm_rate: float
    warm_up: int
    quiet: int
    memory: Memory
    states: dict[str, DetectorState] = field(default_factory=dict)
    prior: Usual | None = None
    calm: np.ndarray = field(default_factory=lambda: np.zeros(0))
    threshold: float = 0.0
    optimizer: torch.optim.Optimizer | None = None

    # ---- answers ----------------------------------------------------------------------------

    def first_state(self) -> DetectorState:
        """Return the state before the first step of a series."""
        return first_state(self.plan, self.network, self.warm_up, self.prior)

    def note_unseen(self, rows: Sequence[Rows]) -> None:
        """Count the series that were not read before, for the report of the call."""
        served = [one.name for one in rows if self.plan.suits(one.values)]
        note_unseen([one.name for one in rows], self.states, served=served)

    def state_before(self, one: Rows) -> DetectorState:
        """Return the state before the given rows: the series' own if they follow it in time, else the first state."""
        state = self.states.get(one.name)
        if state is None or self.time == STEP:
            return self.first_state()
        before = state.history.time
        return state if before is None or not len(one.times) or one.times[0] > before else self.first_state()

    def advance(self, one: Rows, state: DetectorState, memory: Memory | None = None) -> tuple[Answers, DetectorState]:
        """Return the answers for rows that follow a state, and the next state; `memory`, if given, keeps the rows."""
        return answer(self.plan, self.network.eval(), one, state, self.quiet, memory)

    def detected(self, rows: Sequence[Rows]) -> pl.DataFrame:
        """Return the answers for the rows of each series as one table."""
        found = [self.advance(one, self.state_before(one))[0] for one in rows]
        return pl.concat([as_table(one.keys, said, self.threshold) for one, said in zip(rows, found, strict=True)])

    def scores(self, rows: Sequence[Rows]) -> list[np.ndarray]:
        """Return the scores of each series, (T,); NaN where there is none."""
        return [self.advance(one, self.state_before(one))[0].score for one in rows]

    def plain(self, one: Rows) -> np.ndarray:
        """Return the input of the baselines: the remembered rows and then the given ones, as numbers, (T, V)."""
        history = self.state_before(one).history
        with uncounted():  # the same rows as the model reads
            reading = self.plan.read(one.name, one.times, one.values, history)
        return np.concatenate([history.values, reading.values[reading.given]])

    # ---- continuing -------------------------------------------------------------------------

    def read(self, rows: Sequence[Rows]) -> None:
        """Read further rows: update states, memory and threshold."""
        scores = [self.calm]
        for one in rows:
            found, self.states[one.name] = self.advance(one, self.state_before(one), self.memory)
            scores.append(found.score)
        known = np.concatenate(scores)
        self.calm = known[~np.isnan(known)][-CALM:]
        self.threshold = calm_threshold(self.calm, self.alarm_rate)
        if self.prior is None:  # the data that the network was trained on
            self.prior = pooled([state.usual for state in self.states.values()])
            for name, state in self.states.items():
                steps = -(-state.usual.steps // BY_HEART)
                self.states[name] = state._replace(usual=state.usual._replace(steps=steps))

    def learn_on(self, updates: int) -> None:
        """Update the weights a few times: half of each batch from new rows, half from older ones."""
        if self.optimizer is None:
            self.optimizer = optimizer_for(self.network, GENTLE)
        learn_on(self.network, self.optimizer, self.memory, updates)

    # ---- saving -----------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the rest is in `to_tensors`."""
        assert self.prior is not None
        plain, _ = states_to_tensors(self.states)
        drawn = self.memory.drawn
        return {"threshold": self.threshold, "states": plain, "prior steps": self.prior.steps, "drawn": drawn}

    def to_tensors(self) -> dict[str, Tensor]:
        """Return arrays by name."""
        _, states = states_to_tensors(self.states)
        parts = {"states": states, "memory": self.memory.to_tensors(), "calm": {"scores": torch.from_numpy(self.calm)}}
        parts["prior"] = {name: torch.from_numpy(getattr(self.prior, name)) for name in ("mean", "variance")}
        return {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}

    def restored(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor], dated: bool) -> Self:
        """Restore what `to_json` and `to_tensors` returned, and return self.

        Args:
            data: plain values.
            tensors: arrays by name.
            dated: whether times are moments.
        """
        states, memory, prior = ({
            name.partition(".")[2]: value for name, value in tensors.items() if name.startswith(f"{part}.")
        } for part in ("states", "memory", "prior"))  # fmt: skip
        self.states = states_from_tensors(data["states"], states, self.network.initial_state(1), dated)
        self.memory.restore(memory, data["drawn"])
        self.calm, self.threshold = tensors["calm.scores"].numpy(), data["threshold"]
        for name, form in (("threshold", float), ("prior steps", int), ("drawn", int)):
            check_form(data[name], form, name)
        unknown = unknown_usual(self.plan.size)
        if data["prior steps"] < 0 or any(prior[name].shape != unknown.mean.shape for name in ("mean", "variance")):
            raise ArtifactError(
                message("prior", expected=f"{unknown.mean.shape} numbers", received=data["prior steps"])
            )
        self.prior = unknown._replace(
            steps=data["prior steps"], mean=prior["mean"].numpy(), variance=prior["variance"].numpy()
        )
        return self
