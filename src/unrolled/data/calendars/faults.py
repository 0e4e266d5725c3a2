"""Faults of single series, which are named while the other series are answered."""

import warnings
from collections.abc import Sequence

from unrolled.errors import DataError

MOST_NAMED = 3  # series that a warning names


def refuse_all(faults: Sequence[DataError], count: int) -> None:
    """Raise the first fault, if every one of `count` series has one."""
    if faults and len(faults) == count:
        raise faults[0]


def warn_of_faults(what: str, faults: Sequence[DataError]) -> None:
    """Warn of faults of single series, the first few in full.

    Args:
        what: what follows from them.
        faults: one for each series concerned; nothing is said if there is none.
    """
    if faults:
        shown = "; ".join(str(fault) for fault in faults[:MOST_NAMED])
        more = f"; and {len(faults) - MOST_NAMED} more series" if len(faults) > MOST_NAMED else ""
        warnings.warn(f"{what}: {shown}{more}", stacklevel=4)
