"""Places that files are read from: paths, patterns, lists of files, open files, bytes, addresses, packed files.

A reader knows only a path of this machine. What is elsewhere is copied to a temporary file, which is removed after
the reading; files that are read lazily are kept until the program ends. Nothing here is ever asked to open what a
client of a server names: only the `read_` functions, which people call, come here.
"""

import atexit
import glob
import inspect
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView, ValuesView
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import IO, Any, Concatenate, ParamSpec, TypeVar

from unrolled.data.addresses import as_address, fetch, is_address, local_file, name_of, shown_address
from unrolled.data.marked import marks_of
from unrolled.data.packings import is_archive, name_inside, only_member, packing_of, unpack
from unrolled.data.several import join
from unrolled.data.source import Source, Table
from unrolled.data.spelling import Spelling, spelling_of
from unrolled.errors import DataError, InputError, message, reason

Anywhere = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[Any] | Iterable[Any]
P = ParamSpec("P")
S = TypeVar("S", bound=Source)
_LONGEST_NAME = 100  # characters of the name of a temporary file
TEXTS = "texts"  # option of a reader: columns that are kept as text
_GIVEN = "a path, an address, an open file, bytes, or a list of such"


def from_anywhere(
    unpacks: bool = True,
) -> Callable[[Callable[Concatenate[Path, P], S]], Callable[Concatenate[Anywhere, P], S]]:
    """Make a reader of one local file read from any place, and from several; its first argument is the place.

    Args:
        unpacks: whether packed files are unpacked; False for a format that is packed itself.

    Example:
        >>> from unrolled.data.source import Table
        >>> @from_anywhere()
        ... def read_lines(path):
        ...     return Table(__import__("polars").DataFrame({"line": path.read_text().split()}))
        >>> len(read_lines(b"a b c"))
        3
    """

    def around(reader: Callable[Concatenate[Path, P], S]) -> Callable[Concatenate[Anywhere, P], S]:
        taken = inspect.signature(reader)
        (first, *_) = taken.parameters

        @wraps(reader)
        def read(*args: Any, **kwargs: Any) -> S:
            options = _by_name(taken, args, kwargs)
            given = options.pop(first)

            places = places_of(given)
            if len(places) > 1:
                places = [(shown_place(place), _rereadable(place)) for place in places]

            def whole(options: dict[str, Any]) -> Any:
                def one(place: Any, **more: Any) -> S:
                    return _read_one(reader, place, unpacks, {**options, **more})

                return one(places[0]) if len(places) == 1 else join(reader, one, places, options)

            def again(names: Collection[str]) -> Any:
                return whole({**options, TEXTS: [*(options.get(TEXTS) or ()), *names]})

            source: Any = whole(options)
            given: Any = source
            if isinstance(given, Table):
                given.marks, given.decimal = marks_of(options.get("missing")), options.get("decimal", ".")
            if TEXTS in taken.parameters:
                at_hand = len(places) > 1 or _is_at_hand(places[0])
                kept = spelling_of(source.frame, again)
                source.spelling = kept if at_hand or kept is None else Spelling(kept.columns)
            return source

        return read

    return around


