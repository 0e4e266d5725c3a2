"""Names of layers: "layer 1", "layer 2, backward", and "encoder, layer 1" where a model has several stacks."""

from typing import NamedTuple

from torch import nn

from unrolled.cells.base import Cell
from unrolled.nn.drop_in import DropIn
from unrolled.nn.stack import Bidirectional, Recurrent, Stack

FORWARD, BACKWARD = "forward", "backward"


class CellPlace(NamedTuple):
    """The place of a cell in a model.

    Args:
        stack: the attribute that holds its layers, if the model has several stacks; empty if it has one, and for an
            arrangement's own. Stacks that a module lists as its `storeys` count as one, named after the module.
        layer: number of the layer, the lowest is 0.
    """

    stack: str
    layer: int


def layer_name(layer: int, direction: str = FORWARD, stack: str = "") -> str:
    """Return the name of a layer, counted from 1.

    >>> layer_name(0), layer_name(1, "backward", "encoder")
    ('layer 1', 'encoder, layer 2, backward')
    """
    return ", ".join([stack] * bool(stack) + [f"layer {layer + 1}"] + [direction] * (direction == BACKWARD))


def called(name: str, cell: str) -> str:
    """Return a layer's name with its cell: "layer 1 (LSTM)"."""
    return f"{name} ({cell})"


def places(model: nn.Module) -> dict[nn.Module, CellPlace]:
    """Return the place of every cell in a model, and of every drop-in module's first layer.

    Example:
        >>> model = nn.ModuleDict({"encoder": Stack(3, 4, num_layers=2), "decoder": Stack(3, 4)})
        >>> [layer_name(place.layer, stack=place.stack) for place in places(model).values()]
        ['encoder, layer 1', 'encoder, layer 2', 'decoder, layer 1']
    """
    found: dict[nn.Module, CellPlace] = {}
    for path, module in model.named_modules():  # modules come before their children
        if isinstance(module, DropIn):
            found[module] = CellPlace(path, 0)
        elif isinstance(module, Stack):
            for number, layer in enumerate(module.layers):
                found |= dict.fromkeys(_cells(layer), CellPlace(path, number))
        elif isinstance(module, Recurrent | Bidirectional | Cell):
            for cell in _cells(module):
                found.setdefault(cell, _by_itself(path))
    piles = _piles(model)
    found = {module: _in_pile(place, piles) for module, place in found.items()}
    short = _shortened({place.stack for place in found.values()}, {pile for pile, _ in piles.values()})
    return {module: CellPlace(short[place.stack], place.layer) for module, place in found.items()}


def _piles(model: nn.Module) -> dict[str, tuple[str, int]]:
    """Return for each stack that is a storey of a module: the module's path, and the number of layers below."""
    found: dict[str, tuple[str, int]] = {}
    for path, module in model.named_modules():
        below = 0
        for name in getattr(module, "storeys", ()):
            stack = getattr(module, name)
            if isinstance(stack, Stack):
                found[f"{path}.{name}" if path else name] = path, below
                below += len(stack.layers)
    return found


def _in_pile(place: CellPlace, piles: dict[str, tuple[str, int]]) -> CellPlace:
    pile, below = piles.get(place.stack, (place.stack, 0))
    return CellPlace(pile, below + place.layer)


def _cells(module: nn.Module) -> list[nn.Module]:
    return [cell for cell in module.modules() if isinstance(cell, Cell)]


def _by_itself(path: str) -> CellPlace:
    """Return the place of a layer in no Stack; one in a list of layers keeps its number there."""
    holder, _, last = path.rpartition(".")
    return CellPlace(holder, int(last)) if last.isdigit() else CellPlace(path, 0)


def _shortened(paths: set[str], piles: set[str]) -> dict[str, str]:
    """Shorten paths to what distinguishes them: empty for a single path, without modules that contain all of them.

    A stack that is its module's `layers` is named after the module, and an arrangement's own has no name; a pile of
    stacks always has the name of its module.
    """
    if len(paths) < 2:
        return {path: path.rpartition(".")[2] if path in piles else "" for path in paths}
    parts = {path: path.split(".") for path in paths}
    shared = 0
    while len({tuple(names[: shared + 1]) for names in parts.values()}) == 1:
        shared += 1
    short = {path: ".".join(names[min(shared, len(names) - 1) :]) for path, names in parts.items()}
    return {path: "" if name == "layers" else name.removesuffix(".layers") for path, name in short.items()}
