"""Rolling origins of a back-test: where its forecasts start, and the true values to compare them with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from unrolled.errors import DataError, message, whole_number
from unrolled.metrics.scores import mean
from unrolled.tasks.forecasting.plan import ForecastPlan
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.series.series import Series
from unrolled.tasks.shared.option_checks import MOST_STEPS


@dataclass(frozen=True)
class Origins:
    """The origins of a back-test; each one forecasts the steps after it.

    Args:
        owner: index of the series that each origin belongs to, (M,).
        places: step of the origin within its series, (M,).
        truth: the true values, NaN where unknown, (M, horizon).
    """

    owner: np.ndarray
    places: np.ndarray
    truth: np.ndarray

    def __len__(self) -> int:
        return len(self.places)


def choose_origins(
    plan: ForecastPlan, series: Sequence[Series], horizon: int, stride: int = 1, first: Sequence[int] | None = None
) -> Origins:
    """Choose every `stride`-th step that a whole horizon follows, from the first step allowed in each series.

    Args:
        plan: gives the context and the season.
        series: the series; those that start with remembered steps are forecast from their first new step on.
        horizon: steps ahead.
        stride: steps between two origins of a series.
        first: for each series, the first step to forecast; None = the first new step, or, for a series without
            remembered steps, the first step with a whole context before it.

    Raises:
        DataError: nothing to forecast.
        OptionError: a stride below 1.
    """
    stride = whole_number("stride", stride, 1, MOST_STEPS)
    places, owner = [], []
    for index, one in enumerate(series):
        begin = one.unread or min(max(plan.context_length, plan.season_of(one)), max(1, len(one) - horizon))
        if first is not None:
            begin = max(1, first[index])
        known = np.flatnonzero(~np.isnan(one.values))
        begin = max(begin, int(known[0]) + 1) if len(known) else len(one)
        chosen = np.arange(begin - 1, len(one) - horizon, stride)
        places.append(chosen)
        owner.append(np.full(len(chosen), index))
    place, who = np.concatenate(places), np.concatenate(owner)
    if not len(place):
        longest = max((len(one) - one.unread for one in series), default=0)
        raise DataError(
            message(
                "data",
                expected=f"a series of at least {horizon} steps (the horizon) after what was learnt from",
                received=f"{longest} steps at most",
                remedy="give more recent rows, or lower horizon",
            )
        )
    starts = np.cumsum([0, *(len(one) for one in series)])
    values = np.concatenate([one.values for one in series])
    truth = values[(starts[who] + place)[:, None] + np.arange(1, horizon + 1)]
    return Origins(who, place, truth)


def recent_origins(series: Sequence[Series], horizon: int, most: int) -> Origins:
    """Return origins in the last half of the new steps of each series; what lies after its end is unknown.

    Args:
        series: the series, each with its remembered steps in front.
        horizon: steps ahead.
        most: origins of all series together.
    """
    halves = [half_of(one) for one in series]
    total = sum(max(len(one) - half, 0) for one, half in zip(series, halves, strict=True))
    stride = -(-total // most) if total else 1
    places, owner, truth = [], [], []
    for index, (one, half) in enumerate(zip(series, halves, strict=True)):
        chosen = np.arange(max(half - 1, 0), len(one) - 1, stride)
        padded = np.append(one.values, np.full(horizon, np.nan))
        places.append(chosen)
        owner.append(np.full(len(chosen), index))
        truth.append(padded[chosen[:, None] + np.arange(1, horizon + 1)])
    none = np.zeros(0, np.int64)
    values = np.concatenate([np.zeros((0, horizon)), *truth])
    return Origins(np.concatenate([none, *owner]), np.concatenate([none, *places]), values)


def half_of(series: Series) -> int:
    """Return the number of steps up to the middle of the new steps of a series."""
    return series.unread + (len(series) - series.unread + 1) // 2


def too_short(series: Sequence[Series], least: int) -> DataError:
    """Return the error for data in which no series has `least` known values."""
    longest = max(series, key=lambda one: int(np.isfinite(one.values).sum()))
    return DataError(
        message(
            "data",
            expected=f"a series of at least {least} known values (context_length + horizon)",
            received=f"{int(np.isfinite(longest.values).sum())} at most"
            + ("" if longest.name is None else f", in series {longest.name!r}"),
            remedy="lower context_length or horizon",
        )
    )


def origin_columns(panel: Panel, series: Sequence[Series], origins: Origins) -> dict[str, pl.Series]:
    """Return the columns origin, time, steps ahead and true value, with one row per forecast and step ahead."""
    count, horizon = origins.truth.shape
    places = origins.places[:, None] + np.arange(horizon + 1)  # (M, 1 + horizon)
    starts = np.cumsum([0, *(len(one) for one in series)])[origins.owner]
    times = np.concatenate([one.times for one in series])[starts[:, None] + places]
    return {
        "origin": panel.write_times(np.repeat(times[:, 0], horizon)),
        panel.time: panel.write_times(times[:, 1:].reshape(-1)),
        "ahead": pl.Series(np.tile(np.arange(1, horizon + 1), count)),
        "actual": pl.Series(origins.truth.reshape(-1), nan_to_null=True),
    }


def with_names(panel: Panel, series: Sequence[Series], owner: np.ndarray, columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return the columns as a table; with several series, the first column names the series of each row."""
    if panel.group is None:
        return pl.DataFrame(columns)
    names = pl.Series(panel.group, [one.name for one in series]).gather(owner)
    return pl.DataFrame({panel.group: names} | dict(columns))


