"""How many bytes of this process a value takes."""

import sys
from typing import Any

import numpy as np


def weight(value: Any) -> int:
    """Bytes of a value and all within it; what is shared counts each time, so it is an upper bound.

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
        return value.nbytes + 128  # an array that owns its numbers: its size would be asked of what it is a view of
    return sys.getsizeof(value)
