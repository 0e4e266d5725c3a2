"""Plots of anomaly detection: the series, their expected values, the scores and the alarms."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from unrolled.data.source import Table
from unrolled.data.timestamps import parse_times
from unrolled.errors import OptionError, message
from unrolled.metrics.anomalies.ranges import ranges_of
from unrolled.plots.theme import BLUE, FONT, LIGHT, SKY, SMALL, Theme, new_axes, new_figure, shortened, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.0  # inches
HIGH, LOW = 1.7, 1.1  # height of the panel of a variable, and of the scores
ABOVE, BELOW, BETWEEN = 0.62, 0.42, 0.16
LEFT, RIGHT = 0.95, 0.2
MOST = 6  # maximum number of variables
LINEAR = 5.0  # scores above this are drawn on a logarithmic scale


def draw_alarms(
    data: Table,
    found: pl.DataFrame,
    columns: Sequence[str],
    threshold: float,
    label: str = "label",
    series: Any = None,
    path: str | Path | None = None,
    theme: Theme = LIGHT,
) -> "Figure":
    """Draw one series: each variable with its expected values and its alarms, and the scores below.

    Args:
        data: the table that was checked.
        found: the result of `Detector.detect`.
        columns: the variables; the first six are drawn.
        threshold: `Detector.threshold_`.
        label: column of true anomalies, drawn as a band, if there is one.
        series: value of the group column; None = the first series with an alarm, else the first.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: a table without a time column, or a series that is not in it.
    """
    if data.time is None:
        raise OptionError(message("data", expected="a table with a time column", received="one without"))
    frame, found, title = _chosen(data, found, series)
    column = parse_times(frame[data.time])
    times = (column.dt.replace_time_zone(None) if isinstance(column.dtype, pl.Datetime) else column).to_numpy()
    shown = list(columns)[:MOST]
    height = ABOVE + len(shown) * (HIGH + BETWEEN) + LOW + BELOW
    figure = new_figure(WIDTH, height, theme)
    alarm = found["alarm"].to_numpy()
    blamed = np.array(found["variable"].to_list(), dtype=object)
    top = height - ABOVE
    for name in shown:
        axes = _panel(figure, theme, top, HIGH, height)
        top -= HIGH + BETWEEN
        _shade(axes, theme, times, frame, found, label)
        _draw_variable(axes, theme, times, frame[name], found, blamed == name, len(columns) == 1)
        hit = alarm & (blamed == name)
        values, _ = _heights(frame[name])
        axes.plot(times[hit], values[hit], "o", color=theme.warning, markersize=4.5, zorder=5)
        axes.set_ylabel(shortened(name, 1.2), color=theme.ink, fontsize=SMALL, family=FONT, parse_math=False)
        axes.tick_params(labelbottom=False)
    axes = _panel(figure, theme, top, LOW, height)
    _shade(axes, theme, times, frame, found, label)
    _draw_scores(axes, theme, times, found["score"].to_numpy(), alarm, threshold)
    figure.text(LEFT / WIDTH, 1 - 0.2 / height, title, color=theme.ink, fontsize=SMALL + 1, va="center", family=FONT)
    note = _note(int(alarm.sum()), label in frame.columns, bool(found["warm_up"].any()))
    figure.text(LEFT / WIDTH, 1 - 0.42 / height, note, color=theme.muted, fontsize=SMALL, va="center", family=FONT)
    return write(figure, path)


def _chosen(data: Table, found: pl.DataFrame, series: Any) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """Return the rows of one series, its results, and a title."""
    if data.group is None:
        return data.frame, found, "Observed and expected values"
    names = found[data.group].unique(maintain_order=True).to_list()
    loud = found.filter("alarm")[data.group].to_list()
    series = series if series is not None else (loud or names)[0]
    if series not in names:
        raise OptionError(message("series", expected=f"one of {names[:6]}", received=repr(series)))
    own = pl.col(data.group) == series
    return (
        data.frame.filter(own),
        found.filter(own),
        shortened(f"{data.group}: {series}", WIDTH - LEFT - 0.3, SMALL + 1),
    )


def _panel(figure: "Figure", theme: Theme, top: float, high: float, height: float) -> "Axes":
    axes = new_axes(figure, theme)
    axes.set_position((LEFT / WIDTH, (top - high) / height, 1 - (LEFT + RIGHT) / WIDTH, high / height))
    axes.margins(x=0.01)
    return axes


def _shade(axes: "Axes", theme: Theme, times: np.ndarray, frame: pl.DataFrame, found: pl.DataFrame, label: str) -> None:
    """Shade labelled anomalies, and the warm-up without scores."""
    marks = {theme.tint(theme.muted, 0.12): found["warm_up"].to_numpy()}
    if label in frame.columns:
        marks[theme.tint(theme.warning, 0.18)] = frame[label].fill_null(0).cast(pl.Boolean).to_numpy()
    for color, marked in marks.items():
        for first, last in ranges_of(marked):
            after = min(last + 1, len(times) - 1)
            axes.axvspan(times[first], times[after], color=color, linewidth=0, zorder=0)


def _draw_variable(
    axes: "Axes", theme: Theme, times: np.ndarray, column: pl.Series, found: pl.DataFrame, own: np.ndarray, alone: bool
) -> None:
    values, names = _heights(column)
    if names:
        axes.plot(times, values, "|", color=theme.lines[BLUE], markersize=6)
        axes.set_yticks(range(len(names)), [shortened(name, LEFT - 0.35) for name in names], parse_math=False)
        return
    if "low" in found.columns and alone:
        low, high = (found[side].to_numpy() for side in ("low", "high"))
        axes.fill_between(times, low, high, color=theme.tint(theme.lines[SKY], 0.45), linewidth=0)
        _keep_in_view(axes, values)
    elif "low" in found.columns:  # expected values are known for the blamed variable only
        hit = own & found["alarm"].to_numpy()
        low, middle, high = (found[side].to_numpy()[hit] for side in ("low", "expected", "high"))
        axes.vlines(times[hit], low, high, color=theme.lines[SKY], linewidth=2.5)
        axes.plot(times[hit], middle, "_", color=theme.ink, markersize=5)
    axes.plot(times, values, color=theme.lines[BLUE], linewidth=0.9)


def _keep_in_view(axes: "Axes", values: np.ndarray) -> None:
    """Limit the axis so that a briefly wide band does not flatten the series."""
    known = values[np.isfinite(values)]
    if len(known):
        low, high = known.min(), known.max()
        room = 0.15 * (high - low) or 1.0
        axes.set_ylim(low - room, high + room)


def _heights(column: pl.Series) -> tuple[np.ndarray, list[str]]:
    """Return numbers unchanged, and categories as positions with their names."""
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64).to_numpy(), []
    texts = column.cast(pl.String)
    names = sorted(texts.drop_nulls().unique().to_list())
    place = {name: float(index) for index, name in enumerate(names)}
    return np.array([np.nan if text is None else place[text] for text in texts.to_list()]), names


def _draw_scores(
    axes: "Axes", theme: Theme, times: np.ndarray, scores: np.ndarray, alarm: np.ndarray, threshold: float
) -> None:
    axes.plot(times, scores, color=theme.muted, linewidth=0.8)
    axes.plot(times[alarm], scores[alarm], "o", color=theme.warning, markersize=4.5, zorder=5)
    axes.axhline(threshold, color=theme.warning, linewidth=0.9, linestyle="--")
    most = max(float(np.nanmax(scores, initial=0.0)), 1.3 * threshold)
    if most > 3 * LINEAR:
        axes.set_yscale("symlog", linthresh=LINEAR)
        decades = [10.0**power for power in range(1, int(np.log10(most)) + 1)]
        ticks = [0.0, *decades[:: max(1, -(-len(decades) // 3))]]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(0, 2 * most)
    else:
        axes.set_ylim(0, 1.1 * most)
    axes.set_ylabel("score", color=theme.ink, fontsize=SMALL, family=FONT)
    _write_times(axes, times)


def _write_times(axes: "Axes", times: np.ndarray) -> None:
    if times.dtype.kind == "M":
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=8)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.xaxis.get_offset_text().set(fontsize=SMALL, color=axes.yaxis.label.get_color())


def _note(alarms: int, labelled: bool, warm_up: bool) -> str:
    parts = [f"{alarms} alarm{'s' if alarms != 1 else ''} (dots)", "dashed: threshold"]
    parts += ["orange: labelled"] if labelled else []
    parts += ["grey: warm-up, no score yet"] if warm_up else []
    return " · ".join(parts)
