"""What `tests/conftest.py` puts around every function of the tensor rooms: shapes are checked, nothing else is.

Only annotations that name an alias of `unrolled.shapes` are kept; a wrong option or type must reach our own
error messages, which other tests read.
"""

from collections.abc import Callable
from typing import Any, get_args

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray

_checked = beartype(conf=BeartypeConf(is_color=False))


def names_a_shape(hint: object) -> bool:
    """Whether an annotation is, or contains, an array with named axes."""
    return (isinstance(hint, type) and issubclass(hint, AbstractArray)) or any(map(names_a_shape, get_args(hint)))


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check a function's shapes at every call, or give the function back when its annotations name none."""
    shapes = {name: hint for name, hint in function.__annotations__.items() if names_a_shape(hint)}
    if not shapes:
        return function
    function.__annotations__ = shapes
    return _checked(function)
