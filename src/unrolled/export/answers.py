"""The parts of an ONNX model around the layers: inputs, pooling over time and answers."""

import math
from collections.abc import Mapping, Sequence

from unrolled.export.graph import Graph
from unrolled.export.plan import AHEAD, POOLED, Arrays, ExportColumn, ExportPlan
from unrolled.export.recurrence import Sight


def read_columns(graph: Graph, columns: Sequence[ExportColumn]) -> str:
    """Concatenate the inputs to features: (B, T) or (B, T, F) to (B, T, F)."""
    return graph.join([_read(graph, column) for column in columns])


def _read(graph: Graph, column: ExportColumn) -> str:
    if column.kind == "vector":
        return column.name
    if column.table is not None:
        vectors = graph.add("Gather", graph.constant(column.table), column.name)
        return vectors if column.scale == 1 else graph.add("Mul", vectors, graph.number(column.scale))
    # not OneHot, which accepts an index out of range, and crashes on zero rows in onnxruntime 1.20
    places = graph.whole(*range(column.size))
    known = graph.add("Unsqueeze", graph.add("Gather", places, column.name), graph.whole(-1))
    shown = graph.add("Cast", graph.add("Equal", known, places), to=graph.onnx.TensorProto.FLOAT)
    return graph.add("Mul", shown, graph.number(column.size**0.5))


def pool(
    graph: Graph, plan: ExportPlan, hidden: str, before: Mapping[str, str], sight: Sight
) -> tuple[str, dict[str, str]]:
    """Pool hidden states (T, B, H) from the pooling's state to one vector per sequence, (B, H), and the next state.

    Args:
        graph: to add to.
        plan: the network.
        hidden: of all steps.
        before: the state's fields by name, such as "total", or "mean.total" where poolings stand side by side.
        sight: the real steps.
    """
    if plan.pooling not in POOLED:
        found, after = [], {}
        for kind in POOLED:
            own = {name: before[f"{kind}.{name}"] for name in POOLED[kind]}
            vector, more = _pool(graph, plan, kind, hidden, own, sight)
            found.append(vector)
            after |= {f"{kind}.{name}": value for name, value in more.items()}
        return graph.join(found), after
    return _pool(graph, plan, plan.pooling, hidden, before, sight)


def _pool(
    graph: Graph, plan: ExportPlan, kind: str, hidden: str, before: Mapping[str, str], sight: Sight
) -> tuple[str, dict[str, str]]:
    zero = graph.number(0.0)
    if kind == "last":
        steps = graph.add("Range", graph.add("Squeeze", graph.whole(0)), graph.add("Squeeze", graph.size(hidden, 0)),
                          graph.add("Squeeze", graph.whole(1)))  # fmt: skip
        ends = graph.add("Sub", sight.lengths, graph.whole(1))  # (B,)
        is_end = graph.add("Equal", graph.add("Unsqueeze", steps, graph.whole(1, 2)),
                           graph.add("Unsqueeze", ends, graph.whole(1)))  # fmt: skip
        return _sum(graph, graph.either(is_end, hidden, zero)), {}
    if kind == "mean":
        lengths = graph.add("Unsqueeze", sight.lengths, graph.whole(1))
        count = graph.add("Add", before["count"], graph.add("Cast", lengths, to=graph.onnx.TensorProto.FLOAT))
        total = graph.add("Add", before["total"], _sum(graph, graph.either(sight.real, hidden, zero)))
        return graph.add("Div", total, graph.add("Max", count, graph.number(1.0))), {"total": total, "count": count}
    lowest = graph.number(-math.inf)
    if kind == "max":
        highest = graph.add("Max", before["highest"], _max(graph, graph.either(sight.real, hidden, lowest)))
        known = graph.add("Greater", highest, lowest)
        return graph.either(known, highest, zero), {"highest": highest}
    squashed = graph.add("Tanh", _linear(graph, plan.arrays, "pooling.hidden", hidden))
    scores = graph.either(sight.real, _linear(graph, plan.arrays, "pooling.score", squashed), lowest)  # (T, B, 1)
    highest = graph.add("Max", before["highest"], _max(graph, scores))  # (B, 1)
    # before the first step, the highest score is minus infinity, whose difference to itself is NaN
    level = graph.either(graph.add("Greater", highest, lowest), highest, zero)
    shrink = graph.add("Exp", graph.add("Sub", before["highest"], level))  # (B, 1)
    shares = graph.add("Exp", graph.add("Sub", scores, level))  # (T, B, 1), 0 after a sequence's end
    total = graph.add("Add", graph.add("Mul", before["total"], shrink), _sum(graph, shares))
    seen = graph.add("Mul", shares, graph.either(sight.real, hidden, zero))
    weighted = graph.add("Add", graph.add("Mul", before["weighted"], shrink), _sum(graph, seen))
    some = graph.either(graph.add("Greater", total, zero), total, graph.number(1.0))
    return graph.add("Div", weighted, some), {"highest": highest, "total": total, "weighted": weighted}


