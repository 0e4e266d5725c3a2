"""Options of the readers as those of a command, and what was given for them."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

import typer

from unrolled.cli.arguments import CommandOption, parse
from unrolled.cli.formats import FORMATS, reader_options

FORM = "format"
PANEL = "Reading"


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
