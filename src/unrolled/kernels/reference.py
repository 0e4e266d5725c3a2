"""The definition of right: a plain loop over `cell.step`, any cell, any dtype, any device, differentiable twice.

It consists of torch's operations alone, so it also runs inside torch.func's transforms.
"""

import torch

from unrolled.cells.base import Cell, State
from unrolled.ragged import Ragged


def refuses(cell: Cell, inputs: Ragged) -> str:
    """Why this kernel cannot run; the reference always can."""
    return ""


def run(cell: Cell, inputs: Ragged, state: State, want_state: bool = True) -> tuple[Ragged, State]:
    """Step through time, longest sequences first, so that every step works on the sequences still alive.

    Args:
        cell: any cell.
        inputs: (N, F) ragged.
        state: the state before the first step of every sequence, fields (B, H).
        want_state: ignored, the final state is at hand.

    Returns:
        outputs (N, H) ragged, and the state after the last step of every sequence.
    """
    layout = inputs.time_major
    device = inputs.values.device
    order = layout.order.to(device)
    values = inputs.values[layout.gather.to(device)]  # (N, F), all first steps, then all second steps
    alive = [field[order] for field in state]  # (B, H) each, longest first
    ended: list[list[torch.Tensor]] = [[] for _ in alive]
    outputs = []
    start = 0
    for count in layout.batch_sizes.tolist():
        if count < alive[0].shape[0]:
            for field, done in zip(alive, ended, strict=True):
                done.append(field[count:])
            alive = [field[:count] for field in alive]
        output, after = cell.step(values[start : start + count], type(state)(*alive))
        outputs.append(output)
        alive = list(after)
        start += count
    final = [torch.cat([field, *reversed(done)]) for field, done in zip(alive, ended, strict=True)]  # (B, H)
    rank = layout.rank.to(device)
    joined = torch.cat(outputs) if outputs else values.new_zeros(0, cell.output_size)  # (N, H)
    return inputs.with_values(joined[layout.scatter.to(device)]), type(state)(*(field[rank] for field in final))
