"""The squashings of one step, by name, and those of them that are gates: how far each is open, between 0 and 1.

They are read off the cell's own step while it runs, and named as the cell names them in `Cell.squashings`.
"""

from typing import Any, NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

from unrolled.cells.base import Cell, State
from unrolled.kernels.noise import SILENCE, Noise, step

SQUASHINGS = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0}  # the largest slope of each
ORDER = ("store", "forget", "reset", "update", "keep", "output")  # of gates, as the textbooks have them

Gates = dict[str, Tensor]


class Squashed(NamedTuple):
    """What one squashing gave.

    Args:
        name: as the cell names it, else the function and its number.
        kind: "sigmoid", "tanh" or "relu".
        values: (B, width).
    """

    name: str
    kind: str
    values: Tensor


class _Spy(TorchFunctionMode):
    """Notes what every sigmoid, tanh and relu gives, in the order of the step."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = getattr(func, "__name__", "")
        if kind in SQUASHINGS:
            self.seen.append((kind, result))
        return result


def squashings_of_step(cell: Cell, inputs: Tensor, state: State, noise: Noise = SILENCE) -> list[Squashed]:
    """Every squashing of a cell while it takes one step, in the order in which it does them.

    Args:
        cell: any cell.
        inputs: what it reads, (B, F).
        state: what it remembers before the step, fields (B, H).
        noise: what disturbs it.
    """
    with _Spy() as spy:
        step(cell, noise, inputs, state)
    names = cell.squashings
    if len(names) != len(spy.seen):
        names = tuple(f"{kind} {number}" for number, (kind, _) in enumerate(spy.seen, start=1))
    return [Squashed(name, kind, values) for name, (kind, values) in zip(names, spy.seen, strict=True)]


def gates_of_step(cell: Cell, inputs: Tensor, state: State) -> Gates:
    """What the gates of a cell are while it takes one step.

    Returns:
        (B, H) for each gate, by the name it has in the cell's docstring; empty for a cell without gates.

    Example:
        >>> import torch
        >>> from unrolled.cells.lstm import LSTMCell
        >>> cell = LSTMCell(3, 4)
        >>> list(gates_of_step(cell, torch.zeros(2, 3), cell.initial_state(2)))
        ['store', 'forget', 'output']
    """
    found: Gates = {}
    for squashed in squashings_of_step(cell, inputs, state):
        if squashed.kind == "sigmoid":
            names = squashed.name.split(" and ")  # some cells squash two gates at once
            found |= zip(names, squashed.values.chunk(len(names), -1), strict=True)
    return dict(sorted(found.items(), key=lambda gate: ORDER.index(gate[0]) if gate[0] in ORDER else len(ORDER)))
