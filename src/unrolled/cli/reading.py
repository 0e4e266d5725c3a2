"""Read data for the command line: the format, and the columns that a format needs."""

from collections.abc import Mapping
from typing import Any

from unrolled.errors import OptionError, message, unknown

SINGLE = (
    "arff",
    "arrow",
    "conll",
    "excel",
    "fasta",
    "fastq",
    "json",
    "npy",
    "npz",
    "po",
    "subtitles",
    "ts",
    "tsf",
    "ucr",
    "xes",
)  # of `data/formats/registry.py`, which is not imported for a list of names
FORMATS = ("auto", "csv", "tsv", "jsonl", "parquet", "text", "lines", *SINGLE, "folder")  # fmt: skip
TEXTS = ("csv", "tsv", "jsonl", "text", "lines")  # further formats with an encoding

DIALECT = ("header", "separator", "decimal", "missing", "encoding")
READ = ("form", "time", "group", "columns", "times", *DIALECT)
TIMES = ("day_first", "time_format", "unit", "zone")  # options of timestamps


def read_data(
    path: str,
    form: str = "auto",
    time: str = "",
    group: str = "",
    columns: str = "",
    times: Mapping[str, Any] | None = None,
    **dialect: Any,
) -> Any:
    """Return the Source of a path; what its reader changed or left out is said on standard error.

    Args:
        path: file, folder, pattern such as "data/*.csv", or address such as https://host/prices.csv.
        form: one of `FORMATS`; auto chooses by the suffix.
        time: column of timestamps, for long-format tables.
        group: column that identifies the series.
        columns: names of the fields of a conll file, separated by commas.
        times: options of the timestamps, as keywords of the readers.
        dialect: how a text file is written: `encoding`; and of a csv or tsv file `header`, `separator`, `decimal`,
            `missing` and `texts`, as in `unrolled.read_csv`; `missing` may be one text of marks between commas.
    """
    from unrolled.cli.notes import show_notes

    if form not in FORMATS:
        raise unknown("--format", form, FORMATS)
    named = [name.strip() for name in columns.split(",") if name.strip()] or None
    table: dict[str, Any] = {"time": time or None, "group": group or None, **(times or {})}
    written = {name: how for name, how in dialect.items() if how not in ("", None)}
    if isinstance(written.get("missing"), str):
        written["missing"] = written["missing"].split(",")
    if form == "auto":
        form = "conll" if named else _form(path)
    source = _read(path, form, table, named, written)
    show_notes(source)
    return source


def _read(path: str, form: str, table: dict[str, Any], named: list[str] | None, written: dict[str, Any]) -> Any:
    from unrolled.data import readers
    from unrolled.data.formats.registry import FORMATS as SINGLE_FORMATS

    single = SINGLE_FORMATS.get(form)
    _refuse_times(form, table, bool(single and single.tables))
    if "encoding" in written and form not in TEXTS and not (single and single.texts):
        raise OptionError(message("--encoding", expected="a file of text", received=f"the format {form}"))
    coded = {name: how for name, how in written.items() if name == "encoding"}
    if form == "csv":
        return readers.read_csv(path, **table, **written)
    if form == "tsv":
        reader = readers.read_csv if "separator" in written else readers.read_tsv
        return reader(path, **table, **written)
    if form in ("text", "lines"):
        return readers.read_text(path, kind="lines" if form == "lines" else None, **coded)
    if form == "folder":
        return readers.read_folder(path)
    if form in ("jsonl", "parquet"):
        return {"jsonl": readers.read_jsonl, "parquet": readers.read_parquet}[form](path, **table, **coded)
    if single is not None:
        fields = {"columns": named} if form == "conll" else {"zone": table.get("zone")} if form == "xes" else {}
        return single.read(path, **fields, **(table if single.tables else {}), **coded)
    return readers.read(path, **table)


def _refuse_times(form: str, table: Mapping[str, Any], is_table: bool) -> None:
    """Refuse options of times for a format whose reader knows how its times are written, or has none."""
    if is_table or form in ("auto", "csv", "tsv", "jsonl", "parquet"):
        return
    given = next((name for name in TIMES if table.get(name) is not None and (form, name) != ("xes", "zone")), None)
    if given is not None:
        flag = "--" + given.replace("_", "-")
        raise OptionError(message(flag, expected="a table with a column of times", received=f"the format {form}"))


def _form(path: str) -> str:
    """Return the format of a file by its suffix; auto for a folder, and for what `read` refuses."""
    from unrolled.data.formats.registry import FORMATS as SINGLE_FORMATS
    from unrolled.data.opened import suffix_of

    suffix = suffix_of(path)
    known = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "text"}
    return known.get(suffix) or next(
        (name for name, found in SINGLE_FORMATS.items() if suffix in found.suffixes), "auto"
    )


def reading_of(model: Any) -> dict[str, Any]:
    """Return how a model's training data was read, so that other data is read the same way."""
    reading = {name: how for name, how in model.reading_.items() if name in READ}
    form = model.time_form_
    learnt = {} if form is None else {"times": {"time_form": form}}
    return {**reading, **learnt, "texts": model.schema_.texts()}
