"""From records, or a CSV file, to a task's answers in plain values."""

import io
from typing import Any

import polars as pl

from unrolled.data.source import Table
from unrolled.errors import DataError, UnrolledError, UnsupportedError, message
from unrolled.serving.faults import STUMBLES, unreadable
from unrolled.serving.strict import plain


def predictions(model: Any, data: Any, probabilities: bool = False) -> dict[str, Any]:
    """A task's answers.

    Args:
        model: a fitted task.
        data: records, or a Table.
        probabilities: also those of the classes.

    Raises:
        DataError: records that the model cannot read.
        UnsupportedError: probabilities of a task without classes.
    """
    said = model.describe() if probabilities else None
    if said is not None and "probabilities" not in said.abilities:
        raise UnsupportedError(f"probabilities: a {said.task} has no classes")
    try:
        answers = model.predict(data)
        shares = None if said is None else model.predict_proba(data)
    except UnrolledError:
        raise
    except STUMBLES as error:
        raise unreadable("records", error) from error
    found: dict[str, Any] = {"predictions": answers.to_dicts() if isinstance(answers, pl.DataFrame) else answers}
    if said is not None and shares is not None:
        found |= {"classes": said.classes, "probabilities": list(shares)}
    return plain(found)


def table_of_csv(model: Any, data: bytes) -> Table:
    """A CSV file that a client sent, read as the model's own data were.

    Raises:
        DataError: no CSV, or no row in it.
    """
    try:
        frame = pl.read_csv(io.BytesIO(data), infer_schema_length=None)
    except (pl.exceptions.PolarsError, UnicodeError) as error:
        raise DataError(message("body", expected="CSV", received=str(error).splitlines()[0][:200])) from error
    if not frame.height:
        raise DataError(message("body", expected="at least one row", received="none"))
    said = model.describe()
    return Table(frame, said.time, said.group)
