"""Pairs of a sequence and a target, as datasets of torch and many scripts hold their examples."""

from collections.abc import Sequence
from numbers import Number
from typing import Any

PAIR = 2  # parts


def pairs_apart(items: Sequence[Any]) -> tuple[list[Any], list[Any]] | None:
    """Return the sequences and the targets of pairs; None for items of which some is no such pair.

    A pair is an array, a tensor or a list beside a single value, or a text beside a number. Two texts or two lists may
    be one sequence of two steps, and so they are no pair.

    Args:
        items: tuples or lists, or anything else.

    Example:
        >>> pairs_apart([([0.5, 1.5], "up"), ([2.5], "down")])
        ([[0.5, 1.5], [2.5]], ['up', 'down'])
        >>> pairs_apart([("to", "be")]) is None
        True
    """
    if not items or not all(map(_is_pair, items)):
        return None
    sequences, targets = ([item[side] for item in items] for side in range(PAIR))
    return None if all(target is None for target in targets) else (sequences, targets)


def _is_pair(item: Any) -> bool:
    if not isinstance(item, tuple | list) or len(item) != PAIR:
        return False
    sequence, target = item
    if isinstance(sequence, str):
        return isinstance(target, Number) or getattr(target, "ndim", None) == 0
    single = target is None or isinstance(target, str | Number) or getattr(target, "ndim", None) == 0
    return single and (isinstance(sequence, list | tuple) or getattr(sequence, "ndim", 0) > 0)
