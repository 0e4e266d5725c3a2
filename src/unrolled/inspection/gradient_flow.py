"""Gradient flow: how far back a model learns, measured at every step of every layer, and a sentence about it."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from unrolled.batch import Batch, LossSum
from unrolled.cells.base import Cell
from unrolled.errors import OptionError, message
from unrolled.inspection.activations import Units, gates, units
from unrolled.inspection.capture import Loss, Visit, capture
from unrolled.inspection.decay import anchors, decay
from unrolled.inspection.jacobians import Pair, norms, window
from unrolled.inspection.records import Factors, GradientFlow, LayerFlow
from unrolled.inspection.trace import ALL, Trace, stretches, trace
from unrolled.inspection.truncation import STEPS, lost_shares
from unrolled.inspection.updates import update_ratios
from unrolled.inspection.verdict import findings_of, sentence

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # of the pairs, which cost as many steps as their sum
FACTOR_STEPS = 128  # one-step Jacobians before a loss


def gradient_flow(
    model: nn.Module,
    batch: Batch,
    *,
    loss: Loss | None = None,
    sequences: int = 2,
    losses: int = 1,
    detail: bool = True,
    bptt_steps: int | None = None,
    learning_rate: float | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    updates: Mapping[str, float] | None = None,
) -> GradientFlow:
    """Measure how the gradient of a batch's loss flows back through every recurrent layer.

    The model runs once as it is, in evaluation mode: forward, backward, on its own kernels. Then each layer is replayed
    by itself over a few of the sequences, in float64 and with every state kept. The weights, their `.grad`, the
    optimiser and the model's mode are afterwards what they were.

    Cost: one training step on the batch, and for each layer and direction about 0.5 ms for each step of the longest
    sequence (LSTM, H = 128): about 0.1 s at T = 200 and 1 s at T = 2,000. Jacobians add about 2 s a layer of that size.

    Args:
        model: an arrangement, or any module with a Stack in it.
        batch: what to look at; sequences of at least the length that the model must remember.
        loss: the summed loss, given model and batch; None = `model.loss(batch)`.
        sequences: how many sequences each layer is replayed on, the longest among them.
        losses: how many losses of each are looked back from.
        detail: also what truncation loses at many windows, and `|ds_i/ds_k|` and c, which are exact for states of up
            to 64 numbers, and estimated with a stated error for larger ones.
        bptt_steps: the truncation that training uses, to be judged; 0 = none, None = the model's own, if it has one.
        learning_rate: of plain gradient descent, to compare updates with weights; None = see `optimizer`.
        optimizer: compare its next step with the weights instead.
        updates: ratios that are known already, by the weight's name in the model, instead of either.

    Returns:
        records of every layer, the findings, and a verdict.

    Raises:
        UnsupportedError: no recurrent layer ran.
        OptionError: a number below its least, or more than one of learning_rate, optimizer and updates.

    Source: the bound c on a product of Jacobians: R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training
    recurrent neural networks", ICML 2013, section 2.1.

    Example:
        >>> import torch
        >>> from unrolled.batch import Batch, LossSum
        >>> from unrolled.nn.stack import Stack
        >>> from unrolled.ragged import Ragged
        >>> _ = torch.manual_seed(0)
        >>> def last_output(model, batch):
        ...     return LossSum(model(batch.inputs["x"])[0].last().square().sum(), 4.0)
        >>> batch = Batch({"x": Ragged(torch.randn(160, 3), [40, 40, 40, 40])})
        >>> flow = gradient_flow(Stack(3, 8, cell="elman"), batch, loss=last_output)
        >>> [layer.name for layer in flow.layers], len(flow.layers[0].state_gradients)
        (['layers.0'], 40)
        >>> flow.layers[0].decay.rate < 1
        True
    """
    _check(sequences, losses, bptt_steps)
    _check_step(learning_rate, optimizer, updates)
    seen = capture(model, batch, _own_loss if loss is None else loss)
    truncated = getattr(model, "bptt_steps", 0) if bptt_steps is None else bptt_steps
    ratios = dict(updates or update_ratios(model, seen.gradients, learning_rate, optimizer))
    names = {id(weight): name for name, weight in model.named_parameters()}
    layers = tuple(
        _layer_flow(visit, sequences, losses, detail, truncated, _of_cell(visit.cell, ratios, names))
        for visit in seen.visits
    )
    findings = findings_of(layers, seen.loss, truncated)
    return GradientFlow(layers, seen.loss, findings, sentence(layers, findings))


def _own_loss(model: nn.Module, batch: Batch) -> LossSum:
    return model.loss(batch)  # type: ignore[operator]


def _check(sequences: int, losses: int, bptt_steps: int | None) -> None:
    for name, given, least in (("sequences", sequences, 1), ("losses", losses, 1), ("bptt_steps", bptt_steps or 0, 0)):
        if given < least:
            raise OptionError(message(name, expected=f"an integer >= {least}", received=given))


def _check_step(*given: object) -> None:
    named = zip(("learning_rate", "optimizer", "updates"), given, strict=True)
    several = [name for name, value in named if value is not None]
    if len(several) > 1:
        raise OptionError(message(several[0], expected="one source of updates", received=" and ".join(several)))


def _of_cell(cell: Cell, ratios: dict[str, float], names: dict[int, str]) -> dict[str, float]:
    """The ratios of one cell's matrices, by their short names."""
    own = {short: names.get(id(weight), "") for short, weight in cell.named_parameters()}
    return {short: ratios[name] for short, name in own.items() if name in ratios}


