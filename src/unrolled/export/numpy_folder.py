"""A trained network as a folder that NumPy alone runs: run.py, model.json and weights-0123456789abcdef.npz."""

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
from unrolled.export.plan import Column, Convolution, Layer, Plan, plan_of
from unrolled.export.writing import write_folder
from unrolled.generations import Arrays, Entry
from unrolled.places import local_path

RUN = "run.py"
READ = ("characters", "words", "numbers", "frames", "categories")  # codecs that the runner has too


def export_numpy(
    network: nn.Module, path: str | Path, codecs: Mapping[str, Codec], about: Mapping[str, Any] | None = None
) -> Path:
    """Write a causal network as a folder with one Python file that needs NumPy and nothing else.

    Args:
        network: an arrangement of causal layers, trained.
        path: the folder; an older export there is replaced as a whole.
        codecs: of the inputs, by name; those that the file can run too let it read raw records.
        about: what else is known: "task", "labels" of the answers, "first" (what is read before the first event, by
            name), "ends" (whether texts end by themselves), "unit" (centre and spread of answers that are numbers).

    Returns:
        The path.

    Raises:
        UnsupportedError: a network that cannot be stepped; an input that is read by a net of its own.
        ArtifactError: the folder cannot be written, or holds something else.
    """
    record, arrays = numpy_model(plan_of(network), codecs, about)
    target = local_path(path, "path", ArtifactError)
    _refuse_foreign(target)

    def write(path: Path) -> None:
        with path.open("wb") as file:  # NumPy would add a suffix to a path
            np.savez(file, allow_pickle=False, **arrays)

    def model(entry: Entry) -> bytes:
        return json.dumps({**record, "files": entry.to_json()}, ensure_ascii=False, allow_nan=False).encode()

    return write_folder(target, Arrays(".npz", write), model, {RUN: Path(runner.__file__).read_bytes()})


def numpy_model(
    plan: Plan, codecs: Mapping[str, Codec], about: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What model.json and the file of weights hold.

    Args:
        plan: of a network.
        codecs: as those of `export_numpy`.
        about: as that of `export_numpy`.
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
        if name.startswith("head."):  # a pooling's are in its program
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
    """Arrays by name; one that is put twice keeps its first name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def put(self, name: str, array: np.ndarray) -> str:
        """Keep an array; the name it is kept under."""
        for known, other in self.arrays.items():
            if other is array:
                return known
        self.arrays[name] = array
        return name


def _columns(shelf: _Shelf, columns: Sequence[Column]) -> list[dict[str, Any]]:
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


def _layer(shelf: _Shelf, name: str, layer: Layer | Convolution) -> dict[str, Any]:
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
