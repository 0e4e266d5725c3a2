"""Long sequences in little memory: keep a state every few sqrt(T) steps, and compute what lies between once more."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.cells.base import Cell
from unrolled.kernels.noise import Noise
from unrolled.kernels.replay import Replay, Run, learns, slopes
from unrolled.kernels.transforms import transformed
from unrolled.ragged import Ragged

ROOTS = 4  # stretches of so many sqrt(T): a shorter one is over before its calls have paid
# bytes that one layer may keep before it recomputes by itself; not a share of the free memory, because then what else
# runs on the machine would decide how the gradients are rounded
BUDGET = 2**30
LEAST_STRETCHES = 4  # with fewer there is little to save


def outgrows(cell: Cell, inputs: Ragged) -> bool:
    """Whether training would keep more than `BUDGET` on a CPU, and stretches would help."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or not torch.is_grad_enabled():
        return False
    if transformed() or inputs.values.device.type != "cpu" or inputs.num_steps * kept_bytes(cell) <= BUDGET:
        return False
    return inputs.max_length > (LEAST_STRETCHES - 1) * _size(inputs.max_length)


def kept_bytes(cell: Cell) -> int:
    """About what training keeps of one step beside inputs and outputs: its gates and the states that are no output."""
    _, *others = cell.state_sizes.values()
    return (cell.weight_ih.shape[0] + sum(others)) * cell.weight_ih.element_size()


def in_stretches(run: Run, cell: Cell, inputs: Ragged, state: Any, noise: Noise | None = None) -> tuple[Ragged, Any]:
    """Run a layer stretch by stretch, so that the backward pass has the inner steps of one stretch at a time.

    Args:
        run: from a cell, a Ragged (N, F), a state before and noise to a Ragged (N, H) and the state after.
        cell: what it runs.
        inputs: (N, F) ragged.
        state: a NamedTuple of (B, width) tensors.
        noise: what disturbs the recurrence; every stretch, and every run of it, draws what the whole would draw.

    Returns:
        what `run` gives for the whole.

    Source: T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training Deep Nets with Sublinear Memory Cost", arXiv
    1604.06174 (2016), section 4.
    """
    given = (inputs.values, *state, *_weights(cell).values())
    if not inputs.num_steps or not learns(given):
        return run(cell, inputs, state, noise)
    values, *after = Stretches.apply(run, cell, type(state), noise, inputs.lengths, *given)
    return inputs.with_values(values), type(state)(*after)


class Stretches(torch.autograd.Function):
    """A layer whose backward pass runs every stretch again, the last one first.

    Gradients of gradients run the whole layer again at once.
    """

    @staticmethod
    def forward(
        ctx: Any, run: Run, cell: Cell, kind: Any, noise: Noise | None, lengths: Tensor, values: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        """Outputs (N, H), then the states after; `rest` is the state before and the cell's weights."""
        count = len(kind._fields)
        fields, starts, outputs = list(rest[:count]), [], None
        for rows, part_noise in _stretches(lengths, noise):
            starts.append(tuple(fields))
            found, after = run(cell, _part(values, rows), kind(*fields), part_noise)
            fields = list(after)
            if outputs is None:
                outputs = found.values.new_empty(len(values), found.values.shape[1])
            outputs[_place(rows, values)] = found.values
        ctx.set_materialize_grads(False)
        ctx.layer, ctx.names = Replay(run, cell), [f"cell.{name}" for name in _weights(cell)]
        ctx.kind, ctx.noise, ctx.lengths, ctx.num_given = kind, noise, lengths, len(rest)
        device = values.device.type
        ctx.autocast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))
        ctx.save_for_backward(values, *rest, *(field for start in starts[1:] for field in start))
        return outputs, *(field.clone() for field in fields)  # type: ignore[return-value] - there is a stretch

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        """Gradients of the inputs, the state before and the weights."""
        values, *rest = ctx.saved_tensors
        rest, later = rest[: ctx.num_given], rest[ctx.num_given :]
        if torch.is_grad_enabled():
            return None, None, None, None, None, *_at_once(ctx, values, rest, gradients)
        count = len(ctx.kind._fields)
        # not the weights themselves: they may be others by now, and their hooks are for the whole gradient
        weights = [weight.detach().requires_grad_(weight.requires_grad) for weight in rest[count:]]
        given = dict(zip(ctx.names, weights, strict=True))
        d_outputs, *d_state = gradients
        d_values = torch.zeros_like(values) if values.requires_grad else None
        d_weights: list[Tensor | None] = [None for _ in weights]
        starts = [rest[:count], *(later[at : at + count] for at in range(0, len(later), count))]
        for (rows, noise), before in reversed(list(zip(_stretches(ctx.lengths, ctx.noise), starts, strict=True))):
            with torch.enable_grad(), torch.autocast(*ctx.autocast):
                part = _part(values.detach(), rows)
                part.values.requires_grad_(values.requires_grad)
                fields = [field.detach().requires_grad_() for field in before]
                found, after = torch.func.functional_call(ctx.layer, given, (part, ctx.kind(*fields), noise))
            place = _place(rows, values)
            wanted = None if d_outputs is None else d_outputs[place]
            pairs = [(found.values, wanted), *zip(after, d_state, strict=True)]
            d_part, *more = slopes(pairs, [part.values, *fields, *weights])
            if d_values is not None and d_part is not None:
                d_values[place] = d_part
            d_state = more[:count]
            d_weights = [_sum(total, slope) for total, slope in zip(d_weights, more[count:], strict=True)]
        return None, None, None, None, None, d_values, *d_state, *d_weights


def _weights(cell: Cell) -> dict[str, Tensor]:
    """What a cell learns by name; the cell of a module in torch's manner has its weights as plain attributes."""
    return dict(cell.named_parameters()) | dict(zip(cell.weight_shapes, cell.weights, strict=True))


def _stretches(lengths: Tensor, noise: Noise | None) -> Iterator[tuple[Ragged, Noise | None]]:
    """The rows of the first steps of every sequence, of the next ones, and so on, and the noise there."""
    rows = Ragged(torch.arange(int(lengths.sum())), lengths)
    size = _size(rows.max_length)
    for start in range(0, rows.max_length, size):
        yield rows.slice(start, start + size), None if noise is None else noise.later(start)


def _size(longest: int) -> int:
    """Steps of a stretch."""
    return max(1, ROOTS * math.isqrt(longest))


def _place(rows: Ragged, values: Tensor) -> Any:
    """An index of these rows; one sequence lies in one piece, which needs no copy."""
    if rows.batch_size == 1:
        return slice(int(rows.values[0]), int(rows.values[-1]) + 1)
    return rows.values.to(values.device)


def _part(values: Tensor, rows: Ragged) -> Ragged:
    return Ragged(values[_place(rows, values)], rows.lengths)


def _sum(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    if total is None or more is None:
        return more if total is None else total
    return total.add_(more)


def _at_once(ctx: Any, values: Tensor, rest: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> list[Any]:
    count = len(ctx.kind._fields)
    whole = (Ragged(values, ctx.lengths), ctx.kind(*rest[:count]), ctx.noise)
    weights = dict(zip(ctx.names, rest[count:], strict=True))
    with torch.autocast(*ctx.autocast):
        found, after = torch.func.functional_call(ctx.layer, weights, whole)
    return slopes(zip((found.values, *after), gradients, strict=True), (values, *rest), create_graph=True)
