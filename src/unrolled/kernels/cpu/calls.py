"""Calling the compiled kernels: buffers, addresses and threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from typing import Any

import torch
from torch import Tensor

from unrolled.kernels.cpu import compiler
from unrolled.kernels.cpu.backward import Backward, write_backward
from unrolled.kernels.cpu.forward import Forward, write_forward
from unrolled.kernels.cpu.layer import Layer, WeightGradients
from unrolled.kernels.cpu.layout import Chunk, chunks_of
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pool import Kernel, run_all, threads_for

BLOCK_VALUES = 98_304  # slots of a block of rows: they should stay in a core's second cache
TABLES = 9  # what the backward pass needs; the forward pass uses some of them
THREAD_WORK = 1_000_000  # multiplications below which handing over to a thread costs more than it saves


@dataclass(eq=False)
class Part:
    """One chunk's buffers, which the forward pass leaves for the backward pass."""

    chunk: Chunk
    sequences: Tensor  # (C,)
    hidden: Tensor  # (C, shown) before the first step
    gates: Tensor  # (rows, slots of all units)
    cells: Tensor  # (C + rows, padded); in inference (C, padded)
    raw: Tensor  # (rows, padded) before a projection
    table: Tensor  # room for the addresses of a block's rows

    def without_buffers(self) -> "Part":
        """The same without the large ones."""
        return self.with_buffers(*[self.gates.new_empty(0)] * len(self.buffers))

    def with_buffers(self, gates: Tensor, cells: Tensor, raw: Tensor) -> "Part":
        """The same with them."""
        return replace(self, gates=gates, cells=cells, raw=raw)

    @property
    def buffers(self) -> tuple[Tensor, Tensor, Tensor]:
        """The large ones."""
        return self.gates, self.cells, self.raw

    def final(self, outputs: Tensor, keep: bool) -> list[Tensor]:
        """The states after the last steps, (C, padded) each."""
        last = torch.from_numpy(self.chunk.firsts + self.chunk.lengths - 1)
        states = [outputs[last]]
        if self.cells.numel():
            states.append(self.cells[torch.from_numpy(self.chunk.last_rows()) + len(last)] if keep else self.cells)
        return states


def forward(
    layer: Layer, inputs: Tensor, lengths: Tensor, state: Sequence[Tensor], keep: bool
) -> tuple[Tensor, list[Part]]:
    """Run a layer over a ragged batch.

    Args:
        layer: the weights.
        inputs: (N, F), contiguous; with pairs also bfloat16.
        lengths: (B,).
        state: hidden, and cell where there is one, before the first step, (B, H).
        keep: keep what `backward` needs.

    Returns:
        outputs (N, shown), and the buffers of every chunk.
    """
    new = layer.bias.new_empty  # float32, also where the inputs are bfloat16
    outputs = new(inputs.shape[0], layer.shown)
    plan, read = layer.plan, layer.left(inputs, layer.input_stride)
    left = new(inputs.shape[0], layer.left_stride) if plan.pairs else outputs
    weights, parts, tasks = layer.forward_weights(keep), [], []
    kernel, projection = forward_kernel(layer.name, layer.plan, keep), layer.projection(keep)
    for chunk in _chunks(layer, lengths, _threads(layer, len(inputs))):
        part = _part(layer, chunk, state, keep)
        parts.append(part)
        given: dict[Any, Any] = _common(Forward, layer, part, read, outputs, left)
        given |= {
            Forward.input_terms: plan.terms(layer.input_size),
            Forward.recurrent_terms: plan.terms(layer.output_size),
            Forward.bias: layer.bias,
            Forward.input_weights: weights[0],
            Forward.recurrent_weights: weights[1] if len(weights) > 1 else 0,
            Forward.own: layer.own,
            Forward.projection: projection,
        }
        tasks.append(given)
    run_all(kernel, [_addresses(Forward, given) for given in tasks])
    return outputs, parts


