"""All stores by the scheme of their address, and `open_store`. A new store is one file and one line here."""

from importlib import import_module
from typing import cast

from unrolled.errors import OptionError, message, unknown
from unrolled.streaming.stores.address import Address
from unrolled.streaming.stores.base import Store

STORES = {
    "memory": "unrolled.streaming.stores.memory",
    "sqlite": "unrolled.streaming.stores.sqlite",
    "redis": "unrolled.streaming.stores.redis",
    "rediss": "unrolled.streaming.stores.redis",
    "redis+unix": "unrolled.streaming.stores.redis",
    "redis+cluster": "unrolled.streaming.stores.redis",
}


def open_store(address: str) -> Store:
    """Open the store of an address.

    Args:
        address: "memory:", "sqlite:///relative/path" or "sqlite:////absolute/path", "redis://host:6379/0",
            "rediss://..." with TLS, or "redis+unix:///path/of/socket". Options follow a question mark, as in
            "sqlite:///sessions.db?patience=10".

    Raises:
        OptionError: an address of no store, or an unknown option.
        ArtifactError: a file that is no store, or a damaged one.
        StoreUnavailable: no server answers there.
        UnsupportedError: a store whose package is not installed.

    Example:
        >>> open_store("memory:").keys(10, ["0123456789abcdef"])
        []
    """
    where = Address(address)
    if not where.is_whole:
        raise OptionError(message("store", expected='an address such as "sqlite:///sessions.db"', received=str(where)))
    if where.scheme not in STORES:
        raise unknown("store", where.scheme, STORES)
    return cast(Store, import_module(STORES[where.scheme]).open_address(where))
