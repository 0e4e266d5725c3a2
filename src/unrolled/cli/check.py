"""`unrolled check MODEL DATA`: test the consistency laws on the user's own model."""

import json
from typing import Annotated, Any

import typer

from unrolled.cli.reading import read_data, reading_of

BROKEN = 1  # exit code: a law does not hold, which is a bug in unrolled


def check(
    model: Annotated[str, typer.Argument(help="model folder")],
    data: Annotated[str, typer.Argument(help="data with the true answers; a few sequences are tested")],
    seed: Annotated[int, typer.Option(help="seed of the random places where sequences are cut")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Check that whole sequences, chunks, single steps and many streams give the same outputs and gradients."""
    from unrolled.tasks.registry import load

    task = load(model)
    found = task.check(read_data(data, **reading_of(task, reading)), seed=seed)
    print(json.dumps(found.to_json(), indent=1) if as_json else found)
    if not found.holds:
        raise typer.Exit(BROKEN)
