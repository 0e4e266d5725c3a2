"""Graph: nodes on their way into an ONNX model, with names and constants taken care of."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.errors import UnsupportedError

# what every onnxruntime from 1.20 on runs; layer norms need 17
OPSET, IR_VERSION = 17, 8


def onnx_library() -> Any:
    """The package `onnx`.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        import onnx
    except ImportError as fault:
        raise UnsupportedError("exporting to ONNX needs onnx; pip install 'unrolled[export]'") from fault
    return onnx


class Graph:
    """A list of nodes in order; a body of `Scan` is a graph inside another one, and reads what that one made.

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
        """A name that nothing has yet; its slash keeps it apart from those of columns."""
        self._taken.append(kind)
        return f"/{kind}_{len(self._taken)}"

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One node with one output: its name."""
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """One node with several outputs: their names. An input that is not given is ""."""
        names = [self.name(kind) for _ in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def rename(self, old: str, new: str) -> None:
        """Give a value the name that the model shows."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [old], [new]))

    def constant(self, array: np.ndarray) -> str:
        """A weight; the same array is stored once."""
        if id(array) not in self._kept:
            self._kept[id(array)] = self._store(array)
            self._alive.append(array)  # an id is unique among living things only
        return self._kept[id(array)]

    def number(self, value: float) -> str:
        """A float32 that is added, multiplied or compared."""
        return self._small(np.array(value, dtype=np.float32))

    def whole(self, *values: int) -> str:
        """Whole numbers, (n,): axes, shapes and places."""
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

    # ---- what is asked for often ------------------------------------------------------------------

    def linear(self, values: str, weight: np.ndarray, bias: np.ndarray | None = None) -> str:
        """Values (..., F) times (F, H), plus a bias (H,)."""
        product = self.add("MatMul", values, self.constant(weight))
        return product if bias is None else self.add("Add", product, self.constant(bias))

    def norm(self, values: str, norm: np.ndarray, epsilon: float) -> str:
        """Layer norm of the last axis; gain and bias stand in (2, F)."""
        gain, bias = self.constant(norm[0]), self.constant(norm[1])
        return self.add("LayerNormalization", values, gain, bias, axis=-1, epsilon=epsilon)

    def join(self, parts: Sequence[str], axis: int = -1) -> str:
        """Side by side."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=axis)

    def size(self, values: str, axis: int) -> str:
        """How long an axis is, (1,)."""
        return self.add("Shape", values, start=axis, end=axis + 1)

    def cut(self, values: str, start: str, stop: str, axis: int) -> str:
        """Rows start <= i < stop of an axis."""
        return self.add("Slice", values, start, stop, self.whole(axis))

    def turned(self, values: str, rank: int) -> str:
        """Rows first to steps first, or back: (B, T, ...) and (T, B, ...)."""
        return self.add("Transpose", values, perm=[1, 0, *range(2, rank)])

    def either(self, condition: str, yes: str, no: str) -> str:
        """Where a condition holds, one; elsewhere the other."""
        return self.add("Where", condition, yes, no)
