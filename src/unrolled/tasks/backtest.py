"""Rolling origins: which forecasts a back-test makes, and what came true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from unrolled.errors import DataError, OptionError, message
from unrolled.tasks.forecast_features import Plan
from unrolled.tasks.panel import Panel, Series


@dataclass(frozen=True)
class Origins:
    """Where forecasts start: each row forecasts the steps after it.

    Args:
        owner: which series each belongs to, (M,).
        places: the origin's step within its series, (M,).
        truth: what came true, NaN where unknown, (M, horizon).
    """

    owner: np.ndarray
    places: np.ndarray
    truth: np.ndarray

    def __len__(self) -> int:
        return len(self.places)


def choose_origins(
    plan: Plan, series: Sequence[Series], horizon: int, stride: int = 1, first: Sequence[int] | None = None
) -> Origins:
    """Every `stride`-th step that has a whole horizon behind it, from where each series may start.

    Args:
        plan: for the context and the season.
        series: the series; those with remembered steps in front are forecast from the first new step on.
        horizon: steps ahead.
        stride: steps between two origins of a series.
        first: the first step to forecast of each series; None = the first new one, or for a series without
            remembered steps the first that has a context behind it.

    Raises:
        DataError: nothing to forecast.
        OptionError: a stride below 1.
    """
    if stride < 1:
        raise OptionError(message("stride", expected="an integer >= 1", received=stride))
    places, owner = [], []
    for index, one in enumerate(series):
        begin = one.unread or min(max(plan.context_length, plan.season), max(1, len(one) - horizon))
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


def too_short(series: Sequence[Series], least: int) -> DataError:
    """What to say when no series has `least` known values."""
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
    """Origin, time, steps ahead and what came true, a value for each forecast and step ahead."""
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
    """A table of columns, with the name of the series of each row in front where there are several."""
    if panel.group is None:
        return pl.DataFrame(columns)
    names = pl.Series(panel.group, [one.name for one in series]).gather(owner)
    return pl.DataFrame({panel.group: names} | dict(columns))


def naive_error(values: np.ndarray, season: int) -> float:
    """Mean absolute error of the seasonal naive forecast one season ahead within a series: the unit of MASE."""
    if len(values) <= season:
        season = 1
    errors = np.abs(values[season:] - values[:-season])
    errors = errors[np.isfinite(errors)]
    return float(errors.mean()) if len(errors) else float("nan")
