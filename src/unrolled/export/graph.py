"""Graph: a builder of ONNX models that manages nodes, names and constants."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.errors import UnsupportedError

# supported by onnxruntime from 1.20 on; layer norms need 17
OPSET, IR_VERSION = 17, 8


def onnx_library() -> Any:
    """Import the package `onnx`.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        import onnx
    except ImportError as fault:
        raise UnsupportedError("exporting to ONNX needs onnx; pip install 'unrolled[export]'") from fault
    return onnx


class Graph:
    """A list of nodes in order; the body of a `Scan` is a graph inside another one, whose values it can read.

    Args:
        outer: the graph around this one; None for a model's own.

    Example:
        >>> graph = Graph()
        >>> graph.add("Add", "x", graph.constant(np.ones(3, np.float32)))
        '/Add_2'
        >>> [node.op_type for node in graph.nodes], len(graph.constants)
        (['Add'], 1)
    """

    def __init__(self, outer: "Graph | None" = None) -> None:
        self.onnx = onnx_library() if outer is None else outer.onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = [] if outer is None else outer.constants
        self._taken: list[str] = [] if outer is None else outer._taken
        self._kept: dict[Any, str] = {} if outer is None else outer._kept
        self._alive: list[Any] = [] if outer is None else outer._alive

    def name(self, kind: str) -> str:
        """Return an unused name; its slash distinguishes it from names of columns."""
        self._taken.append(kind)
        return f"/{kind}_{len(self._taken)}"

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs; return their names. A missing input is ""."""
        names = [self.name(kind) for _ in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def rename(self, old: str, new: str) -> None:
        """Rename a value to its public name in the model."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [old], [new]))

    def constant(self, array: np.ndarray) -> str:
        """Add a weight; the same array is stored once."""
        if id(array) not in self._kept:
            self._kept[id(array)] = self._store(array)
            self._alive.append(array)  # an id is unique among existing objects only
        return self._kept[id(array)]

    def number(self, value: float) -> str:
        """Add a float32 constant."""
        return self._small(np.array(value, dtype=np.float32))

    def whole(self, *values: int) -> str:
        """Add a constant of whole numbers, (n,): axes, shapes or indices."""
        return self._small(np.array(values, dtype=np.int64))

    def _small(self, array: np.ndarray) -> str:
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._kept:
            self._kept[key] = self._store(array)
        return self._kept[key]

    def _store(self, array: np.ndarray) -> str:
        name = self.name("weight")
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    # ---- common operations ------------------------------------------------------------------------

    def linear(self, values: str, weight: np.ndarray, bias: np.ndarray | None = None) -> str:
        """Multiply values (..., F) by (F, H), and add a bias (H,)."""
        product = self.add("MatMul", values, self.constant(weight))
        return product if bias is None else self.add("Add", product, self.constant(bias))

    def norm(self, values: str, norm: np.ndarray, epsilon: float) -> str:
        """Apply a layer norm to the last axis, with gain and bias as (2, F)."""
        gain, bias = self.constant(norm[0]), self.constant(norm[1])
        return self.add("LayerNormalization", values, gain, bias, axis=-1, epsilon=epsilon)

    def join(self, parts: Sequence[str], axis: int = -1) -> str:
        """Concatenate values."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=axis)

    def size(self, values: str, axis: int) -> str:
        """Return the length of an axis, (1,)."""
        return self.add("Shape", values, start=axis, end=axis + 1)

    def cut(self, values: str, start: str, stop: str, axis: int) -> str:
        """Slice rows start <= i < stop of an axis."""
        return self.add("Slice", values, start, stop, self.whole(axis))

    def turned(self, values: str, rank: int) -> str:
        """Swap the first two axes: (B, T, ...) and (T, B, ...)."""
        return self.add("Transpose", values, perm=[1, 0, *range(2, rank)])

    def either(self, condition: str, yes: str, no: str) -> str:
        """Choose one value where a condition holds, the other elsewhere."""
        return self.add("Where", condition, yes, no)
