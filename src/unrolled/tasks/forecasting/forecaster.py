"""Forecaster: forecasts the next steps of many series at once."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from torch import Tensor, nn

from unrolled.arrangements.direct_forecast import DirectForecast
from unrolled.baselines.base import Baseline
from unrolled.baselines.forecasting import SeasonalNaive
from unrolled.baselines.registry import forecast_baselines
from unrolled.batch import Batch
from unrolled.codecs.base import Codec, Spec
from unrolled.data.batching import BatchSource
from unrolled.data.calendars.public_holidays import read_holidays
from unrolled.data.source import Source, Table
from unrolled.data.time_moments import moment_of
from unrolled.errors import OptionError, message, single, unknown, whole_number
from unrolled.metrics.number_scores import forecast_scores
from unrolled.metrics.scores import Scores
from unrolled.nn.heads import NumberOutput, Output, QuantilesOutput
from unrolled.nn.inputs import InputLayer
from unrolled.reading_report import note_unseen
from unrolled.tasks.base import Task
from unrolled.tasks.forecasting.backtest import (
    choose_origins,
    mase_units,
    mean_naive_errors,
    origin_columns,
    too_short,
    with_names,
)
from unrolled.tasks.forecasting.forecast_stream import ForecastSteps
from unrolled.tasks.forecasting.forecasts import answer_columns, forecast_after, forecast_table, point_of
from unrolled.tasks.forecasting.plan import RIVALS, ForecastPlan
from unrolled.tasks.forecasting.seasonal_baseline import at_seasons
from unrolled.tasks.forecasting.series_tails import tails_from_tensors, tails_of, tails_to_tensors
from unrolled.tasks.forecasting.step_features import SeriesSteps, make_plan, scales_of
from unrolled.tasks.forecasting.windows import Examples, deal, held_out, whole_series
from unrolled.tasks.kinds import ReadsSeries
from unrolled.tasks.series.long_table import STEP, long_table, recent_part
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.series.series import Series
from unrolled.tasks.shared.option_checks import MOST_STEPS
from unrolled.training.options import TrainingOptions
from unrolled.training.weights import under

STRATEGIES = ("direct", "recursive")
TARGET = "y"  # where nobody names a target, a table without it may hold one series in each column


class Forecaster(ReadsSeries, Task):
    """A forecaster trained on many series at once; it corrects the best naive forecast.

    The network's answer is a correction to the naive forecast (last value, mean, season, season with a shift) that
    is best on the training data, where season, logarithms and scales are found. Missing values add no loss. Each series
    has its own calendar (daily, Monday to Saturday): missing rows are filled in, forecasts are at its next times.

    Args:
        target: the column to forecast.
        horizon: steps to forecast.
        context_length: steps the network reads before a forecast; 0 = two seasons or three horizons.
        quantiles: probabilities such as [0.1, 0.5, 0.9]; None forecasts one number.
        past_covariates: columns known only up to the present.
        future_covariates: columns also known for the steps to forecast, such as holidays.
        static_covariates: columns constant within a series.
        strategy: "direct" answers for all steps at once; "recursive" one step at a time from its own answers, with
            past covariates kept at their last values.
        season: season length in steps; 0 finds it, 1 means none.
        holidays: a country such as "DE" (package `holidays`), or ISO dates; no steps of series without rows then.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for a causal convolutional network.
        hidden_size: hidden units of each layer.
        num_layers: recurrent layers.
        dropout: share of values set to zero in training, between layers and before the answer.
        layers: further options of `unrolled.nn.stack.Stack`: variational, layer_norm, residual, learn_initial_state,
            recurrent_dropout, zoneout.
        training: training options kept with the model; `fit` may override them.

    Example:
        >>> import numpy as np, unrolled as ur
        >>> wave = np.sin(np.arange(200) * 2 * np.pi / 8) + np.arange(200) / 50
        >>> model = ur.Forecaster(horizon=4, hidden_size=8).fit(wave, epochs=3)
        >>> model.season_, model.predict().columns
        (8, ['step', 'forecast'])
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {
        "batch_size": 16,
        "learning_rate": 1e-3,
        "weight_decay": 0.1,
        "validation": 0.15,
        "average": 0.95,
    }

    def __init__(
        self,
        target: str = TARGET,
        horizon: int = 1,
        context_length: int = 0,
        quantiles: Sequence[float] | None = None,
        past_covariates: Sequence[str | Codec] = (),
        future_covariates: Sequence[str | Codec] = (),
        static_covariates: Sequence[str | Codec] = (),
        strategy: str = "direct",
        season: int = 0,
        holidays: str | Sequence[str] | None = None,
        cell: str = "gru",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.3,
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.target = target
        self.horizon = horizon
        self.context_length = context_length
        self.quantiles = quantiles
        self.past_covariates = past_covariates
        self.future_covariates = future_covariates
        self.static_covariates = static_covariates
        self.strategy = strategy
        self.season = season
        self.holidays = holidays
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.layers = layers
        self.training = training

    # ---- data -------------------------------------------------------------------------------

    def _check(self) -> None:
        super()._check()
        if self.strategy not in STRATEGIES:
            raise unknown("strategy", str(self.strategy), STRATEGIES)
        if self.quantiles is not None and self.strategy == "recursive":
            raise OptionError(
                message(
                    "quantiles",
                    expected="None with strategy='recursive', which cannot say how errors add up over the steps",
                    received=list(self.quantiles),
                    remedy="use strategy='direct'",
                )
            )
        self._output()

    def _convert(self, data: Any, y: Any = None) -> Table:
        """Return a long table with a time column; rows without a time are numbered."""
        if y is not None:
            remedy = f"put it in {self.target!r}"
            raise OptionError(message("y", expected="None: a series is its own target", received="y", remedy=remedy))
        panel: Panel | None = getattr(self, "panel_", None)
        covariates = (*self.past_covariates, *self.future_covariates, *self.static_covariates)
        wide = self.target == TARGET and not covariates
        if panel is None:
            return long_table(data, self.target, wide=wide)
        time = None if panel.time == STEP else panel.time
        return long_table(data, self.target, time, panel.group, wide, panel.form)

    def _hold_out(self, source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
        """Split off the most recent part of every series that is long enough."""
        assert isinstance(source, Table)
        return recent_part(source, share, self.horizon, self.context_length)

    def _read(self, source: Source, future: Source | None = None) -> list[Series]:
        """Return the series of a table, each with its remembered past in front."""
        assert isinstance(source, Table)
        assert future is None or isinstance(future, Table)
        series = self.panel_.read(source, future, self.horizon)
        note_unseen([one.name for one in series], self.tails_)
        return self.panel_.readable(series, self.tails_, self.plan_.lookback)

    # ---- learning ---------------------------------------------------------------------------

    def fit(self, data: Any, y: Any = None, *, validation_data: Any = None, **options: Any) -> Self:
        """Train on the past of series.

        The most recent part of each series is used for validation and not learnt from (`validation`, a share).

        Args:
            data: a table in long format, read with `time=` and, for several series, `group=`; or a list of arrays of
                numbers, one per series; or one array.
            y: not used; a series is its own target.
            validation_data: rows for validation that follow the data, instead of its most recent part.
            options: `callbacks`, `baselines`, `rival`, and training options, see
                `unrolled.training.options.TrainingOptions`. With `bptt_steps` the state is carried along whole series.

        Returns:
            self.

        Raises:
            DataError: no series is long enough, or values that are no numbers.
            OptionError: an unknown or invalid option.
        """
        self._agreed(options)
        if not options.get("warm_start"):
            for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
                delattr(self, name)
        source = self._source(data, y)
        recent = None if validation_data is None else self._source(validation_data)
        self._whole: Source | None = source  # the times of validation belong to the calendar
        try:
            super().fit(source, validation_data=recent, **options)
        finally:
            self._whole = None
        parts: list[Series] = []
        for table in (source, recent):
            series = [] if table is None else self._read(table)
            self.tails_ |= tails_of(series, self.plan_)
            parts += series
        self.naive_errors_ = mean_naive_errors(parts, self.plan_)  # also of the validation steps
        return self

    def _learn(self, source: Source) -> None:
        assert isinstance(source, Table)
        kinds = (self.past_covariates, self.future_covariates, self.static_covariates)
        panel = Panel(self.target, *kinds, holidays=read_holidays(self.holidays))
        self.panel_ = panel.fit(source, self._whole)
        every = panel.read(source)
        horizon = 1 if self.strategy == "recursive" else self.horizon
        least = max(self.context_length, 3) + self.horizon
        series = [one for one in every if int(np.isfinite(one.values).sum()) >= least]
        if not series:
            raise too_short(every, least)
        quantiles = [0.5] if self.quantiles is None else self.quantiles
        self.plan_ = make_plan(panel, series, horizon, self.context_length, self.season, quantiles)
        sizes, self.season_ = SeriesSteps(panel, self.plan_, series[:1]), self.plan_.season
        self.sizes_ = [sizes.step_size, sizes.ahead_size]
        self.naive_errors_ = mean_naive_errors(every, self.plan_)
        self.counts_ = {"series": len(every), "skipped, too short": len(every) - len(series), **panel.counts}
        self.tails_: dict[Any, Series] = tails_of(every, self.plan_)

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        assert isinstance(source, Table)
        series = self._read(source)
        learning = all(one.unread == 0 for one in series)
        if learning:
            least = max(self.context_length, 3) + self.horizon
            series = [one for one in series if int(np.isfinite(one.values).sum()) >= least]
        scales = scales_of(self.panel_, self.plan_, series, remembered=True)
        steps = SeriesSteps(self.panel_, self.plan_, series, scales)
        return whole_series(steps) if learning else held_out(steps, [one.unread for one in series])

    def _batches(self, examples: Batch, options: TrainingOptions, shuffle: bool) -> BatchSource:
        assert isinstance(examples, Examples)
        return deal(examples, options, int(self.training_defaults["batch_size"]), shuffle)

    def _summarise(self, source: Source, examples: Batch) -> dict[str, Any]:
        plan = self.plan_
        return {
            **{name: count for name, count in self.counts_.items() if count},
            "steps": examples.num_steps,
            "step": str(self.panel_.calendars),
            "season": plan.shown_season,
            "learnt on": "logarithms" if plan.log else "values",
            "corrects the naive forecast": plan.anchor,
            "context length": plan.context_length,
        }

    def _output(self) -> Output:
        horizon = 1 if self.strategy == "recursive" else self.horizon
        return NumberOutput(horizon, "huber") if self.quantiles is None else QuantilesOutput(self.quantiles, horizon)

    def _make_network(self) -> nn.Module:
        step_size, ahead_size = self.sizes_
        inputs = InputLayer({"steps": Spec("vector", step_size)})
        layers = self._make_layers(inputs.size)
        shape = (self.plan_.horizon, ahead_size, RIVALS)
        return DirectForecast(inputs, layers, self._output(), *shape, self.dropout, self.plan_.bias)

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        series = [one.values for one in self._read(source)]
        return {key: one.fit(series, []) for key, one in forecast_baselines(self.horizon, self.season_).items()}

    # ---- answers ----------------------------------------------------------------------------

    def predict(self, data: Any = None, future: Any = None) -> pl.DataFrame:
        """Forecast the next `horizon` steps of every series.

        Args:
            data: history, in the form that `fit` takes; None continues the training data. Rows that follow
                the training data are joined to the remembered end of it. Rows after the last known target are not
                history but give future covariates.
            future: a table with time, group and future covariates of the steps to forecast.

        Returns:
            One row per series and step: the group, the time, and `forecast`, or one column `q0.1` per quantile; null,
            with a warning, for those of several series that cannot be forecast.

        Raises:
            DataError: no known value to start from, or future covariates that are missing.
        """
        self._fitted()
        rows = None if future is None else self._source(future)
        if data is not None:
            series = self._read(self._source(data), rows)
        else:
            tails = self.tails_.values()
            series = [one if rows is None else self.panel_.with_future(one, rows, self.horizon) for one in tails]
        ready = self.panel_.startable(series, self.horizon)
        answers = self._after_end([series[index] for index in ready], remembered=data is None)
        return forecast_table(self.panel_, series, ready, answers, self.quantiles)

    def _after_end(self, series: Sequence[Series], remembered: bool = False) -> np.ndarray:
        ends = np.array([len(one) - 1 for one in series])
        return self._forecast(series, np.arange(len(series)), ends, remembered)

    def _forecast(
        self, series: Sequence[Series], owner: np.ndarray, places: np.ndarray, remembered: bool = False
    ) -> np.ndarray:
        scales = scales_of(self.panel_, self.plan_, series, remembered)
        return forecast_after(self._fitted(), self.panel_, self.plan_, series, scales, owner, places, self.horizon)

    def _stepping(self) -> ForecastSteps:
        return ForecastSteps(self.panel_, self.plan_, self.tails_, self._after_end, self.horizon, self.quantiles)

    def backtest(self, data: Any, stride: int = 1, start: Any = None) -> pl.DataFrame:
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

    def evaluate(self, data: Any, y: Any = None) -> Scores:
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
        answers = self._forecast(series, origins.owner, origins.places)
        histories = [series[i].values[: p + 1] for i, p in zip(origins.owner, origins.places, strict=True)]
        fitted = at_seasons(self.baselines_.values(), [*map(self.plan_.season_of, series)], origins.owner)
        rivals = {one.name: one.predict(histories) for one in fitted}
        other: Any = self.rival_
        if other is not None:
            points = point_of(other._forecast(series, origins.owner, origins.places), self.quantiles)
            rivals["causal convolution net of the same size"] = points
        quantiles = None if self.quantiles is None else (list(self.quantiles), answers)
        units, points = mase_units(series, origins, self.plan_, self.naive_errors_), point_of(answers, self.quantiles)
        spreads = None if quantiles is None else {one.name: one.quantiles(histories, quantiles[0]) for one in fitted}
        return forecast_scores(origins.truth, points, rivals, units, quantiles, SeasonalNaive.name, spreads)

    # ---- saving -----------------------------------------------------------------------------

    def _learnt_to_json(self) -> dict[str, Any]:
        return {
            "panel": self.panel_.to_json(),
            "plan": self.plan_.to_json(),
            "sizes": self.sizes_,
            "counts": self.counts_,
            "naive_errors": self.naive_errors_,
            "tails": list(self.tails_),
        }

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.panel_ = Panel.from_json(data["panel"])
        self.plan_ = ForecastPlan.from_json(data["plan"])
        self.sizes_, self.season_ = data["sizes"], self.plan_.season
        self.counts_, self.naive_errors_ = data["counts"], data["naive_errors"]

    def _to_record(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        record, tensors = super()._to_record()
        _, ends = tails_to_tensors(self.tails_)
        return record, tensors | {f"tails.{name}": values for name, values in ends.items()}

    @classmethod
    def _from_record(cls, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        task = super()._from_record(record, tensors)
        task.tails_ = tails_from_tensors(record["learnt"]["tails"], under("tails.", tensors), task.panel_)
        return task
