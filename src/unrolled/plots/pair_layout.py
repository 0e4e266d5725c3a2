"""Layout of an unfolded encoder-decoder: the encoder at the bottom, attention between, the decoder at the top."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from unrolled.inspection import graph
from unrolled.inspection.graph import Unfolding
from unrolled.plots.layout import LINE, PAD, Box, NodeLayout, lay_out, lines_of, size_of
from unrolled.plots.theme import SMALL, width_of, written

FAN = 1.25  # height from places to contexts, for the arrows of attention
UP = 0.72  # height from contexts to the decoder's inputs
APART = 0.13  # between lanes, and from a lane to its neighbours
PICTURE = 0.95  # inches of a shown picture
ASIDE = 0.065  # distance of the two lines in a context's lane from its centre


@dataclass
class PairLayout(NodeLayout):
    """The boxes, and the lanes for lines between a step's cell and its state, and after the state.

    Args:
        lane: of contexts, in inches after a step's column.
        feed: of outputs that are fed back as the next input.
    """

    lane: float = 0.0
    feed: float = 0.0


def is_pair(unfolding: Unfolding) -> bool:
    """Return whether an unfolding has an encoder and a decoder."""
    return any(node.side == graph.DECODER for node in unfolding.nodes)


def lay_out_pair(unfolding: Unfolding) -> PairLayout:
    """Place the boxes of all nodes of an encoder-decoder."""
    pitch, lane, feed = _lanes(unfolding)
    above = lay_out(_side(unfolding, graph.DECODER, unfolding.shown), pitch)
    below = _source(unfolding)
    contexts = size_of(unfolding.of_kind(graph.CONTEXT))
    level = (max(box.top for box in below.values()) + FAN if below else 0.0) + contexts[1] / 2
    middle = (above.left + above.right) / 2
    shift = middle - (min(b.left for b in below.values()) + max(b.right for b in below.values())) / 2 if below else 0.0
    lowest = min(box.bottom for box in above.boxes.values())
    rise = level + UP - contexts[1] / 2 - lowest
    layout = PairLayout(columns=above.columns, pitch=above.pitch, lane=lane, feed=feed)
    layout.boxes = {name: replace(box, x=box.x + shift) for name, box in below.items()}
    layout.boxes |= {name: replace(box, y=box.y + rise) for name, box in above.boxes.items()}
    for node in unfolding.of_kind(graph.CONTEXT):
        layout.boxes[node.name] = Box(above.columns[node.step or 1] + lane, level, *contexts)
    start = min(above.columns.values()) - above.pitch / 2
    layout.boxes["v"] = Box(start, level, *size_of(unfolding.of_kind(graph.VECTOR)))
    return layout


def _side(unfolding: Unfolding, side: str, shown: tuple[int, ...]) -> Unfolding:
    """Return one side as a separate unfolding."""
    nodes = tuple(node for node in unfolding.nodes if node.side == side)
    return replace(unfolding, nodes=nodes, shown=shown, windows=())


def _lanes(unfolding: Unfolding) -> tuple[float, float, float]:
    """Return the distance between steps of the decoder, and its two lanes."""
    mine = _side(unfolding, graph.DECODER, unfolding.shown)
    sizes = {kind: size_of(mine.of_kind(kind))[0] / 2 for kind in (graph.INPUT, graph.STATE, graph.CELL)}
    context = size_of(unfolding.of_kind(graph.CONTEXT))[0] / 2
    lane = max(sizes[graph.CELL], sizes[graph.INPUT]) + APART + ASIDE
    state = max(lane + ASIDE + APART, context) + sizes[graph.STATE]  # its centre, half a pitch after the column
    feed = state + sizes[graph.STATE] + APART
    name = max((width_of(written(name), SMALL) for name in unfolding.weights if name[0] == "W"), default=0.0)
    room = max(feed + name + sizes[graph.CELL] + 2 * APART, feed + sizes[graph.INPUT] + 0.2)
    pitch = max(2 * state, room)
    return pitch, lane, feed + pitch / 2 - state


def _source(unfolding: Unfolding) -> dict[str, Box]:
    """Place the encoder's boxes, and those of the gaps between places."""
    side = _side(unfolding, graph.ENCODER, unfolding.shown_places)
    if not side.nodes:
        return {}
    boxes = lay_out(side).boxes if side.of_kind(graph.CELL) else _looked_at(side)
    places = _places(unfolding, boxes)
    for node in unfolding.of_kind(graph.GAP):
        if not node.side:
            before, after = (places.get(int(part)) for part in node.name.split("_")[1:])
            boxes[node.name] = _gap(before, after)
    return boxes


def _gap(before: Box | None, after: Box | None) -> Box:
    """Place a gap between two places, or beyond the last one on a side."""
    known = before or after
    assert known is not None, "a gap is beside a place"
    beyond = known.width / 2 + 0.37
    x = (before.x + after.x) / 2 if before and after else known.x + (beyond if before else -beyond)
    return Box(x, known.y, 0.34, 0.2)


def _places(unfolding: Unfolding, boxes: Mapping[str, Box]) -> dict[int, Box]:
    """Return the boxes that attention can use, by place: the highest ones of the encoder."""
    top = max(boxes[node.name].y for node in unfolding.nodes if node.side == graph.ENCODER and node.step)
    found = {}
    for node in unfolding.nodes:
        if node.side == graph.ENCODER and node.step and boxes[node.name].y == top:
            found[node.step] = boxes[node.name]
    return found


def _looked_at(side: Unfolding) -> dict[str, Box]:
    """Place the places of a picture in a row, below them the convolution net, and below it the picture."""
    places, inputs = side.of_kind(graph.PLACE), side.of_kind(graph.INPUT)
    width, height = size_of(places)
    read = size_of(inputs) if inputs else (0.0, 0.0)
    step = max(width, read[0]) + 0.3
    boxes, x = {}, 0.0
    for before, node in zip([None, *places], places, strict=False):
        if before is not None:
            x += step if node.step == (before.step or 0) + 1 else 1.6 * step
        boxes[node.name] = Box(x, 0.0, width, height)
        for given in inputs:
            if given.step == node.step:
                boxes[given.name] = Box(x, -0.5 - (height + read[1]) / 2, *read)
    middle, y = x / 2, -height / 2
    for node in side.of_kind(graph.NET):
        label = max(width_of(line) for line in lines_of(node)) + 2 * PAD
        y -= 0.4 + LINE
        boxes[node.name] = Box(middle, y, max(x + width, label), LINE + 0.15)
    for node in side.of_kind(graph.PICTURE):
        boxes[node.name] = Box(middle, y - LINE - 0.35 - PICTURE / 2, PICTURE, PICTURE)
    return boxes