def _by_name(taken: inspect.Signature, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return the arguments of a call by name."""
    bound = taken.bind(*args, **kwargs).arguments
    further = next((name for name, one in taken.parameters.items() if one.kind is one.VAR_KEYWORD), None)
    return {name: value for name, value in bound.items() if name != further} | bound.get(further or "", {})


def _rereadable(place: Any) -> Any:
    """Return a place that can be read twice: an open file as its bytes."""
    if not _is_open(place):
        return place
    with ExitStack() as kept:
        return _copied(place, kept).read_bytes()


def places_of(given: Any) -> list[Any]:
    """Return the single places of what was given: the items of a list, the files of a pattern, or the place itself.

    Args:
        given: a path, pattern, address, open file, bytes, or several of them.

    Raises:
        DataError: nothing given, or no file that matches.

    Example:
        >>> places_of(["a.csv", "b.csv"])
        ['a.csv', 'b.csv']
    """
    if isinstance(given, str) and any(sign in given for sign in "*?[") and not is_address(given):
        found = [] if os.path.exists(given) else sorted(glob.glob(os.path.expanduser(given), recursive=True))
        if not found and not os.path.exists(given):
            raise DataError(message("path", expected="at least one file that matches", received=repr(given)))
        return found or [given]
    several = isinstance(given, list | tuple | set | frozenset | Iterator | KeysView | ValuesView) or _is_column(given)
    if not several or _is_open(given):
        return [given]
    ordered = sorted(given) if isinstance(given, set | frozenset) else given
    places = [place for one in ordered for place in places_of(one)]
    if not places:
        raise DataError(message("path", expected="at least one file", received="none"))
    return places


def _is_column(given: Any) -> bool:
    """Return whether paths are in an array of NumPy, or in a Series or index of pandas or polars."""
    kind = type(given)
    known = kind.__module__.partition(".")[0] in ("numpy", "pandas", "polars")
    return known and kind.__name__.endswith(("ndarray", "Series", "Index")) and getattr(given, "ndim", 1) == 1


def _read_one(reader: Callable[..., S], place: Any, unpacks: bool, options: dict[str, Any]) -> S:
    """Read one place; an error names the place, not the temporary file."""
    with ExitStack() as kept:
        path = _local(place, kept)
        shown = shown_place(place)
        packing = packing_of(path) if unpacks and path.is_file() else None
        if packing is not None:
            path = unpack(path, packing, _folder(kept))
        here = isinstance(place, str | os.PathLike) and packing is None and not is_address(_text_of(place))
        if here:
            return reader(path, **options)
        try:
            source = reader(path, **options)
        except InputError as fault:
            raise type(fault)(str(fault).replace(str(path), shown)) from fault
        if isinstance(source, Table):
            source.folder = Path(place).parent if packing is not None and _is_path(place) else None
        else:
            atexit.register(kept.pop_all().close)  # it is read again, as often as its reader wants
        return source


def _local(place: Any, kept: ExitStack) -> Path:
    """Return a path of this machine with the content of a place."""
    if isinstance(place, str | os.PathLike):
        text = _text_of(place)
        if not is_address(text):
            return _path(text)
        address = as_address(text)
        local = local_file(address)
        if local is not None:
            return local
        path = _folder(kept) / _safe(name_of(address))
        with path.open("wb") as file:
            fetch(address, file)
        return path
    if isinstance(place, bytes | bytearray | memoryview):
        path = _folder(kept) / "data"
        path.write_bytes(place)
        return path
    if _is_open(place):
        return _copied(place, kept)
    if type(place).__module__.partition(".")[0] == "fsspec":  # a file that it opens as it was told to
        with place as file:
            return _copied(file, kept)
    if callable(getattr(place, "open", None)):  # a file in a package or an archive
        with place.open("rb") as file:
            return _copied(file, kept)
    raise DataError(message("path", expected=_GIVEN, received=type(place).__name__))


def _copied(source: Any, kept: ExitStack) -> Path:
    """Return a file with the rest of an open one."""
    path = _folder(kept) / _safe(Path(str(getattr(source, "name", None) or "data")).name)
    try:
        block = source.read(1 << 20)
        if not isinstance(block, str | bytes):
            if inspect.iscoroutine(block):
                block.close()
            remedy = "read it first, and give the bytes"
            received = f"{type(source).__name__}, which reads {type(block).__name__}"
            raise DataError(message("path", expected="an open file of text or bytes", received=received, remedy=remedy))
        with path.open("wb") as file:
            while block:
                file.write(block.encode("utf-8") if isinstance(block, str) else block)
                block = source.read(1 << 20)
    except (OSError, ValueError) as fault:
        why = reason(fault, "a closed file" if getattr(source, "closed", False) else "it cannot be read")
        received = f"{shown_place(source)} ({why})"
        raise DataError(message("path", expected="an open file that can be read", received=received)) from fault
    return path


def _path(text: str) -> Path:
    if "\n" in text:
        remedy = "give its text as io.StringIO(text)"
        raise DataError(message("path", expected=_GIVEN, received=f"a text of {len(text)} characters", remedy=remedy))
    path = Path(text)
    return path.expanduser() if text.startswith("~") and not path.exists() else path


def _text_of(place: Any) -> str:
    return os.fsdecode(os.fspath(place))


def _is_path(place: Any) -> bool:
    return isinstance(place, str | os.PathLike) and not is_address(_text_of(place))


def _is_at_hand(place: Any) -> bool:
    """Return whether a place can be read again without asking another machine."""
    if isinstance(place, str | os.PathLike):
        text = _text_of(place)
        return not is_address(text) or local_file(as_address(text)) is not None
    return isinstance(place, bytes | bytearray | memoryview)


def _is_open(place: Any) -> bool:
    return callable(getattr(place, "read", None)) and not isinstance(place, os.PathLike)


def shown_place(place: Any) -> str:
    """Return what a place is called in messages."""
    if isinstance(place, str | os.PathLike):
        text = _text_of(place)
        return shown_address(as_address(text)) if is_address(text) else text
    name = getattr(place, "name", None)
    return name if isinstance(name, str) and name else f"the given {type(place).__name__}"


def suffix_of(place: Any) -> str:
    """Return the suffix of the name of a place in lower case, without that of a packing; "" where it has no name.

    Example:
        >>> suffix_of("https://host/prices.CSV.gz?key=1")
        '.csv'
    """
    if _is_path(place) and is_archive(Path(_text_of(place))):
        name = only_member(Path(_text_of(place)))
    elif isinstance(place, str | os.PathLike):
        name = name_of(as_address(_text_of(place))) if is_address(_text_of(place)) else _text_of(place)
    else:
        name = str(getattr(place, "name", ""))
    return Path(name_inside(Path(name).name)).suffix.lower()


def _folder(kept: ExitStack) -> Path:
    folder = tempfile.mkdtemp(prefix="unrolled-")
    kept.callback(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _safe(name: str) -> str:
    """Return a name for a copy; that of a packing is left out, as the first bytes tell it, but for an archive."""
    plain = name if name.lower().endswith(".zip") else name_inside(name)
    return re.sub(r"[^A-Za-z0-9._-]", "_", plain)[-_LONGEST_NAME:].lstrip(".") or "data"
