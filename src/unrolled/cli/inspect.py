"""`unrolled inspect MODEL DATA`: a report of what happens inside a model."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from unrolled.cli.reading import read_data, reading_of


def inspect(
    model: Annotated[str, typer.Argument(help="model folder")],
    data: Annotated[str, typer.Argument(help="data with the true answers")],
    out: Annotated[str, typer.Option(help="HTML file of the report")] = "report.html",
    row: Annotated[int, typer.Option(help="row number of the sequence to show in detail")] = 0,
    pictures: Annotated[str, typer.Option(help="also write every picture as PNG into this folder")] = "",
    as_json: Annotated[str, typer.Option("--json", help="also write everything as JSON into this file")] = "",
    *,
    reading: dict[str, Any],
) -> None:
    """Inspect a model: scores, errors, gradient flow, unfolding, states and saliency, in one HTML file."""
    from unrolled.errors import OptionError
    from unrolled.places import local_path
    from unrolled.report.inspection import lead_of, sections_of
    from unrolled.report.page import write_page, write_pictures
    from unrolled.report.whole_files import write_whole
    from unrolled.tasks.registry import load

    for name, place in {"--out": out, "--pictures": pictures, "--json": as_json}.items():
        local_path(place, name, OptionError)
    task = load(model)
    found = task.inspect(read_data(data, **reading_of(task, reading)), row=row)
    sections = sections_of(found, task.history_)
    write_page(out, f"{type(task).__name__} {Path(model).name}", lead_of(found), sections)
    print(found.scores)
    print(f"gradient flow: {found.gradient_flow.verdict}")
    if pictures:
        print(f"{len(write_pictures(pictures, sections))} pictures in {pictures}")
    if as_json:
        write_whole(as_json, json.dumps(found.to_json(), ensure_ascii=False))
    print(f"report: {out}")
