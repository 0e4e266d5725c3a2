"""Spelling: how the numbers of a table of text were written, for models that learnt their column as text.

A file of versions such as 1.10 and 1.9 holds nothing but numbers, and 1.10 as a number is 1.1. A table that was read
from such a file can be read again with these columns as texts.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from unrolled.errors import DataError, message

if TYPE_CHECKING:
    from unrolled.data.source import Table

_KEPT = (pl.String, pl.Categorical, pl.Enum, pl.Null)  # kinds whose values are as they were written


@dataclass(frozen=True)
class Spelling:
    """What is known of the spelling of numbers that were read from text.

    Args:
        columns: names of columns of numbers, true and false, or lists, that were texts in the file.
        again: returns the same table with more columns kept as text; None = the file is not at hand any more.
    """

    columns: frozenset[str]
    again: "Callable[[Collection[str]], Table] | None" = None

    def after(self, change: "Callable[[Table], Table]") -> "Spelling":
        """Return the spelling of a table that was made of this one.

        Args:
            change: makes it.
        """
        again = self.again
        return Spelling(self.columns, None if again is None else lambda names: change(again(names)))


def spelling_of(frame: pl.DataFrame, again: "Callable[[Collection[str]], Table]") -> Spelling | None:
    """Return the spelling of a table that was read from a file of text; None where every column is text.

    Args:
        frame: the table.
        again: see `Spelling`.
    """
    typed = frozenset(name for name, kind in frame.schema.items() if kind not in _KEPT and not kind.is_temporal())
    return Spelling(typed, again) if typed else None


def as_written(data: Any, texts: Collection[str], table: "type[Table]") -> Any:
    """Return a table whose columns of text are as they were written in its file; anything else passes unchanged.

    Args:
        data: a table or other data.
        texts: the columns that a model learnt as text.
        table: the class of tables.

    Raises:
        DataError: numbers with decimals, or true and false, whose spelling is lost, such as that of some rows of a
            table.
    """
    if not isinstance(data, table) or data.spelling is None:
        return data
    kinds = data.frame.schema
    typed = [name for name in texts if name in data.spelling.columns and kinds.get(name, pl.String) not in _KEPT]
    if not typed:
        return data
    if data.spelling.again is None:
        lost = [name for name in typed if not kinds[name].is_integer()]
        if not lost:
            return data
        raise DataError(
            message(f"column {lost[0]!r}", expected="text, as in training",
                    received=f"numbers that were read from a file, such as {data.frame[lost[0]].drop_nulls()[0]!r}, "
                    "whose spelling is lost",
                    remedy=f"read the file with texts={lost!r}")
        )  # fmt: skip
    found = data.spelling.again(typed)
    if found.frame.height != data.frame.height:
        received = f"{found.frame.height} rows where there were {data.frame.height}"
        raise DataError(message("data", expected="the file as it was read", received=received, remedy="read it again"))
    return found
