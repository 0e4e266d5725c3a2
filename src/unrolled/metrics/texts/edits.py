"""Edit distances, and the character and word error rates that are computed from them."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return the least number of insertions, deletions and substitutions that turn one sequence into the other.

    A column of the table of distances is one integer with one bit per item of the longer sequence, so that long
    texts take moments.

    Args:
        one: a text, or words.
        other: like `one`.

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
        rise, fall = (less | ~(along | more)) & every, more & along  # relative to the column before
        distance += bool(rise & last) - bool(fall & last)
        rise, fall = (rise << 1) | 1, fall << 1
        more, less = (fall | ~(down | rise)) & every, rise & down & every
    return distance


def edits_of(
    truth: Sequence[Sequence[str]], answers: Sequence[str], split: Callable[[str], Sequence[Hashable]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of edits from each answer to the nearest true text, and that text's number of items.

    Args:
        truth: the true texts of each item, at least one.
        answers: one text per item, (M,).
        split: splits a text into its items, such as characters (`list`) or words.
    """
    rows = []
    for texts, answer in zip(truth, answers, strict=True):
        said = split(answer)
        true = [split(text) for text in texts]
        pairs = [(edit_distance(items, said), len(items)) for items in true]
        rows.append(min(pairs, key=lambda pair: (pair[0] / max(pair[1], 1), pair[1])))
    edits = np.array(rows, dtype=np.int64).reshape(-1, 2)  # (M, 2)
    return edits[:, 0], edits[:, 1]
