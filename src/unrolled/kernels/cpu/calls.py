"""Calling the compiled kernels: buffers, addresses and threads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from unrolled.kernels.cpu import compiler
from unrolled.kernels.cpu.arguments import BACKWARD, FORWARD, Argument, Value, addresses
from unrolled.kernels.cpu.backward import write_backward
from unrolled.kernels.cpu.draws import NONE, Draws, draw
from unrolled.kernels.cpu.forward import write_forward
from unrolled.kernels.cpu.layer import Layer
from unrolled.kernels.cpu.layout import Chunk, chunks_of
from unrolled.kernels.cpu.memory import keep_freed_memory
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pool import Kernel, run_all, threads_for

BLOCK_VALUES = 98_304  # slots of a block of rows, so that they stay in a core's L2 cache
TABLES = 10  # of the backward pass; the forward pass uses some of them
THREAD_WORK = 1_000_000  # multiplications below which another thread costs more than it saves


@dataclass(eq=False)
class ChunkBuffers:
    """One chunk's buffers, kept by the forward pass for the backward pass."""

    chunk: Chunk
    gates: Tensor  # (rows, slots of all units)
    cells: Tensor  # (C + rows, padded); in inference (C, padded)
    raw: Tensor  # (rows, padded) before a projection
    table: Tensor  # space for the addresses of a block's rows
    draws: Draws  # of the whole batch

    def without_buffers(self) -> "ChunkBuffers":
        """Return a copy without the large buffers."""
        return self.with_buffers(*[self.gates.new_empty(0)] * len(self.buffers))

    def with_buffers(self, gates: Tensor, cells: Tensor, raw: Tensor) -> "ChunkBuffers":
        """Return a copy with the large buffers."""
        return replace(self, gates=gates, cells=cells, raw=raw)

    @property
    def buffers(self) -> tuple[Tensor, Tensor, Tensor]:
        """The large buffers."""
        return self.gates, self.cells, self.raw


def forward(
    layer: Layer, inputs: Tensor, lengths: Tensor, state: Sequence[Tensor], keep: bool
) -> tuple[Tensor, list[Tensor], list[ChunkBuffers]]:
    """Run a layer over a ragged batch.

    Args:
        layer: the weights.
        inputs: (N, F), contiguous; with pairs also bfloat16.
        lengths: (B,).
        state: hidden, and cell where there is one, before the first step, (B, H).
        keep: keep the values that `backward` needs.

    Returns:
        outputs (N, shown), the states after each sequence's last step (B, padded), and the buffers of every chunk.
    """
    keep_freed_memory()
    new = layer.bias.new_empty  # float32, also where the inputs are bfloat16
    outputs = new(len(inputs), layer.shown)
    plan, read = layer.plan, layer.left(inputs, layer.input_stride)
    left = new(len(inputs), layer.left_stride) if plan.copies_hidden else outputs
    weights, parts, tasks = layer.forward_weights(keep), [], []
    kernel, projection = forward_kernel(layer.name, layer.plan, keep), layer.projection(keep)
    chunks, draws = _chunks(layer, lengths, _threads(layer, len(inputs))), draw(layer, lengths)
    first = _padded_state(layer, state)
    some_are_empty = sum(len(chunk.sequences) for chunk in chunks) < len(lengths)
    last = [field.clone() if some_are_empty else torch.empty_like(field) for field in first]
    left_hidden = layer.left(draws.read_before(first[0]), layer.left_stride)
    for chunk in chunks:
        part = _part(layer, chunk, keep, draws)
        parts.append(part)
        given = _common(layer, part, read, outputs, left, first[0], left_hidden)
        given |= {
            Argument.lengths: chunk.places["lengths"],
            Argument.first_cells: first[1] if layer.plan.cell.has_cell else None,
            Argument.last_hidden: last[0],
            Argument.last_cells: last[1] if layer.plan.cell.has_cell else None,
            Argument.input_terms: plan.terms(layer.input_size),
            Argument.recurrent_terms: plan.terms(layer.output_size),
            Argument.bias: layer.bias,
            Argument.input_weights: weights[0],
            Argument.recurrent_weights: weights[1] if len(weights) > 1 else None,
            Argument.own: layer.own,
            Argument.projection: projection,
        }
        tasks.append(given)
    run_all(kernel, [addresses(FORWARD, given) for given in tasks], _work(layer, len(inputs)))
    return outputs, last, parts


