"""Training on long sequences in little memory: keep a state every few sqrt(T) steps, and recompute the others."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.cells.base import Cell
from unrolled.kernels.noise import Noise
from unrolled.kernels.replay import CellReplay, Run, learns, slopes
from unrolled.kernels.transforms import transformed
from unrolled.nn.stretches import place_of, rows_at, stretches
from unrolled.ragged import Ragged

ROOTS = 4  # a stretch has this many times sqrt(T) steps: the overhead of shorter ones is too large
# bytes that one layer may keep before it recomputes by default; not a share of the free memory, because then other
# programs on the machine would affect the rounding of gradients
BUDGET = 2**30
LEAST_STRETCHES = 4  # with fewer stretches little memory is saved


def outgrows(cell: Cell, inputs: Ragged) -> bool:
    """Return whether training would keep more than `BUDGET` on a CPU, and stretches would help."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or not torch.is_grad_enabled():
        return False
    if transformed() or inputs.values.device.type != "cpu":
        return False
    return is_too_much(cell, inputs.num_steps, inputs.max_length)


def is_too_much(cell: Cell, num_steps: int, longest: int) -> bool:
    """Return whether `num_steps` steps exceed `BUDGET`, and the longest sequence gives enough stretches."""
    return num_steps * kept_bytes(cell) > BUDGET and longest > (LEAST_STRETCHES - 1) * stretch_steps(longest)


def kept_bytes(cell: Cell) -> int:
    """Estimate the bytes that training keeps per step besides inputs and outputs: gates and other states."""
    _, *others = cell.state_sizes.values()
    return (cell.weight_ih.shape[0] + sum(others)) * cell.weight_ih.element_size()


def in_stretches(run: Run, cell: Cell, inputs: Ragged, state: Any, noise: Noise | None = None) -> tuple[Ragged, Any]:
    """Run a layer stretch by stretch, so that the backward pass keeps the steps of one stretch at a time.

    Args:
        run: maps a cell, a Ragged (N, F), an initial state and noise to a Ragged (N, H) and the final state.
        cell: to run.
        inputs: (N, F) ragged.
        state: a NamedTuple of (B, width) tensors.
        noise: of the recurrence; every stretch, and every rerun, has the same draws as the whole.

    Returns:
        the result of `run` for the whole sequences.

    Source: T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training Deep Nets with Sublinear Memory Cost", arXiv
    1604.06174 (2016), section 4.
    """
    given = (inputs.values, *state, *_weights(cell).values())
    if not inputs.num_steps or not learns(given):
        return run(cell, inputs, state, noise)
    values, *after = RecomputedStretches.apply(run, cell, type(state), noise, inputs.lengths, *given)
    return inputs.with_values(values), type(state)(*after)


class RecomputedStretches(torch.autograd.Function):
    """The autograd function whose backward pass runs every stretch again, the last one first.

    Gradients of gradients run the whole layer again at once.
    """

    @staticmethod
    def forward(
        ctx: Any, run: Run, cell: Cell, kind: Any, noise: Noise | None, lengths: Tensor, values: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        """Return outputs (N, H), then the final states; `rest` is the initial state and the cell's weights."""
        count = len(kind._fields)
        fields, starts, outputs = list(rest[:count]), [], None
        for rows, part_noise in stretches(lengths, _size(lengths), noise):
            starts.append(tuple(fields))
            found, after = run(cell, rows_at(values, rows), kind(*fields), part_noise)
            fields = list(after)
            if outputs is None:
                outputs = found.values.new_empty(len(values), found.values.shape[1])
            outputs[place_of(rows, values)] = found.values
        ctx.set_materialize_grads(False)
        ctx.layer, ctx.names = CellReplay(run, cell), [f"cell.{name}" for name in _weights(cell)]
        ctx.kind, ctx.noise, ctx.lengths, ctx.num_given = kind, noise, lengths, len(rest)
        device = values.device.type
        ctx.autocast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))
        ctx.save_for_backward(values, *rest, *(field for start in starts[1:] for field in start))
        return outputs, *(field.clone() for field in fields)  # type: ignore[return-value] - there is a stretch

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        """Compute gradients of the inputs, the initial state and the weights."""
        values, *rest = ctx.saved_tensors
        rest, later = rest[: ctx.num_given], rest[ctx.num_given :]
        if torch.is_grad_enabled():
            return None, None, None, None, None, *_at_once(ctx, values, rest, gradients)
        count = len(ctx.kind._fields)
        # copies: the weights may have changed, and their hooks are for the whole gradient
        weights = [weight.detach().requires_grad_(weight.requires_grad) for weight in rest[count:]]
        given = dict(zip(ctx.names, weights, strict=True))
        d_outputs, *d_state = gradients
        d_values = torch.zeros_like(values) if values.requires_grad else None
        d_weights: list[Tensor | None] = [None for _ in weights]
        starts = [rest[:count], *(later[at : at + count] for at in range(0, len(later), count))]
        parts = stretches(ctx.lengths, _size(ctx.lengths), ctx.noise)
        for (rows, noise), before in reversed(list(zip(parts, starts, strict=True))):
            with torch.enable_grad(), torch.autocast(*ctx.autocast):
                part = rows_at(values.detach(), rows)
                part.values.requires_grad_(values.requires_grad)
                fields = [field.detach().requires_grad_() for field in before]
                found, after = torch.func.functional_call(ctx.layer, given, (part, ctx.kind(*fields), noise))
            place = place_of(rows, values)
            wanted = None if d_outputs is None else d_outputs[place]
            pairs = [(found.values, wanted), *zip(after, d_state, strict=True)]
            d_part, *more = slopes(pairs, [part.values, *fields, *weights])
            if d_values is not None and d_part is not None:
                d_values[place] = d_part
            d_state = more[:count]
            d_weights = [_sum(total, slope) for total, slope in zip(d_weights, more[count:], strict=True)]
        return None, None, None, None, None, d_values, *d_state, *d_weights


def _weights(cell: Cell) -> Mapping[str, Tensor]:
    """Return a cell's weights by name; the cell of a drop-in module has them as plain attributes."""
    return dict(cell.named_parameters()) | dict(zip(cell.weight_shapes, cell.weights, strict=True))


def stretch_steps(longest: int) -> int:
    """Return the steps of a stretch for a longest sequence of `longest` steps."""
    return max(1, ROOTS * math.isqrt(longest))


def _size(lengths: Tensor) -> int:
    return stretch_steps(int(lengths.max()))


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
