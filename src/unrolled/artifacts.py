"""A model folder: JSON, safetensors and a card to read. Loading executes nothing that the folder holds.

model.json             format, version, task, constructor parameters, everything learnt but the weights
weights.safetensors    the weights, and the arrays of the baselines
README.md              the card: what it is, the data's summary, scores beside baselines
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from unrolled.errors import ArtifactError, message
from unrolled.places import local_path

FORMAT = "unrolled model"
VERSION = 1
MODEL, WEIGHTS, CARD, CONFIG = "model.json", "weights.safetensors", "README.md", "config.toml"


def write_model(
    folder: str | Path,
    record: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    card: str,
    texts: Mapping[str, str] | None = None,
) -> Path:
    """Write a model folder as a whole, or leave what was there untouched.

    Args:
        folder: where; an older model there is replaced, any other content is refused.
        record: plain JSON values; must hold "task".
        tensors: weights and arrays by name.
        card: Markdown for a reader.
        texts: further files by name, such as the configuration of the run.

    Returns:
        The folder's path.

    Raises:
        ArtifactError: no permission, a full disk, or a folder that holds something else.
    """
    target = Path(folder)
    refuse_foreign(target)
    text = json.dumps({"format": FORMAT, "version": VERSION, **record}, indent=1, ensure_ascii=False, allow_nan=False)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent))
        temporary.chmod(0o755)
        (temporary / MODEL).write_text(text, encoding="utf-8")
        save_file({name: _own(tensor) for name, tensor in tensors.items()}, temporary / WEIGHTS)
        for name, content in {CARD: card, **(texts or {})}.items():
            (temporary / name).write_text(content, encoding="utf-8")
        swap_folders(temporary, target)
    except (OSError, SafetensorError) as fault:
        raise ArtifactError(
            message(
                "folder",
                expected="a place with room that can be written",
                received=f"{target} ({_reason(fault)})",
                remedy="choose another folder; an older model there is unharmed",
            )
        ) from fault
    finally:
        if temporary is not None:  # moved away if all went well
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def refuse_foreign(folder: str | Path) -> None:
    """Refuse early to write a model where something else lies, so that no long run ends in a refusal."""
    target = local_path(folder, "folder", ArtifactError)
    if target.exists() and not (target.is_dir() and ((target / MODEL).is_file() or not any(target.iterdir()))):
        raise ArtifactError(
            message(
                "folder",
                expected="a new folder, an empty one or an older model",
                received=str(target),
                remedy="choose another name; nothing was written",
            )
        )


def read_model(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a model folder.

    Returns:
        The record and the tensors that `write_model` was given.

    Raises:
        ArtifactError: not a model folder, damaged, or written by a newer version.
    """
    source = local_path(folder, "model", ArtifactError)
    if not (source / MODEL).is_file():
        kept = _aside(source)
        remedy = f"an interrupted save left the older model at {kept}: rename it" if kept.is_dir() else ""
        raise ArtifactError(message("model", expected=f"a folder with {MODEL}", received=str(source), remedy=remedy))
    try:
        record = json.loads((source / MODEL).read_text(encoding="utf-8"))
        tensors = load_file(source / WEIGHTS)
    except (OSError, ValueError, RecursionError, SafetensorError) as fault:
        raise ArtifactError(
            message(
                "model",
                expected="a whole model folder",
                received=f"{source} ({_reason(fault)})",
                remedy="it is damaged: restore a copy or fit again",
            )
        ) from fault
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ArtifactError(message("model", expected=f"a {MODEL} written by unrolled", received=str(source)))
    version = record.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise ArtifactError(
            message(
                "model",
                expected=f"format version <= {VERSION}",
                received=f"version {version} in {source}",
                remedy="it was saved by a newer unrolled: upgrade with pip install --upgrade unrolled",
            )
        )
    return record, tensors


def _own(tensor: Tensor) -> Tensor:
    """A copy on the CPU: the file format refuses tensors that share memory."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def swap_folders(new: Path, target: Path) -> None:
    """Put `new` where `target` is; the older model is moved aside first and comes back if that fails."""
    aside = _aside(target)
    if not target.exists():
        os.rename(new, target)
        return
    shutil.rmtree(aside, ignore_errors=True)
    os.rename(target, aside)
    try:
        os.rename(new, target)
    except OSError:
        os.rename(aside, target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _reason(fault: BaseException) -> str:
    return getattr(fault, "strerror", None) or str(fault).splitlines()[0]