def backward(
    layer: Layer,
    inputs: Tensor,
    outputs: Tensor,
    parts: Sequence[Part],
    d_outputs: Tensor | None,
    d_final: Sequence[Tensor | None],
    want_inputs: bool,
) -> tuple[Tensor | None, list[Tensor], list[list[Tensor]]]:
    """The gradients of everything; the parts' slots are used up.

    Args:
        layer: the weights.
        inputs: (N, F), as in `forward`.
        outputs: (N, shown), as `forward` answered.
        parts: as `forward` answered.
        d_outputs: (N, H); None = zeros.
        d_final: of every final state, (B, H); None = zeros.
        want_inputs: whether the gradient of the inputs is asked for.

    Returns:
        gradients of the inputs (N, F), of the weights, and for every part of its first states (C, padded).
    """
    d_outputs = outputs.new_zeros(outputs.shape) if d_outputs is None else padded_to(d_outputs, layer.shown)
    d_inputs = outputs.new_zeros(inputs.shape[0], layer.padded_inputs) if want_inputs else None
    weights, totals, d_first, tasks = layer.backward_weights(), [], [], []
    kernel, projection = _backward_kernel(layer.name, layer.plan), layer.projection_back()
    read, left = layer.left(inputs, layer.input_stride), layer.left(outputs, layer.left_stride)
    for part in parts:
        d_state = [
            outputs.new_zeros(len(part.sequences), width)
            if given is None
            else padded_to(given[part.sequences], width)  # indexing copies: the kernel writes into it
            for given, width in zip(d_final, (layer.shown, layer.padded), strict=False)
        ]
        total = layer.zero_gradients()
        totals.append(total)
        d_first.append(d_state)
        given: dict[Any, Any] = _common(Backward, layer, part, read, outputs, left) | _room(layer, part)
        given |= {
            Backward.input_size: layer.input_size,
            Backward.output_size: layer.output_size,
            Backward.projection: projection,
            Backward.d_projection: total.projection,
            Backward.d_outputs: d_outputs,
            Backward.d_hidden: d_state[0],
            Backward.d_cells: d_state[1] if layer.plan.cell.has_cell else 0,
            Backward.d_inputs: 0 if d_inputs is None else d_inputs,
            Backward.padded_inputs: layer.padded_inputs,
            Backward.input_weights: weights[0],
            Backward.recurrent_weights: weights[1] if len(weights) > 1 else 0,
            Backward.d_input_weights: total.input_weights,
            Backward.d_recurrent_weights: total.recurrent_weights,
            Backward.d_bias: total.bias,
            Backward.own: layer.own,
            Backward.d_own: total.own,
        }
        tasks.append(given)
    run_all(kernel, [_addresses(Backward, given) for given in tasks])
    return (
        None if d_inputs is None else d_inputs[:, : layer.input_size].to(inputs.dtype),
        layer.unpack(WeightGradients.sum_of(totals or [layer.zero_gradients()])),
        d_first,
    )


def parts_again(
    layer: Layer, lengths: Tensor, state: Sequence[Tensor], gates: Tensor, cells: Tensor, raw: Tensor, chunks: int
) -> list[Part]:
    """The buffers of a forward pass from copies of what it left.

    Args:
        layer: the weights.
        lengths: as in `forward`; likewise state.
        gates: of every chunk, (N, slots of all units).
        cells: of every chunk after each step, (N, padded); (0, padded) where the cell has none.
        raw: of every chunk, (N, padded); (0, padded) without a projection.
        chunks: how many there were.
    """
    parts, first = [], 0
    for chunk in _chunks(layer, lengths, chunks):
        part, rows = _part(layer, chunk, state, keep=True), slice(first, first + chunk.num_rows)
        part.gates.copy_(gates[rows])
        part.cells[len(part.sequences) :] = cells[rows]
        part.raw.copy_(raw[rows])
        parts.append(part)
        first = rows.stop
    return parts


def padded_to(values: Tensor, width: int) -> Tensor:
    """Rows filled up with zeros to this width, contiguous; a copy only where something changes."""
    if values.shape[-1] < width:
        values = torch.nn.functional.pad(values, (0, width - values.shape[-1]))
    return values.contiguous()


def _threads(layer: Layer, steps: int) -> int:
    return threads_for(steps * layer.row_width * (layer.input_size + layer.hidden_size), THREAD_WORK)


