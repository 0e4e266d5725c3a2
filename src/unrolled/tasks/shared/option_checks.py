"""Validation of a task's options, in one place and before anything is read or made.

A constructor only stores, so `fit` calls this, and so does loading a model. The annotations of a constructor say
which options are numbers and flags; the tables give the ranges.
"""

import datetime as dt
from collections.abc import Iterator, KeysView, Mapping, ValuesView
from typing import Any, get_args, get_origin

import numpy as np

from unrolled.cells.registry import CELLS
from unrolled.errors import OptionError, message, one_column, share_number, single, unknown, whole_number
from unrolled.forms import annotations_of, fits
from unrolled.nn.layers import CONV, OPTIONS
from unrolled.nn.stack import MOST_LAYERS

WIDEST = 1_000_000  # a larger square matrix has more numbers than any memory
MOST_STEPS = 2**31 - 1
RANGES = {
    "hidden_size": (1, WIDEST),
    "embedding_size": (1, WIDEST),
    "components": (1, WIDEST),
    "horizon": (1, WIDEST),
    "num_layers": (1, MOST_LAYERS),
    "context_length": (0, MOST_STEPS),
    "season": (0, MOST_STEPS),
    "warm_up": (1, MOST_STEPS),
    "quiet": (1, MOST_STEPS),
    "memory": (0, MOST_STEPS),
}
ABOVE_ZERO = ("alarm_rate",)  # shares that may not be 0
_LISTS = {  # what options take that hold several values, by a part of their annotation
    "str | unrolled.codecs.base.Codec": "a column, a codec, or a list of them",
    "typing.Any, float": "'balanced', or a weight for each label",
    "float": "a list of numbers",
    "str": "a name or a list of names",
}
_YIELDS = (Iterator, KeysView, ValuesView, range)
# options that name one column
COLUMNS = (
    *("target", "words", "text", "frames", "source", "picture", "label"),
    *("user", "item", "place", "time", "latitude", "longitude"),
)
NAMED = ("layers", "training", "decoder")  # options that hold options by name


def check_options(owner: Any) -> None:
    """Refuse the first option of a task's constructor that is no number, flag or mapping in its range.

    Args:
        owner: a task.

    Raises:
        OptionError: names the option.

    Example:
        >>> import unrolled as ur
        >>> check_options(ur.Tagger(dropout=float("nan")))
        Traceback (most recent call last):
            ...
        unrolled.errors.OptionError: dropout: expected a number in [0, 1), received nan
    """
    given = {name: plain(value) for name, value in owner.get_params(deep=False).items()}
    forms = annotations_of(type(owner))
    for name, value in given.items():
        parts = {forms.get(name), *get_args(forms.get(name))}
        if value is None and type(None) in parts:
            continue
        if name in NAMED and not isinstance(value, Mapping):
            raise OptionError(message(name, expected="options by name", received=value))
        alternatives: tuple[Any, ...] = get_args(forms.get(name)) or (forms.get(name),)
        if str in alternatives and not any(map(get_origin, alternatives)) and not isinstance(value, alternatives):
            said = one_column(name, value) if name in COLUMNS else message(name, expected="a name", received=value)
            raise OptionError(said)
        if bool in parts:
            check_flag(name, value)
        elif int in parts:
            whole_number(name, value, *RANGES[name])
        elif float in parts and share_number(name, value) == 0 and name in ABOVE_ZERO:
            raise OptionError(message(name, expected="a number in (0, 1)", received=value))
        elif any(map(get_origin, alternatives)) and not fits(value, forms[name]):
            raise OptionError(message(name, expected=_wanted(forms[name]), received=value))
    if given["cell"] not in (*CELLS, CONV):
        raise unknown("cell", str(given["cell"]), [*CELLS, CONV])
    check_named("layers", given["layers"] or {}, {**OPTIONS, "bidirectional": bool})


def _wanted(form: Any) -> str:
    """Return what an option takes that is no single number or name."""
    return next((words for inside, words in _LISTS.items() if f"[{inside}" in str(form)), "another value")


def check_named(argument: str, given: Mapping[str, Any], known: Mapping[str, type]) -> None:
    """Refuse the first of some options by name that is unknown or has the wrong kind of value.

    Args:
        argument: the argument that holds the options.
        given: the options.
        known: the kind of each: a bool, or a float that is a share.

    Raises:
        OptionError: names the option.
    """
    for name, value in given.items():
        if name not in known:
            raise unknown(argument, str(name), known)
        if known[name] is bool:
            check_flag(name, value)
        elif known[name] is float:
            share_number(name, value)


def check_flag(name: str, value: Any) -> None:
    """Refuse a value that is neither True nor False.

    Raises:
        OptionError: names the option.
    """
    if not isinstance(single(value), bool):
        raise OptionError(message(name, expected="True or False", received=value))


def _is_column(value: Any) -> bool:
    """Return whether a value is a Series or index of pandas, or a Series of polars; neither is imported for it."""
    kind = type(value)
    return kind.__module__.partition(".")[0] in ("pandas", "polars") and kind.__name__.endswith(("Series", "Index"))


def plain(value: Any) -> Any:
    """Convert numbers and lists of NumPy, pandas, polars and torch to Python's, what yields an order to a list.

    Dates become their text. Anything else is returned unchanged.

    >>> plain(np.int64(3)), plain({"zoneout": np.float64(0.5)}), plain(np.array([1, 2]))
    (3, {'zoneout': 0.5}, [1, 2])
    """
    if isinstance(value, np.ndarray) and value.ndim:
        return plain(value.astype("datetime64[us]").tolist() if value.dtype.kind == "M" else value.tolist())
    if isinstance(value, dt.date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, _YIELDS) or _is_column(value):
        return plain(list(value))
    if type(value) in (dict, list, tuple):
        inside = list(value.values() if type(value) is dict else value)
        found = [plain(one) for one in inside]
        if all(one is other for one, other in zip(inside, found, strict=True)):
            return value  # the object that the user gave
        if type(value) is dict:
            return dict(zip(value, found, strict=True))
        return found if type(value) is list else tuple(found)
    return single(value)
