"""Memory use of a value in bytes."""

import sys
from typing import Any

import numpy as np


def weight(value: Any) -> int:
    """Return the bytes of a value and everything in it; shared parts count each time, so it is an upper bound.

    Example:
        >>> import numpy as np
        >>> weight((np.zeros(100), "ab")) >= 800
        True
    """
    if isinstance(value, tuple | list):
        return sys.getsizeof(value) + sum(map(weight, value))
    if isinstance(value, dict):
        return sys.getsizeof(value) + sum(weight(key) + weight(one) for key, one in value.items())
    if isinstance(value, np.ndarray):
        return value.nbytes + 128  # getsizeof of an array counts its numbers only if it owns them
    return sys.getsizeof(value)
