"""`unrolled evaluate MODEL DATA`: scores beside every baseline."""

import json
from typing import Annotated

import typer

from unrolled.cli.reading import read_data, reading_of


def evaluate(
    model: Annotated[str, typer.Argument(help="model folder")],
    data: Annotated[str, typer.Argument(help="data with the true answers")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Score a model on data, beside its baselines; says so when it loses."""
    from unrolled.tasks.registry import load

    task = load(model)
    scores = task.evaluate(read_data(data, **reading_of(task)))
    print(json.dumps(scores.to_json(), indent=1) if as_json else scores)
