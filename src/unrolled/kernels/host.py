"""What this machine's processor can do."""

from functools import cache
from pathlib import Path

BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # x86 and ARM name it differently


@cache
def fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively; False where that cannot be told."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return any(
        BFLOAT16_FLAGS & set(line.split())
        for line in text.splitlines()
        if line.lower().startswith(("flags", "features"))
    )
