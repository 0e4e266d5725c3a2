"""Plan: how series are converted to numbers, and which season each has."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from unrolled.data.calendars.calendar import Calendar
from unrolled.errors import ArtifactError, message
from unrolled.tasks.season import find_season
from unrolled.tasks.series.series import Series

ANCHORS = (
    "last",
    "mean",
    "season",
    "shifted season",
    "moved season",
)  # naive forecasts; the best on the training data is corrected
RIVALS = len(ANCHORS)  # the others and the season before last
MIN_RESIDUALS = 10  # errors of the naive forecast that the scale of a series is measured from
STEP_FEATURES = 6  # per step, without covariates


@dataclass
class ForecastPlan:
    """How series are converted to numbers; learnt from the training data and saved with the model.

    Args:
        horizon: steps ahead.
        context_length: steps the network reads before a forecast.
        season: season length in steps; 1 = none.
        seasons: those of series on calendars with other steps than most, by the words for their steps.
        log: learn logarithms of the values.
        floor: smallest value whose logarithm is taken.
        anchor: the naive forecast that the network corrects.
        scales: typical error of the naive forecast, by series; the unit of the network's answers.
        common_scale: their median, for a series too short to measure.
        step_scales: spread of each step feature.
        ahead_scales: spread of each rival forecast's difference to the anchor.
        memory: steps at the end of a series that the baselines read, where they have a part in the answer.
        effects: linear effects of the given future covariates on the naive forecast, in the network's unit: at the step
            ahead, then at the step that it copies.
        bias: quantiles of the naive forecast's errors in the network's unit, by step ahead.
    """

    horizon: int
    context_length: int
    season: int = 1
    log: bool = False
    floor: float = 0.0
    anchor: str = "last"
    scales: dict[str, float] = field(default_factory=dict)
    common_scale: float = 1.0
    step_scales: list[float] = field(default_factory=list)
    ahead_scales: list[float] = field(default_factory=list)
    bias: list[list[float]] = field(default_factory=list)
    seasons: dict[str, int] = field(default_factory=dict)
    memory: int = 0
    effects: list[float] = field(default_factory=list)

    @property
    def longest_season(self) -> int:
        """The longest season of all series, in steps."""
        return max(self.season, *self.seasons.values(), 1)

    @property
    def kept(self) -> int:
        """Number of steps at the end of a series that a stream and a saved model keep."""
        return max(self.lookback + self.context_length, self.memory)

    @property
    def shown_season(self) -> int | list[int]:
        """The season, or all of them if series on other calendars have others."""
        return sorted({self.season, *self.seasons.values()}) if self.seasons else self.season

    def season_of(self, series: Series) -> int:
        """Return the season of a series, in its own steps."""
        return self.seasons.get(step_key(series.calendar), self.season)

    @property
    def lookback(self) -> int:
        """Number of steps up to and including an origin that its forecast depends on."""
        return self.context_length + max(self.context_length, 2 * self.longest_season) + 1

    def measurable(self, series: Sequence[Series]) -> list[Any]:
        """Return the names of series long enough for a scale of their own, whether training saw them or not."""
        least = max(self.context_length, MIN_RESIDUALS) + self.horizon
        return [one.name for one in series if int(np.isfinite(one.values).sum()) >= least]

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Convert values to the scale of training."""
        return np.log(np.maximum(values, self.floor)) if self.log else values

    def restore(self, values: np.ndarray) -> np.ndarray:
        """Undo `transform`."""
        with np.errstate(over="ignore"):
            return np.exp(values) if self.log else values

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned; ArtifactError unless there is one scale per feature."""
        plan = cls(**data)
        for name, size in (("step_scales", STEP_FEATURES), ("ahead_scales", RIVALS)):
            if len(getattr(plan, name)) not in (0, size):
                raise ArtifactError(message(name, expected=f"{size} numbers", received=getattr(plan, name)))
        return plan


def step_key(calendar: Calendar) -> str:
    """Return what series share a season by: the length of the step, and the seasons that the calendar suggests."""
    kind, size = calendar.step
    return f"{kind} {size:g} {calendar.seasons()}"


def find_seasons(series: Sequence[Series], common: Calendar) -> tuple[int, dict[str, int]]:
    """Return the season of series on the most common calendar, and those of the others by `step_key`.

    Args:
        series: the training series.
        common: the calendar of most of them.
    """
    groups: dict[str, list[Series]] = {step_key(common): []}
    for one in series:
        groups.setdefault(step_key(one.calendar), []).append(one)
    found = {
        key: find_season([one.values for one in members], (members[0].calendar if members else common).seasons())
        for key, members in groups.items()
    }
    season = found.pop(step_key(common))
    return season, {key: other for key, other in found.items() if other != season}
