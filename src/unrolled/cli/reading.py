"""Read data for the command line: the format, and the columns that a format needs."""

from typing import Any

from unrolled.errors import unknown

FORMATS = ("auto", "csv", "tsv", "jsonl", "parquet", "text", "lines", "fasta", "ts", "conll", "po", "folder")


def read_data(
    path: str, form: str = "auto", time: str = "", group: str = "", columns: str = "", header: bool = True
) -> Any:
    """Return the Source of a path.

    Args:
        path: file, folder, pattern such as "data/*.csv", or address such as https://host/prices.csv.
        form: one of `FORMATS`; auto chooses by the suffix.
        time: column of timestamps, for long-format tables.
        group: column that identifies the series.
        columns: names of the fields of a conll file, separated by commas.
        header: whether the first line of a csv or tsv file names its columns.
    """
    from unrolled.data import readers
    from unrolled.data.opened import suffix_of

    if form not in FORMATS:
        raise unknown("--format", form, FORMATS)
    named = [name.strip() for name in columns.split(",") if name.strip()] or None
    times: dict[str, Any] = {"time": time or None, "group": group or None}
    suffix = suffix_of(path)
    if form == "auto" and named:
        form = "conll"
    if form == "auto" and suffix in (".csv", ".tsv", ".tab"):
        form = "csv" if suffix == ".csv" else "tsv"
    if form == "csv":
        return readers.read_csv(path, header=header, **times)
    if form == "tsv":
        return readers.read_tsv(path, header=header, **times)
    if form in ("text", "lines"):
        return readers.read_text(path, kind="lines" if form == "lines" else None)
    if form == "folder":
        return readers.read_folder(path)
    if form == "conll":
        return readers.read_conll(path, named)
    if form in ("jsonl", "parquet"):
        return {"jsonl": readers.read_jsonl, "parquet": readers.read_parquet}[form](path, **times)
    if form in ("fasta", "ts", "po"):
        return {"fasta": readers.read_fasta, "ts": readers.read_ts, "po": readers.read_po}[form](path)
    return readers.read(path, **times)


def reading_of(model: Any) -> dict[str, Any]:
    """Return how a model's training data was read, so that other data is read the same way."""
    return {name: how for name, how in model.reading_.items() if name in ("form", "time", "group", "columns", "header")}
