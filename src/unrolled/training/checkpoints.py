"""Checkpoint files: safetensors with JSON in its header, written whole or not at all. Reading executes nothing.

    checkpoint-000000001200.safetensors     after update 1200
    checkpoint-000000001000.safetensors     the one before; older ones are removed

A file is written under another name, flushed to the disk and then renamed, so a kill or a power cut at any moment
leaves the ones before it whole.
"""

import contextlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unrolled.errors import ArtifactError, message
from unrolled.places import local_path

FORMAT = "unrolled checkpoint"
VERSION = 1
KEEP = 2
NAME = re.compile(r"checkpoint-(\d{12})\.safetensors")


def checkpoint_files(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, newest first."""
    place = local_path(folder, "checkpoint", ArtifactError)
    if not place.is_dir():
        return []
    return sorted((file for file in place.iterdir() if NAME.fullmatch(file.name)), reverse=True)


def write_checkpoint(folder: str | Path, update: int, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    """Write one checkpoint and remove all but the two newest.

    Args:
        folder: made if it is missing.
        update: updates made so far; names the file.
        record: plain JSON values.
        tensors: any tensors, by name.

    Returns:
        The file.

    Raises:
        ArtifactError: no permission or no room; earlier checkpoints are unharmed.
    """
    place = local_path(folder, "checkpoint", ArtifactError)
    target = place / f"checkpoint-{update:012d}.safetensors"
    temporary = place / f".{target.name}.new"
    header = {"unrolled": json.dumps({"format": FORMAT, "version": VERSION, **record})}
    # safetensors refuses tensors that share memory, and it reads them on the CPU
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    try:
        place.mkdir(parents=True, exist_ok=True)
        save_file(copies, temporary, header)
        _flush(temporary)
        os.replace(temporary, target)
        if os.name == "posix":  # elsewhere a folder cannot be opened
            _flush(place)
        for old in checkpoint_files(place)[KEEP:]:
            old.unlink(missing_ok=True)
        for left in place.glob(".checkpoint-*.safetensors.new"):  # what a kill left behind
            left.unlink(missing_ok=True)
    except (OSError, SafetensorError) as fault:
        _remove(temporary)
        raise ArtifactError(
            message(
                "checkpoint",
                expected="a folder with room that can be written",
                received=f"{place} ({getattr(fault, 'strerror', None) or fault})",
                remedy="earlier checkpoints there are unharmed; free some room or choose another folder, then resume",
            )
        ) from fault
    return target


def read_newest(folder: str | Path) -> tuple[Path, dict[str, Any], dict[str, Tensor]] | None:
    """The newest checkpoint that is whole, or None when the folder has none at all.

    Returns:
        The file, and the record and tensors that `write_checkpoint` was given.

    Raises:
        ArtifactError: every checkpoint there is damaged or foreign, or a newer version wrote it.
    """
    refused: ArtifactError | None = None
    for file in checkpoint_files(folder):
        try:
            return file, *_read(file)
        except ArtifactError as fault:
            refused = refused or fault
    if refused is not None:
        raise refused
    return None


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(file, framework="pt") as content:
            record = json.loads((content.metadata() or {}).get("unrolled", "null"))
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, ValueError, SafetensorError) as fault:
        raise ArtifactError(
            message(
                "checkpoint",
                expected="a whole checkpoint",
                received=f"{file} ({getattr(fault, 'strerror', None) or str(fault).splitlines()[0]})",
                remedy="it is damaged: remove it to use an older one, or start again in another folder",
            )
        ) from fault
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ArtifactError(message("checkpoint", expected="a file written by unrolled", received=str(file)))
    if not isinstance(record.get("version"), int) or record["version"] > VERSION:
        raise ArtifactError(
            message(
                "checkpoint",
                expected=f"format version <= {VERSION}",
                received=f"version {record.get('version')}",
                remedy="a newer unrolled wrote it: upgrade with pip install --upgrade unrolled",
            )
        )
    return record, tensors


def _flush(path: Path) -> None:
    """Make sure that a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # the fault that led here says more
        path.unlink(missing_ok=True)
