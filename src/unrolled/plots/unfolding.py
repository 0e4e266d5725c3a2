"""Draws an unfolded network the way the lecture does: one cell for each step, states flowing to the right."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.inspection import graph
from unrolled.inspection.graph import Arrow, Node, Unfolding
from unrolled.plots.layout import LINE, ROW, STRIP, STRIPED, WIDEST, Box, Layout, lay_out, lines_of
from unrolled.plots.theme import (
    BIG,
    BLUE,
    FONT,
    GREEN,
    LIGHT,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    Theme,
    new_figure,
    shortened,
    width_of,
    write,
    written,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.18
NARROWEST = 4.0  # inches, so that the line about the weights has room
COLORS = {
    graph.INPUT: SKY,
    graph.VECTOR: SKY,
    graph.STATE: ORANGE,
    graph.CELL: BLUE,
    graph.POOLING: BLUE,
    graph.OUTPUT: GREEN,
    graph.LOSS: PURPLE,
    graph.TOTAL: PURPLE,
}
FIRST = 8  # numbers shown of a vector


def draw_unfolding(unfolding: Unfolding, path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """The picture of an unfolding: inputs below, the same cell at each step, outputs, losses and their sum above.

    Real values, where the unfolding has them, show as a strip of colours (its first 8 numbers) and as the losses.
    A dashed line shows where truncated back-propagation stops the gradient. Where the state restarts, a bar stands
    before the cell as well: nothing comes in from the step before.

    Args:
        unfolding: from `unrolled.inspection.unfolding.unfold`.
        path: where to write it, as .svg, .png or .pdf; None = nowhere.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: a path with another ending.
        UnsupportedError: matplotlib is not installed.

    Example:
        >>> cell, state = Node("cell_1", graph.CELL, "GRU", 1, 0), Node("s_1", graph.STATE, "s_1", 1, 0)
        >>> nodes = (Node("x_1", graph.INPUT, "x_1", 1), cell, state)
        >>> arrows = (Arrow("x_1", "cell_1", "U"), Arrow("cell_1", "s_1"))
        >>> one = Unfolding("NextStep", "GRU", 1, (1,), nodes, arrows, (), {"U": (12, 3)})
        >>> [text.get_text() for text in draw_unfolding(one).axes[0].texts]
        ['x₁', 'GRU', 's₁', 'U', 'NextStep, GRU, 1 step', 'shared by all steps: U 12×3']
    """
    layout = lay_out(unfolding)
    below = _notes(unfolding, max(layout.right - layout.left, NARROWEST))
    low = layout.bottom - LINE * len(below) - 0.2 - (0.62 if len(unfolding.windows) > 1 else 0.0)
    high = layout.top + 0.34
    width = max(layout.right - layout.left, NARROWEST) + 2 * MARGIN
    left = (layout.left + layout.right - width) / 2
    figure = new_figure(width, high - low + MARGIN, theme)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, left + width), ylim=(low - MARGIN / 2, high + MARGIN / 2))
    axes.set_axis_off()
    pen = _Pen(axes, theme, layout)
    if len(unfolding.windows) > 1:
        pen.windows(unfolding)
    patches = {node.name: pen.node(node) for node in unfolding.nodes}
    for arrow in unfolding.arrows:
        pen.arrow(arrow, unfolding, patches)
    steps = f"{unfolding.length} step{'s' if unfolding.length > 1 else ''}"
    title = f"{unfolding.arrangement}, {unfolding.cell}, {steps}"
    pen.text(left + MARGIN, high, title, theme.muted, SMALL, ha="left")
    for place, line in enumerate(below):
        y = low + LINE * (len(below) - place - 0.5)
        pen.text((left + left + width) / 2, y, line, theme.muted, SMALL)
    return write(figure, path)


def _notes(unfolding: Unfolding, width: float) -> list[str]:
    """The shared weights and their shapes, in lines that are not too long."""
    parts = [f"{written(name)} {'×'.join(map(str, shape))}" for name, shape in unfolding.weights.items()]
    lines = [f"shared by all steps: {parts[0]}"]
    for part in parts[1:]:
        longer = f"{lines[-1]}, {part}"
        if width_of(longer, SMALL) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


class _Pen:
    """Draws nodes, arrows and windows on axes whose unit is an inch."""

    def __init__(self, axes: "Axes", theme: Theme, layout: Layout) -> None:
        self.axes, self.theme, self.layout = axes, theme, layout

    def text(self, x: float, y: float, text: str, color: str, size: float = BIG, ha: str = "center") -> None:
        self.axes.text(x, y, text, color=color, fontsize=size, ha=ha, va="center", family=FONT, parse_math=False)

    # ---- nodes ---------------------------------------------------------------------------------

    def node(self, node: Node) -> Any:
        from matplotlib.patches import FancyBboxPatch

        box = self.layout.boxes[node.name]
        if node.kind == graph.GAP:
            self.text(box.x, box.y, "…", self.theme.muted, 1.6 * BIG)
        color = self.theme.muted if node.kind in (graph.GAP, graph.JOIN) else self.theme.lines[COLORS[node.kind]]
        round_ = min(box.height / 2 - 0.01, box.width / 2 - 0.01, 0.04 if node.kind == graph.CELL else 0.2)
        patch = FancyBboxPatch(
            (box.left + round_, box.bottom + round_),
            box.width - 2 * round_,
            box.height - 2 * round_,
            boxstyle=f"round,pad={round_},rounding_size={round_}",
            facecolor="none"
            if node.kind == graph.GAP
            else self.theme.tint(color, 1.0 if node.kind == graph.JOIN else 0.22),
            edgecolor="none" if node.kind == graph.GAP else color,
            linewidth=1.2,
            zorder=2,
        )
        self.axes.add_patch(patch)
        lines = lines_of(node)
        striped = node.kind in STRIPED and bool(node.values)
        for place, line in enumerate(lines):
            y = box.y + (STRIP / 2 if striped else 0) + LINE * ((len(lines) - 1) / 2 - place)
            size, room = (SMALL, WIDEST) if place else (BIG, box.width)
            self.text(box.x, y, shortened(line, room, size), self.theme.ink, size)
        if striped:
            self.strip(node, box)
        return patch

    def strip(self, node: Node, box: Box) -> None:
        """The first numbers of a vector as colours, inside its box at the lower edge."""
        values = np.array(next(iter(node.values.values()))[:FIRST])
        limit = np.abs(values).max() or 1.0
        half = min(box.width - 0.14, 0.07 * len(values)) / 2
        self.axes.imshow(
            values[None] / limit,
            cmap=self.theme.diverging,
            vmin=-1,
            vmax=1,
            extent=(box.x - half, box.x + half, box.bottom + 0.06, box.bottom + 0.06 + 0.8 * STRIP),
            aspect="auto",
            interpolation="nearest",
            zorder=3,
        )

    # ---- arrows --------------------------------------------------------------------------------

    def arrow(self, arrow: Arrow, unfolding: Unfolding, patches: dict[str, Any]) -> None:
        from matplotlib.patches import FancyArrowPatch

        source, target = self.layout.boxes[arrow.source], self.layout.boxes[arrow.target]
        wide = unfolding.node(arrow.target).kind in (graph.POOLING, graph.TOTAL)
        end = (source.x, target.y) if wide else (target.x, target.y)
        start = (target.x, source.y) if unfolding.node(arrow.source).kind == graph.POOLING else (source.x, source.y)
        color = self.theme.warning if arrow.stops or arrow.restarts else self.theme.ink
        self.axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                patchA=patches[arrow.source],
                patchB=patches[arrow.target],
                connectionstyle=_way(arrow, unfolding, source, target),
                arrowstyle="-[" if arrow.restarts else "-|>",  # a bar in front of the cell: nothing comes in
                mutation_scale=4 if arrow.restarts else 8,
                linewidth=1.0,
                linestyle=(0, (2, 2)) if arrow.stops else "solid",
                color=color,
                shrinkA=0,
                shrinkB=4 if arrow.restarts else 1,
                zorder=1,
            )
        )
        if arrow.weights:
            self.name(arrow, start, end, source, target)

    def name(
        self, arrow: Arrow, start: tuple[float, float], end: tuple[float, float], source: Box, target: Box
    ) -> None:
        """The weights' name beside the arrow: above a level one, to the outside of a rising one."""
        name, color = written(arrow.weights), self.theme.ink
        if abs(end[0] - start[0]) > self.layout.pitch:  # from afar, it arrives level
            self.text(target.left - 0.3, target.y + 0.13, name, color, SMALL)
        elif abs(start[1] - end[1]) < 0.01:
            x = (source.right + target.left) / 2 if end[0] > start[0] else (target.right + source.left) / 2
            self.text(x + (0.05 if arrow.stops else 0.0), start[1] + 0.13, name, color, SMALL)
        elif target.bottom - source.top < ROW or name[0] != "s":
            self.text(*self.beside(start, end, source, target, name), name, color, SMALL)

    def beside(
        self, start: tuple[float, float], end: tuple[float, float], source: Box, target: Box, name: str
    ) -> tuple[float, float]:
        """Where a rising arrow's name goes: in the free space over its source, or under its target for the read-out."""
        free = min(target.bottom - source.top, ROW - 0.4)
        y = target.bottom - free / 2 if name[0] == "V" else source.top + free / 2
        x = start[0] + (y - start[1]) / (end[1] - start[1]) * (end[0] - start[0])
        side = 1 if (name[0] == "U" and end[0] > start[0] + 0.01) or name[0] == "s" else -1
        return x + side * (0.07 + width_of(name, SMALL) / 2), y

    # ---- truncated back-propagation --------------------------------------------------------------

    def windows(self, unfolding: Unfolding) -> None:
        """Below the inputs, how far each gradient flows back; a dashed line where it stops."""
        columns, y = self.layout.columns, self.layout.bottom - 0.28
        for window in unfolding.windows:
            inside = [step for step in unfolding.shown if window.start <= step <= window.stop]
            if not inside:
                continue
            left, right = columns[inside[0]] - 0.35, columns[inside[-1]] + 0.35
            style = "<|-" if window.learns else "-"
            self.axes.annotate(
                "",
                (right, y),
                (left, y),
                arrowprops={
                    "arrowstyle": style,
                    "color": self.theme.warning if window.learns else self.theme.muted,
                    "linestyle": "solid" if window.learns else "dotted",
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )
            steps = f"{window.start}–{window.stop}" if window.stop > window.start else f"{window.start}"
            text = f"gradient {steps}" if window.learns else f"no gradient {steps}"
            self.text((left + right) / 2, y - 0.16, text, self.theme.ink, SMALL)
        for window, after in zip(unfolding.windows, unfolding.windows[1:], strict=False):
            if {window.stop, after.start} <= set(unfolding.shown):
                state = next(n for n in unfolding.of_kind(graph.STATE) if n.step == window.stop)
                x = self.layout.boxes[state.name].right + 0.08
                says = "restarts" if after.start in unfolding.restarts else "stops"
                self.text(x, y - 0.34, says, self.theme.warning, SMALL)
                self.axes.plot(
                    [x, x], [y - 0.26, self.layout.top - 0.6], color=self.theme.warning, linestyle=(0, (4, 3)), lw=1.2
                )


def _way(arrow: Arrow, unfolding: Unfolding, source: Box, target: Box) -> str:
    """Straight, but around what would be in between."""
    if unfolding.node(arrow.source).kind == graph.INPUT and unfolding.node(arrow.target).kind == graph.OUTPUT:
        return "arc3,rad=0.36"
    if arrow.weights == "start" and target.y - source.y > 1.3:
        return "arc3,rad=-0.3"
    lonely = unfolding.node(arrow.source).kind == graph.CELL and unfolding.node(arrow.target).step is None
    if lonely and unfolding.node(arrow.target).kind == graph.OUTPUT and abs(target.x - source.x) > target.width:
        return "angle,angleA=90,angleB=180,rad=6"
    return "arc3,rad=0"
