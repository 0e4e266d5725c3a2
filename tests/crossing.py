"""Products of parameters: every member in a quick test, and the rest of the product in slow ones."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest


def crossed(*members: Iterable[Any]) -> list[Any]:
    """Return all tuples of the product as parameters; all but a diagonal, in which each member occurs, are slow.

    The diagonal is shifted after each round through a shorter list, so that members that come at regular places of the
    longest one, such as the kernels of each cell, meet all members of the others.

    Example:
        >>> [one.values for one in crossed("abcd", "xy") if not one.marks]
        [('a', 'x'), ('b', 'y'), ('c', 'y'), ('d', 'x')]
    """
    lists = [list(some) for some in members]
    longest = max(map(len, lists))
    quick = {tuple((place + place // len(some)) % len(some) for some in lists) for place in range(longest)}
    return [
        pytest.param(
            *(some[index] for some, index in zip(lists, places, strict=True)),
            marks=() if places in quick else pytest.mark.slow,
        )
        for places in product(*(range(len(some)) for some in lists))
    ]


def spread(cases: Iterable[Any]) -> list[Any]:
    """Return what `crossed` gave with tuples among the values as values of their own.

    Example:
        >>> [one.values for one in spread(crossed([("lstm", "native")], [1, 2]))]
        [('lstm', 'native', 1), ('lstm', 'native', 2)]
    """
    parts = lambda one: (part for value in one.values for part in (value if isinstance(value, tuple) else (value,)))  # noqa: E731
    return [pytest.param(*parts(one), marks=one.marks) for one in cases]
