"""Plots of shapes made of points, such as handwriting, each in its own field."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.errors import OptionError, ShapeError, message
from unrolled.plots.theme import FONT, LIGHT, SMALL, WIDTH, Theme, new_figure, shortened, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN, TITLE = 0.08, 0.3  # inches around a field, and for the name of a group
DOTS = 12  # maximum number of points that are shown as dots


def draw_shapes(
    groups: Mapping[str, Sequence[Any]],
    path: str | Path | None = None,
    offsets: bool = False,
    across: int = 8,
    theme: Theme = LIGHT,
) -> "Figure":
    """Draw groups of shapes under their names, all on one scale.

    Args:
        groups: shapes by the name above them, "" for none. A shape has one row per point: x and y with y upwards,
            and optionally, in a third column, 1 where the pen is lifted after the point.
        path: file to write, .svg, .png or .pdf; None = no file.
        offsets: rows are offsets from the previous point.
        across: number of fields per row.
        theme: `LIGHT` or `DARK`.

    Raises:
        ShapeError: rows of other than two or three numbers.
        OptionError: a path with another ending, or `across` below 1.

    Example:
        >>> figure = draw_shapes({"a corner, and a gap": [[[0, 0], [1, 0], [1, 1]], [[0, 0, 1], [1, 1, 0]]]})
        >>> len(figure.axes)
        2
    """
    drawn = {name: [_points(shape, offsets) for shape in shapes] for name, shapes in groups.items()}
    if across < 1:
        raise OptionError(message("across", expected="an integer >= 1", received=across))
    across = min(across, max((len(shapes) for shapes in drawn.values()), default=1) or 1)
    # on one scale, so that a shape's size can be seen
    span = max(
        (float(np.ptp(points[:, :2], axis=0).max()) for s in drawn.values() for points in s if len(points)), default=0
    )
    span = span or 1.0
    field = WIDTH / across
    rows = {name: math.ceil(len(shapes) / across) for name, shapes in drawn.items()}
    height = sum(field * count + (TITLE if name else 0.0) for name, count in rows.items()) or field
    figure = new_figure(WIDTH, height, theme)
    top = height
    for place, (name, shapes) in enumerate(drawn.items()):
        if name:
            top -= TITLE
            said = shortened(name, WIDTH - 2 * MARGIN, SMALL + 1)
            figure.text(MARGIN / WIDTH, (top + 0.1) / height, said, color=theme.ink, fontsize=SMALL + 1, family=FONT)
        for number, points in enumerate(shapes):
            left, low = number % across * field, top - (number // across + 1) * field
            size = field - 2 * MARGIN
            box = ((left + MARGIN) / WIDTH, (low + MARGIN) / height, size / WIDTH, size / height)
            _draw(figure.add_axes(box), points, span, theme.lines[place % len(theme.lines)], theme)
        top -= rows[name] * field
    return write(figure, path)


def _points(shape: Any, offsets: bool) -> np.ndarray:
    """Return points and lifts, (T, 3)."""
    rows = np.asarray(shape, dtype=float)
    if not rows.size:
        return np.empty((0, 3))
    if rows.ndim != 2 or rows.shape[1] not in (2, 3):
        expected = "rows of x and y, or x, y and whether the pen is lifted"
        raise ShapeError(message("shapes", expected=expected, received=f"shape {rows.shape}"))
    places = np.cumsum(rows[:, :2], axis=0) if offsets else rows[:, :2]
    return np.column_stack([places, rows[:, 2] if rows.shape[1] == 3 else np.zeros(len(rows))])


def _draw(axes: Any, points: np.ndarray, span: float, color: str, theme: Theme) -> None:
    axes.set_facecolor(theme.background)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(theme.tint(theme.muted, 0.3))
    lifts = np.flatnonzero(points[:, 2] > 0.5) + 1
    for stroke in np.split(points, lifts):
        if len(stroke):
            marker = "o" if len(points) <= DOTS or len(stroke) == 1 else ""
            axes.plot(stroke[:, 0], stroke[:, 1], color=color, linewidth=1.4, marker=marker, markersize=2.5)
    middle = (points[:, :2].min(0) + points[:, :2].max(0)) / 2 if len(points) else np.zeros(2)
    reach = 0.56 * span  # a small margin
    axes.set_xlim(middle[0] - reach, middle[0] + reach)
    axes.set_ylim(middle[1] - reach, middle[1] + reach)
