"""Options from the API: names, types, defaults and help texts are read from signatures and docstrings."""

import inspect
import re
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from unrolled.errors import OptionError, message


class CommandOption(NamedTuple):
    """One option.

    Args:
        name: as in Python, with underscores.
        kind: int, float, str, bool, list or dict.
        item: type of a list's items.
        default: the default of the API.
        text: its description in the docstring.
    """

    name: str
    kind: type
    item: type
    default: Any
    text: str

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")


def arguments_of(thing: type, leave_out: Sequence[str] = ()) -> list[CommandOption]:
    """Return the arguments of a class whose types can be given on a command line.

    Args:
        thing: a dataclass, or a class with an annotated constructor; its docstring has an `Args:` section.
        leave_out: names that other options stand for.
    """
    texts = texts_of(inspect.getdoc(thing) or "")
    if is_dataclass(thing):
        hints = get_type_hints(thing)
        defaults = {f.name: f.default if f.default is not MISSING else None for f in fields(thing)}
    else:
        constructor = thing.__init__
        hints = get_type_hints(constructor)
        defaults = {
            name: None if parameter.default is parameter.empty else parameter.default
            for name, parameter in inspect.signature(constructor).parameters.items()
            if name != "self"
        }
    found = []
    for name, default in defaults.items():
        kind = kind_of(hints.get(name, str))
        if name not in leave_out and kind is not None:
            found.append(CommandOption(name, *kind, default, texts.get(name, "")))
    return found


def parse(argument: CommandOption, text: str, where: str = "") -> Any:
    """Convert the text of an option to a value.

    Raises:
        OptionError: the text does not fit the type.
    """
    try:
        if argument.kind is bool:
            return _truth(text)
        if argument.kind is list:
            return [argument.item(part.strip()) for part in text.split(",") if part.strip()]
        if argument.kind is dict:
            return dict(_pair(part) for part in text.split(",") if part.strip())
        return argument.kind(text)
    except ValueError:
        expected = {int: "an integer", float: "a number", bool: "true or false", list: "values separated by commas"}
        shown = expected.get(argument.kind, "name=value separated by commas")
        raise OptionError(message(argument.flag, expected=shown, received=repr(text), remedy=where)) from None


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(text)
    return name.strip(), _guess(value.strip())


def _guess(text: str) -> Any:
    for reader in (int, float, _truth):
        try:
            return reader(text)
        except ValueError:
            continue
    return text


def _truth(text: str) -> bool:
    if text.lower() in ("true", "yes", "on", "1"):
        return True
    if text.lower() in ("false", "no", "off", "0"):
        return False
    raise ValueError(text)


def kind_of(hint: Any) -> tuple[type, type] | None:
    """Return the type of an option and of its items; None if it cannot be given on a command line.

    Args:
        hint: the type of an argument in Python.
    """
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        base = get_origin(option) or option
        if base in (bool, int, float, str):
            return base, base
        if isinstance(base, type) and issubclass(base, Mapping):
            return dict, str
        if isinstance(base, type) and issubclass(base, Collection):
            items = [item for part in get_args(option) for item in (*get_args(part), part) if item in (int, float, str)]
            return (list, items[0]) if items else None
    return None


def texts_of(doc: str) -> dict[str, str]:
    """Return the `Args:` section of a docstring, by name.

    Args:
        doc: the docstring, without indentation.
    """
    _, found, rest = doc.partition("Args:\n")
    if not found:
        return {}
    section = re.split(r"\n\s*\n", rest)[0]
    texts: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        start = re.match(r"^    (\w+): (.*)", line)
        if start:
            name = start[1]
            texts[name] = start[2].strip()
        elif name:
            texts[name] += " " + line.strip()
    return texts
