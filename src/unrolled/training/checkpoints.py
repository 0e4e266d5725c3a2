"""Checkpoint files: safetensors with JSON in the header, written atomically. Reading executes nothing.

    checkpoint-000000001200.safetensors     after update 1200
    checkpoint-000000001000.safetensors     the one before; earlier ones are removed

A file is written under another name, flushed to the disk and then renamed, so a kill or a power cut at any moment
leaves the earlier ones whole. Its header holds the SHA-256 of the rest of it; a damaged file is never used: the
one before is used instead, with a warning.
"""

import contextlib
import hashlib
import json
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unrolled.disk import PENDING, check_version, flush, remove, replace
from unrolled.errors import ArtifactError, message, reason
from unrolled.places import local_path

FORMAT = "unrolled checkpoint"
VERSION = 2  # the first one had no digest, and is still read
KEEP = 2
NAME = re.compile(r"checkpoint-(\d{12})\.safetensors")


def checkpoint_files(folder: str | Path) -> list[Path]:
    """Return the checkpoints in a folder, newest first."""
    place = local_path(folder, "checkpoint", ArtifactError)
    if not place.is_dir():
        return []
    return sorted((file for file in place.iterdir() if NAME.fullmatch(file.name)), reverse=True)


def write_checkpoint(folder: str | Path, update: int, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    """Write one checkpoint and remove all but the two newest.

    Args:
        folder: created if it is missing.
        update: number of updates made so far; names the file.
        record: plain JSON values.
        tensors: any tensors, by name.

    Returns:
        The file.

    Raises:
        ArtifactError: no permission or no room; earlier checkpoints are unharmed.
    """
    place = local_path(folder, "checkpoint", ArtifactError)
    target = place / f"checkpoint-{update:012d}.safetensors"
    temporary = place / f".{target.name}{PENDING}"  # a folder, as safetensors has unfinished files of its own
    # safetensors refuses tensors that share memory, and it reads them on the CPU
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"format": FORMAT, "version": VERSION, **record})
    header = {"unrolled": text, "sha256": _digest(text, copies)}
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        save_file(copies, temporary / target.name, header)
        flush(temporary / target.name)
        replace(temporary / target.name, target)
        flush(place)
        for old in checkpoint_files(place)[KEEP:]:
            old.unlink(missing_ok=True)
        for left in place.glob(f".checkpoint-*.safetensors{PENDING}"):  # left behind by a kill
            remove(left)
    except (OSError, SafetensorError) as fault:
        with contextlib.suppress(OSError):  # the first error is more informative
            remove(temporary)
        raise ArtifactError(
            message(
                "checkpoint",
                expected="a writable folder with free space",
                received=f"{place} ({reason(fault)})",
                remedy="earlier checkpoints there are unharmed; free some space or choose another folder, then resume",
            )
        ) from fault
    return target


def use_newest(folder: str | Path, use: Callable[[dict[str, Any], dict[str, Tensor], Path], None]) -> Path | None:
    """Continue from the newest checkpoint that is whole.

    Args:
        folder: folder of the checkpoints.
        use: called with the record and the tensors of `write_checkpoint`, and the file. An ArtifactError of its
            own, such as for another run's checkpoint, ends the search; with any other fault the one before is tried.

    Returns:
        The file that was used, or None when the folder has no checkpoint at all.

    Warns:
        UserWarning: a newer checkpoint is damaged, and an older one is used.

    Raises:
        ArtifactError: every checkpoint there is damaged or belongs to another program or a newer version.
    """
    refused: ArtifactError | None = None
    for file in checkpoint_files(folder):
        try:
            record, tensors = _read(file)
        except ArtifactError as fault:
            refused = refused or fault
            continue
        try:
            use(record, tensors, file)
        except ArtifactError:
            raise
        except Exception as fault:  # damaged content can raise any kind
            refused = refused or _damaged(file, reason(fault, "its parts do not fit together"))
            continue
        if refused is not None:
            warnings.warn(f"{refused}; the one before is used: {file}", stacklevel=2)
        return file
    if refused is not None:
        raise refused
    return None


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(file, framework="pt") as content:  # checks all sizes in the header against the file's
            header = content.metadata() or {}
            record = json.loads(header.get("unrolled", "null"))
            tensors = {name: content.get_tensor(name).clone() for name in content.keys()}  # noqa: SIM118 (not a dict)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise ArtifactError(message("checkpoint", expected="a file written by unrolled", received=str(file)))
        version = check_version("checkpoint", record.get("version"), VERSION, file)
        if (version > 1 or "sha256" in header) and header.get("sha256") != _digest(header["unrolled"], tensors):
            raise _damaged(file, "it is not what its digest says")
    except ArtifactError:
        raise
    except Exception as fault:  # the library raises many kinds
        raise _damaged(file, reason(fault)) from fault
    return record, tensors


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a record and of tensors with their names, kinds and shapes."""
    found = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _damaged(file: Path, why: str) -> ArtifactError:
    return ArtifactError(
        message(
            "checkpoint",
            expected="a whole checkpoint",
            received=f"{file} ({why})",
            remedy="it is damaged: remove it to use an older one, or start again in another folder",
        )
    )
