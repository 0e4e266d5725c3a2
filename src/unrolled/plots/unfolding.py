"""Plots of unfolded networks as in the lecture: one cell per step, states flowing to the right."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unrolled.inspection import graph
from unrolled.inspection.graph import Unfolding
from unrolled.plots.layout import LINE, lay_out
from unrolled.plots.pair_layout import is_pair, lay_out_pair
from unrolled.plots.pair_pen import PairPen
from unrolled.plots.pen import Pen
from unrolled.plots.theme import LIGHT, SMALL, Theme, new_figure, width_of, write, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN = 0.18
NARROWEST = 4.0  # inches, so that the line about the weights has room
ATTENTION = "orange arrows into c: attention, thicker = more"


def draw_unfolding(
    unfolding: Unfolding, path: str | Path | None = None, theme: Theme = LIGHT, picture: np.ndarray | None = None
) -> "Figure":
    """Draw an unfolding: inputs at the bottom, the same cell at each step, outputs, losses and their sum at the top.

    Values, if the unfolding has them, are shown as a strip of colours (the first 8 numbers) and as the losses.
    A dashed line shows where truncated back-propagation stops the gradient. Where the state restarts, there is also a
    bar before the cell: no state comes in from the previous step.

    In an encoder-decoder the encoder is below the decoder. The width of an arrow of attention is the share of its
    place; a gap's arrow has the shares of all places in it.

    Args:
        unfolding: from `unrolled.inspection.unfolding.unfold`.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.
        picture: the source of a captioner, (S, S) or (S, S, 3) bytes.

    Raises:
        OptionError: a path with another ending.
        UnsupportedError: matplotlib is not installed.

    Example:
        >>> from unrolled.inspection.graph import Arrow, Node
        >>> cell, state = Node("cell_1", graph.CELL, "GRU", 1, 0), Node("s_1", graph.STATE, "s_1", 1, 0)
        >>> nodes = (Node("x_1", graph.INPUT, "x_1", 1), cell, state)
        >>> arrows = (Arrow("x_1", "cell_1", "U"), Arrow("cell_1", "s_1"))
        >>> one = Unfolding("NextStep", "GRU", 1, (1,), nodes, arrows, (), {"U": (12, 3)})
        >>> [text.get_text() for text in draw_unfolding(one).axes[0].texts]
        ['x₁', 'GRU', 's₁', 'U', 'NextStep, GRU, 1 step', 'shared by all steps: U 12×3']
    """
    pair = lay_out_pair(unfolding) if is_pair(unfolding) else None
    layout = pair or lay_out(unfolding)
    below = _notes(unfolding, max(layout.right - layout.left, NARROWEST))
    low = layout.bottom - LINE * len(below) - 0.2 - (0.62 if len(unfolding.windows) > 1 else 0.0)
    high = layout.top + 0.34
    width = max(layout.right - layout.left, NARROWEST) + 2 * MARGIN
    left = (layout.left + layout.right - width) / 2
    figure = new_figure(width, high - low + MARGIN, theme)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, left + width), ylim=(low - MARGIN / 2, high + MARGIN / 2))
    axes.set_axis_off()
    pen = PairPen(axes, theme, pair, picture) if pair else Pen(axes, theme, layout)
    if len(unfolding.windows) > 1:
        _draw_windows(pen, unfolding)
    patches = {node.name: pen.node(node) for node in unfolding.nodes}
    for arrow in unfolding.arrows:
        pen.arrow(arrow, unfolding, patches)
    pen.text(left + MARGIN, high, _title(unfolding), theme.muted, SMALL, ha="left")
    for place, line in enumerate(below):
        y = low + LINE * (len(below) - place - 0.5)
        pen.text((left + left + width) / 2, y, line, theme.muted, SMALL)
    return write(figure, path)


def _title(unfolding: Unfolding) -> str:
    steps = f"{unfolding.length} step{'s' if unfolding.length > 1 else ''}"
    if is_pair(unfolding):
        steps = f"{unfolding.places} place{'s' if unfolding.places != 1 else ''}, {steps}"
    return f"{unfolding.arrangement}, {unfolding.cell}, {steps}"


def _notes(unfolding: Unfolding, width: float) -> list[str]:
    """Return the shared weights with their shapes, and the notes, in lines of limited width."""
    parts = [f"{written(name)} {'×'.join(map(str, shape))}" for name, shape in unfolding.weights.items()]
    lines = _filled([f"shared by all steps: {parts[0]}", *parts[1:]], ", ", width)
    legend = [ATTENTION] if any(arrow.share is not None for arrow in unfolding.arrows) else []
    notes = [*legend, *unfolding.notes]
    return lines + [line for note in notes for line in _filled(note.split(" "), " ", width)]


def _filled(parts: list[str], between: str, width: float) -> list[str]:
    """Join parts to lines of a width in inches."""
    lines = parts[:1]
    for part in parts[1:]:
        longer = f"{lines[-1]}{between}{part}"
        if width_of(longer, SMALL) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _draw_windows(pen: Pen, unfolding: Unfolding) -> None:
    """Draw below the inputs how far each gradient flows back, with a dashed line where it stops."""
    columns, y = pen.layout.columns, pen.layout.bottom - 0.28
    for window in unfolding.windows:
        inside = [step for step in unfolding.shown if window.start <= step <= window.stop]
        if not inside:
            continue
        left, right = columns[inside[0]] - 0.35, columns[inside[-1]] + 0.35
        style = "<|-" if window.learns else "-"
        pen.axes.annotate(
            "",
            (right, y),
            (left, y),
            arrowprops={
                "arrowstyle": style,
                "color": pen.theme.warning if window.learns else pen.theme.muted,
                "linestyle": "solid" if window.learns else "dotted",
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
        steps = f"{window.start}–{window.stop}" if window.stop > window.start else f"{window.start}"
        text = f"gradient {steps}" if window.learns else f"no gradient {steps}"
        pen.text((left + right) / 2, y - 0.16, text, pen.theme.ink, SMALL)
    for window, after in zip(unfolding.windows, unfolding.windows[1:], strict=False):
        if {window.stop, after.start} <= set(unfolding.shown):
            state = next(n for n in unfolding.of_kind(graph.STATE) if n.step == window.stop)
            x = pen.layout.boxes[state.name].right + 0.08
            says = "restarts" if after.start in unfolding.restarts else "stops"
            pen.text(x, y - 0.34, says, pen.theme.warning, SMALL)
            pen.axes.plot(
                [x, x], [y - 0.26, pen.layout.top - 0.6], color=pen.theme.warning, linestyle=(0, (4, 3)), lw=1.2
            )
