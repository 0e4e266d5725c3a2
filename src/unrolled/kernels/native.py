"""torch's own recurrent layers: oneDNN on a CPU, cuDNN on a GPU.

On a GPU the packed call is fast and exact. On a CPU packing is slow (its backward pass is quadratic in time),
so sequences are sorted by length and time is cut where the batch shrinks; each segment is one dense call that
continues from the state of the one before it. The cuts come from a small dynamic program that weighs padded steps
against the fixed cost of a call.
"""

import numpy as np
import torch
from torch import Tensor

from unrolled.cells.base import Cell, State
from unrolled.cells.elman import ElmanCell
from unrolled.kernels.noise import Noise
from unrolled.kernels.transforms import transformed
from unrolled.ragged import Ragged

# cost of one more dense call, in padded row-steps; measured at H = 128, flat between 32 and 256
CALL_COST = 100
MAX_CANDIDATES = 64


def refuses(cell: Cell, inputs: Ragged, noise: Noise | None = None) -> str:
    """Return why torch's layers cannot run this; empty when they can."""
    if not cell.torch_layer:
        return f"torch has no layer for {cell.short_name}"
    if noise is not None:
        return "torch's layers have neither recurrent dropout nor zoneout"
    if transformed():
        return "a function transform of torch is active, which torch's own layers do not support"
    if inputs.values.dtype != cell.weight_ih.dtype and not torch.is_autocast_enabled(inputs.values.device.type):
        return f"inputs are {inputs.values.dtype}, weights {cell.weight_ih.dtype}"
    return autocast_refuses(cell.torch_layer, inputs.values.device)


def autocast_refuses(torch_layer: str, device: torch.device) -> str:
    """Return why torch's layer cannot run under the current autocast; empty when it can, or when none is on.

    On a CPU, autocast runs an LSTM in oneDNN, which has narrow types only for processors that compute in them.

    Args:
        torch_layer: `LSTM`, `GRU` or `RNN`.
        device: where the inputs are.
    """
    if torch_layer != "LSTM" or device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return ""
    narrow = torch.get_autocast_dtype("cpu")
    if narrow in _NARROW and not _NARROW[narrow]():
        return f"autocast is on, and oneDNN has no LSTM in {narrow} for this processor"
    return ""


def run(
    cell: Cell, inputs: Ragged, state: State, noise: Noise | None = None, want_state: bool = True
) -> tuple[Ragged, State]:
    """Run a cell as `reference.run` does; without noise, which it refuses.

    With `want_state=False` a final state that torch does not return (an LSTM's cell in the middle of a
    segment) may be wrong, which allows longer segments; the hidden state is always right.
    """
    layout = inputs.time_major
    device = inputs.values.device
    order, rank = layout.order.to(device), layout.rank.to(device)
    gather, scatter = layout.gather.to(device), layout.scatter.to(device)
    start = tuple(field[order].unsqueeze(0).contiguous() for field in state)  # (1, B, H) each
    if device.type == "cpu":
        # an unbounded state may be infinite, and padding steps after its sequence turn it into NaN
        unbounded = isinstance(cell, ElmanCell) and cell.activation == "relu"
        outputs, final = _segments(cell, inputs, start, every_length=unbounded or (want_state and len(start) > 1))
    else:
        outputs, final = _packed(cell, inputs.values[gather], layout.batch_sizes, start)
    return inputs.with_values(outputs[scatter]), type(state)(*(field.squeeze(0)[rank] for field in final))