def _chunks(layer: Layer, lengths: Tensor, threads: int) -> list[Chunk]:
    return chunks_of(lengths, threads, max(8, BLOCK_VALUES // layer.row_width))


def _part(layer: Layer, chunk: Chunk, state: Sequence[Tensor], keep: bool) -> Part:
    sequences = torch.from_numpy(chunk.sequences)
    count, new = len(sequences), layer.weights["weight_ih"].new_empty
    widths = (layer.shown, layer.padded)
    hidden, *cell = (padded_to(field.detach()[sequences], width) for field, width in zip(state, widths, strict=False))
    rows = chunk.num_rows if keep else chunk.block_rows
    gates, cells = new(rows, layer.row_width), new(0, layer.padded)
    if keep and layer.plan.tail:
        gates[:, -layer.plan.tail :] = 0  # no step writes all of it, and what an operator answers is not left to chance
    if cell:
        cells = new(count + (rows if keep else 0), layer.padded)
        cells[:count] = cell[0]
    table = torch.empty(TABLES * chunk.block_rows, dtype=torch.int64)
    return Part(chunk, sequences, hidden, gates, cells, new(rows if layer.plan.projected else 0, layer.padded), table)


def _common(
    names: Any, layer: Layer, part: Part, inputs: Tensor, outputs: Tensor, left: Tensor
) -> dict[Any, Tensor | int]:
    """The arguments that both passes take."""
    chunk = part.chunk
    return {
        names.blocks: chunk.blocks.ctypes.data,
        names.num_blocks: len(chunk.blocks) - 1,
        names.offsets: chunk.offsets.ctypes.data,
        names.firsts: chunk.firsts.ctypes.data,
        names.direction: 1,
        names.table: part.table,
        names.table_rows: chunk.block_rows,
        names.groups: layer.groups,
        names.input_stride: layer.input_stride,
        names.left_stride: layer.left_stride,
        names.hidden_size: layer.hidden_size,
        names.padded_size: layer.padded,
        names.shown_size: layer.shown,
        names.inputs: inputs,
        names.outputs: outputs,
        names.hidden: part.hidden,
        names.left: left,
        names.left_hidden: layer.left(part.hidden, layer.left_stride),
        names.gates: part.gates,
        names.cells: part.cells,
        names.num_sequences: len(part.sequences),
        names.raw: part.raw,
    }


def _room(layer: Layer, part: Part) -> dict[Any, Tensor | int]:
    """Where the backward pass has a block's gradients on both sides of a projection, and brings it into pairs."""
    rows, width, new = part.chunk.block_rows, layer.groups * layer.plan.width, layer.bias.new_empty
    projected = rows if layer.plan.projected else 0
    room: dict[Any, Tensor | int] = {
        Backward.d_raw: new(projected, layer.padded),
        Backward.d_shown: new(projected, layer.shown),
    }
    if not layer.plan.pairs:
        return room | dict.fromkeys((Backward.narrow, Backward.left_pairs, Backward.slot_pairs), 0)
    longer = max(layer.input_stride, layer.left_stride)
    return room | {
        Backward.narrow: new(rows, layer.plan.terms(width)),
        Backward.left_pairs: new(-(-rows // 2), 2 * longer),
        Backward.slot_pairs: new(-(-rows // 2), width),
    }


def _addresses(names: type[IntEnum], given: Mapping[Any, Tensor | int]) -> list[int]:
    values = [given[name] for name in names]
    return [value if isinstance(value, int) else value.data_ptr() for value in values]


@cache
def forward_kernel(name: str, plan: Plan, keep: bool) -> Kernel:
    """The compiled forward pass, in training or inference."""
    kind = "training" if keep else "inference"
    return compiler.load(_key(name, plan, kind), plan.machine, lambda module: write_forward(module, plan, keep))


@cache
def _backward_kernel(name: str, plan: Plan) -> Kernel:
    return compiler.load(_key(name, plan, "backward"), plan.machine, lambda module: write_backward(module, plan))


def _key(name: str, plan: Plan, kind: str) -> str:
    return f"{name}-{plan.panels}-{kind}{'-bfloat16' if plan.pairs else ''}"
