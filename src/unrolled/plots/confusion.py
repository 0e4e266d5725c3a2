"""Plots of confusion matrices."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unrolled.errors import OptionError, message
from unrolled.metrics.confusion import MOST_CLASSES, Confusion, one_line
from unrolled.plots.theme import FONT, LIGHT, SMALL, WIDTH, Theme, new_axes, new_figure, shortened, width_of, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = 1.6  # maximum width of a class name, in inches
CELL, LARGEST_CELL = 0.26, 0.5  # inches
ABOVE, BELOW, RIGHT = 0.62, 0.15, 0.15
DARK_FROM = 0.6  # share of a row from which a number is written in the background colour


def draw_confusion(confusion: Confusion, path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """Draw a confusion matrix: counts as numbers, shares of the true class as colours.

    Args:
        confusion: from `unrolled.metrics.confusion.confusion`, of at most 20 classes.
        path: where to write it, as .svg, .png or .pdf; None = nowhere.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: more classes, or none, or a path with another ending.

    Example:
        >>> figure = draw_confusion(Confusion(("cat", "dog"), np.array([[3, 1], [0, 5]])))
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['1 cat', '2 dog']
    """
    size = len(confusion.classes)
    if not 1 <= size <= MOST_CLASSES:
        raise OptionError(message("confusion", expected=f"1 to {MOST_CLASSES} classes", received=size))
    names = [shortened(f"{place} {one_line(name)}", NAME) for place, name in enumerate(confusion.classes, 1)]
    left = max(width_of(name, SMALL) for name in names) + 0.25
    digits = max(width_of(str(count), SMALL) for count in confusion.counts.flat)
    cell = max(CELL, digits + 0.1, min(LARGEST_CELL, (WIDTH - left - RIGHT) / size))
    width, height = max(WIDTH, left + size * cell + RIGHT), ABOVE + size * cell + BELOW
    figure = new_figure(width, height, theme)
    axes = new_axes(figure, theme)
    axes.set_position((left / width, BELOW / height, size * cell / width, size * cell / height))
    total = confusion.counts.sum(1, keepdims=True)
    shares = confusion.counts / np.maximum(total, 1)  # (V, V)
    axes.imshow(shares, cmap=theme.sequential, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for (row, column), count in np.ndenumerate(confusion.counts):
        if count:
            color = theme.background if shares[row, column] > DARK_FROM else theme.ink
            axes.text(column, row, str(count), color=color, fontsize=SMALL, family=FONT, ha="center", va="center")
    axes.set_yticks(range(size), names, fontsize=SMALL, family=FONT, parse_math=False)
    axes.set_xticks(range(size), [str(place) for place in range(1, size + 1)], fontsize=SMALL, family=FONT)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    title = "Rows: true classes; columns: predictions"
    figure.text(0.12 / width, 1 - 0.2 / height, title, color=theme.ink, fontsize=SMALL + 1, va="center", family=FONT)
    return write(figure, path)
