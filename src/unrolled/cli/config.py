"""A run as a TOML file with every option, so that the run can be repeated."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from unrolled.errors import DataError, OptionError, message, reason, unknown
from unrolled.places import local_path


def read_config(path: str, known: list[str], mappings: list[str], command: str) -> dict[str, Any]:
    """Read options from a TOML file; sections only group them.

    Args:
        path: the file.
        known: names of all options.
        mappings: those of them whose value is a mapping, so that no section can have their name.
        command: the task on the command line.

    Raises:
        DataError: no such file, or not TOML.
        OptionError: an option that this command does not have; the most similar one is suggested.
    """
    try:
        record = tomllib.loads(local_path(path, "--config", OptionError).read_text(encoding="utf-8"))
    except OSError as fault:
        raise DataError(message("--config", expected="a file", received=f"{path} ({reason(fault)})")) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise DataError(
            message("--config", expected="TOML", received=f"{path}: {reason(fault, _place(str(fault)))}")
        ) from fault
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= value if isinstance(value, dict) and name not in mappings else {name: value}
    if flat.pop("command", command) != command:
        raise OptionError(message("--config", expected=f"a config of {command}", received=str(record["command"])))
    for name in flat:
        if name not in known:
            raise unknown(f"--config {path}", name, known)
    return flat


def _place(said: str) -> str:
    """Return where a parser of TOML stopped, which it says in its text only."""
    place = re.search(r"at line (\d+), column (\d+)", said)
    return f"something else at line {place[1]}, column {place[2]}" if place else "an early end"


def write_config(values: Mapping[str, Any]) -> str:
    """Return the options as TOML; those that are None are left out, since TOML has no null."""
    lines = [f"# all options of this run: unrolled fit {values.get('command', '...')} --config config.toml repeats it"]
    lines += [f"{name} = {_toml(value)}" for name, value in values.items() if value is not None]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # strings, integers and floats look the same in JSON and TOML
    return json.dumps(value, ensure_ascii=False)
