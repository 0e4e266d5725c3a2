"""Answers of a forecaster: network, baselines and their blend, from any step of any series; back-tests and scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from unrolled.blending.blend import Blend
from unrolled.data.source import Source
from unrolled.data.time_moments import moment_of
from unrolled.errors import OptionError, message, single, whole_number
from unrolled.metrics.scores import Scores
from unrolled.tasks.forecasting.backtest import (
    choose_origins,
    mase_units,
    origin_columns,
    recent_origins,
    with_names,
)
from unrolled.tasks.forecasting.forecasts import answer_columns, forecast_after, point_of
from unrolled.tasks.forecasting.histories import histories_before, histories_of
from unrolled.tasks.forecasting.members import (
    MOST_ORIGINS,
    NETWORK,
    baseline_answers,
    blended,
    choose_blend,
    compared,
    equal_weights,
)
from unrolled.tasks.forecasting.online_intervals import ONLINE, OnlineWidths, first_new, replayed
from unrolled.tasks.forecasting.sample_paths import (
    LEAST_TEMPLATES,
    MOST_NUMBERS,
    MOST_TEMPLATES,
    check_number,
    drawn_paths,
    templates_of,
)
from unrolled.tasks.forecasting.step_features import scales_of
from unrolled.tasks.forecasting.target_kinds import TargetRange
from unrolled.tasks.series.series import Series
from unrolled.tasks.shared.option_checks import MOST_STEPS


class Answering:
    """A forecaster's answers; the forecaster has the panel, the plan, the network and the baselines."""

    def _chosen_blend(self: Any) -> Blend:
        if self._recent is None:
            return equal_weights([NETWORK, *self.baselines_])
        series = self._read(self._recent)
        origins = recent_origins(series, self.horizon, MOST_ORIGINS)
        parts = self._parts(series, origins.owner, origins.places, [NETWORK, *self.baselines_])
        units = mase_units(series, origins, self.plan_, self.naive_errors_)
        groups = origins.owner * MOST_STEPS + origins.places // self.horizon
        return choose_blend(parts, origins.truth, units, self.quantiles, groups)

    def _said_of_answers(self: Any) -> dict[str, Any]:
        """Return what an exported model leaves out: it holds the network alone, at the quantiles it learnt."""
        parts = [] if self.blend_ is None else [f"{key} {self.blend_.weight_of(key):.2f}" for key in self.blend_.used]
        widths = ["widths that follow errors"] if self.intervals == ONLINE else []
        left = [part for part in [*parts, *widths] if not part.startswith(NETWORK)]
        return {"left_out": ", ".join(left)} if left else {}

    def _after_end(self: Any, series: Sequence[Series], remembered: bool = False) -> np.ndarray:
        ends = np.array([len(one) - 1 for one in series])
        return self._forecast(series, np.arange(len(series)), ends, remembered)

    def _forecast(
        self: Any, series: Sequence[Series], owner: np.ndarray, places: np.ndarray, remembered: bool = False
    ) -> np.ndarray:
        if self.intervals != ONLINE:
            return self._own(series, owner, places, remembered)
        begun = [self._begun(one, remembered) for one in series]
        replays = self._advanced(series, *zip(*begun, strict=True), remembered)
        return np.stack([replays[i][1][place - replays[i][0]] for i, place in zip(owner, places, strict=True)])

    def _own(
        self: Any, series: Sequence[Series], owner: np.ndarray, places: np.ndarray, remembered: bool = False
    ) -> np.ndarray:
        """Return the answers of the network or the blend, without regard to earlier errors."""
        blend = self.blend_
        if blend is None:
            return self._parts(series, owner, places, [NETWORK], remembered)[NETWORK]
        return blended(self._parts(series, owner, places, blend.used, remembered), blend)

    def _begun(self: Any, one: Series, remembered: bool) -> tuple[int, OnlineWidths]:
        """Return the first step of a series whose errors are not in its widths yet, and those widths."""
        older, kept = self.tails_.get(one.name), self.widths_.get(one.name)
        if kept is not None and remembered:
            return len(one), kept
        return first_new(one, older, kept, self.horizon)

    def _advanced(
        self: Any,
        series: Sequence[Series],
        firsts: Sequence[int],
        widths: Sequence[OnlineWidths],
        remembered: bool = False,
    ) -> list[tuple[int, np.ndarray, OnlineWidths]]:
        """Return, for each series, a place, the widened answers from there to its end, and the widths after it."""
        begins = [max(first - 1, 0) for first in firsts]
        counts = [len(one) - begin for one, begin in zip(series, begins, strict=True)]
        owner = np.repeat(np.arange(len(series)), counts)
        places = np.concatenate([np.arange(begin, len(one)) for one, begin in zip(series, begins, strict=True)])
        own, nominal = self._own(series, owner, places, remembered), self.quantiles[-1] - self.quantiles[0]
        found = []
        for i, (one, first, begin, state) in enumerate(zip(series, firsts, begins, widths, strict=True)):
            rows = own[owner == i]
            body, after = replayed(rows[first - begin :], one.values[first:], state, nominal)
            head = [state.widened(row, nominal)[None] for row in rows[: first - begin]]
            answers = TargetRange(self.target_kind_).legal(np.concatenate([*head, body]), quantiles=True)
            found.append((begin, answers, after))
        return found

    def _calibrated(self: Any, recent: Any) -> dict[Any, OnlineWidths]:
        """Return the widths of each series after its held-out rows."""
        if recent is None or self.intervals != ONLINE:
            return {}
        series = [one for one in self._read(recent) if len(one)]
        begun = [first_new(one, self.tails_.get(one.name), None, self.horizon) for one in series]
        replays = self._advanced(series, *zip(*begun, strict=True))
        return {one.name: after for one, (_, _, after) in zip(series, replays, strict=True)}

    def _parts(
        self: Any,
        series: Sequence[Series],
        owner: np.ndarray,
        places: np.ndarray,
        members: Sequence[str],
        remembered: bool = False,
    ) -> dict[str, np.ndarray]:
        """Return the answers of each member, in the legal range."""
        legal, found = TargetRange(self.target_kind_), {}
        if NETWORK in members:
            scales = scales_of(self.panel_, self.plan_, series, remembered)
            common = (self.panel_, self.plan_, series, scales, owner, places, self.horizon)
            found[NETWORK] = legal.legal(forecast_after(self._fitted(), *common), self.quantiles is not None)
        others = {key: one for key, one in self.baselines_.items() if key in members}
        if others:
            whole = histories_of(self.panel_, self.plan_, series, self.horizon)
            asked = histories_before(whole, owner, places, self.horizon)
            found |= baseline_answers(others, asked, self.quantiles, legal)
        return found

    def _learnt_templates(self: Any, source: Source, recent: Any) -> np.ndarray:
        """Return the order of the errors in back-test windows: held-out ones, or, if they are few, all of training."""
        found = np.zeros((0, self.horizon))
        for table in (recent, source) if self.quantiles is not None else ():
            series = [] if table is None else self._read(table)
            if len(found) < LEAST_TEMPLATES and any(len(one) - max(one.unread, 1) >= self.horizon for one in series):
                origins = choose_origins(self.plan_, series, self.horizon)
                kept = np.unique(np.linspace(0, len(origins) - 1, MOST_TEMPLATES).astype(np.int64))
                owner, places, truth = origins.owner[kept], origins.places[kept], origins.truth[kept]
                scales = np.array(scales_of(self.panel_, self.plan_, series, remembered=True))[owner]
                middle = point_of(self._own(series, owner, places), self.quantiles)
                errors = (truth - middle) / scales[:, None]
                found = templates_of(errors[np.isfinite(errors).all(1)])
        return found

    def paths(self: Any, data: Any = None, future: Any = None, n: int = 100, seed: int = 0) -> pl.DataFrame:
        """Draw sample paths of the next `horizon` steps of every series, for sums and peaks over several steps.

        The values of each step follow the forecast's quantiles; the steps of a path belong together as errors did in
        back-tests.

        Args:
            data: history, as `predict` takes it; None continues the training data.
            future: future covariates, as `predict` takes them.
            n: paths of each series.
            seed: of the draws.

        Returns:
            One row per series, path and step: the group, `path` from 0, the time and `value`.

        Raises:
            OptionError: a model without at least two quantiles, or more than 20 million numbers.

        Example:
            >>> import unrolled as ur
            >>> model = ur.Forecaster(horizon=3, quantiles=[0.1, 0.5, 0.9], hidden_size=4)
            >>> paths = model.fit(np.arange(80.0) % 7, epochs=1).paths(n=50)
            >>> paths.columns, paths.group_by("path").agg(pl.col("value").sum()).height
            (['path', 'step', 'value'], 50)
        """
        self._fitted()
        count, seed = whole_number("n", n, 1, MOST_NUMBERS), whole_number("seed", seed, 0)
        if self.quantiles is None or len(self.quantiles) < 2:
            raise OptionError(
                message("quantiles", expected="at least two levels, to draw paths from", received=self.quantiles,
                        remedy="fit with quantiles such as [0.1, 0.5, 0.9]")
            )  # fmt: skip
        every, ready, answers = self._asked_series(data, future)
        series = [every[index] for index in ready]
        check_number(count, len(series) * self.horizon)
        rng = np.random.default_rng(seed)
        drawn = drawn_paths(answers, self.quantiles, self.templates_, count, rng)  # (B, n, H)
        values = TargetRange(self.target_kind_).legal(drawn, quantiles=False)
        after = [one.calendar.after(one.times[-1], np.arange(1, self.horizon + 1)) for one in series]
        times = np.concatenate([np.tile(one, count) for one in after])
        columns = {
            "path": np.tile(np.repeat(np.arange(count), self.horizon), len(series)),
            self.panel_.time: self.panel_.write_times(times),
            "value": values.reshape(-1),
        }
        return with_names(self.panel_, series, np.repeat(np.arange(len(series)), count * self.horizon), columns)

    def _asked_series(self: Any, data: Any, future: Any) -> tuple[list[Series], list[int], np.ndarray]:
        """Return the series, the places of those that can be forecast, and the answers to these."""
        rows = None if future is None else self._source(future)
        if data is not None:
            series = self._read(self._source(data), rows)
        else:
            tails = self.tails_.values()
            series = [one if rows is None else self.panel_.with_future(one, rows, self.horizon) for one in tails]
        ready = self.panel_.startable(series, self.horizon)
        return series, ready, self._after_end([series[index] for index in ready], remembered=data is None)

    def backtest(self: Any, data: Any, stride: int = 1, start: Any = None) -> pl.DataFrame:
        """Forecast from rolling origins over data whose true values are known; the model is not changed.

        Args:
            data: what `fit` takes. Rows that follow the training data are forecast from the first one on; other
                series from the first step with a whole context before it.
            stride: steps between two origins.
            start: the first time to forecast; None = as described above.

        Returns:
            One row per series, origin and step ahead: the group, `origin`, the time, `ahead`, `actual`, and the
            columns of `predict`.
        """
        self._fitted()
        stride = whole_number("stride", stride, 1, MOST_STEPS)
        series = self._read(self._source(data))
        edge = None if start is None else moment_of(single(start), self.panel_.form, "start")
        first = None if edge is None else [int(np.searchsorted(one.times, edge)) for one in series]
        origins = choose_origins(self.plan_, series, self.horizon, stride, first)
        answers = self._forecast(series, origins.owner, origins.places)
        columns = origin_columns(self.panel_, series, origins) | answer_columns(answers, self.quantiles)
        return with_names(self.panel_, series, np.repeat(origins.owner, self.horizon), columns)

    def evaluate(self: Any, data: Any, y: Any = None) -> Scores:
        """Return errors of a rolling back-test next to the baselines', with skill over the seasonal naive forecast.

        MASE divides by the mean error of the seasonal naive forecast within the whole training series; for a series
        that training never saw, within the steps before the first scored one. If it is constant there, it has no MASE.

        Args:
            data: what `backtest` takes; every step is an origin.
            y: not used; a series is its own target.

        Raises:
            DataError: no series continues for `horizon` steps.
        """
        self._fitted()
        series = self._read(self._source(data, y))
        origins = choose_origins(self.plan_, series, self.horizon)
        members = [NETWORK, *self.baselines_]
        parts = self._parts(series, origins.owner, origins.places, members)
        answers = parts[NETWORK] if self.blend_ is None else blended(parts, self.blend_)
        if self.intervals == ONLINE:
            answers = self._forecast(series, origins.owner, origins.places)
        other: Any = self.rival_
        rival = None if other is None else other._forecast(series, origins.owner, origins.places)
        units = mase_units(series, origins, self.plan_, self.naive_errors_)
        names = {key: one.name for key, one in self.baselines_.items()}
        return compared(origins.truth, answers, parts, rival, units, self.quantiles, names, self.blend_)
