"""`unrolled generate MODEL`: let a language model write."""

from typing import Annotated

import typer

from unrolled.errors import OptionError, message


def generate(
    model: Annotated[str, typer.Argument(help="folder of a language model")],
    prompt: Annotated[str, typer.Option(help="the text so far")] = "",
    length: Annotated[int, typer.Option(help="tokens to write at most")] = 500,
    temperature: Annotated[float, typer.Option(help="below 1 safer, above 1 wilder, 0 always the likeliest")] = 0.8,
    top_k: Annotated[int, typer.Option(help="draw only from the k likeliest tokens; 0 from all")] = 0,
    top_p: Annotated[float, typer.Option(help="draw from the fewest tokens that reach this probability")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="for repeatable text")] = None,
    count: Annotated[int, typer.Option(help="texts to write")] = 1,
    given: Annotated[list[str] | None, typer.Option(help="column=value that starts the text; may be repeated")] = None,
) -> None:
    """Write on from a prompt."""
    from unrolled.tasks.registry import load

    if count < 1:
        raise OptionError(message("--count", expected="an integer >= 1", received=count))
    if length < 0:
        raise OptionError(message("--length", expected="an integer >= 0", received=length))
    task = load(model)
    if not hasattr(task, "score_texts"):
        raise OptionError(message("MODEL", expected="a language model", received=f"a {type(task).__name__}"))
    start = {column: value for column, _, value in (pair.partition("=") for pair in given or [])}
    for number in range(count):
        own = None if seed is None else seed + number
        print(prompt + task.generate(prompt, length, temperature, top_k, top_p, own, start or None))
