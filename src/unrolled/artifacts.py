"""Model folders: JSON, safetensors and a readable card. Loading executes nothing from the folder.

    model.json                             format, version, task, constructor parameters, everything learnt except the
                                           weights, the card and the configuration; with its own SHA-256, and the name,
                                           SHA-256 and size of the weights that belong to it
    weights-0123456789abcdef.safetensors   the weights, and the arrays of the baselines
    README.md, config.toml                 copies of the card and the configuration, for people; nothing reads them
    .lock                                  empty: writers take turns by it

`model.json` names the other files, so replacing it replaces the model in one step (see `unrolled.generations`). Every
byte of a model has a digest, which is checked when it is loaded. The copies may be edited: no model depends on them.
Version 1 of the format had one `weights.safetensors` and no digests; it is still read. Loading writes nothing, so a
folder may be on a read-only disk.
"""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from unrolled.disk import PENDING, check_version, damaged_model
from unrolled.errors import ArtifactError, message, reason
from unrolled.generations import MODEL, Arrays, FileEntry, is_own, write_generation
from unrolled.places import local_path

FORMAT = "unrolled model"
VERSION = 2
WEIGHTS, CARD, CONFIG = "weights.safetensors", "README.md", "config.toml"  # the weights' name in version 1
TRIES = 100  # attempts of a reader whose model is replaced while it reads
NAME = re.compile(r"weights-[0-9a-f]{16}\.safetensors")


def write_model(
    folder: str | Path,
    record: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    card: str,
    texts: Mapping[str, str] | None = None,
) -> Path:
    """Write a model folder as a whole, or leave the old content unchanged.

    Args:
        folder: path; an older model there is replaced, any other content is refused.
        record: plain JSON values; must hold "task".
        tensors: weights and arrays by name.
        card: Markdown for a reader.
        texts: further files by name, such as the configuration of the run.

    Returns:
        The folder's path.

    Raises:
        ArtifactError: no permission, a full disk, or a folder that holds something else.
    """
    target = refuse_foreign(folder)
    shown = {CARD: card, **(texts or {})}
    # as JSON would load it; values that JSON does not have are refused before anything is written
    plain = json.loads(json.dumps({**record, "texts": shown}, allow_nan=False))
    own = {name: _own(tensor) for name, tensor in tensors.items()}

    def model(entry: FileEntry) -> bytes:
        return _encoded(json.dumps(seal({**plain, "files": entry.to_json()}), indent=1, ensure_ascii=False))

    copies: dict[str, bytes | None] = {CONFIG: None, **{name: _encoded(text) for name, text in shown.items()}}
    try:
        write_generation(target, Arrays(".safetensors", lambda path: save_file(own, path)), model, copies)
    except (OSError, SafetensorError) as fault:
        raise ArtifactError(
            message(
                "folder",
                expected="a place with room that can be written",
                received=f"{target} ({reason(fault)})",
                remedy="choose another folder; an older model there is unharmed",
            )
        ) from fault
    _forget_version_1(target)
    return target


