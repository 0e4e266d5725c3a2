"""Processors: vector width, number of registers, and LLVM's names for their features."""

import platform
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm


@dataclass(frozen=True)
class Machine:
    """A type of processor.

    Args:
        name: key in `MACHINES`.
        width: float32 values in one vector register.
        registers: vector registers.
        cpu: LLVM's name of the processor; "" for the most basic one of this architecture.
        features: LLVM's switches, such as "+avx2,+fma".
    """

    name: str
    width: int
    registers: int
    cpu: str
    features: str

    @property
    def has_vectors(self) -> bool:
        """Whether it has vector instructions; without them torch's own kernels are faster than tiles."""
        return self.name != PLAIN

    @property
    def product_vectors(self) -> int:
        """Number of vectors per row of a tile of a plain product: four, or two with few registers."""
        return 4 if self.registers >= 32 else 2

    @property
    def has_pairs(self) -> bool:
        """Whether it multiplies bfloat16 in pairs, see `pairs`."""
        return self.width == 16 and "+avx512bf16" in self.features.split(",")

    def tile_rows(self, vectors: int) -> int:
        """Return the rows of a tile of this many vectors whose sums all stay in registers; 1 without a product."""
        return 1 if not vectors else max(1, min(8, (self.registers - vectors - 1) // vectors))


PLAIN = "plain"
# features that a host must have, the widest first; the last one runs anywhere, as LLVM splits vectors if needed
MACHINES = {
    "avx512": (("avx512f", "avx512dq", "avx512vl", "avx512bw"), 16, 32),
    "avx2": (("avx2", "fma"), 8, 16),
    "neon": (("neon",), 4, 32),
    "sse2": (("sse2",), 4, 16),
    PLAIN: ((), 4, 16),
}


@cache
def host() -> Machine:
    """Return the widest machine that this processor supports."""
    return available()[0]


@cache
def available() -> list[Machine]:
    """List every machine that this processor supports, the widest first; the narrower ones are for tests."""
    _start()
    known = features()
    found = []
    for name, (needs, width, registers) in MACHINES.items():
        if all(known.get(need, False) for need in needs) and not (found and name == PLAIN):
            cpu, switches = "", dict.fromkeys(needs, True)
            if not found:  # the widest may use all features of this processor, but no disabled ones
                cpu, switches = llvm.get_host_cpu_name(), known
            listed = ",".join(f"{'+' if has else '-'}{switch}" for switch, has in sorted(switches.items()))
            found.append(Machine(name, width, registers, cpu, listed))
    return found


def features() -> dict[str, bool]:
    """Return the features that this processor has and lacks, by LLVM's names."""
    try:
        found = dict(llvm.get_host_cpu_features())
    except RuntimeError:  # LLVM cannot detect features on every system
        found = {}
    kind = platform.machine().lower()
    if kind in ("aarch64", "arm64"):
        found["neon"] = True  # every 64-bit ARM has it, and LLVM does not always report it
    if kind in ("x86_64", "amd64"):
        found["sse2"] = True
    return found


@cache
def _start() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
