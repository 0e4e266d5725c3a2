"""Gradient flow: the size of the gradient at every step of every layer, and a verdict in one sentence."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from unrolled.batch import Batch, LossSum
from unrolled.cells.base import Cell
from unrolled.errors import OptionError, message
from unrolled.inspection.capture import Loss, capture
from unrolled.inspection.layer import layer_flow
from unrolled.inspection.records import GradientFlow
from unrolled.inspection.updates import update_ratios
from unrolled.inspection.verdict import findings_of, sentence
from unrolled.inspection.visits import Visit
from unrolled.training.threads import fitting_threads


def gradient_flow(
    model: nn.Module,
    batch: Any,
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

    The model runs once in evaluation mode, forward and backward, on its own kernels. Then each layer is replayed
    separately over a few of the sequences, with every state kept. The weights, their `.grad`, the optimiser and the
    model's mode stay unchanged.

    Cost: one training step on the batch, and per layer and direction about 0.15 ms per step of the longest sequence
    (LSTM, H = 128), twice that for a cell whose units interact outside its recurrent product. With `detail` 1 to 2 s
    more per layer and direction.

    Args:
        model: an arrangement, or any module that runs a Stack, a module of `unrolled.nn`, or `unroll(cell, ...)`.
        batch: input of the loss; sequences at least as long as the model must remember.
        loss: computes from model and batch the summed loss, or the mean loss as a tensor (); None =
            `model.loss(batch)`.
        sequences: number of sequences on which each layer is replayed, including the longest.
        losses: number of losses per sequence to look back from.
        detail: also measure what truncation loses at many windows, and `|ds_i/ds_k|` and c; these are exact for states
            of up to 64 numbers, and estimated with a stated error for larger ones.
        bptt_steps: the truncation used in training, to be judged; 0 = none, None = the model's own, if it has one.
        learning_rate: of plain gradient descent, to compare updates with weights; None = see `optimizer`.
        optimizer: compare its next step with the weights instead.
        updates: known ratios by the weight's name in the model, instead of either.

    Returns:
        records of every layer, the findings, and a verdict.

    Raises:
        UnsupportedError: no recurrent layer ran.
        OptionError: a batch without steps, a number below its least, or two of learning_rate, optimizer and updates.

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
        (['layer 1'], 40)
        >>> flow.layers[0].decay.rate < 1
        True
    """
    _check(batch, sequences, losses, bptt_steps)
    _check_step(learning_rate, optimizer, updates)
    moves = learning_rate is not None or optimizer is not None
    seen = capture(model, batch, _own_loss if loss is None else loss, want_weights=moves)
    truncated = getattr(model, "bptt_steps", 0) if bptt_steps is None else bptt_steps
    ratios = dict(updates or update_ratios(model, seen.gradients, learning_rate, optimizer))
    names = {id(weight): name for name, weight in model.named_parameters()}
    with fitting_threads(model, rows=sequences * (1 + losses)):
        layers = tuple(
            layer_flow(visit, name, sequences, losses, detail, truncated, _of_cell(visit.cell, ratios, names))
            for name, visit in _by_name(seen.visits).items()
        )
    findings = findings_of(layers, seen.loss, truncated)
    return GradientFlow(layers, seen.loss, findings, sentence(layers, findings))


def _own_loss(model: nn.Module, batch: Batch) -> LossSum:
    return model.loss(batch)  # type: ignore[operator]


def _by_name(visits: list[Visit]) -> dict[str, Visit]:
    """Return visits by the name of their layer; repeated passes are numbered."""
    named: dict[str, Visit] = {}
    passes = Counter[str]()
    for visit in visits:
        passes[visit.name] += 1
        again = f", pass {passes[visit.name]}" if passes[visit.name] > 1 else ""
        named[visit.name + again] = visit
    return named


def _check(batch: Any, sequences: int, losses: int, bptt_steps: int | None) -> None:
    for name, given, least in (("sequences", sequences, 1), ("losses", losses, 1), ("bptt_steps", bptt_steps or 0, 0)):
        if given < least:
            raise OptionError(message(name, expected=f"an integer >= {least}", received=given))
    if isinstance(batch, Batch) and not batch.num_steps:
        raise OptionError(message("batch", expected="at least one step", received="none"))


def _check_step(*given: object) -> None:
    named = zip(("learning_rate", "optimizer", "updates"), given, strict=True)
    several = [name for name, value in named if value is not None]
    if len(several) > 1:
        raise OptionError(message(several[0], expected="one source of updates", received=" and ".join(several)))


def _of_cell(cell: Cell, ratios: dict[str, float], names: dict[int, str]) -> dict[str, float]:
    """Return the ratios of one cell's matrices, by their short names."""
    own = {short: names.get(id(getattr(cell, short)), "") for short in cell.weight_shapes}
    return {short: ratios[name] for short, name in own.items() if name in ratios}
