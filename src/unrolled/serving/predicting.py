"""From records, or a CSV file, to a task's answers in plain values."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from unrolled.codecs.base import Codec
from unrolled.data.source import Table
from unrolled.errors import DataError, UnrolledError, UnsupportedError, message
from unrolled.serving.faults import STUMBLES, unreadable
from unrolled.serving.strict import plain
from unrolled.tasks.long_table import STEP


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
    if probabilities and not (hasattr(model, "predict_proba") and hasattr(model, "classes_")):
        raise UnsupportedError(f"probabilities: a {type(model).__name__} has no classes")
    asked = data if isinstance(data, Table) else as_asked(model, data)
    try:
        answers = model.predict(asked)
        shares = model.predict_proba(asked) if probabilities else None
    except UnrolledError:
        raise
    except STUMBLES as error:
        raise unreadable("records", error) from error
    found: dict[str, Any] = {"predictions": answers.to_dicts() if isinstance(answers, pl.DataFrame) else answers}
    if shares is not None:
        found |= {"classes": list(model.classes_), "probabilities": list(shares)}
    return plain(found)


def as_asked(model: Any, records: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Records that a client may ask about; a name of a file on this machine is not among them.

    Raises:
        DataError: a text where a picture, a film or a recording is read.
    """
    for column in media_columns(model):
        for place, record in enumerate(records):
            if _has_text(record.get(column)):
                where = f"records.{place}.{column}"
                raise DataError(message(where, expected="numbers: the server opens no files", received="a text"))
    return records


def media_columns(model: Any) -> list[str]:
    """The columns that hold pictures, films or recordings."""
    found = [codec for codec in vars(model).values() if isinstance(codec, Codec)]
    found += list(getattr(getattr(model, "codecs_", None), "codecs", ()))
    return [column for codec in found if getattr(codec, "media", "") for column in codec.columns]


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
    time, group = series_columns(model)
    return Table(frame, time, group)


def series_columns(model: Any) -> tuple[str | None, str | None]:
    """The columns of times and of groups in a model's own data; None where there is none."""
    panel = getattr(model, "panel_", None)
    if panel is not None:
        return (None if panel.time == STEP else panel.time), panel.group
    reading = getattr(model, "reading_", None) or {}
    return reading.get("time") or None, reading.get("group") or None


def answer_column(model: Any) -> str:
    """The column of labels or texts that a task answers with; empty where its answers are in no column."""
    codec = getattr(model, "target_codec_", None)
    if codec is not None:
        return codec.columns[0]
    return getattr(getattr(model, "target_", None), "column", "")


def _has_text(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_text, value.values()))
    return isinstance(value, str) or (isinstance(value, list) and any(map(_has_text, value)))
