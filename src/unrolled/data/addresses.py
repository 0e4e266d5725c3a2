"""Addresses of files elsewhere, such as https://host/prices.csv and s3://bucket/prices.csv, copied to this machine."""

import re
import shutil
import socket
import ssl
from http.client import responses
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname, urlopen

from unrolled.errors import DataError, message, reason
from unrolled.places import REMOTE

BLOCK_BYTES, PATIENCE = 1 << 20, 60  # seconds without an answer
_WEB = ("http", "https", "ftp")
_NEEDED = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "hf": "huggingface_hub"}


def is_address(place: str | Path) -> bool:
    """Return whether a place is the address of a file elsewhere, and no path.

    Example:
        >>> is_address("s3://bucket/prices.csv"), is_address("C:/prices.csv")
        (True, False)
    """
    return REMOTE.match(str(place)) is not None


def as_address(place: str | Path) -> str:
    """Return an address with the two slashes of which a Path makes one."""
    return re.sub(r"^([A-Za-z0-9+.-]+):/(?=[^/])", r"\1://", str(place))


def shown_address(address: str) -> str:
    """Return an address without passwords and keys, for messages.

    Example:
        >>> shown_address("https://me:secret@host/a.csv?key=1")
        'https://host/a.csv'
    """
    head, sign, rest = address.partition("://")
    host, slash, path = rest.partition("?")[0].partition("#")[0].partition("/")
    return head + sign + host.rpartition("@")[2] + slash + path


def name_of(address: str) -> str:
    """Return the name of the file at an address.

    Example:
        >>> name_of("https://host/a%20b.csv?key=1")
        'a b.csv'
    """
    return unquote(urlsplit(address).path).rpartition("/")[2]


def local_file(address: str) -> Path | None:
    """Return the path that an address of this machine names, such as file:///data/a.csv; None for any other."""
    parts = urlsplit(address)
    if parts.scheme.lower() != "file":
        return None
    if parts.netloc not in ("", "localhost"):
        raise DataError(message("path", expected="file:/// and a path of this machine", received=address))
    return Path(url2pathname(parts.path))


def fetch(address: str, file: BinaryIO) -> None:
    """Copy the file at an address: from the web, or from wherever fsspec reads.

    Args:
        address: the address.
        file: an open file that is written to.

    Raises:
        DataError: nothing there, no access, or a library that is missing; the message names it.
    """
    scheme = address.partition(":")[0].lower()
    shown = shown_address(address)
    source: Any
    try:
        source = urlopen(address, timeout=PATIENCE) if scheme in _WEB else import_module("fsspec").open(address, "rb")
        with source as opened:
            shutil.copyfileobj(opened, file, BLOCK_BYTES)
    except ImportError as fault:
        library = fault.name or getattr(fault.__cause__, "name", None)  # fsspec names it in a text only
        raise _missing(shown, _NEEDED.get(scheme) or library or f"a library that reads {scheme}://") from fault
    except Exception as fault:  # each storage has errors of its own
        received = f"{shown} ({_why(fault)})"
        raise DataError(message("path", expected="an address that can be read", received=received)) from fault


def _why(fault: BaseException) -> str:
    match fault:
        case HTTPError():
            fault.close()
            return f"status {fault.code}, {responses.get(fault.code, 'unknown')}"
        case URLError(reason=BaseException() as within):
            return _why(within)
        case socket.gaierror():
            return "no such host"
        case ssl.SSLError():
            return "no connection that can be trusted"
        case FileNotFoundError():
            return "nothing there"
        case TimeoutError():
            return "no answer in time"
        case _:
            return reason(fault, "it cannot be reached")


def _missing(shown: str, library: str) -> DataError:
    remedy = f"pip install {library}, or copy the file to this machine" if " " not in library else library
    received = f"{shown!r}, which needs {library}"
    return DataError(message("path", expected="an address that can be read", received=received, remedy=remedy))