def naive_errors(values: np.ndarray, season: int, first: int = 0) -> np.ndarray:
    """Return the absolute errors of the seasonal naive forecast one season ahead within a series.

    Their mean is the unit of MASE.

    Args:
        values: (T,), NaN where unknown.
        season: season length in steps; a series no longer than that is forecast by its last value.
        first: the first step whose error counts.

    Returns:
        The errors that are known, at most (T - season,).

    Source: R. Hyndman and A. Koehler, "Another look at measures of forecast accuracy", 2006, section 3: the mean over
    all of the training series, and over no step that is forecast.

    Example:
        >>> naive_errors(np.array([1.0, 5.0, 2.0, 9.0]), 2).tolist()
        [1.0, 4.0]
    """
    lag = season if len(values) > season else 1
    errors = np.abs(values[lag:] - values[:-lag])[max(first - lag, 0) :]
    return errors[np.isfinite(errors)]


def mean_naive_errors(series: Iterable[Series], plan: ForecastPlan) -> dict[str, float]:
    """Return the unit of MASE of each series by its name; the parts of one series count together, step by step.

    Args:
        series: training data; of a series that starts with remembered steps, only the new ones count.
        plan: gives the season of each series.
    """
    errors: dict[str, list[np.ndarray]] = {}
    for one in series:
        errors.setdefault(str(one.name), []).append(naive_errors(one.values, plan.season_of(one), one.unread))
    means = {name: mean(np.concatenate(parts)) for name, parts in errors.items()}
    return {name: error for name, error in means.items() if np.isfinite(error)}


def mase_units(
    series: Sequence[Series], origins: Origins, plan: ForecastPlan, training: Mapping[str, float]
) -> np.ndarray:
    """Return the unit of MASE of each forecast, (M,); NaN where no value changed before it.

    Args:
        series: the series that are forecast.
        origins: the origins of the forecasts.
        plan: gives the season of each series.
        training: units from the training data by name. A series that does not continue those data gets a unit from its
            own steps before the first scored one.
    """
    first = np.full(len(series), np.iinfo(np.int64).max)
    np.minimum.at(first, origins.owner, origins.places + 1)
    units = np.full(len(series), np.nan)
    for index, one in enumerate(series):
        error = training.get(str(one.name)) if one.unread else None
        units[index] = mean(naive_errors(one.values[: first[index]], plan.season_of(one))) if error is None else error
    return np.where(units > 0, units, np.nan)[origins.owner]
