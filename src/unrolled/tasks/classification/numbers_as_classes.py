"""Refusal of numbers to predict that would each become a class of their own."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from unrolled.codecs.tables.labels import Labels
from unrolled.data.source import Source
from unrolled.errors import DataError, message

MANY = 20  # classes; up to this many, whole numbers may be labels of which each occurs once
SOME = 4  # the same for numbers with fractions
NEARLY_ALL = 0.8  # share of whole numbers that are different, above which they are a quantity
PER_CLASS = 10  # numbers with fractions and more than `MANY` classes need this many labels of each class
SHOWN = 4  # numbers that the error names


def refuse_numbers(codec: Labels, source: Source) -> None:
    """Refuse labels that are measurements: numbers, of which nearly every one is different.

    Whole numbers are classes unless nearly all are different. Numbers with fractions are classes if there are few of
    them, such as half stars, or if each occurs often. Texts such as "0.25" are looked at as numbers.

    Args:
        codec: fitted labels.
        source: the data that they were fitted on.

    Raises:
        DataError: numbers that are no classes.
    """
    numbers = _as_numbers(codec.classes_)
    if numbers is None:
        return
    column = codec.columns[0]
    values = [record[column] for record in source]
    labels = list(chain.from_iterable(one or () for one in values)) if codec.per_step_ else values
    count = sum(label is not None for label in labels)
    size, whole = len(numbers), bool((numbers % 1 == 0).all())
    if whole:
        quantity = size > MANY and size > NEARLY_ALL * count
    else:  # most occur once, or many occur seldom
        quantity = (size > SOME and count < 2 * size) or (size > MANY and count < PER_CLASS * size)
    if not quantity:
        return
    shown = ", ".join(f"{number:g}" for number in numbers[:SHOWN])
    raise DataError(
        message(
            f"column {column!r}",
            expected="labels, a few classes that each occur often",
            received=f"{size:,} different numbers in {count:,} labels ({shown}, ...), a quantity",
            remedy="no task predicts a number for a sequence: cut it into bins, such as low, middle and high, or use "
            "Forecaster to predict the next numbers of a series; if they name classes, write them as text such as "
            "'class 7'",
        )
    )


def _as_numbers(labels: Sequence[Any]) -> np.ndarray | None:
    """Return labels as numbers; None if one is none or is true or false, or if all are whole numbers as text."""
    texts = [label for label in labels if isinstance(label, str)]
    if any(isinstance(label, bool) for label in labels) or (texts and all(map(str.isalnum, texts))):
        return None  # such as "007": a name
    try:
        numbers = np.array([float(label) for label in labels])
    except (ValueError, OverflowError):
        return None
    return numbers if np.isfinite(numbers).all() else None
