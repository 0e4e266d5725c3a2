"""Register tiles compiled on this machine: float32 on a CPU."""

import torch
from torch.autograd import forward_ad

from unrolled.cells.base import Cell, State
from unrolled.kernels.cpu import autograd, operator
from unrolled.kernels.cpu.machine import host
from unrolled.kernels.cpu.pointwise.registry import name_of
from unrolled.ragged import Ragged


def refuses(cell: Cell, inputs: Ragged) -> str:
    """Why the tiles cannot run this; empty when they can."""
    values = inputs.values
    if not name_of(cell):
        return f"the tiles have no {type(cell).__name__}"
    if values.device.type != "cpu":
        return f"inputs are on {values.device}"
    if torch.is_autocast_enabled("cpu"):
        return "autocast is on"
    if torch.jit.is_tracing():
        return "a graph is being recorded"
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return "a function transform of torch is at work"
    if values.dtype != torch.float32 or cell.weight_ih.dtype != torch.float32:
        return f"inputs are {values.dtype}, weights {cell.weight_ih.dtype}; the tiles compute in float32"
    return ""


def run(cell: Cell, inputs: Ragged, state: State, want_state: bool = True) -> tuple[Ragged, State]:
    """Same contract as `reference.run`."""
    if torch.compiler.is_compiling():
        return operator.run(cell, name_of(cell), inputs, state)
    return autograd.run(cell, name_of(cell), host(), inputs, state)
