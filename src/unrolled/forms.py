"""Type checks of loaded values against the annotations of the code that uses them.

A saved model is JSON, and anybody can write any JSON. The annotations of constructors and learnt attributes declare
their types; here loaded values are compared with them, so that a wrong type is refused when a model is loaded and not
in the middle of a prediction.
"""

import dataclasses
import inspect
import math
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from unrolled.errors import ArtifactError, message

ROOM = "unrolled."
LARGEST = 2**62  # largest whole number: arrays index with 64 bits


def check_forms(owner: object, skip: Sequence[str] = ()) -> None:
    """Check the attributes of an object, and of the objects inside it, against their classes' annotations.

    Args:
        owner: an object of this package.
        skip: attributes that are not checked.

    Raises:
        ArtifactError: for the first value of a wrong type.
    """
    _check_object(owner, type(owner).__name__, skip, set())


def check_form(value: Any, form: Any, name: str) -> None:
    """Check one value against an annotation.

    Example:
        >>> check_form([1, 2], list[int], "sizes")
        >>> check_form([1, "x"], list[int], "sizes")
        Traceback (most recent call last):
            ...
        unrolled.errors.ArtifactError: sizes: expected list[int], received [1, 'x']
    """
    if not fits(value, form):
        shown = repr(value)
        raise ArtifactError(message(name, expected=_spelt(form), received=shown[:60] + "..." * (len(shown) > 60)))


def fits(value: Any, form: Any) -> bool:
    """Return whether a value fits an annotation; a list fits any sequence, a whole number fits a float."""
    if form is Any or form is object:
        return True
    if form is None or form is type(None):
        return value is None
    if form in _PLAIN:
        return _PLAIN[form](value)
    origin, parts = get_origin(form), get_args(form)
    if origin is Annotated:
        return fits(value, parts[0]) and all(law(value) for law in parts[1:])
    if origin is Literal:
        return value in parts
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is tuple and parts[-1:] != (...,):
        sized = isinstance(value, list | tuple) and len(value) == len(parts)
        return sized and all(map(fits, value, parts))
    if origin in (list, tuple, Sequence):
        return isinstance(value, list | tuple) and all(fits(item, parts[0]) for item in value)
    if origin in (dict, Mapping):
        pairs = value.items() if isinstance(value, Mapping) else [(None, None)]
        return isinstance(value, Mapping) and all(fits(k, parts[0]) and fits(v, parts[1]) for k, v in pairs)
    kind = origin or form
    return isinstance(value, kind) if isinstance(kind, type) else True


def some(values: Sequence[Any]) -> bool:
    """Return whether a list is not empty."""
    return len(values) > 0


def equal_rows(rows: Sequence[Sequence[Any]]) -> bool:
    """Return whether there are two lists of equal length, such as centre and spread of each column."""
    return len(rows) == 2 and len(rows[0]) == len(rows[1])


def _is_int(value: Any) -> bool:
    return type(value) is int and abs(value) < LARGEST


def _is_float(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


_PLAIN: dict[Any, Callable[[Any], bool]] = {
    bool: lambda value: type(value) is bool,
    int: _is_int,
    float: _is_float,
    str: lambda value: isinstance(value, str),
}


def _check_object(owner: object, name: str, skip: Sequence[str], seen: set[int]) -> None:
    if id(owner) in seen:
        return
    seen.add(id(owner))
    held = _held(owner)
    for key, form in annotations_of(type(owner)).items():
        if key in skip:
            continue
        if key in held:
            check_form(held[key], form, f"{name}.{key}")
        elif key.endswith("_") and not hasattr(type(owner), key):
            raise ArtifactError(message(f"{name}.{key}", expected=_spelt(form), received="nothing"))
    for key, value in held.items():
        if key not in skip:
            for inner in _objects(value):
                _check_object(inner, f"{name}.{key}", (), seen)


def _held(owner: object) -> dict[str, Any]:
    if dataclasses.is_dataclass(owner):
        return {field.name: getattr(owner, field.name) for field in dataclasses.fields(owner)}
    return dict(getattr(owner, "__dict__", {}))


def _objects(value: Any) -> Iterator[Any]:
    """Yield the objects of this package in a value, which may be a list or a dictionary of them."""
    if type(value).__module__.startswith(ROOM):
        yield value
    elif isinstance(value, list | tuple) and value and not isinstance(value[0], str | int | float):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _objects(item)


@cache
def annotations_of(kind: type) -> dict[str, Any]:
    """Return the annotations of a class and of its constructor, by attribute."""
    constructor = {} if dataclasses.is_dataclass(kind) else get_type_hints(kind.__init__, include_extras=True)
    known = inspect.signature(kind).parameters if constructor else ()
    own = {name: form for name, form in constructor.items() if name in known}
    return own | get_type_hints(kind, include_extras=True)


def _spelt(form: Any) -> str:
    if get_origin(form) is Annotated:
        law = " that is ".join(part.__name__.replace("_", " ") for part in get_args(form)[1:])
        return f"{_spelt(get_args(form)[0])} of {law}"
    return form.__name__ if isinstance(form, type) and not get_args(form) else str(form).replace("typing.", "")
