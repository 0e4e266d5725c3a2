"""Plots of curves over a common axis, each with its name at its end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unrolled.plots.theme import FONT, LIGHT, SMALL, Theme, new_axes, new_figure, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 6.4, 3.6  # inches
DASHES = ("-", "--", "-.", ":")  # line styles, in addition to colours

Points = tuple[Sequence[float], Sequence[float]]  # along and up


def draw_curves(
    curves: Mapping[str, Points],
    title: str,
    along: str,
    up: str,
    log: bool = False,
    levels: Mapping[str, float] | None = None,
    path: str | Path | None = None,
    theme: Theme = LIGHT,
) -> "Figure":
    """Draw curves by name.

    Args:
        curves: the points of each; numbers that are not finite are left out, on a logarithmic axis also those <= 0.
        title: of the picture.
        along: label of the horizontal axis.
        up: label of the vertical axis.
        log: whether the vertical axis is logarithmic.
        levels: horizontal lines by name.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(WIDTH, HEIGHT, theme)
    axes = new_axes(figure, theme)
    axes.set_position((0.13, 0.15, 0.83, 0.70))
    for place, (name, (x, y)) in enumerate(curves.items()):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        shown = np.isfinite(y) & ((y > 0) | (not log))
        color, dashes = theme.lines[place % len(theme.lines)], DASHES[place % len(DASHES)]
        dots = "o" if shown.sum() < 3 else ""
        axes.plot(x[shown], y[shown], label=name, linewidth=1.8, marker=dots, color=color, linestyle=dashes)
    for name, level in (levels or {}).items():
        axes.axhline(level, color=theme.muted, linewidth=0.9, linestyle=":", label=name)
    if all(float(one).is_integer() for x, _ in curves.values() for one in x):
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))  # steps are whole numbers
    if log:
        axes.set_yscale("log")
        axes.minorticks_off()
    axes.grid(color=theme.tint(theme.muted, 0.3), linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(along, color=theme.ink, fontsize=SMALL, family=FONT)
    axes.set_ylabel(up, color=theme.ink, fontsize=SMALL, family=FONT)
    if len(curves) + len(levels or {}) > 1:
        axes.legend(frameon=False, labelcolor=theme.ink, fontsize=SMALL)
    figure.text(0.02, 0.94, title, color=theme.ink, fontsize=SMALL + 1, va="center", family=FONT)
    return write(figure, path)
