"""Activations: gates and units that have stopped to answer, because they are flat, dead or beyond all bounds."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from unrolled.inspection.trace import Trace, one_step

FLAT = 0.1  # a squashing is flat where its slope is below this share of its largest
DEAD = 1e-6  # a unit whose output stays within so much over all steps tells nothing to anyone
EXPLODED = 1e3  # a state beyond this: squashed states stay within 1, an LSTM's cell within the number of steps
SQUASHINGS = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0}  # the largest slope of each


@dataclass(frozen=True)
class Gate:
    """One squashing in a cell's step, over all inspected steps.

    Args:
        name: as the cell names it in `Cell.squashings`, else the function and its number.
        kind: "sigmoid", "tanh" or "relu".
        flat: share of the activations where the slope is below a tenth of the largest.
        mean: mean activation.
    """

    name: str
    kind: str
    flat: float
    mean: float


@dataclass(frozen=True)
class Units:
    """Shares of the units, over all inspected steps.

    Args:
        dead: the output does not move.
        exploded: some value of the state is huge or not finite.
    """

    dead: float = 0.0
    exploded: float = 0.0


class _Squashings(TorchFunctionMode):
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


def gates(trace: Trace, pieces: int) -> tuple[Gate, ...]:
    """Every squashing of the cell's step in the first so many pieces; none for a cell that squashes nothing."""
    chosen = trace.pieces < pieces  # (N,)
    fields = trace.before[chosen].split(list(trace.stretch.cell.state_sizes.values()), 1)
    with torch.no_grad(), _Squashings() as spy:
        one_step(trace.stretch, trace.inputs[chosen], fields)
    names = trace.stretch.cell.squashings
    if len(names) != len(spy.seen):
        names = tuple(f"{kind} {number}" for number, (kind, _) in enumerate(spy.seen, start=1))
    return tuple(_gate(name, kind, values) for name, (kind, values) in zip(names, spy.seen, strict=True))


def _gate(name: str, kind: str, values: Tensor) -> Gate:
    slope = {"sigmoid": values * (1 - values), "tanh": 1 - values**2, "relu": (values > 0).to(values)}[kind]
    flat = (slope < FLAT * SQUASHINGS[kind]).to(values)
    return Gate(name, kind, float(flat.mean()), float(values.mean()))


def units(trace: Trace) -> Units:
    """Dead and exploded units of a replay of at least one step; one step alone shows no unit dead."""
    outputs, states = trace.outputs.detach(), trace.states.detach()
    still = (outputs.amax(0) - outputs.amin(0)) <= DEAD  # (H,)
    huge = ~(states.abs() <= EXPLODED).all(0)  # (S,) NaN is huge
    return Units(float(still.to(outputs).mean()) if len(outputs) > 1 else 0.0, float(huge.to(states).mean()))
