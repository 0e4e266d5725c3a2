"""Read data for the command line: the format, and the columns that a format needs."""

from typing import Any

from unrolled.errors import OptionError, message, unknown
from unrolled.places import local_path

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
READ = ("form", "time", "group", "columns", "header", "encoding")
TEXTS = ("csv", "tsv", "jsonl", "text", "lines")  # further formats with an encoding


def read_data(
    path: str,
    form: str = "auto",
    time: str = "",
    group: str = "",
    columns: str = "",
    header: bool = True,
    encoding: str = "",
) -> Any:
    """Return the Source of a path.

    Args:
        path: file or folder.
        form: one of `FORMATS`; auto chooses by the suffix.
        time: column of timestamps, for long-format tables.
        group: column that identifies the series.
        columns: names of the fields of a conll file, separated by commas.
        header: whether the first line of a csv or tsv file names its columns.
        encoding: of text files, such as cp1252; empty = UTF-8, or what a byte order mark says.
    """
    from unrolled.data import readers
    from unrolled.data.formats.registry import FORMATS as SINGLE_FORMATS

    if form not in FORMATS:
        raise unknown("--format", form, FORMATS)
    named = [name.strip() for name in columns.split(",") if name.strip()] or None
    times: dict[str, Any] = {"time": time or None, "group": group or None}
    if form == "auto":
        form = "conll" if named else _form(path)
    single = SINGLE_FORMATS.get(form)
    if encoding and form not in TEXTS and not (single and single.texts):
        raise OptionError(message("--encoding", expected="a file of text", received=f"the format {form}"))
    coded = {"encoding": encoding} if encoding else {}
    if form == "csv":
        return readers.read_csv(path, header=header, **times, **coded)
    if form == "tsv":
        return readers.read_tsv(path, header=header, **times, **coded)
    if form in ("text", "lines"):
        return readers.read_text(path, kind="lines" if form == "lines" else None, **coded)
    if form == "folder":
        return readers.read_folder(path)
    if form in ("jsonl", "parquet"):
        return {"jsonl": readers.read_jsonl, "parquet": readers.read_parquet}[form](path, **times, **coded)
    if single is not None:
        fields = {"columns": named} if form == "conll" else {}
        return single.read(path, **fields, **(times if single.tables else {}), **coded)
    return readers.read(path, **times)


def _form(path: str) -> str:
    """Return the format of a file by its suffix; auto for a folder, and for what `read` refuses."""
    from unrolled.data.documents import plain_suffix
    from unrolled.data.formats.registry import FORMATS as SINGLE_FORMATS

    place = local_path(path, "data")
    suffix = plain_suffix(place)
    known = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "text"}
    if place.is_dir():
        return "auto"
    return known.get(suffix) or next(
        (name for name, found in SINGLE_FORMATS.items() if suffix in found.suffixes), "auto"
    )


def reading_of(model: Any) -> dict[str, Any]:
    """Return how a model's training data was read, so that other data is read the same way."""
    return {name: how for name, how in model.reading_.items() if name in READ}
