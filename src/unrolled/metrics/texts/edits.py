"""Edit distances, and the error rates of characters and words that are made of them."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and substitutions that make one sequence the other.

    A column of the table of distances is one integer of as many bits as the longer sequence has items, so that long
    texts take moments.

    Args:
        one: a text, or words.
        other: as `one`.

    Example:
        >>> edit_distance("kitten", "sitting"), edit_distance(["a", "cat"], [])
        (3, 2)

    Source: G. Myers, "A Fast Bit-Vector Algorithm for Approximate String Matching", 1999, section 3; as a distance:
    H. Hyyrö, "A Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit Distances", 2003, figure 3.
    """
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    if not len(shorter):
        return len(longer)
    places: dict[Hashable, int] = defaultdict(int)
    for place, item in enumerate(longer):
        places[item] |= 1 << place
    every, last = (1 << len(longer)) - 1, 1 << (len(longer) - 1)
    distance, more, less = len(longer), every, 0  # where a column's entry is one more, or one less, than that above it
    for item in shorter:
        equal = places.get(item, 0)
        down = equal | less
        along = (((equal & more) + more) ^ more) | equal
        rise, fall = (less | ~(along | more)) & every, more & along  # against the column before
        distance += bool(rise & last) - bool(fall & last)
        rise, fall = (rise << 1) | 1, fall << 1
        more, less = (fall | ~(down | rise)) & every, rise & down & every
    return distance


def edits_of(
    truth: Sequence[Sequence[str]], answers: Sequence[str], split: Callable[[str], Sequence[Hashable]]
) -> tuple[np.ndarray, np.ndarray]:
    """How many edits make each answer true, and of how many items the true text is; of several the nearest counts.

    Args:
        truth: the true texts of each item, at least one.
        answers: one text each, (M,).
        split: a text to its items, such as characters (`list`) or words.
    """
    rows = []
    for texts, answer in zip(truth, answers, strict=True):
        said = split(answer)
        true = [split(text) for text in texts]
        pairs = [(edit_distance(items, said), len(items)) for items in true]
        rows.append(min(pairs, key=lambda pair: (pair[0] / max(pair[1], 1), pair[1])))
    edits = np.array(rows, dtype=np.int64).reshape(-1, 2)  # (M, 2)
    return edits[:, 0], edits[:, 1]
