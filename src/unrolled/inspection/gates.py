"""Values of a cell's squashing functions during one step, and of its gates (between 0 = closed and 1 = open).

They are recorded while the cell's own step runs, and named as in `Cell.squashings`.
"""

from typing import Any, NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

from unrolled.cells.base import Cell, State
from unrolled.kernels.noise import SILENCE, Noise, step

SQUASHINGS = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0}  # the largest slope of each
ORDER = ("store", "forget", "reset", "update", "keep", "output")  # order of gates, as in textbooks

Gates = dict[str, Tensor]


class Squashed(NamedTuple):
    """The values of one squashing function.

    Args:
        name: from the cell, else the function and its number.
        kind: "sigmoid", "tanh" or "relu".
        values: (B, width).
    """

    name: str
    kind: str
    values: Tensor


class _Spy(TorchFunctionMode):
    """Records the results of every sigmoid, tanh and relu, in the order of the step."""

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
    """Record every squashing of a cell during one step, in order.

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
    """Record the gates of a cell during one step.

    Returns:
        (B, H) per gate, by its name in the cell's docstring; empty for a cell without gates.

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
