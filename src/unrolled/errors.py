"""The tree of all errors that `unrolled` raises on purpose.

    UnrolledError
    ├── InputError (ValueError)     wrong input from the user: the command line exits with 2
    │   ├── OptionError             an argument or option has an illegal value or name
    │   ├── DataError               a file, a column or a value in the data
    │   ├── ShapeError              a tensor, array or state of the wrong shape
    │   ├── RepeatedEvent           an event that was counted already, and whose answer is no longer kept
    │   └── ArtifactError           a saved model or checkpoint that cannot be read or written
    ├── UnsupportedError            the request makes sense, but not for this model or kernel
    ├── NotFittedError              predict before fit (also scikit-learn's NotFittedError)
    ├── NonFiniteLossError          training met NaN or infinity and stopped
    └── StoreUnavailable            the store of sessions could not be reached in time; retry later
        └── AnswerLost              the same, and it is unknown whether the write was made

A message names the argument, what was expected, what was received and what to do.
"""

import errno
import json
import math
import os
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

LONGEST_SHOWN = 200  # characters of a value that is no text, in a message
LONGEST_TEXT = 300  # characters of what was received, where it is described in words


class UnrolledError(Exception):
    """Root of the tree: catch this to catch every error that unrolled raises on purpose."""


class InputError(UnrolledError, ValueError):
    """Wrong input from the user."""


class OptionError(InputError):
    """An argument or option has an illegal value or name."""


class DataError(InputError):
    """A file, a column or a value in the data is wrong."""


class ShapeError(InputError):
    """A tensor, array or state has the wrong shape."""


class ArtifactError(InputError):
    """A saved model or checkpoint cannot be read or written."""


class RepeatedEvent(InputError):  # noqa: N818 - named after the event, as StoreUnavailable after the store
    """An event that was counted already or comes too late, and whose answer is no longer kept; it is not counted."""


class UnsupportedError(UnrolledError):
    """The request makes sense, but not for this model or kernel."""


class NotFittedError(UnrolledError, ValueError, AttributeError):
    """A learnt attribute was used before `fit`."""


class NonFiniteLossError(UnrolledError):
    """Training met NaN or infinity and stopped; the last finite weights are kept."""


class StoreUnavailable(UnrolledError):  # noqa: N818 - the store's error, not the caller's
    """The store of sessions could not be reached in time; nothing was acknowledged, so retry later."""


class AnswerLost(StoreUnavailable):
    """The answer to a write was lost: it may or may not have been made. An event sent again with its id counts once."""


def message(argument: str, *, expected: str, received: object, remedy: str = "") -> str:
    """Build the sentence of an error: argument, expected, received, remedy.

    >>> message("dropout", expected="a number in [0, 1)", received=1.5, remedy="try 0.2")
    'dropout: expected a number in [0, 1), received 1.5; try 0.2'
    """
    shown = _cut(received, LONGEST_TEXT) if isinstance(received, str) else _in_short(received)
    text = f"{argument}: expected {expected}, received {' '.join(shown.split()) if chr(10) in shown else shown}"
    return f"{text}; {remedy}" if remedy else text


def reason(fault: BaseException, otherwise: str = "damaged or cut off") -> str:
    """Return why something could not be read or written, in words of ours.

    A library's text is about its own arguments, and may hold whatever was in the file: it stays with the exception,
    as the `__cause__` of ours. Words of this package and of the operating system are kept.

    Args:
        fault: what was caught.
        otherwise: the words for any other fault.

    Example:
        >>> reason(PermissionError(13, "library's own words")), reason(ValueError("library's own words"))
        ('Permission denied', 'damaged or cut off')
        >>> reason(json.JSONDecodeError("Expecting value", "[1, x]", 4))
        'something else at column 5'
    """
    match fault:
        case UnrolledError():
            return str(fault)
        case OSError(errno=int(number)) if number in errno.errorcode:
            return os.strerror(number)
        case UnicodeDecodeError():
            return f"other bytes at position {fault.start}"
        case json.JSONDecodeError():
            if fault.pos >= len(fault.doc.rstrip()):
                return "an early end"
            line = f"line {fault.lineno}, " if "\n" in fault.doc else ""
            return f"something else at {line}column {fault.colno}"
        case RecursionError():
            return "too many lists or objects inside each other"
        case MemoryError():
            return "more than fits into memory"
        case EOFError():
            return "an early end"
        case _:
            return otherwise


