"""`unrolled generate MODEL`: let a language model write, a translator or captioner answer, or a sequence model draw."""

from typing import Annotated, Any

import typer

from unrolled.cli.drawing import generate_sequences
from unrolled.errors import OptionError, message
from unrolled.places import local_path

BEAM = 4  # beginnings kept in the search for an answer, at least


def generate(
    model: Annotated[str, typer.Argument(help="folder of a language model, translator, captioner or sequence model")],
    prompt: Annotated[
        str,
        typer.Option(help="the text so far, the one to answer, a picture's file, or the frames of a sequence as JSON"),
    ] = "",
    length: Annotated[
        int | None, typer.Option(help="tokens or frames at most; 500, and for an answer by the longest learnt from")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="below 1 safer, above 1 wilder, 0 always the likeliest; 0.8 for text")
    ] = None,
    top_k: Annotated[int, typer.Option(help="draw only from the k likeliest tokens; 0 from all")] = 0,
    top_p: Annotated[float, typer.Option(help="draw from the fewest tokens that reach this probability")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="for repeatable draws")] = None,
    count: Annotated[int, typer.Option(help="texts or sequences; of a translator or captioner its best answers")] = 1,
    given: Annotated[list[str] | None, typer.Option(help="column=value that starts the text; may be repeated")] = None,
    out: Annotated[str, typer.Option(help="a picture of drawn points: .svg, .png or .pdf")] = "",
    offsets: Annotated[
        bool, typer.Option(help="in the picture, frames say how far to go from the point before")
    ] = False,
) -> None:
    """Go on from a prompt, or answer it; a model with --output mixture needs none."""
    from unrolled.tasks.registry import load

    local_path(out, "--out", OptionError)
    if count < 1:
        raise OptionError(message("--count", expected="an integer >= 1", received=count))
    if length is not None and length < 0:
        raise OptionError(message("--length", expected="an integer >= 0", received=length))
    task = load(model)
    abilities = task.describe().abilities
    if "search" in abilities:
        drawing = {"--temperature": temperature is not None, "--seed": seed is not None}
        more = {"--top-k": top_k, "--top-p": top_p != 1.0, "--given": given, "--out": out, "--offsets": offsets}
        _refuse("a language or sequence model, which draw", drawing | more)
        _answer(task, prompt, length, count)
        return
    limit = 500 if length is None else length
    if "continue" in abilities:
        _refuse(f"a {type(task).__name__}", {"--top-k": top_k, "--top-p": top_p != 1.0, "--given": given})
        generate_sequences(task, prompt, limit, temperature, seed, count, out, offsets)
        return
    if "generate" not in abilities:
        expected = "a language model, translator, captioner or sequence model"
        raise OptionError(message("MODEL", expected=expected, received=f"a {type(task).__name__}"))
    _refuse("a language model", {"--out": out, "--offsets": offsets})
    warmth = 0.8 if temperature is None else temperature
    start = {column: value for column, _, value in (pair.partition("=") for pair in given or [])}
    for number in range(count):
        own = None if seed is None else seed + number
        print(prompt + task.generate(prompt, limit, warmth, top_k, top_p, own, start or None))


def _answer(task: Any, prompt: str, length: int | None, count: int) -> None:
    """Print the best answer, or several, a line each, with their scores: log-probabilities by length."""
    if not prompt:
        raise OptionError(message("--prompt", expected="what to answer", received="nothing"))
    if length == 0:
        raise OptionError(message("--length", expected="an integer >= 1 for an answer", received=length))
    (column,) = task.describe().columns
    read = prompt.split() if column.kind == "sequence" else prompt
    (answers,) = task.n_best([{column.name: read}], count, max(BEAM, count), max_length=length or 0)
    for answer in answers:
        text = answer.text if isinstance(answer.text, str) else " ".join(answer.text)
        print(text if count == 1 else f"{answer.score:.2f}\t{text}")


def _refuse(model: str, options: dict[str, Any]) -> None:
    """OptionError for an option that changes nothing for this kind of model."""
    for name, given in options.items():
        if given:
            raise OptionError(message(name, expected=f"an option of {model}", received="one of another kind of model"))
