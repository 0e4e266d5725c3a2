"""Export of a task: as an ONNX file, or as a folder that needs only NumPy to run."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from unrolled.codecs.base import Codec
from unrolled.errors import unknown
from unrolled.export.numpy_folder import export_numpy
from unrolled.export.onnx_model import export_onnx
from unrolled.reading_report import UnrolledWarning

FORMATS = ("onnx", "numpy")


class Exported:
    """A task that can be exported for other runtimes."""

    def export(self: Any, path: str | Path, format: str = "onnx") -> Path:
        """Write the network with its state as inputs and outputs, for a runtime without torch.

        Args:
            path: for onnx a file, for numpy a folder; an earlier export there is replaced as a whole.
            format: "onnx", see `unrolled.export.onnx_model.export_onnx`; or "numpy", a folder with one Python file that
                needs NumPy alone, see `unrolled.export.runner`.

        Returns:
            The path.

        Raises:
            NotFittedError: the task is not fitted.
            OptionError: an unknown format.
            UnsupportedError: a model that cannot answer step by step, or one with a network of its own for an input.
            ArtifactError: the path cannot be written, or holds something else.
        """
        if format not in FORMATS:
            raise unknown("format", str(format), FORMATS)
        network = self._fitted().eval()
        left = [self.baselines_[key].name for key in self._left_out()]
        if left:
            told = f"export: the network alone is written; left out of the blend: {', '.join(left)}"
            warnings.warn(UnrolledWarning(told), stacklevel=2)
        if format == "onnx":
            return export_onnx(network, path, self._said())
        return export_numpy(network, path, self._exported_codecs(), self._said())

    def _said(self: Any) -> dict[str, Any]:
        """Return the description that is stored in an exported model.

        "task"; "labels" of its answers, the last of a language model "" for the end; "first", the input before the
        first event, by the input's name; "ends", whether texts end by themselves; "unit", centre and spread of answers
        that are numbers; "left_out", the parts of a blend that the export does not hold.
        """
        said = {"task": type(self).__name__, "labels": [], "first": {}, "ends": True, "unit": [0.0, 1.0]}
        said["left_out"] = [self.baselines_[key].name for key in self._left_out()]
        return said | self._said_of_answers()

    def _left_out(self: Any) -> list[str]:
        """Return the keys of the parts of a blend other than the network, the heaviest first."""
        return [] if self.blend_ is None else [key for key in self.blend_.used if key in self.baselines_]

    # ---- what a subclass provides -------------------------------------------------------------

    def _said_of_answers(self: Any) -> dict[str, Any]:
        """Return the entries that differ from the above; the classes, if a task has some."""
        labels = self._classes() or ()
        return {"labels": [label.item() if isinstance(label, np.generic) else label for label in labels]}

    def _exported_codecs(self: Any) -> dict[str, Codec]:
        """Return the codecs of all inputs, by the input's name."""
        return {name: codec for name, codec in self._readers().items() if isinstance(codec, Codec)}
