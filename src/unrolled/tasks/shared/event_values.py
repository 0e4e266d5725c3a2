"""Single values in the events of streams: numbers, categories and names, or a refusal in one sentence."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from unrolled.errors import DataError, message

LARGEST = 1e300  # largest number that a state keeps
_NUMBERS = (int, float, np.number, np.bool_, Decimal, Fraction)
_SINGLE = (str, *_NUMBERS, dt.date, dt.time, dt.timedelta, np.str_, np.datetime64, np.timedelta64)


def number_of(value: Any, column: str, largest: float = LARGEST) -> float:
    """Return a number of an event, NaN where it is missing.

    Args:
        value: what the event holds.
        column: its column.
        largest: largest number that is read.

    Raises:
        DataError: anything but a number, and a number that is infinite or too large.

    Example:
        >>> number_of(2, "load"), number_of(None, "load")
        (2.0, nan)
    """
    if value is None:
        return float("nan")
    if not isinstance(value, _NUMBERS) or isinstance(value, np.complexfloating | np.timedelta64):
        raise DataError(message(f"column {column!r}", expected="numbers, as in training", received=value))
    try:
        number = float(value)
    except (OverflowError, ValueError):  # a whole number of hundreds of digits, or a Decimal that is no number
        number = float("inf")
    if abs(number) > largest:
        expected = f"finite numbers of at most {largest:g}"
        raise DataError(message(f"column {column!r}", expected=expected, received=value))
    return number


def category_of(value: Any, column: str) -> str | None:
    """Return a category of an event as a table writes it, None where it is missing.

    Args:
        value: what the event holds.
        column: its column.

    Raises:
        DataError: a list, a record or another value that is no single one.

    Example:
        >>> category_of(True, "page"), category_of("home", "page")
        ('true', 'home')
    """
    if value is None:
        return None
    if not isinstance(value, _SINGLE):
        raise DataError(message(f"column {column!r}", expected="categories, as in training", received=value))
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)


def name_of(value: Any, column: str) -> str:
    """Return the name of an event's series.

    Args:
        value: what the event holds.
        column: its column.

    Raises:
        DataError: no name, or a value that is no single one.

    Example:
        >>> name_of(12, "shop")
        '12'
    """
    if value is None or not isinstance(value, _SINGLE) or value != value:
        raise DataError(message(f"column {column!r}", expected="a name in every row", received=value))
    return str(value)
