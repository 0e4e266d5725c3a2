"""Spelling: how the numbers of a table of text were written, for models that learnt their column as text.

A file of versions such as 1.10 and 1.9 holds nothing but numbers, and 1.10 as a number is 1.1. A table that was read
from such a file can be read again with these columns as texts.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from unrolled.errors import DataError, message

Again = Callable[[Collection[str]], Any]  # returns the same table with more columns kept as text
_KEPT = (pl.String, pl.Categorical, pl.Enum, pl.Null)  # kinds whose values are as they were written


@dataclass(frozen=True)
class Spelling:
    """What is known of the spelling of numbers that were read from text.

    Args:
        columns: names of columns of numbers, true and false, or lists, that were texts in the file.
        again: returns the same table with more columns kept as text; None = the file is not at hand any more.
    """

    columns: frozenset[str]
    again: Again | None = None

    def after(self, change: Callable[[Any], Any]) -> "Spelling":
        """Return the spelling of a table that was made of this one.

        Args:
            change: makes it.
        """
        again = self.again
        return Spelling(self.columns, None if again is None else lambda names: change(again(names)))

    def lacks(self, frame: pl.DataFrame, texts: Collection[str]) -> list[str]:
        """Return the columns that have to be read again as texts.

        Args:
            frame: the table.
            texts: columns that are wanted as text.

        Raises:
            DataError: numbers with decimals, or true and false, that cannot be read again.
        """
        kinds = frame.schema
        typed = [name for name in texts if name in self.columns and kinds.get(name, pl.String) not in _KEPT]
        lost = [name for name in typed if not kinds[name].is_integer()]
        if self.again is not None or not lost:
            return typed if self.again is not None else []
        received = f"{frame[lost[0]].drop_nulls().to_list()[:1]} of a file, whose spelling is lost"
        remedy = f"read the file with texts={lost!r}"
        raise DataError(
            message(f"column {lost[0]!r}", expected="text, as in training", received=received, remedy=remedy)
        )


def spelling_of(frame: pl.DataFrame, again: Again) -> Spelling | None:
    """Return the spelling of a table that was read from a file of text; None where every column is text.

    Args:
        frame: the table.
        again: see `Spelling`.
    """
    kinds = {kind for kind in set(frame.dtypes) if kind not in _KEPT and not kind.is_temporal()}  # few
    typed = frozenset(name for name, kind in frame.schema.items() if kind in kinds) if kinds else None
    return Spelling(typed, again) if typed else None
