"""`unrolled generate MODEL`: generate text, translations, captions or sequences of vectors."""

from typing import Annotated, Any

import typer

from unrolled.cli.drawing import generate_sequences
from unrolled.cli.notes import noted
from unrolled.errors import OptionError, message
from unrolled.places import local_path

BEAM = 4  # minimum number of hypotheses of the beam search


def generate(
    model: Annotated[str, typer.Argument(help="folder of a language model, translator, captioner or sequence model")],
    prompt: Annotated[
        str,
        typer.Option(help="text to continue, text to translate, picture file to caption, or frames as JSON"),
    ] = "",
    length: Annotated[
        int | None,
        typer.Option(
            help="maximum number of tokens or frames; default 500; translators and captioners: from the training data"
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="below 1 more predictable, above 1 more varied, 0 always the most likely; default 0.8 for text"
        ),
    ] = None,
    top_k: Annotated[int, typer.Option(help="sample only from the k most likely tokens; 0 = from all")] = 0,
    top_p: Annotated[
        float, typer.Option(help="sample from the smallest set of tokens with this total probability")
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(help="random seed, for repeatable results")] = None,
    count: Annotated[
        int, typer.Option(help="number of texts or sequences; for translators and captioners, of the best answers")
    ] = 1,
    given: Annotated[
        list[str] | None, typer.Option(help="column=value that conditions the text; may be repeated")
    ] = None,
    out: Annotated[
        str, typer.Option(help="sequence models: draw the points into this picture: .svg, .png or .pdf")
    ] = "",
    offsets: Annotated[bool, typer.Option(help="in the picture, each frame is a step from the previous point")] = False,
) -> None:
    """Continue a prompt, translate or caption it; a sequence model with --output mixture needs no prompt."""
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
        with noted(task):
            _answer(task, prompt, length, count)
        return
    limit = 500 if length is None else length
    if "continue" in abilities:
        _refuse(f"a {type(task).__name__}", {"--top-k": top_k, "--top-p": top_p != 1.0, "--given": given})
        with noted(task):
            generate_sequences(task, prompt, limit, temperature, seed, count, out, offsets)
        return
    if "generate" not in abilities:
        expected = "a language model, translator, captioner or sequence model"
        raise OptionError(message("MODEL", expected=expected, received=f"a {type(task).__name__}"))
    _refuse("a language model", {"--out": out, "--offsets": offsets})
    warmth = 0.8 if temperature is None else temperature
    start = {column: value for column, _, value in (pair.partition("=") for pair in given or [])}
    with noted(task):
        for number in range(count):
            own = None if seed is None else seed + number
            print(prompt + task.generate(prompt, limit, warmth, top_k, top_p, own, start or None))


def _answer(task: Any, prompt: str, length: int | None, count: int) -> None:
    """Print the best answer, or several, one per line, with their scores: length-normalised log-probabilities."""
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
    """Raise an OptionError for an option that this kind of model does not have."""
    for name, given in options.items():
        if given:
            raise OptionError(message(name, expected=f"an option of {model}", received="one of another kind of model"))
