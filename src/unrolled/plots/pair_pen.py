"""The pen for encoder-decoders: arrows of attention, contexts, and outputs that are fed back as inputs."""

from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.inspection import graph
from unrolled.inspection.graph import Arrow, Node, Unfolding
from unrolled.plots.layout import Box
from unrolled.plots.pair_layout import APART, ASIDE, PairLayout
from unrolled.plots.pen import COLORS, Pen
from unrolled.plots.theme import ORANGE, SMALL, Theme, width_of, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THIN, THICK = 0.35, 3.0  # line widths in points for attention 0 and 1
FAINT = 0.05  # below this attention an arrow has no head
BEND = 0.15  # inches below a cell at which lines turn
Point = tuple[float, float]


class PairPen(Pen):
    """A `Pen` that also draws the parts between encoder and decoder."""

    layout: PairLayout

    def __init__(self, axes: "Axes", theme: Theme, layout: PairLayout, picture: np.ndarray | None = None) -> None:
        super().__init__(axes, theme, layout)
        self.picture = picture

    def node(self, node: Node) -> Any:
        if node.kind != graph.PICTURE or self.picture is None:
            return super().node(node)
        from matplotlib.patches import Rectangle

        box = self.layout.boxes[node.name]
        colors: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if self.picture.ndim == 2 else {}
        extent = (box.left, box.right, box.bottom, box.top)
        self.axes.imshow(self.picture, extent=extent, aspect="auto", interpolation="nearest", zorder=2, **colors)
        edge = self.theme.lines[COLORS[graph.PICTURE]]
        frame = Rectangle((box.left, box.bottom), box.width, box.height, fill=False, edgecolor=edge, zorder=3)
        self.axes.add_patch(frame)
        return frame

    def arrow(self, arrow: Arrow, unfolding: Unfolding, patches: dict[str, Any]) -> None:
        source, target = unfolding.node(arrow.source), unfolding.node(arrow.target)
        a, b = self.layout.boxes[arrow.source], self.layout.boxes[arrow.target]
        if arrow.share is not None:
            self._attention(min(arrow.share, 1.0), (a.x, a.top), (b.x, b.bottom))
        elif arrow.feeds:
            lane = self.layout.columns[source.step or 1] + self.layout.feed
            self._line([(a.right, a.y), (lane, a.y), (lane, b.y), (b.left, b.y)], self.theme.muted, dashed=True)
        elif source.kind == graph.CONTEXT:
            end, lane = min(b.x + b.width / 2 - 0.1, a.x), a.x + ASIDE
            turn = b.bottom - BEND
            orange = self.theme.lines[ORANGE]
            self._line([(lane, a.top), (lane, turn), (end, turn), (end, b.bottom)], orange)
        elif target.kind == graph.CONTEXT:
            start, lane, turn = a.x + a.width / 2 - 0.1, b.x - ASIDE, a.bottom - BEND
            self._line([(start, a.bottom), (start, turn), (lane, turn), (lane, b.top)], self.theme.ink)
        elif source.name == "v":
            self._start(arrow.weights, a, b, first=not target.layer)
        elif target.name == "v":
            start = (a.left, a.y) if source.kind == graph.NET else (a.x, a.top)
            self._line([start, (b.x, b.bottom)], self.theme.muted)
        else:
            super().arrow(arrow, unfolding, patches)

    def name(self, arrow: Arrow, start: Point, end: Point, source: Any, target: Any) -> None:
        """Write the weights' name of a state, right of the lane for fed-back outputs."""
        if arrow.weights.startswith("Wᵈ") and abs(start[1] - end[1]) < 0.01:
            label = written(arrow.weights)
            self.text(target.left - 0.1 - width_of(label, SMALL) / 2, start[1] + 0.13, label, self.theme.ink, SMALL)
        else:
            super().name(arrow, start, end, source, target)

    def _start(self, name: str, a: Box, b: Box, first: bool) -> None:
        """Draw the line from the source vector to the first state of a layer, passing lower layers at the side."""
        if first:
            self._line([(a.x, a.top), (b.x, b.bottom)], self.theme.ink)
            x, y = a.x + 0.08 + width_of(name, SMALL) / 2, (a.top + b.bottom) / 2
            self.text(x, y, name, self.theme.ink, SMALL)
        else:
            lane = b.left - APART
            self._line([(a.left + 0.08, a.top), (lane, a.top + 0.08), (lane, b.y), (b.left, b.y)], self.theme.ink)

    def _attention(self, share: float, start: Point, end: Point) -> None:
        from matplotlib.patches import FancyArrowPatch

        self.axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>" if share > FAINT else "-",
                mutation_scale=7,
                linewidth=THIN + (THICK - THIN) * share,
                color=self.theme.tint(self.theme.lines[ORANGE], 0.25 + 0.75 * share**0.5),
                shrinkA=1,
                shrinkB=1,
                zorder=0.5 + 0.4 * share,  # the thickest on top
            )
        )

    def _line(self, points: list[Point], color: Any, dashed: bool = False) -> None:
        """Draw an arrow through points, with a head at the last one."""
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        self.axes.add_patch(
            FancyArrowPatch(
                path=Path(points),
                arrowstyle="-|>",
                mutation_scale=8,
                linewidth=1.0,
                linestyle=(0, (3, 2)) if dashed else "solid",
                joinstyle="round",
                facecolor=color,
                edgecolor=color,
                fill=False,
                zorder=1,
            )
        )
