"""The formats of the command line and the options of their readers, from the signatures of the readers themselves."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from unrolled.cli.arguments import CommandOption, kind_of, texts_of

SINGLE = (
    "arff",
    "arrow",
    "conll",
    "excel",
    "fasta",
    "fastq",
    "json",
    "npy",
    "npz",
    "po",
    "subtitles",
    "ts",
    "tsf",
    "ucr",
    "xes",
)  # of `data/formats/registry.py`, which is not imported for a list of names
FORMATS = ("auto", "csv", "tsv", "jsonl", "parquet", "text", "lines", *SINGLE, "folder")  # fmt: skip
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
