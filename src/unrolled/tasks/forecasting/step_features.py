"""Inputs of a forecaster: features of each step and of each step ahead, and the naive forecast to correct.

All inputs of a step depend on that step and those before it, at most `ForecastPlan.lookback` of them, so that a
forecast does not depend on where the table begins, and nothing after the step can leak into it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines.forecasting import effects_of
from unrolled.batch import Batch
from unrolled.ragged import Ragged
from unrolled.tasks.forecasting.plan import ANCHORS, MIN_RESIDUALS, RIVALS, ForecastPlan, find_seasons
from unrolled.tasks.season import wants_logarithms
from unrolled.tasks.series.long_table import STEP
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.series.series import Series

LARGEST = 8.0  # scaled features are clipped to this, so that one outlier cannot dominate the network
LONG = 4  # seasons; a shorter series is also learnt from within its first season
MOST_NUMBERS = 8_000_000  # of covariates that linear effects are learnt from
SAMPLE = 2_000_000  # forecasts used to choose the naive forecast and to measure scales


def make_plan(
    panel: Panel, series: Sequence[Series], horizon: int, context_length: int, season: int, quantiles: Sequence[float]
) -> ForecastPlan:
    """Learn from the training series: season, logarithms, the best naive forecast, scales and its usual errors.

    Args:
        context_length: 0 = chosen here.
        season: 0 = found here.
        quantiles: which quantiles of the errors to store.
    """
    values = [one.values for one in series]
    season, seasons = (season, {}) if season else find_seasons(series, panel.calendars.common)
    longest = max(season, *seasons.values(), 1)
    context_length = context_length or choose_context(longest, horizon, [len(v) for v in values])
    plan = ForecastPlan(horizon, context_length, season, seasons=seasons)
    plan.log = wants_logarithms(values, season)
    plan.floor = float(min(np.nanmin(v) for v in values if np.isfinite(v).any())) / 10 if plan.log else 0.0
    steps = SeriesSteps(panel, plan, series)
    rows = steps.origins()
    rows = rows[:: max(1, len(rows) * horizon // SAMPLE)]
    candidates = steps.candidates(rows)  # (N, horizon, 6)
    truth = steps.ahead_values(rows)  # (N, horizon)
    errors = (truth[..., None] - candidates[..., : len(ANCHORS)]).abs()  # (N, horizon, 5)
    owner = steps.owner[rows]
    unit = torch.stack([_mean(errors[owner == i][..., 0]) for i in range(len(series))])  # each series has equal weight
    relative = errors / torch.where(unit > 0, unit, torch.nan)[owner][:, None, None]
    means = [_mean(relative[..., i]) for i in range(len(ANCHORS))]
    plan.anchor = ANCHORS[min(range(len(ANCHORS)), key=lambda i: float(means[i].nan_to_num(nan=torch.inf)))]
    chosen = errors[..., ANCHORS.index(plan.anchor)]
    measured = {}
    for i, one in enumerate(series):
        if int((~chosen[owner == i].isnan()).sum()) >= MIN_RESIDUALS:
            measured[str(one.name)] = float(_mean(chosen[owner == i]))
    plan.scales = {name: scale for name, scale in measured.items() if scale > 0}
    plan.common_scale = float(np.median(list(plan.scales.values()))) if plan.scales else 1.0

    steps = SeriesSteps(panel, plan, series)
    plan.effects = steps.learnt_effects(rows)
    spread = steps.features[torch.from_numpy(steps.rows())].double().square().mean(0).sqrt()
    plan.step_scales = torch.where(spread > 1e-6, spread, 1.0).tolist()
    ahead, _, residuals = steps.look_ahead(rows)
    spread = ahead[..., :RIVALS].double().square().mean((0, 1)).sqrt()
    plan.ahead_scales = torch.where(spread > 1e-6, spread, 1.0).tolist()
    levels = torch.tensor(list(quantiles), dtype=torch.float64)
    bias = [torch.nanquantile(column, levels) for column in residuals.double().T]
    plan.bias = torch.stack(bias).nan_to_num().tolist()  # (horizon, Q)
    return plan


def choose_context(season: int, horizon: int, lengths: Sequence[int]) -> int:
    """Return the default context: two seasons or three horizons, but at most a third of the median length and 256."""
    wanted = max(2 * season if season <= 100 else 0, 3 * horizon, 16)
    usual = int(np.median(lengths)) if len(lengths) else wanted
    return int(max(4, min(wanted, 256, usual // 3)))


def scales_of(panel: Panel, plan: ForecastPlan, series: Sequence[Series], remembered: bool) -> list[float]:
    """Return the unit of each series; one that training never saw, or that has no name, is measured by itself.

    Args:
        panel: how the series were read.
        plan: with the scales that training found.
        series: to scale.
        remembered: whether they are the series of training, although they have no names.
    """
    scales = []
    for one in series:
        named = remembered or one.unread > 0 or panel.time != STEP
        scale = plan.scales.get(str(one.name)) if named else None
        scales.append(scale or measured_scale(panel, plan, one))
    return scales


def measured_scale(panel: Panel, plan: ForecastPlan, series: Series) -> float:
    """Return the scale of a series that training never saw, from its own history; the common one if that is short."""
    steps = SeriesSteps(panel, plan, [series], scales=[1.0])
    rows = steps.origins()
    errors = (steps.ahead_values(rows) - steps.anchor(rows, steps.candidates(rows))).abs()
    if int((~errors.isnan()).sum()) < MIN_RESIDUALS:
        return plan.common_scale
    scale = float(_mean(errors))
    return scale if scale > 0 else plan.common_scale


def _mean(values: Tensor) -> Tensor:
    return values[~values.isnan()].mean()


class SeriesSteps:
    """Series end to end with `horizon` empty rows after each, and all inputs of the network.

    Args:
        panel: gives the features of times.
        plan: how to transform and scale; parts that are not learnt yet are left out.
        series: the series.
        scales: unit of each series' answers; None = those of the plan, with the common one for unknown series.
    """

    def __init__(
        self, panel: Panel, plan: ForecastPlan, series: Sequence[Series], scales: Sequence[float] | None = None
    ) -> None:
        self.plan = plan
        horizon = plan.horizon
        lengths = np.array([len(one) for one in series], dtype=np.int64)
        self.lengths = lengths
        self.starts = np.concatenate([[0], np.cumsum(lengths + horizon)])[:-1]
        if scales is None:
            scales = [plan.scales.get(str(one.name), plan.common_scale) for one in series]
        self.scales = torch.tensor(list(scales), dtype=torch.float64)
        gap = np.full(horizon, np.nan)
        values = np.concatenate([np.append(plan.transform(one.values), gap) for one in series] or [gap])
        owner = np.repeat(np.arange(len(series)), lengths + horizon)
        self.owner = torch.from_numpy(owner)
        values = values / np.repeat(np.asarray(scales), lengths + horizon)
        first = self.starts[owner] if len(owner) else owner
        self.first = torch.from_numpy(first)
        moving = _Moving(values, first)
        self.seasons = np.array([plan.season_of(one) for one in series], dtype=np.int64)
        season = self.seasons[owner]  # (R,)
        self.season = torch.from_numpy(season)
        self.level = torch.from_numpy(moving.filled)
        self.mean = torch.from_numpy(moving.mean(values, plan.context_length, np.nan_to_num(moving.filled[first])))
        seasonal = moving.values - moving.back(season)
        self.shift = torch.from_numpy(np.nan_to_num(moving.mean(seasonal, season)))
        self.values = torch.from_numpy(values)
        self.moved = torch.from_numpy(np.nan_to_num(moving.filled - moving.back(season)))
        steps = np.abs(moving.filled - moving.back(1))
        spread = np.log1p(np.nan_to_num(moving.mean(steps, plan.context_length)))
        columns = [
            moving.filled - self.mean.numpy(),
            np.nan_to_num(moving.filled - moving.back(1)),
            self.moved.numpy(),
            self.shift.numpy(),
            spread,
            np.isnan(values).astype(np.float64),
        ]
        known, past, static = _covariates(panel, series, horizon)
        self.num_given = series[0].known.shape[1] if series else 0  # of the known features, the first; then the clock's
        own = np.nan_to_num(np.stack(columns, 1))
        if plan.step_scales:
            own = np.clip(own / np.array(plan.step_scales), -LARGEST, LARGEST)
        self.features = torch.from_numpy(own.astype(np.float32))  # (R, 6)
        self.past = torch.from_numpy(past)  # (R, P)
        self.known = torch.from_numpy(known)  # (R, K)
        self.static = torch.from_numpy(static)  # (B, S)

    @property
    def step_size(self) -> int:
        """Number of features per step."""
        return self.features.shape[1] + self.past.shape[1] + self.known.shape[1] + self.static.shape[1]

    @property
    def ahead_size(self) -> int:
        """Number of features per step ahead."""
        return RIVALS + self.known.shape[1]

    def rows(self) -> np.ndarray:
        """Return the row numbers of all real steps."""
        return _ranges(self.starts, self.lengths)

    def origins(self) -> np.ndarray:
        """Return the rows to learn from: they have a next step and, in series long enough, a season before them."""
        burn = np.where(self.lengths >= LONG * self.seasons, self.seasons, 0)
        return _ranges(self.starts + burn, np.maximum(self.lengths - 1 - burn, 0))

    # ---- what a batch holds -----------------------------------------------------------------

    def step_inputs(self, rows: Tensor) -> Tensor:
        """Return the features of the given steps, (N, step_size)."""
        owner = self.owner[rows]
        return torch.cat([self.features[rows], self.past[rows], self.known[rows], self.static[owner]], 1)

    def ahead_values(self, rows: Tensor | np.ndarray) -> Tensor:
        """Return the transformed and scaled values of the steps ahead, (N, horizon) float64; NaN where unknown."""
        return self.values[self._ahead(rows)]

    def _ahead(self, rows: Tensor | np.ndarray) -> Tensor:
        return torch.as_tensor(rows)[:, None] + torch.arange(1, self.plan.horizon + 1)

    def candidates(self, rows: Tensor | np.ndarray) -> Tensor:
        """Return naive forecasts of the steps ahead: those in ANCHORS, then the season before last: (N, horizon, 6)."""
        rows = torch.as_tensor(rows)
        season = self.season[rows][:, None]  # (N, 1)
        ahead = torch.arange(1, self.plan.horizon + 1)
        cycles = (ahead + season - 1) // season  # seasons to go back
        last = self.level[rows][:, None].expand(-1, len(ahead))
        mean = self.mean[rows][:, None].expand(-1, len(ahead))
        once = self._at(rows, rows[:, None] + ahead - season * cycles, season)
        twice = self._at(rows, rows[:, None] + ahead - season * (cycles + 1))
        shifted = once + cycles * self.shift[rows][:, None]
        moved = once + self.moved[rows][:, None]
        return torch.stack([last, mean, once, shifted, moved, twice], 2)

    def _at(self, rows: Tensor, places: Tensor, season: Tensor | None = None) -> Tensor:
        """Return the value at each place, or a season before, or the last known one; NaN before the series."""
        first = self.first[rows][:, None]
        found = torch.where(places >= first, self.level[places.clamp(min=0)], torch.nan)
        for back in (
            () if season is None else (season, torch.zeros_like(season))
        ):  # the last known value is that of another day
            earlier = places - back
            exact = self.values[earlier.clamp(min=0)]
            found = torch.where((earlier >= first) & ~exact.isnan(), exact, found)
        return found

    def anchor(self, rows: Tensor | np.ndarray, candidates: Tensor) -> Tensor:
        """Return the naive forecast to correct, (N, horizon); the last value where no season lies before it.

        The linear effects of the given covariates, at the step ahead and at the step that the forecast copies, belong
        to it: a few holidays among a thousand days are too few updates for a network to learn them from.
        """
        anchor = candidates[..., ANCHORS.index(self.plan.anchor)]
        anchor = torch.where(anchor.isnan(), candidates[..., 0], anchor)
        if not self.plan.effects:
            return anchor
        return anchor + self._given(rows).double() @ torch.tensor(self.plan.effects, dtype=torch.float64)

    def _given(self, rows: Tensor | np.ndarray) -> Tensor:
        """Return the given covariates of each step ahead, and of the step copied by the naive forecast, (N, H, 2 G)."""
        rows = torch.as_tensor(rows)
        given = self.known[:, : self.num_given]
        season, ahead = self.season[rows][:, None], torch.arange(1, self.plan.horizon + 1)
        source = rows[:, None] + (ahead - season * ((ahead + season - 1) // season)) * ("season" in self.plan.anchor)
        copied = given[torch.maximum(source, self.first[rows][:, None])]
        return torch.cat([given[self._ahead(rows)], copied * (self.plan.anchor != "mean")], 2)

    def learnt_effects(self, rows: np.ndarray) -> list[float]:
        """Return the linear effects of the given covariates on the errors of the naive forecast, (2 G,)."""
        if not self.num_given:
            return []
        kept = rows[:: max(1, len(rows) * self.plan.horizon * 2 * self.num_given // MOST_NUMBERS)]
        design = self._given(kept).flatten(0, 1).double().numpy()
        errors = self.look_ahead(kept)[2].flatten().double().numpy()
        known = np.isfinite(errors)
        return effects_of(design[known], errors[known]).tolist() if known.any() else []

    def look_ahead(self, rows: Tensor | np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Return features of the steps ahead (N, horizon, A), the anchor (N, horizon) and the target (N, horizon)."""
        rows = torch.as_tensor(rows)
        candidates = self.candidates(rows)
        anchor = self.anchor(rows, candidates)
        others = [i for i in range(candidates.shape[2]) if i != ANCHORS.index(self.plan.anchor)]
        rivals = (candidates[..., others] - anchor[..., None]).nan_to_num()
        if self.plan.ahead_scales:
            rivals = (rivals / torch.tensor(self.plan.ahead_scales)).clamp(-LARGEST, LARGEST)
        places = self._ahead(rows)
        features = torch.cat([rivals.float(), self.known[places]], 2)
        return features, anchor, (self.values[places] - anchor).float()

    def expand(self, batch: Batch) -> Batch:
        """Convert row numbers to the inputs of the network; rows marked as lead-in have no targets."""
        rows = batch.inputs["row"]
        assert isinstance(rows, Ragged)
        lead_in = rows.values < 0
        places = torch.where(lead_in, -1 - rows.values, rows.values)
        ahead, _, targets = self.look_ahead(places)
        targets = targets.masked_fill(lead_in[:, None], torch.nan)
        inputs = {"steps": rows.with_values(self.step_inputs(places)), "ahead": rows.with_values(ahead)}
        return Batch(inputs, targets=rows.with_values(targets), reset=batch.reset, carries=batch.carries)

    def windows(self, rows: np.ndarray) -> Ragged:
        """Return the rows that each forecast reads, the origin last."""
        first = self.first.numpy()[rows]
        lengths = np.minimum(rows - first + 1, self.plan.context_length)
        return Ragged(torch.from_numpy(_ranges(rows - lengths + 1, lengths)), torch.from_numpy(lengths))

    def prices(self, rows: np.ndarray, answers: Tensor) -> np.ndarray:
        """Convert answers (N, horizon[, Q]) from the network's unit to the unit of the data."""
        anchor = self.anchor(rows, self.candidates(rows))
        scale = self.scales[self.owner[torch.as_tensor(rows)]][:, None]
        if answers.ndim == 3:
            anchor, scale = anchor[..., None], scale[..., None]
        return self.plan.restore(((answers.double() + anchor) * scale).numpy())


