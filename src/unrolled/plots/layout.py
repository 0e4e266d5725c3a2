"""Layout of an unfolded network in inches: time from left to right, inputs at the bottom, losses at the top."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from unrolled.inspection import graph
from unrolled.inspection.graph import Node, Unfolding
from unrolled.plots.theme import BIG, SMALL, visible, width_of, written

PAD = 0.16  # around a label, both sides together
LINE = 0.19  # height of a line of text
ROW = 0.86  # from one row of cells to the next
STRIP = 0.1  # height of the strip of colours that shows a vector's numbers
WIDEST = 0.9  # maximum width of a text in a box
STRIPED = (graph.INPUT, graph.VECTOR, graph.STATE, graph.OUTPUT)  # kinds with a strip, if they have numbers


@dataclass(frozen=True)
class Box:
    """The centre and the size of a node."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y + self.height / 2

    @property
    def bottom(self) -> float:
        return self.y - self.height / 2


@dataclass
class NodeLayout:
    """The boxes by node name, and the centre of each shown step's column."""

    boxes: dict[str, Box] = field(default_factory=dict)
    columns: dict[int, float] = field(default_factory=dict)
    pitch: float = 0.0

    @property
    def left(self) -> float:
        return min(box.left for box in self.boxes.values())

    @property
    def right(self) -> float:
        return max(box.right for box in self.boxes.values())

    @property
    def top(self) -> float:
        return max(box.top for box in self.boxes.values())

    @property
    def bottom(self) -> float:
        return min(box.bottom for box in self.boxes.values())


def lay_out(unfolding: Unfolding, pitch: float = 0.0) -> NodeLayout:
    """Place the boxes of all nodes, large enough for their labels and without overlap.

    Args:
        unfolding: to draw.
        pitch: minimum inches from one step to the next.
    """
    sizes = {
        kind: size_of(unfolding.of_kind(kind))
        for kind in (graph.INPUT, graph.VECTOR, graph.STATE, graph.CELL, graph.OUTPUT, graph.LOSS)
    }
    both = any(node.direction == "backward" for node in unfolding.nodes)
    aside = sizes[graph.CELL][0] / 2 + 0.05 if both else 0.0  # forward cells to the left, backward ones to the right
    layout = NodeLayout(pitch=max(pitch, _pitch(unfolding, sizes, aside)))
    layout.columns = _columns(unfolding.shown, layout.pitch)
    heights = _heights(unfolding)
    for node in unfolding.nodes:
        layout.boxes[node.name] = _box(node, unfolding, layout, sizes, heights, aside)
    return layout


def lines_of(node: Node) -> list[str]:
    """Return the texts in a node: its label, and below it its text or its loss."""
    if node.kind in (graph.JOIN, graph.GAP):
        return []
    if node.kind == graph.CELL:
        return [written(node.label)]
    cost = [f"{values[0]:.3g}" for name, values in node.values.items() if name == "J"]
    if node.kind == graph.TOTAL:
        return [" = ".join([written(node.label), *cost])]
    return [written(node.label), *([visible(node.text)] if node.text else []), *cost]


def size_of(nodes: list[Node]) -> tuple[float, float]:
    """Return the width and height that fit the lines of each of these nodes."""
    width, count = 0.2, 1  # inches, lines
    strip = STRIP if any(node.values and node.kind in STRIPED for node in nodes) else 0.0
    for node in nodes:
        first, *more = lines_of(node) or [""]
        width = max(width, width_of(first, BIG), *(min(width_of(line, SMALL), WIDEST) for line in more), 0)
        count = max(count, 1 + len(more))
    return width + PAD, LINE * count + 0.13 + strip


def _pitch(unfolding: Unfolding, sizes: dict[str, tuple[float, float]], aside: float) -> float:
    """Return the distance between steps: a cell, a state, and two arrows, one of them with a name."""
    name = max((width_of(written(name)) for name in unfolding.weights if name[0] == "W"), default=0.0)
    stops = 0.14 if len(unfolding.windows) > 1 else 0.0
    cell, state = sizes[graph.CELL][0], sizes[graph.STATE][0]
    along = cell + state + 0.24 + max(0.26, name + 0.16) + stops
    widest = max(sizes[kind][0] for kind in (graph.INPUT, graph.OUTPUT, graph.LOSS)) + 0.1
    known = sizes[graph.VECTOR][0] + 0.3 if unfolding.arrangement == "DirectForecast" else 0.0
    return max(along, widest + known, 3 * aside + state + 0.2)


