"""Layers as ONNX nodes: the built-in LSTM, GRU or RNN for the same equations, else a `Scan` over the steps."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from unrolled.cells.base import Cell
from unrolled.cells.elman import ElmanCell
from unrolled.cells.gru import GRUCell
from unrolled.cells.lstm import LSTMCell
from unrolled.cells.peephole_lstm import PeepholeLSTMCell
from unrolled.export.graph import Graph
from unrolled.export.plan import Branches, Convolution, ExportLayer
from unrolled.export.program import INPUTS, Operation

# our operations, named as in NumPy, and those of ONNX with the same arguments
NODES = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "matmul": "MatMul",
    "negative": "Neg",
    "abs": "Abs",
    "exp": "Exp",
    "sqrt": "Sqrt",
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
}
# blocks of rows in ONNX's order, by their index in torch's: i f g o to i o f g; r z n to z r n
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


class Sight(NamedTuple):
    """The real steps of padded sequences.

    Args:
        lengths: of each sequence, (B,) int64.
        real: at each step, (T, B, 1) bool.
        any_step: whether a sequence has a step, (B, 1) bool.
    """

    lengths: str
    real: str
    any_step: str


def layer_nodes(
    graph: Graph, layer: ExportLayer | Convolution | Branches, inputs: str, before: Sequence[str], sight: Sight
) -> tuple[str, list[str]]:
    """Add one layer over all steps: inputs (T, B, F) and states to outputs (T, B, H) and the final states.

    Outputs after a sequence's end are undefined; its final state is the one after its last step.
    """
    if isinstance(layer, Branches):
        return _branches(graph, layer, inputs, before, sight)
    if isinstance(layer, Convolution):
        return _convolution(graph, layer, inputs, before[0], sight)
    read = inputs if layer.norm is None else graph.norm(inputs, layer.norm, layer.epsilon)
    kind = "" if layer.cell is None else built_in(layer.cell)
    if layer.cell is not None and kind:
        outputs, after = _own(graph, kind, layer.cell, read, before, sight)
    else:
        outputs, after = _scan(graph, layer, read, before, sight)
    return (graph.add("Add", outputs, inputs) if layer.residual else outputs), after


def _branches(graph: Graph, layer: Branches, inputs: str, before: Sequence[str], sight: Sight) -> tuple[str, list[str]]:
    given, ends, after = iter(before), [], []
    for part in layer.parts:
        hidden = inputs
        for one in part:
            hidden, finals = layer_nodes(graph, one, hidden, [next(given) for _ in one.fields], sight)
            after += finals
        ends.append(hidden)
    return graph.join(ends), after


def built_in(cell: Cell) -> str:
    """Return ONNX's name of a cell with the same equation; "" if there is none."""
    names = {LSTMCell: "LSTM", PeepholeLSTMCell: "LSTM", GRUCell: "GRU", ElmanCell: "RNN"}
    return names.get(type(cell), "")


def _own(
    graph: Graph, kind: str, cell: Cell, inputs: str, before: Sequence[str], sight: Sight
) -> tuple[str, list[str]]:
    def rows(tensor: torch.Tensor) -> np.ndarray:
        blocks = tensor.detach().cpu().float().numpy().reshape(cell.gates, cell.hidden_size, -1)
        return np.concatenate([blocks[gate] for gate in GATES[kind]])  # (gates * H, any)

    bias = np.concatenate([rows(cell.bias_ih), rows(cell.bias_hh)]).T  # (1, 2 * gates * H)
    weights = [graph.constant(array) for array in (rows(cell.weight_ih)[None], rows(cell.weight_hh)[None], bias)]
    lengths = graph.add("Cast", sight.lengths, to=graph.onnx.TensorProto.INT32)
    states = [graph.add("Unsqueeze", state, graph.whole(0)) for state in before]  # (1, B, H) each
    given = [inputs, *weights, lengths, *states]
    more = {}
    if isinstance(cell, PeepholeLSTMCell):
        order = (cell.peephole_input, cell.peephole_output, cell.peephole_forget)
        given.append(graph.constant(torch.cat(order).detach().cpu().float().numpy()[None]))
    if kind == "GRU":
        more["linear_before_reset"] = 1
    if isinstance(cell, ElmanCell):
        more["activations"] = [{"tanh": "Tanh", "relu": "Relu"}[cell.activation]]
    outputs, *after = graph.add_many(kind, given, 1 + len(before), hidden_size=cell.hidden_size, **more)
    finals = [graph.add("Squeeze", state, graph.whole(0)) for state in after]
    # a sequence without steps keeps its state; runtimes return zeros
    kept = [graph.either(sight.any_step, new, old) for new, old in zip(finals, before, strict=True)]
    return graph.add("Squeeze", outputs, graph.whole(1)), kept  # (T, B, H)


