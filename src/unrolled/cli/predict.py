"""`unrolled predict MODEL DATA`: predictions for every record of the data."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from unrolled.cli.notes import noted
from unrolled.cli.reading import read_data, reading_of
from unrolled.errors import ArtifactError, OptionError, message, reason, unknown
from unrolled.places import local_path

WRITERS = {".csv": "write_csv", ".jsonl": "write_ndjson", ".parquet": "write_parquet"}


def predict(
    model: Annotated[str, typer.Argument(help="model folder")],
    data: Annotated[str, typer.Argument(help="data to predict")],
    out: Annotated[
        str, typer.Option(help="file to write: .csv, .jsonl or .parquet; without it, JSONL is printed")
    ] = "",
    probabilities: Annotated[
        bool, typer.Option(help="classifiers: add a column with the probability of each label")
    ] = False,
    beam_size: Annotated[
        int | None,
        typer.Option(help="translators and captioners: number of hypotheses of the beam search; 1 is greedy"),
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="translators and captioners: above 1 if answers are too short, 0 if too long")
    ] = None,
    coverage_penalty: Annotated[
        float | None,
        typer.Option(help="translators and captioners: about 0.2 if answers leave out parts of the source"),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="translators and captioners: maximum number of pieces of an answer")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="translators and captioners: the text that every answer begins with")
    ] = None,
    top: Annotated[int | None, typer.Option(help="recommenders: number of items per user")] = None,
    exclude_seen: Annotated[
        bool | None, typer.Option("--exclude-seen", help="recommenders: leave out items that the user already had")
    ] = None,
    allowed: Annotated[
        str | None, typer.Option(help="recommenders: rank only these items, separated by commas")
    ] = None,
    raw_cells: Annotated[
        bool,
        typer.Option(
            "--raw-cells",
            help=".csv: leave texts that a spreadsheet would compute, such as =1+2, as they are; otherwise ' is put "
            "before them",
        ),
    ] = False,
    picture: Annotated[str, typer.Option(help="detectors: draw the alarms into this file: .svg, .png or .pdf")] = "",
    *,
    reading: dict[str, Any],
) -> None:
    """Predict every record; the predictions are added to the columns of the data."""
    from unrolled.tasks.registry import load

    target = local_path(out, "--out", OptionError) if out else None
    if picture:
        local_path(picture, "--picture", OptionError)
    if target is not None and target.suffix not in WRITERS:
        raise unknown("--out", target.suffix or out, WRITERS)
    if target is not None and target.exists() and Path(data).exists() and target.samefile(data):
        raise OptionError(message("--out", expected="another file than the data", received=out))
    if raw_cells and (target is None or target.suffix != ".csv"):
        raise OptionError(message("--raw-cells", expected="--out with a .csv file", received=out or "no --out"))
    task = load(model)
    search = {
        "beam_size": beam_size,
        "length_penalty": length_penalty,
        "coverage_penalty": coverage_penalty,
        "max_length": max_length,
        "prefix": prefix,
    }
    ranking = {"top": top, "exclude_seen": exclude_seen, "allowed": allowed and allowed.split(",")}
    given = _fitting(task, search, "search", "a translator or captioner")
    ranked = _fitting(task, ranking, "rank", "a recommender")
    given |= {"k" if name == "top" else name: value for name, value in ranked.items()}
    if picture and "detect" not in task.describe().abilities:
        raise OptionError(
            message("--picture", expected="a Detector, whose alarms are drawn", received=type(task).__name__)
        )
    source = read_data(data, **reading_of(task, reading))
    with noted(task):
        frame = answers(task, source, probabilities, given)
    if picture:
        from unrolled.plots.alarms import draw_alarms

        draw_alarms(source, frame, task.watched_.columns, task.threshold_, task.label, path=picture)
    if target is None:
        sys.stdout.write(frame.write_ndjson())
    else:
        write(frame, target, raw_cells)
        print(f"{frame.height:,} rows: {target}", file=sys.stderr)


def _fitting(task: Any, options: Mapping[str, Any], ability: str, meaning: str) -> dict[str, Any]:
    """Return the given options, for a task that has them."""
    given = {name: value for name, value in options.items() if value is not None}
    if given and ability not in task.describe().abilities:
        flag = "--" + next(iter(given)).replace("_", "-")
        raise OptionError(message(flag, expected=meaning, received=f"a {type(task).__name__}"))
    return given


def answers(task: Any, source: Any, probabilities: bool, search: Mapping[str, Any]) -> Any:
    """Return the data with a column of predictions, as a polars DataFrame; `search` are options of `predict`."""
    import polars as pl

    from unrolled.data.source import as_table

    predicted = task.predict(source, **search)
    if isinstance(predicted, pl.DataFrame):
        return predicted
    frame = as_table(source).frame
    rows = [value.tolist() if hasattr(value, "tolist") else value for value in predicted]
    frame = frame.with_columns(pl.Series("prediction", rows))
    if probabilities:
        if "probabilities" not in task.describe().abilities:
            raise OptionError(message("--probabilities", expected="a classifier", received=type(task).__name__))
        shares = task.predict_proba(source)
        if isinstance(shares, list):
            return frame.with_columns(pl.Series("probabilities", [rows.tolist() for rows in shares]))
        names = [f"probability({label})" for label in task.classes_]
        frame = frame.with_columns(pl.Series(name, shares[:, place]) for place, name in enumerate(names))
    return frame


def write(frame: Any, target: Path, raw_cells: bool = False) -> None:
    """Write to a temporary file, then rename it: after a failure an older file is unchanged.

    Args:
        frame: the answers.
        target: the file; its suffix is the format.
        raw_cells: in a .csv file, leave texts that a spreadsheet would compute as they are.
    """
    import polars as pl

    from unrolled.data.spreadsheet_cells import escaped

    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    if target.suffix == ".csv" and nested:
        raise OptionError(
            message("--out", expected=".jsonl or .parquet for columns of lists", received=f".csv for {nested[0]!r}")
        )
    if target.suffix == ".csv" and not raw_cells:
        frame = escaped(frame)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        getattr(frame, WRITERS[target.suffix])(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except (OSError, pl.exceptions.PolarsError) as fault:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise ArtifactError(
            message("--out", expected="a file that can be written", received=f"{target} ({reason(fault)})")
        ) from fault
