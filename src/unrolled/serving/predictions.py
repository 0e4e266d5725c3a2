"""Predictions for records or a CSV file, as plain values."""

from typing import Any

import polars as pl

from unrolled.data.formats.delimited import Dialect, parse_plain, with_plain_lines
from unrolled.data.source import Table
from unrolled.errors import DataError, UnrolledError, UnsupportedError, message
from unrolled.reading_report import uncounted
from unrolled.serving.bounds import Bounds
from unrolled.serving.csv_bodies import check_csv, marked
from unrolled.serving.errors import STUMBLES, Fault, unreadable
from unrolled.serving.strict_json import plain
from unrolled.tasks.shared.reported import reading


def predictions(model: Any, data: Any, probabilities: bool = False) -> dict[str, Any]:
    """Predict for records with a task.

    Args:
        model: a fitted task.
        data: records, or a Table.
        probabilities: also return the probability of each class.

    Returns:
        "predictions"; "report", what these records held that the model does not know; with probabilities "classes"
        and "probabilities".

    Raises:
        DataError: records that the model cannot read.
        UnsupportedError: probabilities of a task without classes.
    """
    said = model.describe() if probabilities else None
    if said is not None and "probabilities" not in said.abilities:
        raise UnsupportedError(f"probabilities: a {said.task} has no classes")
    try:
        with reading(model) as tally:
            answers = model.predict(data)
            rows = answers.to_dicts() if isinstance(answers, pl.DataFrame) else answers
        with uncounted():  # the same records again
            shares = None if said is None else model.predict_proba(data)
    except UnrolledError:
        raise
    except STUMBLES as error:
        raise unreadable("records", error) from error
    found: dict[str, Any] = {"predictions": rows, "report": tally.report()}
    if said is not None and shares is not None:
        found |= {"classes": said.classes, "probabilities": list(shares)}
    return plain(found)


def table_of_csv(model: Any, data: bytes, bounds: Bounds) -> Table:
    """Parse a CSV file that a client sent, in the same way as the model's training data.

    Raises:
        DataError: not CSV, or without rows.
        Fault: a table, or a text in it, that exceeds the bounds.
    """
    lines, dialect = with_plain_lines(data, Dialect(texts=model.schema_.texts()))
    assert isinstance(lines, bytes)
    check_csv(lines, bounds, dialect.separator)
    try:
        frame = parse_plain(marked(lines), dialect)
    except (pl.exceptions.PolarsError, UnicodeError) as error:
        expected = "CSV in UTF-8, with no more values in a line than in the first one"
        raise DataError(message("body", expected=expected, received="other lines")) from error
    if not frame.height:
        raise DataError(message("body", expected="at least one row", received="none"))
    for name, texts in frame.select(pl.selectors.string()).to_dict().items():
        longest = texts.str.len_chars().max()
        if isinstance(longest, int) and longest > bounds.length:
            raise Fault("length", message(f"column {name[:80]!r}", expected=f"at most {bounds.length:,} characters",
                                          received=f"{longest:,}"))  # fmt: skip
    said = model.describe()
    return Table(frame, said.time, said.group, model.time_form_)
