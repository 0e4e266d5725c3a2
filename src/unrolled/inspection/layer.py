"""Gradient flow of one layer in one direction, measured from one visit."""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.cells.base import Cell
from unrolled.inspection.activations import gates, units
from unrolled.inspection.decay import anchors, decay, heard_steps
from unrolled.inspection.jacobians import Pair, norms, window
from unrolled.inspection.records import Factors, LayerFlow
from unrolled.inspection.slopes import replay
from unrolled.inspection.trace import ALL, Stretch, Trace, stretches
from unrolled.inspection.truncation import STEPS, lost_shares
from unrolled.inspection.visits import Visit
from unrolled.ragged import Ragged

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # of the pairs; the cost in steps is their sum
STARVED = 0.01  # of the largest gradient in a sequence: less than the noise of a batch
STILL = 1e-6  # of the largest value: smaller changes are rounding in float32
FACTOR_STEPS = 128  # maximum number of one-step Jacobians before a loss


class _Look(NamedTuple):
    """A replay with gradients of the whole loss and of single losses, each on its own copy of a piece."""

    trace: Trace
    pieces: int  # number of first pieces with the gradient of the whole loss
    heard: Tensor  # (M,) original of each further piece, which has the gradient of a single loss
    only: Tensor  # (P + M,) the step of that loss; `ALL` for the first pieces
    gradients: Tensor  # (N, S)


def layer_flow(
    visit: Visit, name: str, sequences: int, losses: int, detail: bool, bptt_steps: int, updates: dict[str, float]
) -> LayerFlow:
    """Measure one visit; arguments as in `gradient_flow`, with the updates of the cell's matrices."""
    record = _outside(visit, name, updates)
    whole = stretches(visit)
    chosen = whole.select(_spread(whole.inputs.lengths, sequences))
    if not chosen.inputs.num_steps:
        return record
    look = _look(chosen, losses)
    means, counts = _by_time(look, visit.inputs)
    seen = gates(look.trace, look.pieces)
    record = replace(record, state_gradients=means, counts=counts, starved=_starved(look), unread=_unread(chosen))
    record = replace(record, gates=seen, units=units(look.trace))
    if not len(look.heard):
        return record
    windows = sorted({*(STEPS if detail else ()), bptt_steps} - {0})
    lost = lost_shares(look.trace, look.only, look.gradients, windows) if windows else {}
    record = replace(record, decay=decay(look.trace, look.only, look.gradients), lost=lost)
    return replace(record, factors=_factors(look), pairs=_pairs(look)) if detail else record


def _outside(visit: Visit, name: str, updates: dict[str, float]) -> LayerFlow:
    """Return what can be measured without replaying the steps."""
    return LayerFlow(
        name=name,
        direction=visit.direction,
        cell=visit.cell.short_name,
        hidden_size=visit.cell.hidden_size,
        updates=updates,
        restarts=_restarts(visit),
        varied_inputs=_varied_inputs(visit),
        recurrent_norm=_recurrent_norm(visit.cell),
        frozen=not any(weight.requires_grad for weight in (*visit.cell.weights, *visit.cell.parameters())),
    )


def _look(chosen: Stretch, losses: int) -> _Look:
    pieces = len(chosen.inputs)
    heard, steps = anchors(chosen, losses)
    only = torch.cat([torch.full((pieces,), ALL), steps])
    looked, gradients = replay(chosen.select(torch.cat([torch.arange(pieces), heard])), only)
    return _Look(looked, pieces, heard, only, gradients)


def _spread(lengths: Tensor, count: int) -> Tensor:
    """Choose up to `count` pieces with steps, spread evenly from the longest to the shortest."""
    order = torch.argsort(lengths, descending=True, stable=True)[: int((lengths > 0).sum())]
    return order[[index * len(order) // count for index in range(count)]].unique() if len(order) else order


def _by_time(look: _Look, inputs: Ragged) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return the mean of `|dL/ds_t|` over the pieces at each time, and the number of pieces."""
    chosen = look.trace.pieces < look.pieces  # (N,)
    sizes = look.gradients[chosen].norm(dim=1)
    times = inputs.positions.cpu()[look.trace.stretch.rows.values[look.trace.layout.gather][chosen]]
    counts = torch.bincount(times, minlength=inputs.max_length)  # (T,)
    sums = torch.zeros(inputs.max_length, dtype=sizes.dtype).index_add(0, times, sizes)  # (T,)
    return tuple((sums / counts.clamp(min=1)).tolist()), tuple(counts.tolist())


def _starved(look: _Look) -> float:
    """Return the share of steps whose gradient is below `STARVED` of the largest in their piece."""
    sizes = look.gradients.norm(dim=1)  # (N,)
    largest = sizes.new_zeros(len(look.only)).scatter_reduce(0, look.trace.pieces, sizes, "amax")  # (P + M,)
    starved = sizes < STARVED * largest[look.trace.pieces]
    return float(starved[look.trace.pieces < look.pieces].double().mean())


def _unread(chosen: Stretch) -> float:
    """Return the share of steps before the first one that a loss reads, as a mean over the pieces."""
    shares = []
    for piece in range(len(chosen.inputs)):
        heard = heard_steps(chosen, piece)
        shares.append(float(heard[0] / (heard[-1] + 1)) if len(heard) else 1.0)
    return sum(shares) / len(shares)


def _factors(look: _Look) -> Factors:
    """Compute c of the steps before the loss that has the most steps before it."""
    row = int(look.only.argmax())
    last = int(look.only[row])
    ends = torch.arange(last, max(last - FACTOR_STEPS, 0), -1)
    if not len(ends):
        return Factors((), (), 0.0)
    c, error = norms(look.trace.stretch, window(look.trace, torch.full_like(ends, row), ends, 1))
    return Factors(tuple(c.tolist()), tuple(c.cumprod(0).tolist()), error)


def _pairs(look: _Look) -> tuple[Pair, ...]:
    """Compute `|ds_i/ds_k|` from each loss's step i back to growing lags."""
    found: list[Pair] = []
    for lag in LAGS:
        rows = (look.only >= lag).nonzero().squeeze(1)
        if len(rows):
            ends = look.only[rows]
            sizes, error = norms(look.trace.stretch, window(look.trace, rows, ends, lag))
            found += [
                Pair(int(look.heard[row - look.pieces]), end, end - lag, size, error)
                for row, end, size in zip(rows.tolist(), ends.tolist(), sizes.tolist(), strict=True)
            ]
    return tuple(found)


def _restarts(visit: Visit) -> float:
    """Return the share of steps, after each sequence's first, before which the state restarts."""
    later = visit.inputs.positions.cpu() > 0
    return 0.0 if visit.reset is None or not bool(later.any()) else float(visit.reset.cpu()[later].double().mean())


def _varied_inputs(visit: Visit) -> float:
    """Return the share of input features and of initial-state values that vary."""
    given = [values for values in (visit.inputs.values, *visit.state) if len(values)]
    spread = [(values.amax(0) - values.amin(0)) > STILL * values.abs().amax(0) for values in given]
    return float(torch.cat(spread).double().mean()) if spread else 1.0


def _recurrent_norm(cell: Cell) -> float | None:
    """Return the largest singular value of W if the state flows only through W, as in an Elman cell."""
    if cell.gates > 1 or "weight_hh" not in cell.weight_shapes:
        return None
    weights = cell.weight_hh.detach()
    return float(torch.linalg.matrix_norm(weights, 2)) if bool(weights.isfinite().all()) else math.inf
