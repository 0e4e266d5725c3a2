"""Secrets from a file or the environment, where the list of processes does not show them."""

import sys
from pathlib import Path

from unrolled.errors import OptionError, message, reason


def from_file(option: str, path: str, what: str) -> str:
    """Return the text in a file, without white space around it; empty if no file is given.

    Args:
        option: the option that named the file, for errors.
        path: the file; empty = none.
        what: what it should contain, for errors.

    Raises:
        OptionError: a file that cannot be read, or an empty one.
    """
    if not path:
        return ""
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as fault:
        raise OptionError(message(option, expected="a readable file", received=f"{path} ({reason(fault)})")) from fault
    if not text:
        raise OptionError(message(option, expected=what, received=f"{path} (empty)"))
    return text


def warn_of_password(store: str) -> None:
    """Print a warning if the store's password is on the command line, which everybody on the machine can read."""
    from unrolled.streaming.stores.address import Address

    if store and Address(store).has_secret and any(store in word for word in sys.argv):
        print(
            f"warning: the password of {Address(store)} is visible in the list of processes: "
            "give the address in UNROLLED_STORE or in --store-file",
            file=sys.stderr,
        )