def _layer_flow(
    visit: Visit, sequences: int, losses: int, detail: bool, bptt_steps: int, updates: dict[str, float]
) -> LayerFlow:
    whole = stretches(visit)
    chosen = whole.select(_spread(whole.inputs.lengths, sequences))
    means, counts, seen, still = (), (), (), Units(0.0, 0.0)
    decayed, factors, pairs, lost = None, None, (), {}
    if chosen.inputs.num_steps:
        pieces = len(chosen.inputs)
        # the whole loss and single ones go back side by side, each through a copy of its piece
        rows, steps = anchors(chosen, losses)
        looked = trace(chosen.select(torch.cat([torch.arange(pieces), rows])))
        only = torch.cat([torch.full((pieces,), ALL), steps])
        gradients = looked.gradients(only)
        means, counts = _by_time(looked, gradients, pieces, visit.inputs.max_length)
        seen, still = gates(looked, pieces), units(looked)
        windows = sorted({*(STEPS if detail else ()), bptt_steps} - {0})
        if len(rows):
            decayed = decay(looked, only, gradients)
            lost = lost_shares(looked, only, gradients, windows) if windows else {}
        if len(rows) and detail:
            factors, pairs = _factors(looked, only), _pairs(looked, only, pieces, rows)
    return LayerFlow(
        name=visit.label,
        direction=visit.direction,
        cell=type(visit.cell).__name__,
        hidden_size=visit.cell.hidden_size,
        gated=_gated(visit.cell),
        state_gradients=means,
        counts=counts,
        decay=decayed,
        factors=factors,
        pairs=pairs,
        lost=lost,
        gates=seen,
        units=still,
        updates=updates,
        restarts=_restarts(visit),
        recurrent_norm=_recurrent_norm(visit.cell),
        frozen=not any(weight.requires_grad for weight in visit.cell.parameters()),
    )


def _spread(lengths: Tensor, count: int) -> Tensor:
    """Up to so many pieces with steps, spread evenly from the longest to the shortest."""
    order = torch.argsort(lengths, descending=True, stable=True)[: int((lengths > 0).sum())]
    return order[[index * len(order) // count for index in range(count)]].unique() if len(order) else order


def _by_time(looked: Trace, gradients: Tensor, pieces: int, steps: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The mean of `|dL/ds_t|` over the first so many pieces at each time, and how many it is over."""
    chosen = looked.pieces < pieces  # (N,)
    sizes = gradients[chosen].norm(dim=1)
    times = looked.stretch.times.values[looked.layout.gather][chosen]
    counts = torch.bincount(times, minlength=steps)  # (T,)
    sums = torch.zeros(steps, dtype=sizes.dtype).index_add(0, times, sizes)  # (T,)
    return tuple((sums / counts.clamp(min=1)).tolist()), tuple(counts.tolist())


def _factors(looked: Trace, only: Tensor) -> Factors:
    """c of the steps before the loss that has the most steps before it."""
    piece = int(only.argmax())
    ends = torch.arange(int(only[piece]), max(int(only[piece]) - FACTOR_STEPS, 0), -1)
    if not len(ends):
        return Factors((), (), 0.0)
    c, error = norms(looked.stretch, window(looked, torch.full_like(ends, piece), ends, 1))
    return Factors(tuple(c.tolist()), tuple(c.cumprod(0).tolist()), error)


def _pairs(looked: Trace, only: Tensor, pieces: int, rows: Tensor) -> tuple[Pair, ...]:
    """`|ds_i/ds_k|` from each loss's step i back to growing lags."""
    found: list[Pair] = []
    for lag in LAGS:
        long = (only >= lag).nonzero().squeeze(1)
        if len(long):
            sizes, error = norms(looked.stretch, window(looked, long, only[long], lag))
            found += [
                Pair(int(rows[row - pieces]), int(only[row]), int(only[row]) - lag, size, error)
                for row, size in zip(long.tolist(), sizes.tolist(), strict=True)
            ]
    return tuple(found)


def _restarts(visit: Visit) -> float:
    """Share of the steps after the first of each sequence before which the state restarts."""
    later = visit.inputs.positions.cpu() > 0
    return 0.0 if visit.reset is None or not bool(later.any()) else float(visit.reset.cpu()[later].double().mean())


def _gated(cell: Cell) -> bool:
    return cell.gates > 1 or "weight_hh" not in cell.weight_shapes


def _recurrent_norm(cell: Cell) -> float | None:
    if _gated(cell):
        return None
    weights = cell.weight_hh.detach()
    return float(torch.linalg.matrix_norm(weights, 2)) if bool(weights.isfinite().all()) else math.inf
