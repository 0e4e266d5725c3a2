"""The pen that draws an unfolded network's nodes and arrows."""

from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.inspection import graph
from unrolled.inspection.graph import Arrow, Node, Unfolding
from unrolled.plots.layout import LINE, ROW, STRIP, STRIPED, WIDEST, Box, NodeLayout, lines_of
from unrolled.plots.theme import BIG, BLUE, FONT, GREEN, ORANGE, PURPLE, SKY, SMALL, Theme, shortened, width_of, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {
    graph.INPUT: SKY,
    graph.PICTURE: SKY,
    graph.VECTOR: SKY,
    graph.STATE: ORANGE,
    graph.PLACE: ORANGE,
    graph.CONTEXT: ORANGE,
    graph.CELL: BLUE,
    graph.NET: BLUE,
    graph.POOLING: BLUE,
    graph.OUTPUT: GREEN,
    graph.LOSS: PURPLE,
    graph.TOTAL: PURPLE,
}
FIRST = 8  # maximum number of shown values of a vector


class Pen:
    """Draws nodes and arrows on axes in inches."""

    def __init__(self, axes: "Axes", theme: Theme, layout: NodeLayout) -> None:
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
        """Draw the first numbers of a vector as colours, at the lower edge of its box."""
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
        wide = unfolding.node(arrow.target).kind in (graph.POOLING, graph.TOTAL, graph.NET)
        end = (source.x, target.y) if wide else (target.x, target.y)
        start = (
            (target.x, source.y)
            if unfolding.node(arrow.source).kind in (graph.POOLING, graph.NET)
            else (source.x, source.y)
        )
        color = self.theme.warning if arrow.stops or arrow.restarts else self.theme.ink
        self.axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                patchA=patches[arrow.source],
                patchB=patches[arrow.target],
                connectionstyle=_way(arrow, unfolding, source, target),
                arrowstyle="-[" if arrow.restarts else "-|>",  # a bar in front of the cell: no state comes in
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
        """Write the weights' name next to the arrow: above a horizontal one, outside of a rising one."""
        name, color = written(arrow.weights), self.theme.ink
        if abs(end[0] - start[0]) > self.layout.pitch:  # a long arrow arrives horizontally
            self.text(target.left - 0.3, target.y + 0.13, name, color, SMALL)
        elif abs(start[1] - end[1]) < 0.01:
            x = (source.right + target.left) / 2 if end[0] > start[0] else (target.right + source.left) / 2
            self.text(x + (0.05 if arrow.stops else 0.0), start[1] + 0.13, name, color, SMALL)
        elif target.bottom - source.top < ROW or name[0] != "s":
            self.text(*self.beside(start, end, source, target, name), name, color, SMALL)

    def beside(
        self, start: tuple[float, float], end: tuple[float, float], source: Box, target: Box, name: str
    ) -> tuple[float, float]:
        """Return the place of a rising arrow's name: above its source, or below its target for the read-out."""
        free = min(target.bottom - source.top, ROW - 0.4)
        y = target.bottom - free / 2 if name[0] == "V" else source.top + free / 2
        x = start[0] + (y - start[1]) / (end[1] - start[1]) * (end[0] - start[0])
        side = 1 if (name[0] == "U" and end[0] > start[0] + 0.01) or name[0] == "s" else -1
        return x + side * (0.07 + width_of(name, SMALL) / 2), y


def _way(arrow: Arrow, unfolding: Unfolding, source: Box, target: Box) -> str:
    """Return the path of an arrow: straight, or around boxes in between."""
    if unfolding.node(arrow.source).kind == graph.INPUT and unfolding.node(arrow.target).kind == graph.OUTPUT:
        return "arc3,rad=0.36"
    if arrow.weights == "start" and target.y - source.y > 1.3:
        return "arc3,rad=-0.3"
    lonely = unfolding.node(arrow.source).kind == graph.CELL and unfolding.node(arrow.target).step is None
    if lonely and unfolding.node(arrow.target).kind == graph.OUTPUT and abs(target.x - source.x) > target.width:
        return "angle,angleA=90,angleB=180,rad=6"
    return "arc3,rad=0"
