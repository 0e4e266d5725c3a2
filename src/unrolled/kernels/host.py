"""Features of this machine's processor."""

from functools import cache

from unrolled.kernels.cpu.machine import features

BFLOAT16_FLAGS = ("avx512bf16", "amx-bf16", "bf16")  # LLVM's names, on x86 and on ARM


@cache
def fast_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 natively; False if unknown."""
    return any(features().get(flag, False) for flag in BFLOAT16_FLAGS)
