"""Choosing the kernel that runs a cell, with reasons. A new kernel is one file and one line in `KERNELS`."""

from types import ModuleType
from typing import NamedTuple

from unrolled.cells.base import Cell
from unrolled.errors import UnsupportedError, unknown
from unrolled.kernels import native, reference
from unrolled.kernels.cpu import kernel as tiles
from unrolled.kernels.noise import Noise
from unrolled.ragged import Ragged

# the fastest first; the reference comes last and can run everything
KERNELS: dict[str, ModuleType] = {"tiles": tiles, "native": native, "reference": reference}


class Choice(NamedTuple):
    """The chosen kernel, and the reason for each kernel that was skipped.

    Args:
        name: key in `KERNELS`.
        refused: reasons by kernel name; empty when the first one runs.
    """

    name: str
    refused: dict[str, str]


def choose(cell: Cell, inputs: Ragged, kernel: str = "auto", noise: Noise | None = None) -> Choice:
    """Choose the first kernel that can run this cell on these inputs with this noise, or the requested one.

    Raises:
        OptionError: an unknown kernel name.
        UnsupportedError: the requested kernel cannot run this; the message says why.
    """
    if kernel != "auto":
        if kernel not in KERNELS:
            raise unknown("kernel", kernel, ["auto", *KERNELS])
        reason = KERNELS[kernel].refuses(cell, inputs, noise)
        if reason:
            raise UnsupportedError(f"kernel {kernel!r} cannot run here: {reason}; use kernel='auto'")
        return Choice(kernel, {})
    refused: dict[str, str] = {}
    for name, module in KERNELS.items():
        reason = module.refuses(cell, inputs, noise)
        if not reason:
            return Choice(name, refused)
        refused[name] = reason
    raise UnsupportedError(f"no kernel runs {cell.short_name}: {refused}")