def _in_short(value: object) -> str:
    """Return how a value is written, cut at a length that a sentence can hold."""
    try:
        shown = repr(value)
    except Exception:  # objects of users may fail at this
        shown = f"an object of {type(value).__name__}"
    return _cut(shown, LONGEST_SHOWN)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "..."


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return a hint that names the nearest valid choice, or lists the choices when none is near.

    >>> nearest("reviw", ["review", "stars"])
    "did you mean 'review'?"
    """
    known = [str(choice) for choice in choices]
    by_fold = {choice.casefold(): choice for choice in known}
    close = get_close_matches(name.casefold(), list(by_fold), n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_fold[close[0]]!r}?"
    shown = ", ".join(repr(choice) for choice in known[:12])
    return f"choose from {shown}{', ...' if len(known) > 12 else ''}" if known else "nothing to choose from"


_LISTED = 12  # names in a message


def unknown(argument: str, name: str, choices: Iterable[str], error: type[InputError] = OptionError) -> InputError:
    """Make the error for a name that is not among the choices, with the nearest one suggested."""
    known = list(choices)
    return error(message(argument, expected="a known name", received=name, remedy=nearest(name, known)))


def listed(names: Iterable[str]) -> str:
    """Return names for a message: the first twelve, as a table may have very many columns.

    Args:
        names: the names.

    >>> listed(["text", "label"])
    "'text', 'label'"
    """
    known = list(names)
    return ", ".join(map(repr, known[:_LISTED])) + (", ..." if len(known) > _LISTED else "")


def one_column(argument: str, value: object) -> str:
    """Return the message for an argument that names a column and was given several, or no name.

    Args:
        argument: the argument, such as "group".
        value: what was given.

    >>> one_column("group", ["shop", "item"]).partition("; ")[0]
    "group: expected the name of one column, received ['shop', 'item']"
    """
    several = list(value) if isinstance(value, list | tuple | set | frozenset) and len(value) > 1 else []
    parts = several if len(several) < 5 and all(isinstance(one, str) for one in several) else ["a", "b"]
    remedy = (
        f"to use several as one, join them first: with polars, pl.concat_str({parts}, separator=' ').alias('joined')"
    )
    return message(argument, expected="the name of one column", received=value, remedy=remedy if several else "")


def lacking(column: str, columns: Iterable[str], argument: str = "") -> DataError:
    """Make the error for data without a column that is needed, with the nearest of its own columns suggested.

    Args:
        column: the column that is needed.
        columns: the columns of the data.
        argument: the argument that names the column, if it may be another one; suggested if no column is near.

    >>> str(lacking("review", ["reviw", "stars"]))
    "column 'review': expected in the data, received the columns 'reviw', 'stars'; the nearest is 'reviw'"
    """
    if not isinstance(column, str):
        return DataError(one_column(argument or "column", column))
    have = [str(one) for one in columns]
    close = get_close_matches(str(column).casefold(), [one.casefold() for one in have], n=1, cutoff=0.6)
    near = next((one for one in have if close and one.casefold() == close[0]), "")
    return DataError(
        message(
            f"column {column!r}",
            expected="in the data",
            received=f"the columns {listed(have)}" if have else "no column",
            remedy=f"the nearest is {near!r}" if near else f"name it with {argument}=" if argument else "",
        )
    )


def finite_number(argument: str, value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a number that is finite and within its bounds, or refuse it: NaN and infinity are in no range.

    Args:
        argument: its name.
        value: to check.
        least: lowest legal value.
        most: highest legal value.

    Raises:
        OptionError: no number, NaN, infinite, or out of bounds.

    Example:
        >>> finite_number("temperature", 1, least=0)
        1.0
    """
    value = single(value)
    try:
        found = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number that is larger than any float
        found = math.inf
    if math.isfinite(found) and least <= found <= most:
        return found
    raise OptionError(message(argument, expected=f"a finite number{_bounds(least, most)}", received=value))


def share_number(argument: str, value: Any) -> float:
    """Return a share: a number from 0 up to 1, but not 1 itself; see `finite_number`.

    Raises:
        OptionError: no number, or none in [0, 1).

    Example:
        >>> share_number("dropout", 0)
        0.0
    """
    value = single(value)
    if isinstance(value, Real) and not isinstance(value, bool) and 0 <= (found := float(max(-1, min(value, 1)))) < 1:
        return found
    raise OptionError(message(argument, expected="a number in [0, 1)", received=value))


def whole_number(argument: str, value: Any, least: float = -math.inf, most: float = math.inf) -> int:
    """Return a whole number within its bounds, or refuse it; see `finite_number`.

    Raises:
        OptionError: no whole number, or out of bounds.

    Example:
        >>> whole_number("length", 3, least=0)
        3
    """
    value = single(value)
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return int(value)
    raise OptionError(message(argument, expected=f"an integer{_bounds(least, most)}", received=value))


def single(value: Any) -> Any:
    """Return a single number of NumPy or torch as one of Python, and anything else unchanged.

    Args:
        value: an option, such as `numpy.int64(8)`, an array without axes, or `numpy.bool_(True)`.

    Example:
        >>> import numpy
        >>> single(numpy.array(3)), single(numpy.bool_(True)), single("a")
        (3, True, 'a')
    """
    return value.item() if is_single(value) else value


def is_single(value: Any) -> bool:
    """Return whether a value is a single number of NumPy or torch; such an array cannot be iterated over.

    Example:
        >>> import numpy
        >>> is_single(numpy.int64(3)), is_single(numpy.array([3])), is_single(3)
        (True, False, False)
    """
    return getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None))


def _bounds(least: float, most: float) -> str:
    if most == math.inf:
        return "" if least == -math.inf else f" >= {least}"
    return f" from {least} to {most}"
