"""How a task leaves unrolled: as an ONNX file, or as a folder that NumPy alone runs."""

from pathlib import Path
from typing import Any

import numpy as np

from unrolled.codecs.base import Codec
from unrolled.codecs.frames import Frames
from unrolled.errors import unknown
from unrolled.export.numpy_folder import export_numpy
from unrolled.export.onnx_model import export_onnx
from unrolled.nn.heads import NumberOutput

FORMATS = ("onnx", "numpy")


class Exported:
    """A task that can be written in the forms of other runtimes."""

    def export(self: Any, path: str | Path, format: str = "onnx") -> Path:
        """Write the network with its state as inputs and outputs, for a runtime without torch.

        Args:
            path: for onnx a file, for numpy a folder; an older export there is replaced as a whole.
            format: "onnx", see `unrolled.export.onnx_model.export_onnx`; or "numpy", a folder with one Python file that
                needs NumPy alone, see `unrolled.export.runner`.

        Returns:
            The path.

        Raises:
            NotFittedError: nothing learnt yet.
            OptionError: an unknown format.
            UnsupportedError: a model that cannot answer step by step, or reads an input with a net of its own.
            ArtifactError: the path cannot be written, or holds something else.
        """
        if format not in FORMATS:
            raise unknown("format", str(format), FORMATS)
        network = self._fitted().eval()
        if format == "onnx":
            return export_onnx(network, path, describe(self))
        return export_numpy(network, path, codecs_of(self), describe(self))


def describe(task: Any) -> dict[str, Any]:
    """What an exported model says of itself.

    Args:
        task: a fitted one.

    Returns:
        "task"; "labels" of its answers, the last of a language model "" for the end; "first", what is read before the
        first event, by the input's name; "ends", whether texts end by themselves; "unit", centre and spread of answers
        that are numbers.
    """
    said = {"task": type(task).__name__, "labels": [], "first": {}, "ends": True, "unit": [0.0, 1.0]}
    if hasattr(task, "boundary_"):
        (name, *_) = task.network_.inputs.names
        entries = getattr(task.codec_, "entries", [])
        return said | {"labels": [*entries, ""], "first": {name: task.boundary_}, "ends": task.many_}
    if getattr(task, "output", "") == "mixture":
        (name,) = task.network_.inputs.names
        return said | {"first": {name: [0.0] * task.codec_.spec.size + [1.0]}}
    if isinstance(getattr(task, "codec_", None), Frames) and isinstance(task.network_.output, NumberOutput):
        return said | {"unit": task.codec_.scaling_}
    classes = getattr(task, "classes_", ())
    return said | {"labels": [label.item() if isinstance(label, np.generic) else label for label in classes]}


def codecs_of(task: Any) -> dict[str, Codec]:
    """The codecs of all inputs, by the input's name."""
    codecs = {name: codec for name, codec in task._readers().items() if isinstance(codec, Codec)}
    given = getattr(task, "given_", None)
    if given is not None:
        codecs |= dict(zip(given.names, given.codecs, strict=True))
    frames = getattr(task, "codec_", None)
    return codecs | {"frames": frames} if isinstance(frames, Frames) else codecs
