"""Activations: gates and units that have stopped to answer, because they are flat, dead or beyond all bounds."""

from dataclasses import dataclass

import torch

from unrolled.inspection.gates import SQUASHINGS, Squashed, squashings_of_step
from unrolled.inspection.trace import Trace

FLAT = 0.1  # a squashing is flat where its slope is below this share of its largest
DEAD = 1e-6  # a unit whose output stays within so much over all steps tells nothing to anyone
EXPLODED = 1e3  # a state beyond this: squashed states stay within 1, an LSTM's cell within the number of steps


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


def gates(trace: Trace, pieces: int) -> tuple[Gate, ...]:
    """Every squashing of the cell's step in the first so many pieces; none for a cell that squashes nothing."""
    chosen, stretch = trace.pieces < pieces, trace.stretch  # (N,)
    state = stretch.state_of(trace.before[chosen])
    with torch.no_grad():
        return tuple(
            _gate(squashed) for squashed in squashings_of_step(stretch.cell, trace.inputs[chosen], state, stretch.noise)
        )


def _gate(squashed: Squashed) -> Gate:
    name, kind, values = squashed
    slope = {"sigmoid": values * (1 - values), "tanh": 1 - values**2, "relu": (values > 0).to(values)}[kind]
    flat = (slope < FLAT * SQUASHINGS[kind]).to(values)
    return Gate(name, kind, float(flat.mean()), float(values.mean()))


def units(trace: Trace) -> Units:
    """Dead and exploded units of a replay of at least one step; one step alone shows no unit dead."""
    outputs, states = trace.outputs.detach(), trace.states.detach()
    still = (outputs.amax(0) - outputs.amin(0)) <= DEAD  # (H,)
    huge = ~(states.abs() <= EXPLODED).all(0)  # (S,) NaN is huge
    return Units(float(still.to(outputs).mean()) if len(outputs) > 1 else 0.0, float(huge.to(states).mean()))
