"""Heat maps over time, broken into lines like text, with the input of each step below."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from unrolled.plots.scale import draw_scale
from unrolled.plots.theme import FONT, INCH, SMALL, WIDTH, Theme, new_axes, new_figure, shortened, visible, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

HIGH = 0.17  # inches of a row
ABOVE, BELOW = 0.5, 0.34  # inches for the title, and under each line for its inputs
WORD = 0.8  # maximum width of a step's label, in inches


def draw_bands(
    rows: Mapping[str, Sequence[float] | np.ndarray],
    labels: Sequence[str],
    title: str,
    theme: Theme,
    colors: "Colormap",
    limits: tuple[float, float],
) -> "Figure":
    """Draw rows of colours over the steps of a sequence, in as many lines as needed.

    Args:
        rows: (T,) by the name on the left.
        labels: input of each step, (T,); without them the axis counts steps.
        title: above the picture.
        theme: colours of the text.
        colors: map from values to colours.
        limits: the values of the first and the last colour.
    """
    values = np.array([np.asarray(row, dtype=float) for row in rows.values()])  # (K, T)
    length = values.shape[1]
    left = max(width_of(name, SMALL) for name in rows) + 0.2
    per_line = _steps_in_line(labels, length, WIDTH - left - 0.15)
    lines = -(-length // per_line)
    high = HIGH * len(rows)
    total = ABOVE + lines * (high + BELOW) + 0.5
    figure = new_figure(WIDTH, total, theme)
    figure.text(0.12 / WIDTH, 1 - 0.2 / total, title, color=theme.ink, fontsize=SMALL + 1, va="center", family=FONT)
    step = (WIDTH - left - 0.15) / per_line  # inches
    for line in range(lines):
        part = slice(line * per_line, min((line + 1) * per_line, length))
        count = part.stop - part.start
        bottom = total - ABOVE - (line + 1) * high - line * BELOW
        axes = new_axes(figure, theme)
        axes.set_position((left / WIDTH, bottom / total, count * step / WIDTH, high / total))
        axes.imshow(
            values[:, part], cmap=colors, vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest"
        )
        axes.set_yticks(range(len(rows)), list(rows), fontsize=SMALL, family=FONT, parse_math=False)
        axes.tick_params(length=0)
        if labels:
            shown = [shortened(visible(text), WORD) for text in labels[part]]
            axes.set_xticks(range(count), shown, fontsize=SMALL, family=FONT, parse_math=False)
        else:
            _count_steps(axes, part.start, count)
    draw_scale(figure, theme, colors, limits, left)
    return figure


def symmetric(values: np.ndarray) -> tuple[float, float]:
    """Return limits symmetric around zero that include all values."""
    limit = float(np.abs(values).max(initial=0.0)) or 1.0
    return -limit, limit


def _steps_in_line(labels: Sequence[str], length: int, width: float) -> int:
    """Return the steps per line, so that the widest label fits; without labels all steps."""
    if not labels:
        return length
    widest = max(min(width_of(visible(text), SMALL), WORD) for text in labels)
    most = max(1, int(width / max(widest + 0.05, 11 / INCH)))
    return -(-length // -(-length // most))  # as many lines as needed, all of one length


def _count_steps(axes: "Axes", start: int, count: int) -> None:
    every = max(1, -(-count // 8))
    places = list(range(0, count, every))
    axes.set_xticks(places, [str(start + place + 1) for place in places])