def _scan(graph: Graph, layer: ExportLayer, inputs: str, before: Sequence[str], sight: Sight) -> tuple[str, list[str]]:
    program = layer.program
    fields = list(program.after)
    early, late = program.parts()
    names = {INPUTS: inputs, **{name: graph.constant(array) for name, array in program.constants.items()}}
    for operation in early:
        _operate(graph, operation, names)
    moving = [INPUTS, *(result for operation in early for result in operation.results)]
    asked = {argument for operation in late for argument in operation.arguments}
    asked |= {program.output, *program.after.values()}
    crossing = [name for name in moving if name in asked]  # values that differ from step to step

    body = Graph(graph)
    inside = {**names, **{name: body.name(name) for name in (*fields, *crossing)}}
    real, held = body.name("real"), [inside[name] for name in fields]
    entering = [*held, *(inside[name] for name in crossing), real]
    for operation in late:
        _operate(body, operation, inside)
    after = [body.either(real, inside[program.after[f]], old) for f, old in zip(fields, held, strict=True)]
    shown = body.add("Identity", inside[program.output])
    helper, kinds = graph.onnx.helper, graph.onnx.TensorProto
    outer = helper.make_graph(
        body.nodes,
        "step",
        [helper.make_tensor_value_info(n, kinds.BOOL if n == real else kinds.FLOAT, None) for n in entering],
        [helper.make_tensor_value_info(name, kinds.FLOAT, None) for name in (*after, shown)],
    )
    given = [*before, *(names[name] for name in crossing), sight.real]
    *finals, outputs = graph.add_many("Scan", given, len(fields) + 1, body=outer, num_scan_inputs=len(crossing) + 1)
    return outputs, finals


def _operate(graph: Graph, operation: Operation, names: dict[str, str]) -> None:
    """Add one operation of a program, and its results to the names."""
    given = [names[part] if isinstance(part, str) else graph.number(part) for part in operation.arguments]
    if operation.name == "split":
        sizes = graph.whole(*map(int, operation.settings))
        results = graph.add_many("Split", [*given, sizes], len(operation.results), axis=-1)
    elif operation.name == "layer_norm":
        results = [graph.add("LayerNormalization", *given, axis=-1, epsilon=operation.settings[0])]
    elif operation.name == "log_sigmoid":
        results = [graph.add("Neg", graph.add("Softplus", graph.add("Neg", *given)))]
    else:
        results = [graph.add(NODES[operation.name], *given)]
    names.update(zip(operation.results, results, strict=True))


def _convolution(graph: Graph, layer: Convolution, inputs: str, before: str, sight: Sight) -> tuple[str, list[str]]:
    """Add a convolution over the remembered and the new inputs; the last steps of both are remembered."""
    memory, width = layer.fields[0].start.shape[1:]
    rows = graph.join([before, graph.turned(inputs, 3)], axis=1)  # (B, M + T, F)
    window = graph.turned(rows, 3)  # (M + T, B, F)
    steps = graph.size(inputs, 0)
    taps = []
    for number in range(len(layer.taps) // width):
        first = graph.whole(number * layer.dilation)
        taps.append(graph.cut(window, first, graph.add("Add", first, steps), axis=0))  # (T, B, F)
    outputs = graph.norm(
        graph.add("Relu", graph.linear(graph.join(taps), layer.taps, layer.bias)), layer.norm, layer.epsilon
    )
    outputs = graph.add("Add", outputs, inputs) if layer.residual else outputs
    if not memory:  # a single tap remembers nothing
        return outputs, [before]
    # the last M steps of remembered and own inputs, at times (B, M, 1) from the sequence's length on
    places = graph.add("Add", graph.add("Unsqueeze", sight.lengths, graph.whole(1)), graph.whole(*range(memory)))
    after = graph.add("GatherND", rows, graph.add("Unsqueeze", places, graph.whole(2)), batch_dims=1)  # (B, M, F)
    return outputs, [after]
