"""Plots of attention over a text: source pieces from left to right, target pieces downwards."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.errors import OptionError, message
from unrolled.inspection.alignment import Alignment
from unrolled.plots.scale import draw_scale
from unrolled.plots.theme import (
    FONT,
    LIGHT,
    SMALL,
    WIDTH,
    Theme,
    new_axes,
    new_figure,
    shortened,
    visible,
    width_of,
    write,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL, LARGEST_CELL = 0.19, 0.42  # inches
NAME = 1.1  # maximum width of a piece, in inches
ROWS = 28  # maximum number of target pieces
RIGHT, FOOT, TITLE, AXIS = 0.15, 0.55, 0.36, 0.24  # inches of margins
GAP = "…"


def draw_alignment(
    alignment: Alignment, title: str = "", path: str | Path | None = None, theme: Theme = LIGHT
) -> "Figure":
    """Draw a matrix of attention: one column per source piece, one row per target piece; each row sums to 1.

    Of long texts the first and last pieces are shown. The column of the others is the sum of their attention, and the
    row of the others is their mean, so that no attention is hidden.

    Args:
        alignment: of `Translator.align`, or of vectors that stand for places.
        title: above it; none = "Attention of each piece".
        path: where to write it, as .svg, .png or .pdf; None = nowhere.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: an empty source or target, or a path with another ending.

    Example:
        >>> figure = draw_alignment(Alignment(("a", "b"), ("b", "a"), np.array([[0.1, 0.9], [0.8, 0.2]])))
        >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
        ['a', 'b']
    """
    if not alignment.read or not alignment.written:
        found = "a picture" if any(alignment.grid) else "none"
        raise OptionError(message("alignment", expected="pieces that were read and written", received=found))
    written, weights, fewer = _shortened(alignment.written, alignment.weights, ROWS, np.mean)
    rows = [_named(piece) for piece in written]
    left = max(width_of(row, SMALL) for row in rows) + 0.42
    read, columns, narrower = _shortened(alignment.read, weights.T, int((WIDTH - left - RIGHT) / CELL), np.sum)
    weights = columns.T
    names = [_named(piece) for piece in read]
    cell = min(LARGEST_CELL, (WIDTH - left - RIGHT) / len(names))
    widest = max(width_of(name, SMALL) for name in names)
    upright = widest > cell - 0.05  # names that are too wide are rotated
    tall = min(cell, LARGEST_CELL if len(rows) < 12 else 0.24)
    above = TITLE + AXIS + (widest if upright else 0.14) + 0.1
    height = above + tall * len(rows) + FOOT
    figure = new_figure(WIDTH, height, theme)
    axes = new_axes(figure, theme)
    axes.set_position((left / WIDTH, FOOT / height, cell * len(names) / WIDTH, tall * len(rows) / height))
    axes.imshow(weights, cmap=theme.sequential, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(rows)), rows, fontsize=SMALL, family=FONT, parse_math=False)
    axes.set_xticks(range(len(names)), names, fontsize=SMALL, family=FONT, parse_math=False, rotation=90 * upright)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=3)
    _outline(axes, theme)
    style: dict[str, Any] = {"fontsize": SMALL, "family": FONT, "color": theme.muted, "va": "center"}
    said = shortened(title or "Attention of each piece", WIDTH - 0.45, SMALL + 1)
    figure.text(
        0.12 / WIDTH, 1 - 0.2 / height, said, color=theme.ink, fontsize=SMALL + 1, va="center", family=FONT,
        parse_math=False,
    )  # fmt: skip
    figure.text(left / WIDTH, 1 - (TITLE + 0.08) / height, f"read{_hidden(narrower, 'added up')}", **style)
    middle = (FOOT + tall * len(rows) / 2) / height
    says = f"written{_hidden(fewer, 'averaged')}"
    figure.text(0.16 / WIDTH, middle, says, rotation=90, ha="center", **style)
    draw_scale(figure, theme, theme.sequential, (0.0, 1.0), left, "share of attention")
    return write(figure, path)


def _outline(axes: Any, theme: Theme) -> None:
    """Draw a thin frame, so that cells without attention are visible."""
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(theme.tint(theme.muted, 0.4))


def _named(piece: str) -> str:
    """Return the label of a piece, with visible spaces at its ends."""
    return shortened(piece if piece == piece.strip() else visible(piece), NAME)


def _hidden(count: int, how: str) -> str:
    return f"; {GAP} is {count} pieces, {how}" if count else ""


def _shortened(pieces: Sequence[str], rows: np.ndarray, most: int, as_one: Any) -> tuple[list[str], np.ndarray, int]:
    """Keep at most `most` pieces, two thirds from the start and one from the end; return also how many were joined."""
    if len(pieces) <= most:
        return list(pieces), rows, 0
    last = (most - 1) // 3
    first = most - 1 - last
    end = len(pieces) - last
    between = as_one(rows[first:end], axis=0)[None]  # (1, ...)
    return [*pieces[:first], GAP, *pieces[end:]], np.concatenate([rows[:first], between, rows[end:]]), end - first
