"""Inputs of a detector for series of numbers: each step's past, its place in the calendar, and the expected value.

All inputs of a step come from its own time and from at most `lookback` rows before it. So a history of fixed size
is all that has to be kept between steps, and reading row by row equals reading a whole table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.codecs.base import Codec, Spec
from unrolled.data.calendars.calendar import Calendar
from unrolled.data.calendars.calendars import Calendars
from unrolled.data.calendars.step_changes import warn_of_changes
from unrolled.data.time_zones import to_wall
from unrolled.errors import ArtifactError, message
from unrolled.nn.mixture import MixtureOutput
from unrolled.nn.output import Output
from unrolled.reading_report import note
from unrolled.tasks.detection.clocked_rows import (
    NetworkRows,
    SeriesEnd,
    cycles_of,
    day_phases,
    filled_rows,
    steps_of_cycle,
)
from unrolled.tasks.season import find_season

NEAR = 3.0  # spreads; a new series around a level this near, and up to this factor as wide, has the unit of the others
LARGEST = 8.0  # features are clipped to this, in spreads
FURTHEST = 100.0  # targets are clipped to this, in spreads
SHRINK = 3.0  # levels are divided by this: they vary more than changes
FLOOR = 0.03  # spreads; a difference smaller than this is no surprise
WHOLE_SEASONS = 1.2  # a season is used if the training data are at least this many times longer
MOST_SEASON = 5000  # steps
ALIKE = 0.05  # two seasons whose lengths differ by less than this share are one
INTERVAL = (0.05, 0.5, 0.95)  # quantiles of the expected value: the median and a 90 % interval


@dataclass
class SeriesPlan:
    """How series are converted to numbers; learnt from the training data and saved with the model.

    Args:
        columns: the variables, V of them.
        components: Gaussians in the density of the next value.
        zone: time zone of the times, or ""; UTC where series have several.
        zones: time zones of single series, by name, if they have several.
        calendars: which times follow each other in each series, so that missing rows can be recognised.
        seasons: lags, in steps, to read besides the last step.
        cycles: cycles of the calendar to read, in days.
        centers: typical values of each series, (V,) each, by name; "" for a series that training never saw.
        spreads: the units of those values.
    """

    kind: ClassVar[str] = "series"
    columns: list[str]
    components: int
    zone: str = ""
    calendars: Calendars = field(default_factory=Calendars)
    seasons: list[int] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)
    centers: dict[str, list[float]] = field(default_factory=dict)
    spreads: dict[str, list[float]] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)

    # ---- learning ---------------------------------------------------------------------------

    def fit(self, series: Mapping[str, tuple[np.ndarray, np.ndarray]], season: int) -> Self:
        """Learn from the training series.

        Args:
            series: times (T,) and values (T, V) by name, sorted by time.
            season: season length in steps; 0 finds it, 1 means none.
        """
        times = [one for one, _ in series.values()]
        distinct = {name: np.unique(one) for name, (one, _) in series.items()}
        self.calendars = Calendars.learn(distinct, self.zone, zones=self.zones)
        warn_of_changes(self.calendars.changes)
        self.cycles = cycles_of(self.calendars.common, times)
        found = [season] if season else self._find_seasons([values for _, values in series.values()])
        longest = min(MOST_SEASON, max(map(len, times)) / WHOLE_SEASONS)
        self.seasons = sorted({one for one in found if 1 < one <= longest})
        for name, (_, values) in series.items():
            center, spread = _scale(values)
            self.centers[name], self.spreads[name] = center.tolist(), spread.tolist()
        self.centers[""] = np.median(list(self.centers.values()), axis=0).tolist()
        self.spreads[""] = np.median(list(self.spreads.values()), axis=0).tolist()
        return self

    def _find_seasons(self, series: list[np.ndarray]) -> list[int]:
        """Return the season lengths: a day and a week of the calendar, and the lag after which the data repeat."""
        calendar_has = [steps_of_cycle(self.calendars.common, days) for days in self.cycles]
        columns = [values[:, v] for values in series for v in range(values.shape[1])]
        own = find_season([one for one in columns if np.isfinite(one).any()])
        near = any(abs(own - one) <= ALIKE * one for one in calendar_has)
        return calendar_has if near else [own, *calendar_has]

    # ---- reading ----------------------------------------------------------------------------

    @property
    def step(self) -> str:
        """The calendars, in words."""
        return str(self.calendars)

    @property
    def codecs(self) -> list[Codec]:
        """Codecs of what is read: none, as numbers are read as they are."""
        return []

    @property
    def size(self) -> int:
        """Number of variables, V."""
        return len(self.columns)

    @property
    def lookback(self) -> int:
        """Number of previous rows that a step depends on."""
        return max([1, *self.seasons]) + 1

    def start(self) -> SeriesEnd:
        """Return the history before the first row."""
        nothing = np.zeros((0, self.size))
        return SeriesEnd(None, nothing, nothing)

    def read(self, name: str, times: np.ndarray, values: np.ndarray, history: SeriesEnd) -> NetworkRows:
        """Convert the next rows of a series to numbers; rows missing from a regular calendar are filled in.

        Args:
            name: name of the series.
            times: sorted, after `history.time`, (T,).
            values: in their own unit, NaN unknown, (T, V).
            history: the end of the series before these rows.
        """
        center, spread = self._unit(name)
        calendar = self.calendars.learnt(name)
        place, times = filled_rows(calendar, times, history.time, 0 if calendar.irregular else self.lookback)
        # rows that lack between the given ones; of a single row, such as an event, those since the row before it
        between = int(place[0] if len(place) == 1 else np.diff(place).sum() - max(len(place) - 1, 0))
        note("gaps filled", between, len(place) + between)
        scaled = np.full((len(times), self.size), np.nan)
        scaled[place] = (values - center) / spread
        whole = np.concatenate([history.values, scaled])
        filled = _fill(np.concatenate([history.filled, scaled]))
        rows = np.arange(len(history.values), len(whole))
        last = _at(filled, rows - 1)  # (T, V)
        anchors = np.nan_to_num(last)
        parts = [last / SHRINK, last - _at(filled, rows - 2), np.isnan(_at(whole, rows - 1)).astype(float)]
        for season in self.seasons:
            then, earlier = _at(whole, rows - season), _at(whole, rows - season - 1)
            known = ~np.isnan(then) & ~np.isnan(earlier)
            parts += [np.where(known, then - anchors, 0) / SHRINK, np.where(known, then - earlier, 0)]
            parts.append(known.astype(float))
        features = np.concatenate([*parts, day_phases(self.cycles, to_wall(times, calendar.zone or self.zone))], 1)
        features = np.clip(np.nan_to_num(features), -LARGEST, LARGEST).astype(np.float32)
        targets = np.clip(scaled - anchors, -FURTHEST, FURTHEST).astype(np.float32)
        given = np.zeros(len(times), dtype=bool)
        given[place] = True
        keep = self.lookback
        after = SeriesEnd(times[-1] if len(times) else history.time, whole[-keep:], filled[-keep:])
        return NetworkRows({"steps": features}, targets, anchors, scaled, given, after)

    def _unit(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        key = name if name in self.centers else ""
        return np.asarray(self.centers[key]), np.asarray(self.spreads[key])

    def suits(self, values: np.ndarray) -> bool:
        """Return whether the values of a new series, (T, V), are about as high and as wide as those of training.

        A new series has the unit of the others. Far from these, its scores say little.
        """
        center, spread = self._unit("")
        own_center, own_spread = _scale(values)
        near = np.abs(own_center - center) <= NEAR * spread
        wide = (own_spread <= NEAR * spread) & (own_spread >= spread / NEAR)
        return bool((near & (wide | (len(values) == 1)) | np.isnan(values).all(0)).all())

    # ---- inputs and outputs of the network ----------------------------------------------------

    def specs(self) -> dict[str, Spec]:
        """Return the specs of the network's inputs."""
        width = self.size * (3 + 3 * len(self.seasons)) + day_phases(self.cycles, np.zeros(0, "M8[us]")).shape[1]
        return {"steps": Spec("vector", width)}

    def output(self) -> Output:
        """Return the output: a density of the changes of all variables."""
        return MixtureOutput(self.size, self.components, floor=FLOOR)

    def surprise(self, output: Output, raw: Tensor, targets: Tensor) -> np.ndarray:
        """Return the nats of each variable and their mean over known ones, (T, V + 1); NaN where unknown.

        The nats of a variable are the mean of its cost by itself and its cost given all others: its Shapley value for
        two variables, and for more the mean of the first and the last term of that. By itself alone a broken
        correlation would cost nothing, and given the others alone their jumps would be charged to it.
        """
        known = ~targets.isnan()  # (T, V)
        joint = output.loss(raw, targets)  # (T,)
        parts = [torch.where(known.any(1), joint / known.sum(1).clamp(min=1), torch.nan)]
        for v in reversed(range(self.size)):
            own = torch.arange(self.size) == v
            alone, others = targets.masked_fill(~own, torch.nan), targets.masked_fill(own, torch.nan)
            cost = joint if self.size == 1 else (output.loss(raw, alone) + joint - output.loss(raw, others)) / 2
            parts.insert(0, torch.where(known[:, v], cost, torch.nan))
        return torch.stack(parts, 1).double().numpy()

    def levels(self, reading: NetworkRows) -> np.ndarray:
        """Return the values to compare with the range of all values seen before, (T, V)."""
        return reading.values

    def expected(
        self, output: Output, raw: Tensor, reading: NetworkRows, name: str, values: np.ndarray, blame: np.ndarray
    ) -> dict[str, Any]:
        """Return the columns of the answer for the given rows: the blamed variable, its value and the expected one.

        Args:
            output: the network's output.
            raw: its answers, (T, width).
            reading: the rows, some of them filled in.
            name: name of the series.
            values: as they were given, (G, V).
            blame: index of the blamed variable, (G,); -1 is none.
        """
        assert isinstance(output, MixtureOutput)
        center, spread = self._unit(name)
        rows, chosen = np.arange(len(blame)), np.maximum(blame, 0)
        changes = output.quantiles(raw[torch.from_numpy(reading.given)], INTERVAL).double().numpy()[rows, chosen]
        levels = changes + reading.anchors[reading.given][rows, chosen][:, None]  # (G, 3)
        low, middle, high = (levels * spread[chosen][:, None] + center[chosen][:, None]).T
        named = [self.columns[v] if v >= 0 else None for v in blame.tolist()]
        return {"variable": named, "seen": values[rows, chosen], "expected": middle, "low": low, "high": high}

    # ---- saving -----------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        return {"kind": self.kind, **plain, "calendars": self.calendars.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        plain = {name: value for name, value in data.items() if name not in ("kind", "clock", "regular", "calendars")}
        if "clock" in data:  # saved before each series had its own calendar
            calendars = Calendars([replace(Calendar.from_clock(data["clock"]), irregular=not data["regular"])])
        else:
            calendars = Calendars.from_json(data["calendars"])
        plan = cls(**plain, calendars=calendars)
        for units in (plan.centers, plan.spreads):
            if "" not in units or any(len(unit) != plan.size for unit in units.values()):
                raise ArtifactError(message("units", expected=f"{plan.size} numbers for each series", received=units))
        return plan


def _scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre and the spread of each variable, (V,) each; the spread of a constant is 1 % of its level."""
    center, spread = np.zeros(values.shape[1]), np.ones(values.shape[1])
    for v in range(values.shape[1]):
        known = values[:, v][~np.isnan(values[:, v])]
        if len(known):
            center[v], deviation = np.median(known), known.std()
            still = deviation <= 1e-9 * max(abs(center[v]), 1e-300)
            spread[v] = (0.01 * abs(center[v]) or 1.0) if still else deviation
    return center, spread


def _fill(values: np.ndarray) -> np.ndarray:
    """Replace each unknown value by the one before it; NaN where there is none."""
    place = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    return np.take_along_axis(values, np.maximum.accumulate(place, 0), 0)


def _at(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the values at rows; NaN before the first."""
    return np.where(rows[:, None] >= 0, values[np.maximum(rows, 0)], np.nan)
