"""Read data for the command line: the format, and the columns that a format needs."""

from typing import Any

from unrolled.errors import unknown

FORMATS = ("auto", "csv", "tsv", "jsonl", "parquet", "text", "lines", "fasta", "ts", "conll", "po", "folder")

DIALECT = ("header", "separator", "decimal", "missing")
READ = ("form", "time", "group", "columns", *DIALECT)


def read_data(
    path: str,
    form: str = "auto",
    time: str = "",
    group: str = "",
    columns: str = "",
    **dialect: Any,
) -> Any:
    """Return the Source of a path.

    Args:
        path: file, folder, pattern such as "data/*.csv", or address such as https://host/prices.csv.
        form: one of `FORMATS`; auto chooses by the suffix.
        time: column of timestamps, for long-format tables.
        group: column that identifies the series.
        columns: names of the fields of a conll file, separated by commas.
        dialect: how a csv or tsv file is written: `header`, `separator`, `decimal`, `missing` and `texts`, as in
            `unrolled.read_csv`; `missing` may be one text of marks between commas.
    """
    from unrolled.data import readers
    from unrolled.data.opened import suffix_of

    if form not in FORMATS:
        raise unknown("--format", form, FORMATS)
    named = [name.strip() for name in columns.split(",") if name.strip()] or None
    times: dict[str, Any] = {"time": time or None, "group": group or None}
    written = {name: how for name, how in dialect.items() if how not in ("", None)}
    if isinstance(written.get("missing"), str):
        written["missing"] = written["missing"].split(",")
    suffix = suffix_of(path)
    if form == "auto" and named:
        form = "conll"
    if form == "auto" and suffix in (".csv", ".tsv", ".tab"):
        form = "csv" if suffix == ".csv" else "tsv"
    if form == "csv":
        return readers.read_csv(path, **times, **written)
    if form == "tsv":
        reader = readers.read_csv if "separator" in written else readers.read_tsv
        return reader(path, **times, **written)
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
    return {name: how for name, how in model.reading_.items() if name in READ} | {"texts": model.schema_.texts()}
