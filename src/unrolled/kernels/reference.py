"""The reference kernel: a plain loop over `cell.step`, for any cell, dtype and device, differentiable twice.

It defines the right result. It uses only torch's operations, so it also runs inside torch.func's transforms.
"""

import torch

from unrolled.cells.base import Cell, State
from unrolled.kernels.noise import SILENCE, Noise, step
from unrolled.ragged import Ragged


def refuses(cell: Cell, inputs: Ragged, noise: Noise | None = None) -> str:
    """Return why this kernel cannot run: always empty, as the reference can run everything."""
    return ""


def run(
    cell: Cell, inputs: Ragged, state: State, noise: Noise | None = None, want_state: bool = True
) -> tuple[Ragged, State]:
    """Step through time, longest sequences first, so that every step works only on sequences that have it.

    Args:
        cell: any cell.
        inputs: (N, F) ragged.
        state: the state before the first step of every sequence, fields (B, H).
        noise: of the recurrence; None = none.
        want_state: ignored, the final state is always computed.

    Returns:
        outputs (N, H) ragged, and the state after the last step of every sequence.
    """
    layout = inputs.time_major
    device = inputs.values.device
    order = layout.order.to(device)
    values = inputs.values[layout.gather.to(device)]  # (N, F), all first steps, then all second steps
    alive = [field[order] for field in state]  # (B, H) each, longest first
    ended: list[list[torch.Tensor]] = [[] for _ in alive]
    noise = SILENCE if noise is None else noise
    factors = noise.factors(state[0])[order] if noise.drops else None  # (B, H)
    keys = noise.row_keys(inputs)[layout.gather].to(device) if noise.zones else None  # (N,)
    outputs = []
    start = 0
    for count in layout.batch_sizes.tolist():
        if count < alive[0].shape[0]:
            for field, done in zip(alive, ended, strict=True):
                done.append(field[count:])
            alive = [field[:count] for field in alive]
        rows = slice(start, start + count)
        dropped, row_keys = None if factors is None else factors[:count], None if keys is None else keys[rows]
        output, after = step(cell, noise, values[rows], type(state)(*alive), dropped, row_keys)
        outputs.append(output)
        alive = list(after)
        start += count
    final = [torch.cat([field, *reversed(done)]) for field, done in zip(alive, ended, strict=True)]  # (B, H)
    rank = layout.rank.to(device)
    joined = torch.cat(outputs) if outputs else values.new_zeros(0, cell.output_size)  # (N, H)
    return inputs.with_values(joined[layout.scatter.to(device)]), type(state)(*(field[rank] for field in final))
