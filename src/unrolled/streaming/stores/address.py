"""What an address of a store says: where, and options behind a question mark."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from unrolled.errors import OptionError, message, unknown


def split_address(address: str, options: Mapping[str, Callable[[str], Any]]) -> tuple[str, dict[str, Any]]:
    """An address without its options, and the options.

    Args:
        address: such as "sqlite:///sessions.db?patience=10".
        options: how to read the text of each option there is.

    Raises:
        OptionError: an unknown option, or one that cannot be read.

    Example:
        >>> split_address("sqlite:///sessions.db?patience=10", {"patience": seconds})
        ('sqlite:///sessions.db', {'patience': 10.0})
    """
    place, _, query = address.partition("?")
    given = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in options:
            raise unknown("store option", name, options)
        given[name] = options[name](text)
    return place, given


def seconds(text: str) -> float:
    """A time, such as "2.5"."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise OptionError(message("store option", expected="seconds >= 0", received=text))
    return value


def yes_or_no(text: str) -> bool:
    """ "yes" or "no"."""
    if text not in ("yes", "no"):
        raise OptionError(message("store option", expected='"yes" or "no"', received=text))
    return text == "yes"
