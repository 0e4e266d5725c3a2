"""The tiles as two torch operators, for graphs recorded by torch.compile or torch.export.

Outside graphs, `autograd.Recurrence` does the same with less overhead.
"""

from typing import Any

import torch
from torch import Tensor

from unrolled.cells.base import Cell, State
from unrolled.kernels.cpu import autograd, calls
from unrolled.kernels.cpu.layer import Layer
from unrolled.kernels.cpu.machine import available, host
from unrolled.kernels.replay import learns
from unrolled.ragged import Ragged

KEPT = 4  # number of tensors that the forward pass keeps for the backward pass


def run(cell: Cell, name: str, inputs: Ragged, state: State, pairs: bool = False) -> tuple[Ragged, State]:
    """Run a cell as `reference.run` does; `pairs`: products in bfloat16."""
    weights, before = list(cell.weights), list(state)
    keep = learns((inputs.values, *weights, *before))
    names = ",".join(cell.weight_shapes)
    outputs, final, _ = torch.ops.unrolled.recurrence(
        inputs.values, inputs.lengths, weights, before, name, names, pairs, keep, None
    )
    return inputs.with_values(outputs), type(state)(*final)


@torch.library.custom_op("unrolled::recurrence", mutates_args=(), device_types="cpu")
def recurrence(
    inputs: Tensor,
    lengths: Tensor,
    weights: list[Tensor],
    state: list[Tensor],
    name: str,
    weight_names: str,
    pairs: bool,
    keep: bool,
    machine: str | None,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Run a cell over every sequence of a ragged batch.

    Args:
        inputs: (N, F).
        lengths: (B,).
        weights: the cell's.
        state: before the first step, (B, H) each.
        name: key in `POINTWISE`.
        weight_names: separated by commas.
        pairs: products in bfloat16.
        keep: keep the values that the gradients need.
        machine: name of the processor to run as; None = the host, also where a saved graph is loaded.

    Returns:
        outputs (N, H), or (N, P) with a projection; the final states, as wide as `state`; and the kept values: slots
        of every chunk, its cells after each step, its units before a projection, and the number of chunks.
    """
    given = Ragged(inputs, lengths)  # checks what the machine code relies on
    layer = _layer(weights, name, weight_names, pairs, machine)
    outputs, finals, parts = autograd.forward(layer, given.values, given.lengths, state, keep)
    if not keep:
        return outputs, finals, []
    gates = [outputs.new_empty(0, layer.row_width), *(part.gates for part in parts)]
    nothing = outputs.new_empty(0, layer.padded)
    cells = torch.cat([nothing, *(part.cells[len(part.chunk.sequences) :] for part in parts)])
    raw = torch.cat([nothing, *(part.raw for part in parts)])
    return outputs, finals, [gates[1] if len(parts) == 1 else torch.cat(gates), cells, raw, torch.tensor([len(parts)])]


@recurrence.register_fake
def _(
    inputs: Tensor,
    lengths: Tensor,
    weights: list[Tensor],
    state: list[Tensor],
    name: str,
    weight_names: str,
    pairs: bool,
    keep: bool,
    machine: str | None,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    layer, steps = _layer(weights, name, weight_names, pairs, machine), inputs.shape[0]
    new = weights[0].new_empty  # float32, also where the inputs are bfloat16
    outputs, finals = new(steps, layer.output_size), [torch.empty_like(field) for field in state]
    if not keep:
        return outputs, finals, []
    cells = new(steps if layer.plan.cell.has_cell else 0, layer.padded)
    raw = new(steps if layer.plan.projected else 0, layer.padded)
    return outputs, finals, [new(steps, layer.row_width), cells, raw, lengths.new_empty(1)]


@torch.library.custom_op("unrolled::recurrence_backward", mutates_args=(), device_types="cpu")
def recurrence_backward(
    want_inputs: bool,
    inputs: Tensor,
    weights: list[Tensor],
    state: list[Tensor],
    d_outputs: Tensor | None,
    d_final: list[Tensor | None],
    lengths: Tensor,
    outputs: Tensor,
    kept: list[Tensor],
    name: str,
    weight_names: str,
    pairs: bool,
    machine: str | None,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Compute the gradients of `recurrence`.

    Args:
        want_inputs: whether to compute the gradient of the inputs.
        inputs: as for `recurrence`; likewise weights, state, lengths, name, weight_names, pairs, machine.
        d_outputs: (N, H); None = zeros.
        d_final: of the final states, (B, H) each; None = zeros.
        outputs: from `recurrence`; likewise kept.

    Returns:
        gradients of the inputs, empty if not wanted, of the weights, and of the states.
    """
    layer = _layer(weights, name, weight_names, pairs, machine)
    gates, cells, raw, chunks = kept
    parts = calls.parts_again(layer, lengths, state, gates, cells, raw, int(chunks))  # copies, as slots are overwritten
    d_inputs, d_weights, d_state = autograd.backward(
        layer, inputs.contiguous(), outputs, parts, state, d_outputs, d_final, want_inputs
    )
    d_inputs = inputs.new_empty(0) if d_inputs is None else d_inputs.contiguous()
    return d_inputs, d_weights, [field.contiguous() for field in d_state]


@recurrence_backward.register_fake
def _(
    want_inputs: bool, inputs: Tensor, weights: list[Tensor], state: list[Tensor], *_: Any
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    d_inputs = inputs.new_empty(inputs.shape if want_inputs else (0,))
    return d_inputs, [weight.new_empty(weight.shape) for weight in weights], [f.new_empty(f.shape) for f in state]


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, list[Tensor], list[Tensor]]) -> None:
    values, lengths, weights, state, *ctx.options = inputs
    outputs, _, kept = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*kept)
    ctx.num_weights = len(weights)
    ctx.save_for_backward(values, lengths, outputs, *weights, *state, *kept)


def _gradients(ctx: Any, d_outputs: Tensor | None, d_final: list[Tensor | None], _: Any) -> tuple[Any, ...]:
    inputs, lengths, outputs, *rest = ctx.saved_tensors
    weights, state, kept = rest[: ctx.num_weights], rest[ctx.num_weights : -KEPT], rest[-KEPT:]
    name, weight_names, pairs, _, machine = ctx.options
    wanted = ctx.needs_input_grad[0]
    d_inputs, d_weights, d_state = torch.ops.unrolled.recurrence_backward(
        wanted, inputs, weights, state, d_outputs, d_final, lengths, outputs, kept, name, weight_names, pairs, machine
    )
    return d_inputs if wanted else None, None, d_weights, d_state, None, None, None, None, None


def _layer(weights: list[Tensor], name: str, weight_names: str, pairs: bool, machine: str | None) -> Layer:
    found = host() if machine is None else next(one for one in available() if one.name == machine)
    return Layer(name, found, dict(zip(weight_names.split(","), weights, strict=True)), pairs)


recurrence.register_autograd(_gradients, setup_context=_remember)
