"""Inputs of a detector for sequences of events: the event before, the time since then, and the calendar."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.codecs.base import Codec, Spec
from unrolled.codecs.tables.category import Categories
from unrolled.data.calendars.calendar import Calendar
from unrolled.data.calendars.grids import EvenSteps
from unrolled.data.time_zones import to_wall
from unrolled.nn.heads import IGNORED, ClassOutput
from unrolled.nn.output import Output
from unrolled.tasks.detection.clocked_rows import NetworkRows, SeriesEnd, cycles_of, day_phases

LONGEST = 8.0  # maximum of the logarithm of a pause in units of the usual pause; larger ones are clipped


@dataclass
class EventPlan:
    """How events are converted to numbers; learnt from the training data and saved with the model.

    Args:
        columns: the column of events.
        codec: their categories; those that training never saw share the first class.
        pause: the usual time between two events.
        cycles: cycles of the calendar to read, in days.
        zone: time zone of the times, or ""; of several, the most common one.
        zones: time zones of single series, by name, if they have several.
        dated: whether times are dates, not numbers.
    """

    kind: ClassVar[str] = "events"
    columns: list[str]
    codec: Categories = field(default_factory=lambda: Categories("event"))
    pause: float = 1.0
    cycles: list[int] = field(default_factory=list)
    zone: str = ""
    dated: bool = False
    zones: dict[str, str] = field(default_factory=dict)

    @property
    def codecs(self) -> list[Codec]:
        """Codecs of what is read."""
        return [self.codec]

    @property
    def size(self) -> int:
        """Number of variables: 1."""
        return 1

    @property
    def lookback(self) -> int:
        """Number of previous rows that a step depends on."""
        return 1

    @property
    def seasons(self) -> list[int]:
        """Seasons in steps; events have none."""
        return []

    @property
    def step(self) -> str:
        """The usual pause, in words."""
        return str(self._usual)

    @property
    def _usual(self) -> Calendar:
        return Calendar(EvenSteps(self.pause), irregular=True, dated=self.dated)

    # ---- learning ---------------------------------------------------------------------------

    def fit(self, series: Mapping[str, tuple[np.ndarray, np.ndarray]], season: int) -> Self:
        """Learn from the training series: times (T,) and events (T, 1), objects, by name; `season` has no effect."""
        events = [event for _, values in series.values() for event in values[:, 0].tolist() if event is not None]
        self.codec = Categories(self.columns[0]).fit([{self.columns[0]: event} for event in events])
        times = [one for one, _ in series.values()]
        gaps = np.concatenate([np.diff(_ticks(one)) for one in times])
        self.pause = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0
        self.dated = times[0].dtype.kind == "M"
        self.cycles = cycles_of(self._usual, times)
        return self

    # ---- reading ----------------------------------------------------------------------------

    def start(self) -> SeriesEnd:
        """Return the history before the first event."""
        nothing = np.zeros((0, 1))
        return SeriesEnd(None, nothing, nothing)

    def read(self, name: str, times: np.ndarray, values: np.ndarray, history: SeriesEnd) -> NetworkRows:
        """Convert the next events of a series to numbers.

        Args:
            name: name of the series.
            times: sorted, after `history.time`, (T,).
            values: events, None unknown, (T, 1) of objects.
            history: the end of the series before these events.
        """
        missing = np.array([event is None for event in values[:, 0]], dtype=bool)
        places = self.codec.encode([{self.codec.column: event} for event in values[:, 0].tolist()]).values.numpy()
        numbers = np.where(missing, np.nan, places)[:, None].astype(np.float64)
        whole = np.concatenate([history.values, numbers])[:, 0]
        start = self.codec.spec.size  # the class that represents the time before the first event
        before = whole[:-1] if len(history.values) else np.concatenate([[start], whole[:-1]])[: len(times)]
        known = times if history.time is None else np.concatenate([np.array([history.time], times.dtype), times])
        gaps = np.diff(_ticks(known), prepend=_ticks(known[:1]))[len(known) - len(times) :]
        pauses = np.clip(np.log1p(gaps / self.pause), 0, LONGEST)[:, None]
        local = to_wall(times, self.zones.get(name, self.zone))
        features = np.concatenate([pauses, day_phases(self.cycles, local)], 1).astype(np.float32)
        inputs = {"steps": features, "event": np.nan_to_num(before).astype(np.int64)}
        targets = np.where(missing, IGNORED, places).astype(np.int64)
        after = SeriesEnd(times[-1] if len(times) else history.time, whole[-1:, None], whole[-1:, None])
        return NetworkRows(inputs, targets, np.zeros_like(numbers), numbers, np.ones(len(times), dtype=bool), after)

    def suits(self, values: np.ndarray) -> bool:
        """Return whether a new series is read as well as those of training: events have no unit."""
        return True

    # ---- inputs and outputs of the network ----------------------------------------------------

    def specs(self) -> dict[str, Spec]:
        """Return the specs of the network's inputs."""
        event = self.codec.spec
        width = 1 + day_phases(self.cycles, np.zeros(0, "M8[us]")).shape[1]
        return {"steps": Spec("vector", width), "event": Spec("index", event.size + 1, event.embedding_size)}

    def output(self) -> Output:
        """Return the output: probabilities of the next event."""
        return ClassOutput(self.codec.spec.size)

    def surprise(self, output: Output, raw: Tensor, targets: Tensor) -> np.ndarray:
        """Return the nats of each event, in two equal columns, (T, 2); NaN where unknown."""
        nats = torch.where(targets == IGNORED, torch.nan, output.loss(raw, targets))
        return torch.stack([nats, nats], 1).double().numpy()

    def levels(self, reading: NetworkRows) -> np.ndarray:
        """Return zeros, (T, 1): categories have no range."""
        return np.full_like(reading.values, np.nan)

    def expected(
        self, output: Output, raw: Tensor, reading: NetworkRows, name: str, values: np.ndarray, blame: np.ndarray
    ) -> dict[str, Any]:
        """Return the columns of the answer: the event, the most probable one, and the probability of the event seen.

        Args:
            output: the network's output.
            raw: its answers, (T, width).
            reading: the events.
            name: name of the series.
            values: as they were given, (T, 1) of objects.
            blame: 0 where an event is known, -1 elsewhere, (T,).
        """
        shares = output.describe(raw).double().numpy()  # (T, classes)
        places = np.nan_to_num(reading.values[:, 0]).astype(np.int64)
        known = ~np.isnan(reading.values[:, 0])
        return {
            "variable": [self.columns[0] if v >= 0 else None for v in blame.tolist()],
            "seen": [None if event is None else str(event) for event in values[:, 0].tolist()],
            "expected": [str(self.codec.categories_[place]) for place in shares[:, 1:].argmax(1).tolist()],
            "probability": np.where(known, shares[np.arange(len(places)), places], np.nan),
        }

    # ---- saving -----------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind,
            "columns": self.columns,
            "codec": self.codec.to_json(),
            "pause": self.pause,
            "cycles": self.cycles,
            "zone": self.zone,
            "dated": self.dated,
            "zones": self.zones,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        later = {name: data[name] for name in ("zone", "dated", "zones") if name in data}  # older models have none
        return cls(data["columns"], Categories.from_json(data["codec"]), data["pause"], data["cycles"], **later)


def _ticks(times: np.ndarray) -> np.ndarray:
    return times.astype(np.int64).astype(np.float64) if times.dtype.kind == "M" else times.astype(np.float64)