def backward(
    layer: Layer,
    inputs: Tensor,
    outputs: Tensor,
    parts: Sequence[ChunkBuffers],
    state: Sequence[Tensor],
    d_outputs: Tensor | None,
    d_final: Sequence[Tensor | None],
    want_inputs: bool,
) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
    """Compute all gradients; the parts' slots are overwritten.

    Args:
        layer: the weights.
        inputs: (N, F), as in `forward`.
        outputs: (N, shown), from `forward`.
        parts: from `forward`.
        state: as in `forward`.
        d_outputs: (N, H); None = zeros.
        d_final: of every final state, (B, H); None = zeros.
        want_inputs: whether to compute the gradient of the inputs.

    Returns:
        gradients of the inputs (N, F), of the weights, and of the initial states (B, padded).
    """
    d_outputs = outputs.new_zeros(outputs.shape) if d_outputs is None else padded_to(d_outputs, layer.shown)
    d_inputs = outputs.new_empty(len(inputs), layer.padded_inputs) if want_inputs else None
    weights, tasks = layer.backward_weights(), []
    totals = [layer.gradients_in(row) for row in layer.zero_gradients(max(1, len(parts)))]  # zeros without any step
    kernel, projection = _backward_kernel(layer.name, layer.plan), layer.projection_back()
    draws = parts[0].draws if parts else NONE
    read, left = layer.left(inputs, layer.input_stride), layer.left(draws.read(outputs), layer.left_stride)
    hidden = _padded_state(layer, state[:1])[0]
    left_hidden = layer.left(draws.read_before(hidden), layer.left_stride)
    d_left = hidden.new_zeros(hidden.shape if layer.plan.drops else 0)
    d_state = [
        _own_copy(given, field, width)
        for given, field, width in zip(d_final, state, (layer.shown, layer.padded), strict=False)
    ]
    for part, total in zip(parts, totals, strict=False):
        given = _common(layer, part, read, outputs, left, hidden, left_hidden)
        given |= _room(layer, part)
        given |= {
            Argument.input_size: layer.input_size,
            Argument.output_size: layer.output_size,
            Argument.projection: projection,
            Argument.d_projection: total.projection,
            Argument.d_outputs: d_outputs,
            Argument.d_hidden: d_state[0],
            Argument.d_cells: d_state[1] if layer.plan.cell.has_cell else None,
            Argument.d_inputs: d_inputs,
            Argument.padded_inputs: layer.padded_inputs,
            Argument.input_weights: weights[0],
            Argument.recurrent_weights: weights[1] if len(weights) > 1 else None,
            Argument.d_input_weights: total.input_weights,
            Argument.d_recurrent_weights: total.recurrent_weights,
            Argument.d_bias: total.bias,
            Argument.own: layer.own,
            Argument.d_own: total.own,
            Argument.d_left: d_left,
        }
        tasks.append(given)
    run_all(kernel, [addresses(BACKWARD, given) for given in tasks], _work(layer, len(inputs)))
    if draws.factors is not None:
        d_state[0].addcmul_(d_left, draws.factors)
    return (
        None if d_inputs is None else d_inputs[:, : layer.input_size].to(inputs.dtype),
        layer.unpack(totals),
        d_state,
    )


def parts_again(
    layer: Layer, lengths: Tensor, state: Sequence[Tensor], gates: Tensor, cells: Tensor, raw: Tensor, chunks: int
) -> list[ChunkBuffers]:
    """Rebuild the buffers of a forward pass from copies of their contents.

    Args:
        layer: the weights.
        lengths: as in `forward`; likewise state.
        gates: of every chunk, (N, slots of all units).
        cells: of every chunk after each step, (N, padded); (0, padded) where the cell has none.
        raw: of every chunk, (N, padded); (0, padded) without a projection.
        chunks: number of chunks.
    """
    parts, first, cells_before = [], 0, _padded_state(layer, state)[1:]
    for chunk in _chunks(layer, lengths, chunks):
        part, rows = _part(layer, chunk, keep=True), slice(first, first + chunk.num_rows)
        part.gates.copy_(gates[rows])
        count = len(chunk.sequences)
        for cell in cells_before:
            part.cells[:count] = cell[torch.from_numpy(chunk.sequences)]
        part.cells[count:] = cells[rows]
        part.raw.copy_(raw[rows])
        parts.append(part)
        first = rows.stop
    return parts


def padded_to(values: Tensor, width: int) -> Tensor:
    """Pad rows with zeros to this width, contiguous; copy only where needed."""
    if values.shape[-1] < width:
        values = torch.nn.functional.pad(values, (0, width - values.shape[-1]))
    return values.contiguous()


def _threads(layer: Layer, steps: int) -> int:
    return threads_for(_work(layer, steps), THREAD_WORK)


def _work(layer: Layer, steps: int) -> float:
    return steps * layer.row_width * (layer.input_size + layer.hidden_size)


