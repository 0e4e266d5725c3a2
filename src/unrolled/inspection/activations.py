"""Activation statistics: saturated gates, dead units and exploded units."""

from dataclasses import dataclass

import torch

from unrolled.inspection.gates import SQUASHINGS, Squashed, squashings_of_step
from unrolled.inspection.trace import Trace

FLAT = 0.1  # an activation is flat where its slope is below this share of the largest slope
DEAD = 1e-6  # a unit is dead if its output varies by no more than this over all steps
EXPLODED = 1e3  # states larger than this: squashed states stay within 1, an LSTM's cell within the number of steps


@dataclass(frozen=True)
class Gate:
    """Statistics of one squashing function in a cell's step, over all inspected steps.

    Args:
        name: its name in `Cell.squashings`, else the function and its number.
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
    """Shares of dead and exploded units, over all inspected steps.

    Args:
        dead: share whose output does not change.
        exploded: share with a value of the state that is huge or not finite.
    """

    dead: float = 0.0
    exploded: float = 0.0


def gates(trace: Trace, pieces: int) -> tuple[Gate, ...]:
    """Measure every squashing of the cell's step in the first `pieces` pieces; empty for a cell without any."""
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
    """Measure dead and exploded units of a replay; with a single step no unit counts as dead."""
    outputs, states = trace.outputs.detach(), trace.states.detach()
    still = (outputs.amax(0) - outputs.amin(0)) <= DEAD  # (H,)
    huge = ~(states.abs() <= EXPLODED).all(0)  # (S,) NaN is huge
    return Units(float(still.to(outputs).mean()) if len(outputs) > 1 else 0.0, float(huge.to(states).mean()))