def answer(graph: Graph, plan: ExportPlan, inputs: str, hidden: str) -> str:
    """Compute raw answers (..., width) from hidden states (..., H) and, for forecasts, from the input features."""
    if plan.head == "linear":
        return _linear(graph, plan.arrays, "head", hidden)
    if plan.head == "items":
        return _scores(graph, plan, hidden)
    return _forecast(graph, plan, inputs, hidden)


def _scores(graph: Graph, plan: ExportPlan, hidden: str) -> str:
    """Compute the scores of all items for queries (B, T, D)."""
    asked = _linear(graph, plan.arrays, "head.query", hidden)
    if "head.trust.weight" in plan.arrays:
        trust = graph.add("Unsqueeze", _linear(graph, plan.arrays, "head.trust", hidden), graph.whole(-2))
        recalled = plan.columns[1 : 1 + plan.arrays["head.trust.weight"].shape[1]]
        known = []
        for column in recalled:
            assert column.table is not None
            vectors = graph.add("Gather", graph.constant(column.table), column.name)  # (B, T, D)
            known.append(graph.add("Unsqueeze", vectors, graph.whole(-2)))
        added = graph.add("MatMul", trust, graph.join(known, axis=-2))  # (B, T, 1, D)
        asked = graph.add("Add", asked, graph.add("Squeeze", added, graph.whole(-2)))
    return graph.linear(asked, plan.arrays["head.vectors"], plan.arrays["head.bias"])


def _forecast(graph: Graph, plan: ExportPlan, inputs: str, hidden: str) -> str:
    """Decode a forecast as `unrolled.arrangements.direct_forecast.DirectForecast.decode`, with (B, T) for its M."""
    arrays = plan.arrays
    state = graph.add("Unsqueeze", _linear(graph, arrays, "head.from_state", hidden), graph.whole(-2))
    joined = graph.add("Add", state, _linear(graph, arrays, "head.from_ahead", AHEAD))  # (B, T, horizon, H)
    joined = graph.add("Add", joined, graph.constant(arrays["head.position"]))
    deep = _linear(graph, arrays, "head.answer", _gelu(graph, joined))  # (B, T, horizon, values)
    rivals = graph.cut(AHEAD, graph.whole(0), graph.whole(arrays["head.rivals"].shape[1]), axis=3)
    rows = graph.add("Unsqueeze", rivals, graph.whole(-2))  # (B, T, horizon, 1, R)
    linear = graph.add("MatMul", rows, graph.constant(arrays["head.rivals"]))
    linear = graph.add("Squeeze", linear, graph.whole(-2))  # (B, T, horizon, values)
    both = graph.add("Add", graph.add("Add", deep, linear), graph.constant(arrays["head.bias"]))
    flat = graph.add("Reshape", both, graph.whole(0, 0, plan.width))
    return graph.add("Add", flat, _linear(graph, arrays, "head.short_cut", inputs))


def _linear(graph: Graph, arrays: Arrays, name: str, values: str) -> str:
    return graph.linear(values, arrays[f"{name}.weight"], arrays.get(f"{name}.bias"))


def _gelu(graph: Graph, values: str) -> str:
    bent = graph.add("Erf", graph.add("Mul", values, graph.number(2**-0.5)))
    half = graph.add("Mul", values, graph.number(0.5))
    return graph.add("Mul", half, graph.add("Add", bent, graph.number(1.0)))


def _sum(graph: Graph, values: str) -> str:
    """Sum over time: (T, B, H) to (B, H)."""
    return graph.add("ReduceSum", values, graph.whole(0), keepdims=0)


def _max(graph: Graph, values: str) -> str:
    return graph.add("ReduceMax", values, axes=[0], keepdims=0)
