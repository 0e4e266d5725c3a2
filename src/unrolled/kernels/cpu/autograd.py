"""The kernels as one operation of torch's autograd."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from unrolled.cells.base import Cell, State
from unrolled.kernels import reference
from unrolled.kernels.cpu import calls
from unrolled.kernels.cpu.layer import Layer
from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.noise import Noise
from unrolled.kernels.replay import CellReplay, learns, slopes
from unrolled.ragged import Ragged


class Recurrence(torch.autograd.Function):
    """The autograd function of a cell over every sequence of a ragged batch.

    Gradients of gradients come from the reference kernel, which is differentiable twice.
    """

    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        name: str,
        machine: Machine,
        pairs: bool,
        noise: Noise | None,
        lengths: Tensor,
        inputs: Tensor,
        *rest: Tensor,
    ) -> tuple[Tensor, ...]:
        """Return outputs (N, H), then the final states (B, H); `rest` is the cell's weights and the initial states."""
        names = list(cell.weight_shapes)
        layer = Layer(name, machine, dict(zip(names, rest, strict=False)), pairs, noise)
        state = rest[len(names) :]
        answer, finals, parts = forward(layer, inputs, lengths, state, keep=True)
        ctx.set_materialize_grads(False)
        ctx.cell, ctx.layer, ctx.lengths, ctx.used_up = cell, layer, lengths, False
        # torch holds the buffers, so that checkpointing and offloading work on them
        buffers = [buffer for part in parts for buffer in part.buffers]
        ctx.parts = [part.without_buffers() for part in parts]
        ctx.save_for_backward(inputs, answer, *rest, *buffers)
        return answer, *finals

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        """Compute gradients of the inputs, the weights and the initial states."""
        inputs, answer, *rest = ctx.saved_tensors
        given = len(ctx.cell.weight_shapes) + len(ctx.cell.state_type._fields)
        rest, buffers = rest[:given], iter(rest[given:])
        if torch.is_grad_enabled():
            return None, None, None, None, None, None, *_through_reference(ctx, inputs, rest, gradients)
        layer, state = ctx.layer, rest[len(ctx.cell.weight_shapes) :]
        if ctx.used_up:  # a second backward pass over a kept graph: the first one has overwritten the slots
            answer, _, parts = forward(layer, inputs, ctx.lengths, state, keep=True)
        else:
            parts = [part.with_buffers(*islice(buffers, len(part.buffers))) for part in ctx.parts]
        ctx.used_up = True
        d_outputs, *d_final = gradients
        d_inputs, d_weights, d_state = backward(
            layer, inputs, answer, parts, state, d_outputs, d_final, want_inputs=ctx.needs_input_grad[6]
        )
        return None, None, None, None, None, None, d_inputs, *d_weights, *d_state


def run(
    cell: Cell,
    name: str,
    machine: Machine,
    inputs: Ragged,
    state: State,
    pairs: bool = False,
    noise: Noise | None = None,
) -> tuple[Ragged, State]:
    """Run a cell as `reference.run` does; `pairs`: products in bfloat16."""
    given = (inputs.values, *cell.weights, *state)
    if learns(given):
        values, *final = Recurrence.apply(cell, name, machine, pairs, noise, inputs.lengths, *given)
        return inputs.with_values(values), type(state)(*final)
    layer = Layer(name, machine, weights_of(cell), pairs, noise)
    outputs, finals, _ = forward(layer, inputs.values.detach(), inputs.lengths, state, keep=False)
    return inputs.with_values(outputs), type(state)(*finals)


def forward(
    layer: Layer, inputs: Tensor, lengths: Tensor, state: Sequence[Tensor], keep: bool
) -> tuple[Tensor, list[Tensor], list[calls.ChunkBuffers]]:
    """Return outputs (N, H), the final states (B, H), and the buffers of every chunk."""
    outputs, last, parts = calls.forward(layer, inputs, lengths, state, keep)
    finals = [_narrow(field, given.shape[1]) for field, given in zip(last, state, strict=True)]
    return _narrow(outputs, layer.output_size), finals, parts


def backward(
    layer: Layer,
    inputs: Tensor,
    outputs: Tensor,
    parts: Sequence[calls.ChunkBuffers],
    state: Sequence[Tensor],
    d_outputs: Tensor | None,
    d_final: Sequence[Tensor | None],
    want_inputs: bool,
) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
    """Run `calls.backward` with outputs (N, H); return gradients of the initial states as (B, H)."""
    outputs = calls.padded_to(outputs, layer.shown)
    d_inputs, d_weights, d_state = calls.backward(layer, inputs, outputs, parts, state, d_outputs, d_final, want_inputs)
    return d_inputs, d_weights, [_narrow(field, before.shape[1]) for field, before in zip(d_state, state, strict=True)]


def weights_of(cell: Cell) -> dict[str, Tensor]:
    """Return the cell's weights by name."""
    return dict(zip(cell.weight_shapes, cell.weights, strict=True))


def _narrow(padded: Tensor, width: int) -> Tensor:
    return padded if padded.shape[1] == width else padded[:, :width].contiguous()


def _through_reference(
    ctx: Any, inputs: Tensor, rest: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    cell, names = ctx.cell, [f"cell.{name}" for name in ctx.cell.weight_shapes]
    weights: dict[str, Tensor] = dict(zip(names, rest, strict=False))
    given = (Ragged(inputs.to(rest[0].dtype), ctx.lengths), cell.state_type(*rest[len(names) :]), ctx.layer.noise)
    outputs, final = torch.func.functional_call(CellReplay(reference.run, cell), weights, given)
    return slopes(zip((outputs.values, *final), gradients, strict=True), (inputs, *rest), create_graph=True)