def _columns(shown: tuple[int, ...], pitch: float) -> dict[int, float]:
    columns, x = {}, 0.0
    for place, step in enumerate(shown):
        if place:
            x += pitch if step == shown[place - 1] + 1 else 1.6 * pitch
        columns[step] = x
    return columns


def _heights(unfolding: Unfolding) -> dict[tuple[object, ...], float]:
    """Return the height of each row: inputs, every layer and direction, joins, and the rows above."""
    height = 0.0
    heights: dict[tuple[object, ...], float] = {(graph.INPUT,): 0.0}
    rows = dict.fromkeys((node.layer, node.direction) for node in unfolding.of_kind(graph.CELL))
    joined = {node.layer for node in unfolding.of_kind(graph.JOIN)}
    for place, (layer, direction) in enumerate(rows):
        height += ROW + (0.1 if place == 0 and unfolding.of_kind(graph.INPUT)[0].text else 0.0)
        heights[layer, direction] = height
        if layer in joined and direction == "backward":
            height += 0.62
            heights[graph.JOIN, layer] = height
    said = LINE if any(node.text for node in unfolding.of_kind(graph.OUTPUT)) else 0.0
    for kind, step in ((graph.POOLING, 0.8), (graph.OUTPUT, 0.84), (graph.LOSS, 0.8 + said), (graph.TOTAL, 0.72)):
        height += step if unfolding.of_kind(kind) else 0.0
        heights[kind,] = height
    return heights


def _box(
    node: Node,
    unfolding: Unfolding,
    layout: NodeLayout,
    sizes: dict[str, tuple[float, float]],
    heights: dict[tuple[object, ...], float],
    aside: float,
) -> Box:
    x = layout.columns.get(node.step or 0, 0.0)
    first, last = layout.columns[unfolding.shown[0]], layout.columns[unfolding.shown[-1]]
    shift = aside if node.direction == "backward" else -aside
    if node.kind == graph.CELL:
        return Box(x + shift, heights[node.layer, node.direction], *sizes[graph.CELL])
    if node.kind == graph.STATE:
        return Box(_beside(node, layout) + shift, heights[node.layer, node.direction], *sizes[graph.STATE])
    if node.kind == graph.GAP:
        before, after = sorted(_steps_of(node))
        middle = (layout.columns[before] + layout.columns[after]) / 2
        toward = layout.pitch * 0.5 * (-1 if node.direction == "backward" else 1)
        # the state before the gap takes half a step of it
        return Box(middle + toward / 2 + shift, heights[node.layer, node.direction], 0.34, 0.2)
    if node.kind == graph.JOIN:
        return Box(x, heights[graph.JOIN, node.layer], 0.1, 0.1)
    if node.kind in (graph.POOLING, graph.TOTAL):
        label = max(width_of(line) for line in lines_of(node)) + 2 * PAD
        return Box((first + last) / 2, heights[node.kind,], max(last - first + 0.7, label), LINE + 0.15)
    if node.kind == graph.VECTOR:
        return _vector_box(node, unfolding, layout, sizes, heights)
    if node.step is None:
        x = (first + last) / 2 if unfolding.of_kind(graph.POOLING) else last
    return Box(x, heights[node.kind,], *sizes[node.kind])


def _beside(node: Node, layout: NodeLayout) -> float:
    """Return the place of a state: half a step after its cell, or before the first one."""
    half = layout.pitch / 2
    if node.direction == "forward":
        return layout.columns[node.step] + half if node.step else min(layout.columns.values()) - half
    last = max(layout.columns)
    return layout.columns[last] + half if node.step == last + 1 else layout.columns[node.step or 1] - half


def _steps_of(node: Node) -> Iterator[int]:
    """Yield the two shown steps around a gap, from the end of its name."""
    return (int(part) for part in node.name.partition("^")[0].split("_")[1:])


def _vector_box(
    node: Node,
    unfolding: Unfolding,
    layout: NodeLayout,
    sizes: dict[str, tuple[float, float]],
    heights: dict[tuple[object, ...], float],
) -> Box:
    """Place the vector of the whole sequence: below the first state, or next to the output that uses it."""
    if node.step is not None:
        return Box(layout.columns[node.step] + layout.pitch / 2, heights[graph.OUTPUT,], *sizes[graph.VECTOR])
    if unfolding.arrangement == "ManyToOne":
        shown = layout.columns
        middle = (
            (min(shown.values()) + max(shown.values())) / 2 if unfolding.of_kind(graph.POOLING) else max(shown.values())
        )
        return Box(middle + layout.pitch * 0.8, heights[graph.OUTPUT,], *sizes[graph.VECTOR])
    return Box(min(layout.columns.values()) - layout.pitch / 2, 0.0, *sizes[graph.VECTOR])
