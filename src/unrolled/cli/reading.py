"""Read data for the command line: the format, and the options of its reader."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from unrolled.cli.formats import FORMATS, LEFT_OUT, options_of, readers
from unrolled.errors import OptionError, message, unknown

_BY_SUFFIX = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
              ".txt": "text"}  # fmt: skip


def read_data(
    path: str,
    form: str = "auto",
    remembered: Mapping[str, Any] | None = None,
    texts: Collection[str] = (),
    **options: Any,
) -> Any:
    """Return the Source of a path; what its reader changed or left out is said on standard error.

    Args:
        path: file, folder, pattern such as "data/*.csv", or address such as https://host/prices.csv.
        form: one of `formats.FORMATS`; auto chooses by the suffix.
        remembered: options with which a model's training data was read; those that this format has hold.
        texts: columns that a model learnt as text.
        options: options of the format's reader, such as `separator` of csv.

    Raises:
        OptionError: an unknown format, or an option that its reader does not have.
    """
    from unrolled.cli.notes import show_notes

    if form not in FORMATS:
        raise unknown("--format", form, FORMATS)
    given = {name: how for name, how in options.items() if how not in ("", None)}
    kept = {name: how for name, how in (remembered or {}).items() if how not in ("", None)}
    if form == "auto":
        form = "conll" if (given | kept).get("columns") else _form(path)
    reader, takes = _reader(form, given | kept)
    for name in given:
        if name not in takes:
            raise _refused(name, form)
    further = {name: how for name, how in kept.items() if name in takes and name not in given}
    if "time_form" in further and any(given.get(name) is not None for name in _times()):
        del further["time_form"]  # the given options hold in its place
    if "texts" in takes and (texts or given.get("texts")):
        given["texts"] = [*dict.fromkeys([*texts, *given.get("texts", ())])]
    if form == "lines":
        given["kind"] = "lines"
    source = reader(path, **further, **given)
    show_notes(source)
    return source


def _reader(form: str, options: Mapping[str, Any]) -> tuple[Callable[..., Any], set[str]]:
    """Return the reader of a format, and the names of its options."""
    from unrolled.data.readers import read

    known = readers()
    reader = known["csv" if form == "tsv" and "separator" in options else form] if form in known else read
    takes = set(options_of(reader))
    return reader, takes | set(LEFT_OUT) if "day_first" in takes else takes


def _times() -> list[str]:
    from unrolled.data.time_words import TimeWords

    return [name for name in TimeWords.__annotations__ if name != "time_form"]


def _refused(name: str, form: str) -> OptionError:
    """Return the error for an option that a format does not have."""
    having = ", ".join(other for other, reader in readers().items() if name in options_of(reader))
    flag = "--" + name.replace("_", "-")
    remedy = "name the format with --format" if form == "auto" else ""
    return OptionError(
        message(flag, expected=f"one of the formats {having}", received=f"the format {form}", remedy=remedy)
    )


def _form(path: str) -> str:
    """Return the format of a file by its suffix; auto for a folder, and for what `read` refuses."""
    from unrolled.data.formats.registry import FORMATS as SINGLE_FORMATS
    from unrolled.data.opened import suffix_of

    suffix = suffix_of(path)
    return _BY_SUFFIX.get(suffix) or next(
        (name for name, found in SINGLE_FORMATS.items() if suffix in found.suffixes), "auto"
    )


def reading_of(model: Any, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return how data for a model is read: as its training data was, but for what is given.

    Args:
        model: the model.
        given: the format and options of the command.
    """
    options = dict(given or {})
    learnt = dict(model.reading_)
    learnt |= learnt.pop("times", None) or {}  # as earlier versions saved them
    form = options.pop("format", None) or learnt.pop("form", "auto")
    learnt.pop("form", None)
    if model.time_form_ is not None:
        learnt = {name: how for name, how in learnt.items() if name not in _times()} | {"time_form": model.time_form_}
    return {"form": form, "remembered": learnt, "texts": model.schema_.texts(), **options}