def known_of(panel: Panel, series: Series, horizon: int) -> np.ndarray:
    """Return what is known in advance of each step and of `horizon` steps after the last, (T + horizon, K).

    Covariates that are not given for a step ahead repeat the last.
    """
    phases = panel.phases_of(series, horizon)  # (T + horizon, C)
    given = np.concatenate([series.known, series.future[:horizon]])
    missing = len(series) + horizon - len(given)
    last = given[-1:] if len(given) else np.zeros((1, series.known.shape[1]), dtype=np.float32)
    return np.concatenate([np.concatenate([given, np.repeat(last, missing, 0)]), phases], 1)


def _covariates(panel: Panel, series: Sequence[Series], horizon: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return known (R, K), past (R, P) and static (B, S) covariates; rows after the end repeat the last if unknown."""
    known, past, static = [], [], []
    for one in series:
        known.append(known_of(panel, one, horizon))
        past.append(np.concatenate([one.past, np.zeros((horizon, one.past.shape[1]), dtype=np.float32)]))
        static.append(one.static)
    if not series:
        empty = np.zeros((horizon, 0), dtype=np.float32)
        return empty, empty, np.zeros((0, 0), dtype=np.float32)
    return tuple(np.ascontiguousarray(a, dtype=np.float32) for a in  # type: ignore[return-value]
                 (np.concatenate(known), np.concatenate(past), np.stack(static)))  # fmt: skip


class _Moving:
    """Causal statistics of series that lie end to end.

    Args:
        values: (R,), NaN where missing.
        first: the first row of each row's series, (R,).
    """

    def __init__(self, values: np.ndarray, first: np.ndarray) -> None:
        self.values = values
        self.first = first
        self.index = np.arange(len(values))
        known = ~np.isnan(values)
        latest = np.maximum.accumulate(np.where(known, self.index, -1))
        self.filled = np.where(latest >= first, values[np.maximum(latest, 0)], np.nan)  # the last known value

    def back(self, steps: int | np.ndarray) -> np.ndarray:
        """Return the last known value `steps` steps ago (also of each row, (R,)), NaN before the series."""
        place = self.index - steps
        return np.where(place >= self.first, self.filled[np.maximum(place, 0)], np.nan)

    def mean(self, values: np.ndarray, steps: int | np.ndarray, around: np.ndarray | float = 0.0) -> np.ndarray:
        """Return the mean of the known ones of the last `steps` values, NaN if none; computed around `around`."""
        known = ~np.isnan(values)
        level = np.broadcast_to(around, values.shape)
        total = np.concatenate([[0.0], np.cumsum(np.where(known, values - level, 0.0))])
        count = np.concatenate([[0], np.cumsum(known)])
        begin = np.maximum(self.index + 1 - steps, self.first)
        counted = count[self.index + 1] - count[begin]
        sums = total[self.index + 1] - total[begin]
        return np.where(counted > 0, sums / np.maximum(counted, 1) + level, np.nan)


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return starts[i], starts[i] + 1, ... for each i, end to end."""
    total = int(lengths.sum())
    offsets = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(starts, lengths) + np.arange(total) - offsets