def _chunks(layer: Layer, lengths: Tensor, threads: int) -> list[Chunk]:
    return chunks_of(lengths, threads, max(8, BLOCK_VALUES // layer.row_width))


def _padded_state(layer: Layer, state: Sequence[Tensor]) -> list[Tensor]:
    """Pad the fields to the widths of the kernels, (B, shown) and (B, padded)."""
    return [padded_to(field.detach(), width) for field, width in zip(state, (layer.shown, layer.padded), strict=False)]


def _own_copy(given: Tensor | None, like: Tensor, width: int) -> Tensor:
    """Copy a gradient of a state so that it can be overwritten; None = zeros."""
    copy = like.new_zeros(len(like), width)
    if given is not None:
        copy[:, : given.shape[1]] = given
    return copy


def _part(layer: Layer, chunk: Chunk, keep: bool, draws: Draws = NONE) -> ChunkBuffers:
    count, new = len(chunk.sequences), layer.bias.new_empty
    rows = chunk.num_rows if keep else chunk.block_rows
    gates, cells = new(rows, layer.row_width), new(0, layer.padded)
    if keep and layer.plan.tail:
        gates[:, -layer.plan.tail :] = 0  # no step writes all of it, and an operator's result must not be random
    if layer.plan.cell.has_cell:
        cells = new(count + (rows if keep else 0), layer.padded)
    table = torch.empty(TABLES * chunk.block_rows, dtype=torch.int64)
    raw = new(rows if layer.plan.projected else 0, layer.padded)
    return ChunkBuffers(chunk, gates, cells, raw, table, draws)


def _common(
    layer: Layer,
    part: ChunkBuffers,
    inputs: Tensor,
    outputs: Tensor,
    left: Tensor,
    hidden: Tensor,
    left_hidden: Tensor,
) -> dict[Argument, Value]:
    """Return the arguments that both passes have."""
    chunk = part.chunk
    return {
        Argument.blocks: chunk.places["blocks"],
        Argument.num_blocks: len(chunk.blocks) - 1,
        Argument.offsets: chunk.places["offsets"],
        Argument.firsts: chunk.places["firsts"],
        Argument.table: part.table,
        Argument.table_rows: chunk.block_rows,
        Argument.groups: layer.groups,
        Argument.input_stride: layer.input_stride,
        Argument.left_stride: layer.left_stride,
        Argument.hidden_size: layer.hidden_size,
        Argument.padded_size: layer.padded,
        Argument.shown_size: layer.shown,
        Argument.inputs: inputs,
        Argument.outputs: outputs,
        Argument.sequences: chunk.places["sequences"],
        Argument.hidden: hidden,
        Argument.left: left,
        Argument.left_hidden: left_hidden,
        Argument.gates: part.gates,
        Argument.cells: part.cells,
        Argument.num_sequences: len(chunk.sequences),
        Argument.raw: part.raw,
        Argument.row_keys: part.draws.row_keys,
        Argument.unit_keys: part.draws.unit_keys,
        Argument.shared: part.draws.shared,
        Argument.factors: part.draws.factors_of(chunk),
    }


def _room(layer: Layer, part: ChunkBuffers) -> dict[Argument, Value]:
    """Allocate the backward pass's buffers for a block: gradients on both sides of a projection, and pairs."""
    rows, width, new = part.chunk.block_rows, layer.groups * layer.plan.width, layer.bias.new_empty
    projected = rows if layer.plan.projected else 0
    room: dict[Argument, Value] = {
        Argument.d_raw: new(projected, layer.padded),
        Argument.d_shown: new(projected, layer.shown),
    }
    if not layer.plan.pairs:
        return room | dict.fromkeys((Argument.narrow, Argument.left_pairs, Argument.slot_pairs), None)
    longer = max(layer.input_stride, layer.left_stride)
    return room | {
        Argument.narrow: new(rows, layer.plan.terms(width)),
        Argument.left_pairs: new(-(-rows // 2), 2 * longer),
        Argument.slot_pairs: new(-(-rows // 2), width),
    }


@cache
def forward_kernel(name: str, plan: Plan, keep: bool) -> Kernel:
    """Return the compiled forward pass, for training or inference."""
    kind = "training" if keep else "inference"
    return compiler.load(_key(name, plan, kind), plan.machine, lambda module: write_forward(module, plan, keep))


@cache
def _backward_kernel(name: str, plan: Plan) -> Kernel:
    return compiler.load(_key(name, plan, "backward"), plan.machine, lambda module: write_backward(module, plan))


def _key(name: str, plan: Plan, kind: str) -> str:
    kinds = {"bfloat16": plan.pairs, "drops": plan.drops, "zones": plan.zones}
    return "-".join([name, str(plan.panels), kind, *(added for added, holds in kinds.items() if holds)])
