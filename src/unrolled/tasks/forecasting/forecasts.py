"""Forecasts in the unit of the data from series and a trained network: all steps at once, or one after another."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.pauses import pause
from unrolled.tasks.forecasting.backtest import with_names
from unrolled.tasks.forecasting.plan import ForecastPlan
from unrolled.tasks.forecasting.step_features import SeriesSteps
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.series.series import Series

FORECAST_BATCH = 1024


def forecast_after(
    network: nn.Module,
    panel: Panel,
    plan: ForecastPlan,
    series: Sequence[Series],
    scales: Sequence[float],
    owner: np.ndarray,
    places: np.ndarray,
    horizon: int,
) -> np.ndarray:
    """Forecast the `horizon` steps after the given steps.

    Args:
        network: a DirectForecast for `plan.horizon` steps; when that is less than `horizon`, its answers are fed back.
        panel: gives the features of times.
        plan: how series are converted to numbers.
        series: the series.
        scales: the unit of each series.
        owner: index of the series that each forecast belongs to, (M,).
        places: last known step of each forecast within its series, (M,).
        horizon: steps ahead.

    Returns:
        Numbers (M, horizon), or quantiles (M, horizon, Q).
    """
    if plan.horizon == horizon:
        steps = SeriesSteps(panel, plan, series, scales)
        return forecast_rows(network, steps, steps.starts[owner] + places)
    pieces = []
    for index, place in zip(owner.tolist(), places.tolist(), strict=True):
        one = series[index]
        ahead = np.concatenate([one.known, one.future])[place + 1 : place + 1 + horizon]
        pieces.append(replace(one.cut(max(0, place + 1 - plan.lookback), place + 1), future=ahead))
    units = np.asarray(scales)[owner].tolist()
    answers = []
    for _ in range(horizon):
        steps = SeriesSteps(panel, plan, pieces, units)
        answer = forecast_rows(network, steps, steps.starts + steps.lengths - 1)[:, 0]  # (M,)
        answers.append(answer)
        pieces = [_longer(piece, value) for piece, value in zip(pieces, answer.tolist(), strict=True)]
    return np.stack(answers, 1)


def forecast_rows(network: nn.Module, steps: SeriesSteps, rows: np.ndarray) -> np.ndarray:
    """Return the network's forecasts after the given rows of `steps`, each from the last `context_length` steps."""
    network.eval()
    answers = []
    with torch.no_grad():
        for part in np.array_split(rows, max(1, -(-len(rows) // FORECAST_BATCH))):
            pause()
            windows = steps.windows(part)
            inputs = {"steps": windows.with_values(steps.step_inputs(windows.values))}
            raw, _ = network.forecast(Batch(inputs, {"ahead": steps.look_ahead(part)[0]}))  # type: ignore[operator]
            described: Tensor = network.output.describe(raw)  # type: ignore[union-attr,operator]
            answers.append(steps.prices(part, described))
    return np.concatenate(answers)


def answer_columns(answers: np.ndarray, quantiles: Sequence[float] | None) -> dict[str, np.ndarray]:
    """Return columns with one row per forecast and step ahead: `forecast`, or `q0.1` for each quantile."""
    if quantiles is None:
        return {"forecast": answers.reshape(-1)}
    return {f"q{level:g}": answers[..., i].reshape(-1) for i, level in enumerate(quantiles)}


def point_of(answers: np.ndarray, quantiles: Sequence[float] | None) -> np.ndarray:
    """Return one number per step, (M, horizon): the forecast, or the quantile nearest to the median."""
    if quantiles is None:
        return answers
    return answers[..., int(np.argmin([abs(level - 0.5) for level in quantiles]))]


def forecast_table(
    panel: Panel, series: Sequence[Series], ready: Sequence[int], answers: np.ndarray, quantiles: Sequence[float] | None
) -> pl.DataFrame:
    """Return forecasts as a table with one row per series and step; null for series that are not ready.

    Args:
        panel: writes times.
        series: the series.
        ready: index of the series of each forecast, in order.
        answers: numbers (M, horizon), or quantiles (M, horizon, Q).
        quantiles: quantiles of the answers, or None.
    """
    horizon = answers.shape[1]
    dated = [index for index, one in enumerate(series) if len(one)]
    after = [series[index].calendar.after(series[index].times[-1], np.arange(1, horizon + 1)) for index in dated]
    written = panel.write_times(np.concatenate(after))
    columns = {panel.time: _spread(written, dated, len(series), horizon)}
    for name, values in answer_columns(answers, quantiles).items():
        columns[name] = _spread(pl.Series(values), ready, len(series), horizon)
    return with_names(panel, series, np.repeat(np.arange(len(series)), horizon), columns)


def _spread(column: pl.Series, owners: Sequence[int], count: int, horizon: int) -> pl.Series:
    """Return `horizon` rows for each of `count` series, null for those that own none."""
    if len(owners) == count:
        return column
    rows = np.full((count, horizon), -1)
    rows[list(owners)] = np.arange(len(owners) * horizon).reshape(-1, horizon)
    return column.gather(pl.Series(rows.reshape(-1)).replace(-1, None))


def _longer(series: Series, value: float) -> Series:
    """Return a series with its own forecast as one more step; past covariates keep their last values."""
    known = series.future[:1] if len(series.future) else series.known[-1:]
    return replace(
        series,
        times=np.append(series.times, series.calendar.after(series.times[-1], [1])),
        values=np.append(series.values, value),
        past=np.concatenate([series.past, series.past[-1:]]),
        known=np.concatenate([series.known, known]),
        future=series.future[1:],
    )