def seal(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of `model.json` for a record: format, version, SHA-256 of all the rest, and the record."""
    plain = {key: value for key, value in record.items() if key not in ("format", "version", "sha256")}
    content = {"format": FORMAT, "version": VERSION, **plain}
    return {"format": FORMAT, "version": VERSION, "sha256": _digest(content), **plain}


def refuse_foreign(folder: str | Path) -> Path:
    """Return the path that a model will be written to; refuse other content there before a long run, not after.

    Raises:
        ArtifactError: a file, or a folder that holds something other than a model.
    """
    target = local_path(folder, "folder", ArtifactError)
    if target.exists() and not holds_only(target, FORMAT):
        raise ArtifactError(
            message(
                "folder",
                expected="a new folder, an empty one or an older model",
                received=str(target),
                remedy="choose another name; nothing was written",
            )
        )
    return target


def holds_only(target: Path, form: str) -> bool:
    """Return whether a path is an empty folder, the rest of a killed first save, or a folder in that format."""
    if not target.is_dir():
        return False
    if not (target / MODEL).is_file():
        return all(is_own(path.name) for path in target.iterdir())
    with (target / MODEL).open("rb") as file:
        found = re.search(rb'"format":\s*"([^"]*)"', file.read(1000))
    return found is None or found[1].decode(errors="replace") == form  # a damaged model may be replaced


def read_model(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read one whole model from a folder, even if others write there meanwhile.

    Returns:
        The record and the tensors that `write_model` got; the texts by name under "texts".

    Raises:
        ArtifactError: not a model folder, damaged, or written by a newer version.
    """
    source = local_path(folder, "model", ArtifactError)
    if not (source / MODEL).is_file() and (_aside(source) / MODEL).is_file():
        source = _aside(source)  # version 1 was killed between its two renames
    text = _read_text(source)
    for _ in range(TRIES):
        try:
            return _read(source, text)
        except ArtifactError:
            before, text = text, _read_text(source)
            if text == before:
                raise
    raise ArtifactError(
        message("model", expected="a folder that stays unchanged", received=f"{source}, replaced all the time")
    )


def _read_text(source: Path) -> bytes:
    """Read the bytes of `model.json`."""
    for last in (*[False] * 50, True):
        try:
            if not (source / MODEL).is_file():
                raise ArtifactError(message("model", expected=f"a folder with {MODEL}", received=str(source)))
            return (source / MODEL).read_bytes()
        except OSError as fault:
            if last or os.name == "posix":
                raise damaged_model(source, reason(fault)) from fault
            time.sleep(0.01)  # Windows denies access while a file is being replaced
    raise AssertionError("the last try returns or raises")


def _read(source: Path, text: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        record = json.loads(text.decode("utf-8"), parse_constant=_no_number)
        record = record if isinstance(record, dict) else {}
        digest = _digest({key: value for key, value in record.items() if key != "sha256"})
    except (ValueError, RecursionError, MemoryError) as fault:
        raise damaged_model(source, f"{MODEL}: {reason(fault)}") from fault
    if record.get("format") != FORMAT:
        raise ArtifactError(message("model", expected=f"a {MODEL} written by unrolled", received=str(source)))
    version = check_version("model", record.get("version"), VERSION, source)
    if version == 1 and not {"files", "sha256"} & record.keys():
        return record, _read_tensors(source, source / WEIGHTS, None)
    if record.pop("sha256", None) != digest:
        raise damaged_model(source, f"{MODEL} is not what its digest says")
    entry = _entry(record.pop("files", None))
    if entry is None:
        raise damaged_model(source, f"{MODEL} names no weights")
    return record, _read_tensors(source, source / entry.name, entry)


def _entry(files: Any) -> FileEntry | None:
    """Return the only entry of the manifest; None where there is not exactly one, or it is no file of this folder."""
    for name, said in files.items() if isinstance(files, dict) and len(files) == 1 else ():
        match said:
            case {"sha256": str(sha256), "bytes": int(size)} if NAME.fullmatch(name):
                return FileEntry(name, sha256, size)
            case _:
                return None
    return None


def _read_tensors(source: Path, path: Path, entry: FileEntry | None) -> dict[str, Tensor]:
    """Load the tensors of a file after checking its size and digest, from the same bytes that were checked."""
    try:
        if not path.is_file():
            raise damaged_model(source, f"{path.name} is missing")
        size = path.stat().st_size
        if entry is not None and size != entry.bytes:
            raise damaged_model(source, f"{path.name} has {size} bytes instead of {entry.bytes}")
        data = path.read_bytes()
        if entry is not None and hashlib.sha256(data).hexdigest() != entry.sha256:
            raise damaged_model(source, f"{path.name} is not what its digest says")
        return load(data)
    except ArtifactError:
        raise
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, MemoryError, SafetensorError) as fault:
        raise damaged_model(source, f"{path.name}: {reason(fault)}") from fault


def _digest(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values, independent of their layout in a file."""
    plain = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _encoded(text: str) -> bytes:
    """Encode text as UTF-8; a lone surrogate of a damaged text becomes its JSON escape."""
    return text.encode(errors="backslashreplace")


def _no_number(name: str) -> float:
    raise ArtifactError(f"{name} is no number of JSON")


def _own(tensor: Tensor) -> Tensor:
    """Copy a tensor to the CPU: the file format refuses tensors that share memory."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _aside(target: Path) -> Path:
    return target.parent / f".{target.name}.old"


def _forget_version_1(target: Path) -> None:
    """Remove what killed saves in version 1 left next to the folder."""
    known = {MODEL, WEIGHTS, CARD, CONFIG}
    with suppress(OSError):
        for path in [_aside(target), *target.parent.glob(f".{escape(target.name)}.????????{PENDING}")]:
            if path.is_dir() and known >= {file.name for file in path.iterdir()}:
                shutil.rmtree(path, ignore_errors=True)
