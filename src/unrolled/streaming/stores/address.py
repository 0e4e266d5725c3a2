"""Addresses of stores: a place and options after a question mark; secrets in them are never shown."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from unrolled.errors import OptionError, message, unknown

WITHOUT_USERS = ("memory", "sqlite")  # schemes in whose addresses an @ does not end a password


class Address:
    """An address of a store; as text, and in every message, it hides user and password.

    Args:
        text: such as "sqlite:///sessions.db?patience=10" or "redis://user:password@host:6379/0".

    Attributes:
        scheme: the part before the first colon.
        place: the address without its options, but with its secrets.

    Example:
        >>> address = Address("redis://someone:secret@host:6379/0?patience=2.5")
        >>> address, address.options({"patience": seconds})
        (redis://***@host:6379/0, {'patience': 2.5})
    """

    def __init__(self, text: str) -> None:
        self.place, _, self._query = text.partition("?")
        self.scheme, self._colon, self._rest = self.place.partition(":")

    @property
    def is_whole(self) -> bool:
        """Whether it has a scheme."""
        return bool(self._colon)

    def __str__(self) -> str:
        if not self._colon:
            return "an address without a scheme"
        if not self.has_secret:
            return self.place
        host = self._rest.rpartition("@")[2] if "@" in self._rest else "..."
        return f"{self.scheme}://***@{host}"

    __repr__ = __str__

    @property
    def has_secret(self) -> bool:
        """Whether it contains a user or a password."""
        return self.scheme not in WITHOUT_USERS and ("@" in self._rest or "@" in self._query)

    def options(self, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        """Parse the options after the question mark.

        Args:
            readers: a parser per known option.

        Raises:
            OptionError: an unknown option, or one that cannot be parsed.
        """
        if self.has_secret and "@" not in self._rest:
            raise OptionError(message("store", expected="a password with ? written as %3F", received=str(self)))
        given = {}
        for name, text in parse_qsl(self._query, keep_blank_values=True):
            if name not in readers:
                raise unknown("store option", name, readers)
            given[name] = readers[name](text)
        return given


def seconds(text: str) -> float:
    """Parse a number of seconds, such as "2.5"."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise OptionError(message("store option", expected="seconds >= 0", received=text))
    return value


def yes_or_no(text: str) -> bool:
    """Parse "yes" or "no"."""
    if text not in ("yes", "no"):
        raise OptionError(message("store option", expected='"yes" or "no"', received=text))
    return text == "yes"
