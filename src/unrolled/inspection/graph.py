"""Records of an unfolded network: nodes, arrows, and the windows in which gradients flow."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# kinds of nodes, from the bottom of the picture to its top
INPUT, VECTOR, STATE, CELL, JOIN, GAP, POOLING, OUTPUT, LOSS, TOTAL = (
    "input",
    "vector",
    "state",
    "cell",
    "join",
    "gap",
    "pooling",
    "output",
    "loss",
    "total",
)
# and kinds that only an encoder-decoder has
PICTURE, NET, PLACE, CONTEXT = "picture", "net", "place", "context"
ENCODER, DECODER = "encoder", "decoder"  # the two sides, and the names of their stacks


@dataclass(frozen=True)
class Node:
    """A node of the unfolded network.

    Args:
        name: unique, such as "s_3", or "s'_3^(2)" for a backward state of the second layer.
        kind: input, vector (inputs of the whole sequence), state, cell, join (both directions concatenated), gap
            (steps that are not shown), pooling, output, loss or total; in an encoder-decoder also picture, net (the
            convolution net), place (attended to) and context (the result of attention).
        label: text in the picture: an index follows "_", a layer's number follows "^".
        step: time step from 1; 0 for what comes before the first, T + 1 for a backward start, None for no step.
        layer: layer from 0; None outside the layers.
        direction: "forward" or "backward".
        shapes: the shape of one sequence's tensors here, by name.
        text: from the data, such as the character read, or the true answer.
        values: actual numbers by name, if requested.
        side: "encoder" or "decoder"; empty where there is one side, and for what is between the two.
    """

    name: str
    kind: str
    label: str
    step: int | None = None
    layer: int | None = None
    direction: str = "forward"
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    text: str = ""
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    side: str = ""


@dataclass(frozen=True)
class Arrow:
    """An arrow from one node to another.

    Args:
        source: name of a node.
        target: name of a node.
        weights: the shared weights on it, such as "U"; empty where there are none.
        stops: whether the gradient stops here on its way back.
        restarts: whether nothing passes: the target begins with the initial state instead.
        share: attention weight of the source; None for every other arrow.
        feeds: whether the output is the next input when the model generates.
    """

    source: str
    target: str
    weights: str = ""
    stops: bool = False
    restarts: bool = False
    share: float | None = None
    feeds: bool = False


@dataclass(frozen=True)
class Window:
    """Steps between which the gradient flows.

    Args:
        start: first step, from 1.
        stop: last step.
        learns: False where states are computed without a gradient.
    """

    start: int
    stop: int
    learns: bool = True


@dataclass(frozen=True)
class Unfolding:
    """A recurrent network unfolded in time over one sequence.

    Args:
        arrangement: name of the model's class, such as "ManyToOne".
        cell: name of the cell's class.
        length: steps of the sequence, T; for an encoder-decoder those of the decoder.
        shown: the steps that have nodes, from 1; the others are in gaps.
        nodes: in the order of computation.
        arrows: between nodes.
        windows: where gradients flow; one window over all steps is full back-propagation.
        weights: shapes of the weights that all steps share, by their name on arrows.
        restarts: the steps before which the state restarts, from 1.
        places: places of an encoder's source, S; 0 where there is no encoder.
        shown_places: the places that have nodes, from 1.
        notes: explanations for the picture.
    """

    arrangement: str
    cell: str
    length: int
    shown: tuple[int, ...]
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    windows: tuple[Window, ...]
    weights: Mapping[str, tuple[int, ...]]
    restarts: tuple[int, ...] = ()
    places: int = 0
    shown_places: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Node]:
        """Return the nodes of one kind, in order."""
        return [node for node in self.nodes if node.kind == kind]

    def node(self, name: str) -> Node:
        """Return a node by its name; KeyError if there is none."""
        return {node.name: node for node in self.nodes}[name]

    def to_json(self) -> dict[str, Any]:
        """Convert the unfolding to plain values."""
        return asdict(self)
