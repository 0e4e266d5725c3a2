"""Export of a trained network to ONNX, for any number and length of sequences, with the state in and out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from unrolled.errors import OptionError, UnsupportedError, message
from unrolled.export.answers import answer, pool, read_columns
from unrolled.export.graph import IR_VERSION, OPSET, Graph
from unrolled.export.plan import AHEAD, LENGTHS, STATE, ExportColumn, ExportPlan, plan_of
from unrolled.export.recurrence import Sight, layer_nodes
from unrolled.export.runner import fingerprint
from unrolled.export.writing import write_file

ANSWER, NEXT = "answer", "next."  # names of the outputs: the answer, and the prefix of each state field
LARGEST = 2**31 - 2**20  # maximum bytes of a Protocol Buffers file


def export_onnx(network: nn.Module, path: str | Path, about: Mapping[str, Any] | None = None) -> Path:
    """Write a causal network as an ONNX file that onnxruntime 1.20 or newer runs.

    Inputs: the network's by name, (B, T) int64 indices or (B, T, F) float32 vectors, and per-sequence
    inputs, (B,) or (B, F); `lengths` (B,) int64, or (0,) where all have T steps; and the state's fields, such as
    `state.0.hidden` (B, H), or (0, H) at the beginning. Shorter rows are padded with any number or legal index. Inputs
    that set the initial state may be empty later on.

    Outputs: `answer`, (B, T, width) or, for one answer per sequence, (B, width); and for each field of the state
    `next.state.0.hidden`, the value after each row's last step.

    Args:
        network: an arrangement of causal layers, trained.
        path: the file to write; an older one there is replaced as a whole.
        about: further metadata by key, stored as JSON.

    Returns:
        The path.

    Raises:
        UnsupportedError: onnx is not installed; a network that cannot be stepped; an input with its own network;
            more than 2 GB.
        ArtifactError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> from unrolled.arrangements.many_to_many import NextStep
        >>> from unrolled.codecs.base import Spec
        >>> from unrolled.nn.heads import NumberOutput
        >>> from unrolled.nn.inputs import InputLayer
        >>> from unrolled.nn.stack import Stack
        >>> network = NextStep(InputLayer({"x": Spec("vector", 3)}), Stack(3, 8, "gru"), NumberOutput(3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export_onnx(network, f"{folder}/net.onnx").name
        'net.onnx'
    """
    plan = plan_of(network)
    model = onnx_model(plan, about)
    return write_file(path, model.SerializeToString())


def onnx_model(plan: ExportPlan, about: Mapping[str, Any] | None = None) -> Any:
    """Make the model as `onnx.ModelProto`.

    Args:
        plan: of a network.
        about: further metadata by key.
    """
    graph = Graph()
    fields = [field.name for field in plan.fields]
    _refuse_clashes([*plan.names, LENGTHS, ANSWER, *fields, *(NEXT + name for name in fields)])
    answers, after = _network(graph, plan)
    graph.rename(answers, ANSWER)
    for name, value in after.items():
        graph.rename(value, NEXT + name)

    helper = graph.onnx.helper
    arrays = {tensor.name: graph.onnx.numpy_helper.to_array(tensor) for tensor in graph.constants}
    size = sum(array.nbytes for array in arrays.values())
    if size > LARGEST:
        raise UnsupportedError(f"an ONNX file holds 2 GB, and this model has {size / 1e9:.1f} GB; use format='numpy'")
    made = helper.make_graph(graph.nodes, "unrolled", *_face(graph, plan), graph.constants)
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="unrolled"
    )
    said = {"state": fields, "output": dict(plan.output), **(about or {})}
    said["fingerprint"] = fingerprint(said, arrays)
    helper.set_model_props(model, {key: v if isinstance(v, str) else _as_json(v) for key, v in said.items()})
    return model


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _face(graph: Graph, plan: ExportPlan) -> tuple[list[Any], list[Any]]:
    """Return types and shapes of the model's inputs and outputs."""
    kinds = graph.onnx.TensorProto

    def shown(name: str, *shape: str | int, kind: int = kinds.FLOAT) -> Any:
        return graph.onnx.helper.make_tensor_value_info(name, kind, list(shape))

    def column(one: ExportColumn, *axes: str) -> Any:
        return shown(one.name, *axes, kind=kinds.INT64) if one.kind == "index" else shown(one.name, *axes, one.size)

    inputs = [column(one, "batch", "time") for one in plan.columns]
    if plan.head == "forecast":
        horizon, features = len(plan.arrays["head.position"]), len(plan.arrays["head.from_ahead.weight"])
        inputs.append(shown(AHEAD, "batch", "time", horizon, features))
    # inputs that may have zero rows, here and below, have their own names for this dimension
    inputs += [column(one, "rows_of_starts" if plan.place == "start" else "batch") for one in plan.statics]
    inputs.append(shown(LENGTHS, "rows_of_lengths", kind=kinds.INT64))
    inputs += [shown(field.name, "rows_of_state", *field.start.shape[1:]) for field in plan.fields]
    steps = [] if plan.pooling else ["time"]
    outputs = [shown(ANSWER, "batch", *steps, plan.width)]
    return inputs, outputs + [shown(NEXT + field.name, "batch", *field.start.shape[1:]) for field in plan.fields]


def _network(graph: Graph, plan: ExportPlan) -> tuple[str, dict[str, str]]:
    """Add all nodes; return the name of the answer, and of each state field after the last step."""
    features = read_columns(graph, plan.columns)  # (B, T, F)
    batch = graph.size(features, 0)
    statics = read_columns(graph, plan.statics) if plan.statics else ""  # (B, S)
    if plan.place == "step":
        axis = graph.whole(1)
        steps = graph.add("Concat", batch, graph.size(features, 1), graph.size(statics, 1), axis=0)
        repeated = graph.add("Expand", graph.add("Unsqueeze", statics, axis), steps)
        features = graph.join([features, repeated])
    hidden = graph.turned(features, 3)  # (T, B, F)
    sight = _sight(graph, hidden, batch)
    state = _started(graph, plan, statics, batch)
    after: dict[str, str] = {}
    for layer in plan.layers:
        names = [field.name for field in layer.fields]
        hidden, finals = layer_nodes(graph, layer, hidden, [state[name] for name in names], sight)
        after |= dict(zip(names, finals, strict=True))
    if not plan.pooling:
        return answer(graph, plan, features, graph.turned(hidden, 3)), after
    front, pooled_fields = f"{STATE}pooled.", plan.pooled.fields if plan.pooled else ()
    before = {field.name.removeprefix(front): state[field.name] for field in pooled_fields}
    pooled, more = pool(graph, plan, hidden, before, sight)
    joined = graph.join([pooled, statics]) if plan.place == "answer" else pooled
    return answer(graph, plan, "", joined), after | {front + name: value for name, value in more.items()}


def _sight(graph: Graph, steps: str, batch: str) -> Sight:
    """Return the real steps of (T, B, F); without lengths all of them."""
    length = graph.size(steps, 0)
    whole = graph.add("Expand", length, batch)  # (B,)
    lengths = _given_or_own(graph, LENGTHS, whole, batch)  # (B,)
    start, step = (graph.add("Squeeze", graph.whole(number)) for number in (0, 1))
    times = graph.add("Range", start, graph.add("Squeeze", length), step)  # (T,)
    columns = graph.add("Unsqueeze", lengths, graph.whole(1))  # (B, 1)
    real = graph.add("Less", graph.add("Unsqueeze", times, graph.whole(1, 2)), columns)  # (T, B, 1)
    return Sight(lengths, real, graph.add("Greater", columns, graph.whole(0)))


def _started(graph: Graph, plan: ExportPlan, statics: str, batch: str) -> dict[str, str]:
    """Return each field's initial value: the given one, or else the network's own."""
    flat = ""
    if plan.start is not None:
        flat = graph.add("Tanh", graph.linear(statics, *plan.start))  # (B, all fields concatenated)
    found: dict[str, str] = {}
    place = 0
    for field in plan.fields:
        shape = field.start.shape[1:]
        size = int(np.prod(shape))
        if flat:
            own = graph.cut(flat, graph.whole(place), graph.whole(place + size), axis=1)
            own = own if len(shape) == 1 else graph.add("Reshape", own, graph.whole(-1, *shape))
        else:
            rows = graph.join([batch, graph.whole(*shape)], axis=0)
            own = graph.add("Expand", graph.constant(field.start), rows)
        found[field.name] = _given_or_own(graph, field.name, own, batch, shape)
        place += size
    return found


def _given_or_own(graph: Graph, name: str, own: str, batch: str, shape: Sequence[int] = ()) -> str:
    """Return an input of B rows, or a default if it has none; any other number of rows is an error at run time."""
    both = graph.join([name, own], axis=0)  # (B or 2 * B, *shape)
    parts = graph.add("Add", *(graph.add("Min", graph.size(rows, 0), graph.whole(1)) for rows in (name, own)))  # (1,)
    sizes = graph.join([parts, batch, *([graph.whole(*shape)] if shape else [])], axis=0)
    stacked = graph.add("Reshape", both, sizes, name=f"{name} needs no rows or as many as the batch", allowzero=1)
    return graph.add("Squeeze", graph.cut(stacked, graph.whole(0), graph.whole(1), axis=0), graph.whole(0))


def _refuse_clashes(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise OptionError(
                message("inputs", expected="other names than those of lengths, states and answers", received=name)
            )
