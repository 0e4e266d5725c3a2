"""Other libraries that the benchmarks time if installed: ONNX Runtime, and Keras on JAX, its fastest backend here."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from unrolled.cells.base import Cell

PEERS = {"ONNX Runtime": ("onnx", "onnxruntime"), "Keras with JAX": ("keras", "jax")}
KERAS = {"lstm": "LSTM", "gru": "GRU", "elman": "SimpleRNN"}


def missing() -> list[str]:
    """Peers that are not installed."""
    return [name for name, modules in PEERS.items() if not all(map(find_spec, modules))]


def keras_on_jax() -> Any:
    """The module, with its backend chosen before it is imported."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras  # type: ignore[import-not-found]

    return keras


def keras_training(name: str, inputs: np.ndarray, hidden_size: int) -> dict[str, Callable[[], object]]:
    """Forward and backward of the sum of squared outputs of Keras's layer, compiled; nothing without Keras.

    Args:
        name: of our cell.
        inputs: (B, T, F).
        hidden_size: hidden units, H.
    """
    if "Keras with JAX" in missing():
        return {}
    keras = keras_on_jax()
    import jax  # type: ignore[import-not-found]

    layer = getattr(keras.layers, KERAS[name])(hidden_size, return_sequences=True)
    layer.build(inputs.shape)
    others = [variable.value for variable in layer.non_trainable_variables]

    def loss(weights: list[Any], values: Any) -> Any:
        outputs, _ = layer.stateless_call(weights, others, values, training=True)
        return (outputs**2).sum()

    step, weights = jax.jit(jax.grad(loss, argnums=(0, 1))), [variable.value for variable in layer.trainable_variables]
    values = jax.numpy.asarray(inputs)
    return {f"Keras {KERAS[name]}": lambda: jax.block_until_ready(step(weights, values))}


def onnx_session(cell: Cell) -> Any:
    """An ONNX Runtime session of an LSTM with these weights; None without the runtime, or for another cell."""
    if cell.torch_layer != "LSTM" or "ONNX Runtime" in missing():
        return None
    import onnx  # type: ignore[import-not-found]
    import onnxruntime  # type: ignore[import-not-found]
    from onnx import TensorProto, helper, numpy_helper  # type: ignore[import-not-found]

    def iofc(weight: torch.Tensor) -> np.ndarray:  # ONNX orders the gates i, o, f, c
        store, forget, candidate, output = weight.detach().chunk(4)
        return torch.cat([store, output, forget, candidate]).numpy()

    weights = {
        "W": iofc(cell.weight_ih)[None],
        "R": iofc(cell.weight_hh)[None],
        "B": np.concatenate([iofc(cell.bias_ih), iofc(cell.bias_hh)])[None],
    }
    names = ["x", "W", "R", "B", "lengths", "h", "c"]
    node = helper.make_node("LSTM", names, ["y", "yh", "yc"], hidden_size=cell.hidden_size)
    state = (TensorProto.FLOAT, [1, "b", cell.hidden_size])
    given = {"x": (TensorProto.FLOAT, ["t", "b", cell.input_size]), "lengths": (TensorProto.INT32, ["b"])}
    answers = {"y": (TensorProto.FLOAT, ["t", 1, "b", cell.hidden_size]), "yh": state, "yc": state}
    graph = helper.make_graph(
        [node],
        "lstm",
        [helper.make_tensor_value_info(name, *kind) for name, kind in (given | {"h": state, "c": state}).items()],
        [helper.make_tensor_value_info(name, *kind) for name, kind in answers.items()],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
