"""Export to a folder that needs only NumPy: run.py, model.json and weights-0123456789abcdef.npz."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from unrolled.artifacts import holds_only
from unrolled.codecs.base import Codec
from unrolled.errors import ArtifactError, message
from unrolled.export import runner
from unrolled.export.plan import Branches, Convolution, ExportColumn, ExportLayer, ExportPlan, plan_of
from unrolled.export.writing import write_folder
from unrolled.generations import Arrays, FileEntry
from unrolled.places import local_path

RUN = "run.py"
READ = ("characters", "words", "numbers", "frames", "categories")  # codecs that the runner supports


def export_numpy(
    network: nn.Module, path: str | Path, codecs: Mapping[str, Codec], about: Mapping[str, Any] | None = None
) -> Path:
    """Write a causal network as a folder with one Python file that needs only NumPy.

    Args:
        network: an arrangement of causal layers, trained.
        path: the folder; an older export there is replaced as a whole.
        codecs: of the inputs, by name; with those in `READ` the file can read raw records.
        about: further facts: "task", "labels" of the answers, "first" (inputs before the first event, by name), "ends"
            (whether texts end by themselves), "unit" (centre and spread of numeric answers).

    Returns:
        The path.

    Raises:
        UnsupportedError: a network that cannot be stepped; an input with its own network.
        ArtifactError: the folder cannot be written, or holds something else.
    """
    record, arrays = numpy_model(plan_of(network), codecs, about)
    target = local_path(path, "path", ArtifactError)
    _refuse_foreign(target)

    def write(path: Path) -> None:
        with path.open("wb") as file:  # NumPy would add a suffix to a path
            np.savez(file, allow_pickle=False, **arrays)

    def model(entry: FileEntry) -> bytes:
        return json.dumps({**record, "files": entry.to_json()}, ensure_ascii=False, allow_nan=False).encode()

    return write_folder(target, Arrays(".npz", write), model, {RUN: Path(runner.__file__).read_bytes()})


def numpy_model(
    plan: ExportPlan, codecs: Mapping[str, Codec], about: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the content of model.json and the arrays of the file of weights.

    Args:
        plan: of a network.
        codecs: as in `export_numpy`.
        about: as in `export_numpy`.
    """
    shelf = _Shelf()
    layers = [_layer(shelf, f"layers.{number}", layer) for number, layer in enumerate(plan.layers)]
    if plan.pooled is not None:
        layers.append(_layer(shelf, "pooled", plan.pooled))
    for field in plan.fields:
        shelf.put(f"start.{field.name}", field.start)
    if plan.start is not None:
        shelf.put("first.weight", plan.start[0])
        shelf.put("first.bias", plan.start[1])
    for name, array in plan.arrays.items():
        if name.startswith("head."):  # those of a pooling are in its program
            shelf.put(name, array)
    record = {
        "format": runner.FORMAT,
        "version": runner.VERSION,
        "columns": _columns(shelf, plan.columns),
        "statics": _columns(shelf, plan.statics),
        "place": plan.place,
        "layers": layers,
        "state": [field.name for field in plan.fields],
        "pooling": plan.pooling,
        "head": plan.head,
        "width": plan.width,
        "output": dict(plan.output),
        "readers": {name: codec.to_json() for name, codec in codecs.items() if codec.name in READ},
        "task": "a network",
        "labels": [],
        "first": {},
        "ends": True,
        "unit": [0.0, 1.0],
        **(about or {}),
    }
    return record | {"fingerprint": runner.fingerprint(record, shelf.arrays)}, shelf.arrays


class _Shelf:
    """Arrays by name; an array that is added twice keeps its first name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def put(self, name: str, array: np.ndarray) -> str:
        """Add an array; return its name."""
        for known, other in self.arrays.items():
            if other is array:
                return known
        self.arrays[name] = array
        return name


def _columns(shelf: _Shelf, columns: Sequence[ExportColumn]) -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "kind": column.kind,
            "size": column.size,
            "table": None if column.table is None else shelf.put(f"table.{column.name}", column.table),
            "scale": column.scale,
        }
        for column in columns
    ]


def _layer(shelf: _Shelf, name: str, layer: ExportLayer | Convolution | Branches) -> dict[str, Any]:
    if isinstance(layer, Branches):
        parts = [
            [_layer(shelf, f"{name}.{place}.{number}", one) for number, one in enumerate(part)]
            for place, part in enumerate(layer.parts)
        ]
        return {"kind": "branches", "parts": parts}
    fields = {field.name.rpartition(".")[2]: field.name for field in layer.fields}
    norm = None if layer.norm is None else shelf.put(f"{name}.norm", layer.norm)
    record = {"fields": fields, "norm": norm, "epsilon": layer.epsilon, "residual": layer.residual}
    if isinstance(layer, Convolution):
        shelf.put(f"{name}.weight", layer.taps)
        shelf.put(f"{name}.bias", layer.bias)
        return {"kind": "convolution", "taps": name, "dilation": layer.dilation, **record}
    constants = {key: shelf.put(f"{name}.{key}", array) for key, array in layer.program.constants.items()}
    return {"kind": "recurrent", "constants": constants, **layer.program.to_json(), **record}


def _refuse_foreign(target: Path) -> None:
    if target.exists() and not holds_only(target, runner.FORMAT):
        raise ArtifactError(
            message(
                "path",
                expected="a new folder, an empty one or an older export",
                received=str(target),
                remedy="choose another name; nothing was written",
            )
        )