def _packed(
    cell: Cell, values: Tensor, batch_sizes: Tensor, start: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    alive = int(batch_sizes[0])  # empty sequences sort last and are not packed
    outputs, *final = _FUNCTIONS[_function(cell)](
        values,
        batch_sizes,
        _state_argument(tuple(field[:, :alive].contiguous() for field in start)),
        cell.weights,
        True,
        1,
        0.0,
        torch.is_grad_enabled(),  # so that a backward pass is possible in evaluation mode too
        False,
    )
    return outputs, tuple(torch.cat([new, old[:, alive:]], 1) for new, old in zip(final, start, strict=True))


def _segments(
    cell: Cell, inputs: Ragged, state: tuple[Tensor, ...], every_length: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run dense calls over segments of time; return time-major outputs (N, H) and the final state (1, B, H)."""
    layout = inputs.time_major
    lengths = inputs.lengths[layout.order]
    cuts = _cuts(lengths.numpy(), every_length)
    sizes = layout.batch_sizes
    starts = np.concatenate([[0], np.cumsum(sizes.numpy())])
    values = inputs.values[layout.gather]  # (N, F) time-major
    outputs = []
    ended: list[list[Tensor]] = [[] for _ in state]
    begin = 0
    for end in cuts:
        rows = int(sizes[begin])
        if rows < state[0].shape[1]:
            for field, done in zip(state, ended, strict=True):
                done.append(field[:, rows:])
            state = tuple(field[:, :rows] for field in state)
        steps, full = end - begin, int(sizes[end - 1]) == rows
        block = values[starts[begin] : starts[end]]
        keep = torch.arange(rows)[None, :] < sizes[begin:end, None]  # (T, B)
        if full:
            dense = block.view(steps, rows, -1)  # (T, B, F)
        else:
            dense = block.new_zeros(steps, rows, block.shape[1]).masked_scatter(keep[..., None], block)
        output, *final = _FUNCTIONS[_function(cell)](
            dense,
            _state_argument(tuple(field.contiguous() for field in state)),
            cell.weights,
            True,
            1,
            0.0,
            torch.is_grad_enabled(),  # so that a backward pass is possible in evaluation mode too
            False,
            False,
        )  # (T, B, H)
        outputs.append(output.flatten(0, 1) if full else output[keep])
        if not full:  # the hidden state of a sequence that ended inside the segment is its last real output
            last = (lengths[:rows].clamp(max=end) - begin - 1).clamp(min=0)
            final[0] = output[last, torch.arange(rows)].unsqueeze(0)
        state = tuple(final)
        begin = end
    whole = tuple(torch.cat([field, *reversed(done)], 1) for field, done in zip(state, ended, strict=True))
    return torch.cat(outputs), whole


def _cuts(lengths: np.ndarray, every_length: bool) -> list[int]:
    """Return the times at which segments end, the last one being the longest length; `lengths` sorted descending."""
    ends = np.unique(lengths[lengths > 0])
    if every_length or len(ends) == 1:
        return [int(end) for end in ends]
    if len(ends) > MAX_CANDIDATES:
        ends = np.unique(np.append(ends[:: len(ends) // MAX_CANDIDATES + 1], ends[-1]))
    begins = np.concatenate([[0], ends[:-1]])
    rows = np.searchsorted(-lengths, -begins, side="left")  # number of sequences longer than each beginning
    best = np.zeros(len(ends) + 1)
    came_from = np.zeros(len(ends) + 1, dtype=int)
    for j in range(1, len(ends) + 1):
        cost = best[:j] + rows[:j] * (ends[j - 1] - begins[:j]) + CALL_COST
        came_from[j] = int(np.argmin(cost))
        best[j] = cost[came_from[j]]
    cuts, j = [], len(ends)
    while j:
        cuts.append(int(ends[j - 1]))
        j = came_from[j]
    return cuts[::-1]


def _function(cell: Cell) -> str:
    return f"rnn_{cell.activation}" if isinstance(cell, ElmanCell) else cell.torch_layer.lower()


def _state_argument(state: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    return state[0] if len(state) == 1 else state


_FUNCTIONS = {"lstm": torch.lstm, "gru": torch.gru, "rnn_tanh": torch.rnn_tanh, "rnn_relu": torch.rnn_relu}
_NARROW = {
    torch.bfloat16: torch.ops.mkldnn._is_mkldnn_bf16_supported,
    torch.float16: torch.ops.mkldnn._is_mkldnn_fp16_supported,
}
