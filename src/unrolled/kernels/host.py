"""What this machine's processor can do."""

from functools import cache

from unrolled.kernels.cpu.machine import features

BFLOAT16_FLAGS = ("avx512bf16", "amx-bf16", "bf16")  # LLVM's names, on x86 and on ARM


@cache
def fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively; False where that cannot be told."""
    return any(features().get(flag, False) for flag in BFLOAT16_FLAGS)
