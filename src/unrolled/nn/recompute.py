"""Long sequences in little memory: keep a state every few sqrt(T) steps, and compute what lies between once more."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.ragged import Ragged

ROOTS = 4  # stretches of so many sqrt(T): a shorter one is over before its calls have paid

Run = Callable[[Ragged, Any], tuple[Ragged, Any]]


def in_stretches(run: Run, weights: Sequence[Tensor], inputs: Ragged, state: Any) -> tuple[Ragged, Any]:
    """Run a layer stretch by stretch, so that the backward pass has the inner steps of one stretch at a time.

    Args:
        run: from a Ragged (N, F) and a state before to a Ragged (N, H) and the state after.
        weights: what else its answer depends on.
        inputs: (N, F) ragged.
        state: a NamedTuple of (B, width) tensors.

    Returns:
        what `run` gives for the whole.

    Source: T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training Deep Nets with Sublinear Memory Cost", arXiv
    1604.06174 (2016), section 4.
    """
    given = (inputs.values, *state, *weights)
    if not inputs.num_steps or not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in given):
        return run(inputs, state)
    values, *after = Stretches.apply(run, type(state), inputs.lengths, *given)
    return inputs.with_values(values), type(state)(*after)


class Stretches(torch.autograd.Function):
    """A layer whose backward pass runs every stretch again, the last one first.

    Gradients of gradients run the whole layer again at once.
    """

    @staticmethod
    def forward(ctx: Any, run: Run, kind: Any, lengths: Tensor, values: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Outputs (N, H), then the states after; `rest` is the state before and the weights."""
        count = len(kind._fields)
        fields, starts, outputs = list(rest[:count]), [], None
        for rows in _stretches(lengths):
            starts.append(tuple(fields))
            found, after = run(_part(values, rows), kind(*fields))
            fields = list(after)
            if outputs is None:
                outputs = found.values.new_empty(len(values), found.values.shape[1])
            outputs[_place(rows, values)] = found.values
        ctx.set_materialize_grads(False)
        ctx.run, ctx.kind, ctx.lengths, ctx.starts = run, kind, lengths, starts[1:]
        device = values.device.type
        ctx.autocast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))
        ctx.save_for_backward(values, *rest)
        return outputs, *(field.clone() for field in fields)  # type: ignore[return-value] - there is a stretch

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        """Gradients of the inputs, the state before and the weights."""
        values, *rest = ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, None, None, *_at_once(ctx, values, rest, gradients)
        count = len(ctx.kind._fields)
        first, weights = tuple(rest[:count]), rest[count:]
        d_outputs, *d_state = gradients
        d_values = torch.zeros_like(values) if values.requires_grad else None
        d_weights: list[Tensor | None] = [None for _ in weights]
        starts = [first, *ctx.starts]
        for rows, before in reversed(list(zip(_stretches(ctx.lengths), starts, strict=True))):
            with torch.enable_grad(), torch.autocast(*ctx.autocast):
                part = _part(values.detach(), rows)
                leaf = part.values.requires_grad_(values.requires_grad)
                fields = [field.detach().requires_grad_() for field in before]
                found, after = ctx.run(part.with_values(leaf), ctx.kind(*fields))
            place = _place(rows, values)
            wanted = None if d_outputs is None else d_outputs[place]
            pairs = [(found.values, wanted), *zip(after, d_state, strict=True)]
            leaves = [*([leaf] if d_values is not None else []), *fields, *(w for w in weights if w.requires_grad)]
            slopes = iter(_slopes(pairs, leaves))
            if d_values is not None:
                slope = next(slopes)
                if slope is not None:
                    d_values[place] = slope
            d_state = [next(slopes) for _ in fields]
            for index, weight in enumerate(weights):
                d_weights[index] = _sum(d_weights[index], next(slopes) if weight.requires_grad else None)
        return None, None, None, d_values, *d_state, *d_weights


def _stretches(lengths: Tensor) -> Iterator[Ragged]:
    """The rows of the first steps of every sequence, of the next ones, and so on."""
    rows = Ragged(torch.arange(int(lengths.sum())), lengths)
    size = max(1, ROOTS * math.isqrt(rows.max_length))
    for start in range(0, rows.max_length, size):
        yield rows.slice(start, start + size)


def _place(rows: Ragged, values: Tensor) -> Any:
    """An index of these rows; one sequence lies in one piece, which needs no copy."""
    if rows.batch_size == 1:
        return slice(int(rows.values[0]), int(rows.values[-1]) + 1)
    return rows.values.to(values.device)


def _part(values: Tensor, rows: Ragged) -> Ragged:
    return Ragged(values[_place(rows, values)], rows.lengths)


def _slopes(pairs: Sequence[tuple[Tensor, Tensor | None]], leaves: Sequence[Tensor], **options: Any) -> Any:
    """Gradients of all leaves from those of some answers; an answer that depends on none of them counts for nothing."""
    known = [(answer, slope) for answer, slope in pairs if slope is not None and answer.requires_grad]
    if not known:
        return [None] * len(leaves)
    answers, slopes = zip(*known, strict=True)
    return torch.autograd.grad(answers, leaves, slopes, allow_unused=True, **options)


def _sum(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    if total is None or more is None:
        return more if total is None else total
    return total.add_(more)


def _at_once(ctx: Any, values: Tensor, rest: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> list[Any]:
    with torch.autocast(*ctx.autocast):
        found, after = ctx.run(Ragged(values, ctx.lengths), ctx.kind(*rest[: len(ctx.kind._fields)]))
    leaves = [tensor for tensor in (values, *rest) if tensor.requires_grad]
    pairs = list(zip((found.values, *after), gradients, strict=True))
    slopes = iter(_slopes(pairs, leaves, create_graph=True))
    return [next(slopes) if tensor.requires_grad else None for tensor in (values, *rest)]
