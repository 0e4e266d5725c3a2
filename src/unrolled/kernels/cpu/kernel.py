"""Register tiles compiled on this machine: float32 on a CPU, under autocast with products in bfloat16."""

import torch

from unrolled.cells.base import Cell, State
from unrolled.kernels.cpu import autograd, operator
from unrolled.kernels.cpu.machine import host
from unrolled.kernels.cpu.pointwise.base import Rowwise, has_projection
from unrolled.kernels.cpu.pointwise.registry import POINTWISE, name_of
from unrolled.kernels.noise import Noise
from unrolled.kernels.transforms import transformed
from unrolled.ragged import Ragged

# called once: torch.compile does not follow a cached function
HAS_PAIRS, HAS_VECTORS = host().has_pairs, host().has_vectors


def refuses(cell: Cell, inputs: Ragged, noise: Noise | None = None) -> str:
    """Return why the tiles cannot run this; empty when they can."""
    values = inputs.values
    if not name_of(cell):
        return f"the tiles have no {cell.short_name}"
    if values.device.type != "cpu":
        return f"inputs are on {values.device}"
    if not HAS_VECTORS:
        return "the tiles have AVX-512, AVX2, SSE2 and NEON, and this processor none of them: torch is faster"
    narrow = _narrow()
    if narrow and torch.get_autocast_dtype("cpu") != torch.bfloat16:
        return f"autocast is to {torch.get_autocast_dtype('cpu')}; the tiles have float32 and bfloat16"
    if narrow and not HAS_PAIRS:
        return "autocast is on, and this processor has no product of bfloat16 pairs (AVX512_BF16)"
    if noise is not None and (
        isinstance(POINTWISE[name_of(cell)], Rowwise) or has_projection(POINTWISE[name_of(cell)])
    ):
        return "the tiles have neither recurrent dropout nor zoneout with a layer normalisation or a projection"
    if torch.jit.is_tracing():
        return "a graph is being recorded"
    if transformed():
        return "a function transform of torch is active"
    if cell.weight_ih.dtype != torch.float32 or values.dtype not in (torch.float32, *[torch.bfloat16] * narrow):
        return f"inputs are {values.dtype}, weights {cell.weight_ih.dtype}; the tiles take float32"
    return ""


def run(
    cell: Cell, inputs: Ragged, state: State, noise: Noise | None = None, want_state: bool = True
) -> tuple[Ragged, State]:
    """Run a cell as `reference.run` does."""
    state = type(state)(*(field.float() for field in state))  # a linear layer under autocast makes it bfloat16
    if torch.compiler.is_compiling():
        return operator.run(cell, name_of(cell), inputs, state, pairs=_narrow())
    return autograd.run(cell, name_of(cell), host(), inputs, state, pairs=_narrow(), noise=noise)


def _narrow() -> bool:
    """Return whether products should be in less than float32."""
    return torch.is_autocast_enabled("cpu")
