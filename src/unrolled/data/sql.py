"""Tables from databases: the rows that a query returns."""

import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from typing import Any, Unpack
from urllib.parse import urlsplit

import polars as pl

from unrolled.data.forks import check_fork
from unrolled.data.handed import Handed, column, frame_of_columns, refuse_twice
from unrolled.data.readers import source_of
from unrolled.data.source import Table
from unrolled.data.time_words import TimeWords, times_from
from unrolled.errors import DataError, OptionError, message

_SQLITE = "sqlite:///"
_CONNECTION = "an open connection, a cursor, an engine of SQLAlchemy, or an address such as sqlite:///shop.db"


def read_sql(
    query: str,
    connection: Any,
    time: str | None = None,
    group: str | None = None,
    missing: Collection[str | float] | None = None,
    **times: Unpack[TimeWords],
) -> Table:
    """Read the rows that a query returns; the kind of each column is decided over all of its values.

    Args:
        query: the query, in the database's own language.
        connection: an open connection of any Python driver, a cursor, an engine of SQLAlchemy, or the address of a
            database: sqlite:///path, or one that polars reads with the libraries that it asks for.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        missing: texts and numbers that stand for a missing value in every column, such as [-9999].
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        DataError: the database refuses the query, two columns of one name, or no row.
        OptionError: a query that is no text, something that is no connection, or an unknown option of times.

    Example:
        >>> import sqlite3
        >>> connection = sqlite3.connect(":memory:")
        >>> list(read_sql("select 1 as n, 'a' as name", connection))
        [{'n': 1, 'name': 'a'}]
        >>> connection.close()
    """
    check_fork()
    options = times_from(times)
    if not isinstance(query, str) and not hasattr(type(query), "compile"):  # SQLAlchemy's own queries
        raise OptionError(message("query", expected="a text", received=type(query).__name__))
    if isinstance(connection, str) and connection.startswith(_SQLITE):
        frame = _of_sqlite(query, connection.removeprefix(_SQLITE))
    elif isinstance(connection, str):
        frame = _guarded(lambda: pl.read_database_uri(query, connection), urlsplit(connection).password or "")
    elif callable(getattr(connection, "cursor", None)) and isinstance(query, str):
        frame = _guarded(lambda: _rows(query, connection))
    elif callable(getattr(connection, "execute", None)) or callable(getattr(connection, "connect", None)):
        frame = _guarded(lambda: pl.read_database(query, connection, infer_schema_length=None))
    else:
        raise OptionError(message("connection", expected=_CONNECTION, received=type(connection).__name__))
    return source_of(Handed(frame), time, group, options, missing)


def _of_sqlite(query: str, path: str) -> pl.DataFrame:
    """Read from a file of SQLite, which is opened for reading only: a misspelt name makes no empty database."""
    address = f"file:{path.replace('?', '%3f').replace('#', '%23')}?mode=ro"
    try:
        opened = sqlite3.connect(address, uri=True)
    except sqlite3.Error as fault:
        raise DataError(
            message("connection", expected="a database", received=f"{path}, which cannot be opened")
        ) from fault
    with closing(opened) as connection:
        return _guarded(lambda: _rows(query, connection))


def _rows(query: str, connection: Any) -> pl.DataFrame:
    """Return the rows of a query through the common interface of Python's drivers."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(query)
        if cursor.description is None:
            raise DataError(message("query", expected="one that returns rows", received="one that returns none"))
        names = refuse_twice(str(about[0]) for about in cursor.description)
        rows = cursor.fetchall()
        if not rows:
            raise DataError(message("query", expected="at least one row", received="none"))
    return frame_of_columns([column(name, [row[place] for row in rows]) for place, name in enumerate(names)])


def _guarded(read: Callable[[], pl.DataFrame], secret: str = "") -> pl.DataFrame:
    """Return what is read; a fault of the driver, each of which has its own, becomes one sentence.

    It has the database's own words about the query, which alone say what is wrong with it.

    Args:
        read: reads.
        secret: a password that is left out of the words.
    """
    try:
        return read()
    except DataError:
        raise
    except Exception as fault:
        said = str(fault).strip().partition("\n")[0][:300]
        said = said.replace(secret, "...") if secret else said
        raise DataError(message("query", expected="rows", received=f"an error of the database: {said}")) from fault
