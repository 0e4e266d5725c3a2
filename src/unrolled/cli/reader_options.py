"""Options of the readers on the command line: names, types and texts from the signatures of the readers themselves."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from unrolled.cli.arguments import CommandOption, kind_of, parse, texts_of
from unrolled.cli.reading import FORMATS

FORM = "format"
PANEL = "Reading"
LEFT_OUT = ("time_form",)  # a value of Python, which a model remembers


def readers() -> dict[str, Callable[..., Any]]:
    """Return the reader of every format by its name on the command line; without auto, which chooses one of them."""
    from unrolled.data import readers as tables
    from unrolled.data.formats.registry import FORMATS as SINGLE_FORMATS

    return {
        "csv": tables.read_csv,
        "tsv": tables.read_tsv,
        "jsonl": tables.read_jsonl,
        "parquet": tables.read_parquet,
        "text": tables.read_text,
        "lines": tables.read_text,
        **{name: single.read for name, single in SINGLE_FORMATS.items()},
        "folder": tables.read_folder,
    }


def options_of(reader: Callable[..., Any]) -> dict[str, CommandOption]:
    """Return the options of a reader by name.

    Args:
        reader: reads a place, its first argument.

    Example:
        >>> from unrolled.data.formats.fastq import read_fastq
        >>> {name: option.kind.__name__ for name, option in options_of(read_fastq).items()}
        {'offset': 'int', 'encoding': 'str'}
    """
    from unrolled.data.time_options import TimeOptions
    from unrolled.data.time_words import TimeWords

    found: dict[str, CommandOption] = {}
    hints, texts = get_type_hints(reader), texts_of(inspect.getdoc(reader) or "")
    (_, *parameters) = inspect.signature(reader).parameters.values()
    for one in parameters:
        if one.kind is one.VAR_KEYWORD:
            of_times, said = get_type_hints(TimeWords), texts_of(inspect.getdoc(TimeOptions) or "")
            given = {name: (hint, None, said.get(name, "")) for name, hint in of_times.items() if name not in LEFT_OUT}
        else:
            given = {one.name: (hints[one.name], one.default, texts.get(one.name, ""))}
        for name, (hint, default, text) in given.items():
            kind = kind_of(hint)
            assert kind is not None, f"{name} of {reader.__name__} has no form on the command line"
            found[name] = CommandOption(name, *kind, default, text)
    return found


def reader_options() -> dict[str, CommandOption]:
    """Return the options of all readers; the help of one that few have names their formats."""
    found: dict[str, CommandOption] = {}
    having: dict[str, list[str]] = {}
    known = readers()
    for form, reader in known.items():
        for name, option in options_of(reader).items():
            found.setdefault(name, option)
            having.setdefault(name, []).append(form)
    for name, forms in having.items():
        few = "" if len(forms) > len(known) // 4 else f"{', '.join(forms)}: "
        text = found[name].text.rstrip(".").replace("None = ", "default: ").replace("None: ", "default: ")
        found[name] = found[name]._replace(text=few + text, default=None)
    return found


def reading_parameters(leave_out: set[str] | None = None) -> list[inspect.Parameter]:
    """Return the parameters of a command, for typer: the format, and every option of the readers.

    Args:
        leave_out: names that the command has itself.
    """
    texts = {FORM: CommandOption(FORM, str, str, None, f"{', '.join(FORMATS)}; auto chooses by the suffix")}
    options = {**texts, **reader_options()}
    return [option_parameter(option, PANEL) for name, option in options.items() if name not in (leave_out or ())]


def option_parameter(argument: CommandOption, panel: str) -> inspect.Parameter:
    """Return the parameter of an option, for typer; its value is the given text, or None."""
    shown = "" if argument.default in (None, "", (), False) else f" (default: {_short(argument.default)})"
    metavar = {list: "A,B,...", dict: "NAME=VALUE,..."}.get(argument.kind, argument.kind.__name__.upper())
    switch = argument.kind is bool
    option = typer.Option(
        f"{argument.flag}/--no-{argument.flag[2:]}" if switch else argument.flag,
        help=argument.text + shown,
        rich_help_panel=panel,
        metavar=None if switch else metavar,
        show_default=False,
    )
    return parameter(argument.name, Annotated[bool | None if switch else str | None, option])


def parameter(name: str, annotation: Any) -> inspect.Parameter:
    """Return a parameter without a value by default, so that given values can be told from defaults."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _short(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def parsed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of readers that were given, as values: numbers, lists, true and false.

    Args:
        given: texts, or values of a config, by name; None and "" = not given.

    Raises:
        OptionError: a text that does not fit the type.
    """
    known = reader_options()
    return {
        name: parse(known[name], value) if isinstance(value, str) and name in known else value
        for name, value in given.items()
        if value not in (None, "")
    }


def with_reading(command: Callable[..., None], chosen: bool) -> Callable[..., None]:
    """Return a command that reads data, with every option of the readers; they are its argument `reading`.

    Args:
        command: takes `reading`, the options that were given, by name.
        chosen: whether it is the command that runs; the readers are not imported for another one.
    """
    taken = inspect.signature(command).parameters
    own = [one for name, one in taken.items() if name != "reading"]
    names = {one.name for one in own}
    more = reading_parameters(names) if chosen else []

    @wraps(command)
    def run(**given: Any) -> None:
        reading = {one.name: given.pop(one.name) for one in more}
        command(**given, reading=parsed(reading))

    parameters = [*(one.replace(kind=one.KEYWORD_ONLY) for one in own), *more]
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
