"""Forecaster: forecasts the next steps of many series at once."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from torch import nn

from unrolled.arrangements.direct_forecast import DirectForecast
from unrolled.baselines.base import Baseline
from unrolled.baselines.forecasting import memory_of
from unrolled.baselines.registry import forecast_baselines
from unrolled.batch import Batch
from unrolled.blending.blend import Blend
from unrolled.codecs.base import Codec, Spec
from unrolled.data.batching import BatchSource
from unrolled.data.calendars.public_holidays import read_holidays
from unrolled.data.source import Source, Table
from unrolled.errors import OptionError, message, unknown
from unrolled.nn.heads import NumberOutput, Output, QuantilesOutput
from unrolled.nn.inputs import InputLayer
from unrolled.reading_report import note_unseen
from unrolled.tasks.base import Task
from unrolled.tasks.forecasting.answering import Answering
from unrolled.tasks.forecasting.backtest import (
    half_of,
    mean_naive_errors,
    too_short,
)
from unrolled.tasks.forecasting.forecast_stream import ForecastSteps
from unrolled.tasks.forecasting.forecasts import forecast_table
from unrolled.tasks.forecasting.histories import histories_of
from unrolled.tasks.forecasting.members import (
    ANSWERS,
    NETWORK,
    shown_weights,
)
from unrolled.tasks.forecasting.online_intervals import INTERVALS, ONLINE, OnlineWidths
from unrolled.tasks.forecasting.plan import RIVALS
from unrolled.tasks.forecasting.saving import SavedForecaster
from unrolled.tasks.forecasting.series_tails import tails_of
from unrolled.tasks.forecasting.step_features import SeriesSteps, make_plan, scales_of
from unrolled.tasks.forecasting.target_kinds import AUTO, KINDS, find_kind
from unrolled.tasks.forecasting.windows import Examples, deal, held_out, whole_series
from unrolled.tasks.kinds import ReadsSeries
from unrolled.tasks.series.long_table import STEP, long_table, recent_part
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.series.series import Series
from unrolled.tasks.shared.answering import FitRun
from unrolled.training.options import TrainingOptions

STRATEGIES = ("direct", "recursive")
TARGET = "y"  # where nobody names a target, a table without it may hold one series in each column


class Forecaster(Answering, SavedForecaster, ReadsSeries, Task):
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
        target_kind: what the target can be, and no forecast is outside of: "number", "non-negative", "count",
            "intermittent" (many zeros), "share" (0 to 1) or "percentage" (0 to 100); "auto" finds it in the data.
        answer: "network", or "blend": the average of network and baselines, weighted by their errors in held-out rows
            that did not decide when training ends; half of them do not then.
        intervals: "fixed", or "online": the width of the quantiles follows the errors of each series, so that their
            coverage stays what it claims when the series changes; every new row is then forecast.
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

    blend_: Blend | None = None  # of network and baselines; None where the network answers alone
    target_kind_: str
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
        target_kind: str = AUTO,
        answer: str = NETWORK,
        intervals: str = "fixed",
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
        self.target_kind = target_kind
        self.answer = answer
        self.intervals = intervals
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
        for name, choices in (("target_kind", KINDS), ("answer", ANSWERS), ("intervals", INTERVALS)):
            if getattr(self, name) not in choices:
                raise unknown(name, str(getattr(self, name)), choices)
        if self.quantiles is not None and self.strategy == "recursive":
            raise OptionError(
                message(
                    "quantiles",
                    expected="None with strategy='recursive', which cannot say how errors add up over the steps",
                    received=list(self.quantiles),
                    remedy="use strategy='direct'",
                )
            )
        if self.intervals == ONLINE and (self.quantiles is None or len(self.quantiles) < 2):
            raise OptionError(
                message("intervals", expected="'fixed' without at least two quantiles", received=self.intervals,
                        remedy="give quantiles such as [0.1, 0.5, 0.9]")
            )  # fmt: skip
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
        kept, self._recent = recent_part(source, share, self.horizon, self.context_length)
        return kept, self._recent

    def _read(self, source: Source, future: Source | None = None) -> list[Series]:
        """Return the series of a table, each with its remembered past in front."""
        assert isinstance(source, Table)
        assert future is None or isinstance(future, Table)
        series = self.panel_.read(source, future, self.horizon)
        note_unseen([one.name for one in series], self.tails_, served=self.plan_.measurable(series))
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
        self._recent: Source | None = recent
        try:
            super().fit(source, validation_data=recent, **options)
            self.widths_ = self._calibrated(self._recent)
            self.templates_ = self._learnt_templates(source, self._recent)
        finally:
            self._whole = self._recent = None
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
        self.plan_.memory = memory_of(self.horizon, self.plan_.longest_season) if self.answer != NETWORK else 0
        self.target_kind_ = find_kind([one.values for one in every]) if self.target_kind == AUTO else self.target_kind
        sizes, self.season_ = SeriesSteps(panel, self.plan_, series[:1]), self.plan_.season
        self.sizes_ = [sizes.step_size, sizes.ahead_size]
        self.naive_errors_ = mean_naive_errors(every, self.plan_)
        self.counts_ = {"series": len(every), "skipped, too short": len(every) - len(series), **panel.counts}
        self.tails_: dict[Any, Series] = tails_of(every, self.plan_)
        self.widths_: dict[Any, OnlineWidths] = {}

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        assert isinstance(source, Table)
        series = self._read(source)
        learning = all(one.unread == 0 for one in series)
        if learning:
            least = max(self.context_length, 3) + self.horizon
            series = [one for one in series if int(np.isfinite(one.values).sum()) >= least]
        elif self.answer != NETWORK and source is self._recent:  # the last half chooses the weights
            series = [one.cut(0, half_of(one)) for one in series]
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
            "target": self.target_kind_,
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
        histories = histories_of(self.panel_, self.plan_, self._read(source), self.horizon)
        made = forecast_baselines(self.horizon, self.plan_.longest_season)
        return {key: one.fit(histories, []) for key, one in made.items()}

    def _choose_blend(self, fit: FitRun) -> Blend | None:
        if self.answer == NETWORK:
            return None
        blend = self._chosen_blend()
        self.summary_["answers"] = shown_weights(blend)
        return blend

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
        series, ready, answers = self._asked_series(data, future)
        return forecast_table(self.panel_, series, ready, answers, self.quantiles)

    def _stepping(self) -> ForecastSteps:
        common = (self.panel_, self.plan_, self.tails_, self._after_end, self.horizon, self.quantiles)
        return ForecastSteps(*common, self._advanced if self.intervals == ONLINE else None, self.widths_)
