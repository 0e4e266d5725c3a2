"""Conversion of the user's choice of inputs (codecs, column names, or nothing) to codecs."""

import copy
from collections.abc import Sequence

from unrolled.codecs.base import Codec
from unrolled.codecs.infer import infer_codecs
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.text.characters import Characters
from unrolled.data.source import Source
from unrolled.errors import DataError, OptionError, lacking, message

Inputs = str | Codec | Sequence[str | Codec] | None


def resolve_inputs(inputs: Inputs, source: Source, reserved: Sequence[str] = (), sequence: bool = True) -> list[Codec]:
    """Return unfitted copies of the chosen codecs; a plain column name gets the codec that fits its values.

    Args:
        inputs: a codec, a column name, a list of either, or None for every column that is not reserved.
        source: the data, whose column names and values are looked at.
        reserved: columns that are targets, times or groups.
        sequence: whether at least one of them has to hold sequences.

    Raises:
        DataError: a column that does not exist, or nothing to read.
    """
    if inputs is None:
        wanted: list[str | Codec] = [name for name in source.columns if name not in reserved]
    else:
        wanted = [inputs] if isinstance(inputs, str | Codec) else list(inputs)
    names = [name for name in wanted if isinstance(name, str)]
    require(source, [*names, *(column for codec in wanted if isinstance(codec, Codec) for column in codec.columns)])
    codecs = [copy.deepcopy(codec) for codec in wanted if isinstance(codec, Codec)]
    if names:
        inferred = infer_codecs(source, ignore=[name for name in source.columns if name not in names])
        # if a sequence is needed and every text looks like a category, use its characters as the sequence
        only_categories = sequence and not codecs and all(isinstance(codec, Categories) for codec in inferred)
        codecs += (
            [Characters(c.columns[0]) for c in inferred] if only_categories and _texts(source, names) else inferred
        )
    if not codecs:
        raise DataError(message("inputs", expected="at least one column to read", received=f"only {reserved}"))
    return codecs


def refuse_targets(inputs: Inputs, targets: Sequence[str]) -> None:
    """Refuse inputs that name the column to predict, from which it would be read off.

    Args:
        inputs: the choice of the user.
        targets: columns to predict.

    Raises:
        OptionError: names the column.
    """
    wanted = [inputs] if isinstance(inputs, str | Codec) else list(inputs or ())
    named = [name for one in wanted for name in ((one,) if isinstance(one, str) else one.columns)]
    for name in named:
        if name in targets:
            expected = "columns other than the one to predict"
            raise OptionError(message("inputs", expected=expected, received=repr(name), remedy="leave it out"))


def _texts(source: Source, names: Sequence[str]) -> bool:
    first = next(iter(source), {})
    return all(isinstance(first.get(name), str | None) for name in names)


def require(source: Source, columns: Sequence[str], argument: str = "") -> None:
    """Refuse a column that does not exist, and suggest the nearest name, or the argument that names the column."""
    for column in columns:
        if column not in source.columns:
            if argument == "target" and len(source.columns) == 1:
                raise _without_targets(column, source)
            raise lacking(column, source.columns, argument)


def _without_targets(column: str, source: Source) -> DataError:
    """Return the error for sequences without their targets, which may be pairs or two lists in one argument."""
    remedy = f"give {column!r} too, or sequences and targets as two lists, fit(sequences, targets)"
    received = f"the column {source.columns[0]!r} alone"
    return DataError(message(f"column {column!r}", expected="in the data", received=received, remedy=remedy))
