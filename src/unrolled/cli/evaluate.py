"""`unrolled evaluate MODEL DATA`: scores of the model and of every baseline."""

import json
from typing import Annotated, Any

import typer

from unrolled.cli.notes import on_lines, warn_of
from unrolled.cli.reading import read_data, reading_of


def evaluate(
    model: Annotated[str, typer.Argument(help="model folder")],
    data: Annotated[str, typer.Argument(help="data with the true answers")],
    confusion: Annotated[bool, typer.Option("--confusion", help="also print the confusion matrix")] = False,
    last: Annotated[
        int | None, typer.Option(help="recommenders: number of last events of each user to predict")
    ] = None,
    after: Annotated[str | None, typer.Option(help="recommenders: predict all events from this time on")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Score a model on data, next to its baselines; the output says so when a baseline is better."""
    from unrolled.errors import OptionError, UnsupportedError, message
    from unrolled.reading_report import quietly
    from unrolled.tasks.registry import load

    task = load(model)
    abilities = task.describe().abilities
    if confusion and "confusion" not in abilities:
        raise UnsupportedError(f"--confusion: a {type(task).__name__} does not answer with one class for a sequence")
    source = read_data(data, **reading_of(task, reading))
    given = {name: value for name, value in {"last": last, "after": after}.items() if value is not None}
    if given and "rank" not in abilities:
        flag = f"--{next(iter(given))}"
        raise OptionError(message(flag, expected="a recommender", received=f"a {type(task).__name__}"))
    with quietly():  # it is shown below
        scores = task.evaluate(source, **given)
    warn_of(scores.report)
    matrix = task.confusion(source) if confusion else None
    if as_json:
        more = {} if matrix is None else {"confusion": matrix.to_json()}
        print(json.dumps({**scores.to_json(), **more}, indent=1))
        return
    print(on_lines(str(scores)))
    if matrix is not None:
        print(f"\n{matrix}")
