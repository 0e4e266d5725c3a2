"""Plan: a trained network as plain arrays and settings, the common input of all exports.

Everything here is causal: it can run step by step, with the state as a value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.arrangements.direct_forecast import DirectForecast
from unrolled.arrangements.many_to_many import ManyToMany
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.arrangements.next_item import NextItem
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.cells.base import Cell
from unrolled.errors import UnsupportedError, message
from unrolled.export.program import ROWS, Program, record, record_call
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.event_reader import READ_SCALE
from unrolled.nn.inputs import InputLayer
from unrolled.nn.parallel import Parallel
from unrolled.nn.pooling import POOLINGS, AttentionPooling, Together
from unrolled.nn.stack import Recurrent, Stack

Arrays = Mapping[str, np.ndarray]
AHEAD = "ahead"  # of a forecast: the input with known values of future steps
LENGTHS, STATE = "lengths", "state."  # further inputs of an exported model
# the state of each pooling
POOLED = {"attention": ("highest", "total", "weighted"), "max": ("highest",), "mean": ("total", "count"), "last": ()}
# pictures and characters of words have their own networks
OWN_NETS = {"picture": "pictures", "nested": "the characters of words"}


@dataclass(frozen=True)
class ExportColumn:
    """One input: an index, embedded or one-hot encoded, or a vector that is used unchanged.

    Args:
        name: of the input.
        kind: "index" or "vector".
        size: number of indices, or width of the vector.
        per_step: whether there is one per step, or one per sequence.
        table: one vector per index, (size, D); None = one-hot, of unit mean square.
        scale: factor of those vectors.
    """

    name: str
    kind: str
    size: int
    per_step: bool = True
    table: np.ndarray | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Field:
    """A part of the state.

    Args:
        name: "state.0.hidden" is the hidden state of the first layer.
        start: value before the first step, (1, *shape).
    """

    name: str
    start: np.ndarray


@dataclass(frozen=True)
class ExportLayer:
    """A recurrent layer.

    Args:
        fields: its state.
        program: its step.
        norm: gain and bias of the layer norm of its inputs, (2, F); None without.
        epsilon: of that.
        residual: its inputs are added to its outputs.
        cell: the cell, if runtimes have it built in; else None.
    """

    fields: tuple[Field, ...]
    program: Program
    norm: np.ndarray | None
    epsilon: float
    residual: bool
    cell: Cell | None


@dataclass(frozen=True)
class Convolution:
    """A causal convolution over the remembered inputs (B, M, F) and the new ones.

    Args:
        fields: its state, one.
        taps: (kernel_size * F, H), the oldest step first.
        bias: (H,).
        norm: gain and bias of the layer norm of its outputs, (2, H).
        epsilon: of that.
        dilation: steps between two taps.
        residual: its inputs are added to its outputs.
    """

    fields: tuple[Field, ...]
    taps: np.ndarray
    bias: np.ndarray
    norm: np.ndarray
    epsilon: float
    dilation: int
    residual: bool


@dataclass(frozen=True)
class Branches:
    """Layers side by side that read the same inputs; their outputs are concatenated.

    Args:
        parts: layers in order, of each branch; a branch without layers hands its inputs on.
    """

    parts: tuple[tuple["ExportLayer | Convolution", ...], ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """The state of all layers."""
        return tuple(field for part in self.parts for layer in part for field in layer.fields)


@dataclass(frozen=True)
class ExportPlan:
    """The whole computation of a trained network.

    Args:
        columns: the inputs, concatenated in this order.
        statics: the per-sequence inputs.
        place: use of the statics: "step" (in every step), "answer" (before the last layer), "start" (as initial state),
            or "" (none).
        start: for "start", the map from statics to all concatenated fields: weights (S, state), bias (state,).
        layers: in order.
        pooling: a name in `unrolled.nn.pooling.POOLINGS` for one answer per sequence; "" for one per step.
        pooled: the pooling's step; None without pooling or for "last".
        head: "linear", "forecast" or "items".
        arrays: of the head and the pooling.
        width: of an answer.
        output: description of an answer's numbers, from `Output.to_json`.
    """

    columns: tuple[ExportColumn, ...]
    statics: tuple[ExportColumn, ...]
    place: str
    start: tuple[np.ndarray, np.ndarray] | None
    layers: tuple[ExportLayer | Convolution | Branches, ...]
    pooling: str
    pooled: ExportLayer | Branches | None
    head: str
    arrays: Arrays
    width: int
    output: Mapping[str, Any]

    @property
    def fields(self) -> tuple[Field, ...]:
        """The whole state, in the order in which the network nests it."""
        return tuple(
            field for layer in (*self.layers, *([self.pooled] if self.pooled else [])) for field in layer.fields
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all inputs except the lengths and the state."""
        ahead = (AHEAD,) if self.head == "forecast" else ()
        return (*(column.name for column in self.columns), *ahead, *(column.name for column in self.statics))


def plan_of(network: nn.Module) -> ExportPlan:
    """Make the plan of a network.

    Args:
        network: an arrangement of causal layers.

    Raises:
        UnsupportedError: a network that cannot be stepped, or an input with its own network.
    """
    layers = getattr(network, "layers", None)
    if not isinstance(network, ManyToMany | ManyToOne | DirectForecast | NextItem) or layers is None:
        raise UnsupportedError(
            f"a {type(network).__name__} reads a whole source before its first answer, so no step can be exported; "
            "that is for classifiers, taggers, forecasters, detectors, recommenders, language and sequence models"
        )
    if not layers.causal:
        layers.step(torch.empty(0, 0), layers.initial_state(0))  # raises its own error if it cannot be stepped
    parts = tuple(_all_layers(layers))
    fields = [field for part in parts for field in part.fields]
    common = {"layers": parts, "output": network.output.to_json(), "pooling": "", "pooled": None, "start": None}
    if isinstance(network, NextItem):
        columns, arrays = _items(network)
        width = network.vectors.size
        return ExportPlan(columns, (), "", head="items", arrays=arrays, width=width, **common)
    columns, statics = _columns(network.inputs)
    common |= {"columns": columns, "statics": statics, "width": network.output.width}
    if isinstance(network, DirectForecast):
        return ExportPlan(place="", head="forecast", arrays=_forecast(network), **common)
    arrays = _linear("head", network.head.linear)
    if isinstance(network, OneToMany):
        assert sum(field.start.size for field in fields) == network.start.out_features
        common["start"] = (_array(network.start.weight.T), _array(network.start.bias))
        return ExportPlan(place="start", head="linear", arrays=arrays, **common)
    if isinstance(network, ManyToMany):
        return ExportPlan(place="step" if statics else "", head="linear", arrays=arrays, **common)
    pooling, pooled, more = _pooling(network.pooling, network.head.linear.weight)
    common |= {"pooling": pooling, "pooled": pooled}
    return ExportPlan(place="answer" if statics else "", head="linear", arrays={**arrays, **more}, **common)


# ---- the parts of a network --------------------------------------------------------------------


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().contiguous().numpy().copy()


def _linear(name: str, module: nn.Linear) -> dict[str, np.ndarray]:
    """Return a linear layer as the matrix that multiplies rows from the right, and its bias."""
    weights = {key: weight.t() for key, weight in module.named_parameters()}  # a layer may have no bias
    return {f"{name}.{key}": _array(weight) for key, weight in weights.items()}


def _columns(inputs: InputLayer) -> tuple[tuple[ExportColumn, ...], tuple[ExportColumn, ...]]:
    steps = tuple(_column(inputs, name) for name in inputs.names)
    return steps, tuple(_column(inputs, name) for name in inputs.static_names)


def _column(inputs: InputLayer, name: str) -> ExportColumn:
    column = inputs._column(name)
    spec = column.spec
    if spec.kind in OWN_NETS:
        raise UnsupportedError(
            message(
                f"input {name!r}",
                expected="numbers, categories, characters or words, which are read without a net of their own",
                received=OWN_NETS[spec.kind],
                remedy="fit without that column, or serve the model with unrolled itself",
            )
        )
    table = None if column.embedding is None else _array(column.embedding.weight)
    return ExportColumn(name, "index" if spec.kind == "index" else "vector", spec.size, spec.per_step, table)


def _all_layers(layers: Any) -> Iterator[ExportLayer | Convolution | Branches]:
    if isinstance(layers, Parallel):
        parts = {"recurrent": layers.recurrent, "convolutions": layers.convolutions}
        yield Branches(tuple(tuple(_layers(part, f"{STATE}{name}.")) for name, part in parts.items()))
    else:
        yield from _layers(layers, STATE)


def _layers(layers: Any, front: str) -> Iterator[ExportLayer | Convolution]:
    if isinstance(layers, Convolutions):
        width = layers.input_size
        for number, taps in enumerate(layers.taps):
            assert isinstance(taps, nn.Linear)
            norm = layers.norms[number]
            assert isinstance(norm, nn.LayerNorm)
            start = _array(layers.initial_state(1)[number])
            yield Convolution(
                fields=(Field(f"{front}{number}.memory", start),),
                taps=_array(taps.weight.T),
                bias=_array(taps.bias),
                norm=_norm(norm),
                epsilon=norm.eps,
                dilation=2**number,
                residual=width == layers.output_size,
            )
            width = layers.output_size
        return
    if not isinstance(layers, Stack):
        raise UnsupportedError(f"an exported model has no layers of the kind {type(layers).__name__}; use a Stack")
    width = layers.input_size
    for number, layer in enumerate(layers.layers):
        assert isinstance(layer, Recurrent)
        norm = None if layers.norms is None or not number else layers.norms[number - 1]
        state = layer.initial_state(1)
        yield ExportLayer(
            fields=tuple(Field(f"{front}{number}.{name}", _array(value)) for name, value in state._asdict().items()),
            program=record(layer),
            norm=None if norm is None else _norm(norm),
            epsilon=norm.eps if isinstance(norm, nn.LayerNorm) else 0.0,
            residual=layers.residual and layer.output_size == width,
            cell=None if layer.noise.zones else layer.cell,
        )
        width = layer.output_size


def _norm(norm: nn.Module) -> np.ndarray:
    assert isinstance(norm, nn.LayerNorm)
    return np.stack([_array(norm.weight), _array(norm.bias)])


def _pooling(pooling: nn.Module, like: Tensor) -> tuple[str, ExportLayer | Branches | None, dict[str, np.ndarray]]:
    kind = next(name for name, known in POOLINGS.items() if type(pooling) is known)
    arrays: dict[str, np.ndarray] = {}
    for part in pooling.modules():
        if isinstance(part, AttentionPooling):
            first, last = part.score[0], part.score[2]
            assert isinstance(first, nn.Linear)
            assert isinstance(last, nn.Linear)
            arrays = _linear("pooling.hidden", first) | _linear("pooling.score", last)
    if not isinstance(pooling, Together):
        return kind, _pooled(kind, pooling, like, f"{STATE}pooled."), arrays
    steps = [_pooled(name, part, like, f"{STATE}pooled.{name}.") for name, part in pooling.parts.items()]
    return kind, Branches(tuple(() if step is None else (step,) for step in steps)), arrays


def _pooled(kind: str, pooling: Any, like: Tensor, front: str) -> ExportLayer | None:
    """Return the step of one pooling; None for the last step, which needs none."""
    names = POOLED[kind]
    if not names:
        return None
    state = pooling.initial_state(ROWS, like)
    program = record_call(f"{kind} pooling", pooling, pooling.step, like.new_zeros(ROWS, pooling.size), state, names)
    fields = (Field(f"{front}{name}", _array(value[:1])) for name, value in zip(names, state, strict=True))
    return ExportLayer(tuple(fields), program, None, 0.0, False, None)


def _forecast(network: DirectForecast) -> dict[str, np.ndarray]:
    arrays = {
        "head.position": _array(network.position.weight),  # (horizon, H)
        "head.rivals": _array(network.rivals),  # (horizon, R, values)
        "head.bias": _array(network.bias),  # (horizon, values)
    }
    linears = {"from_state": network.from_state, "from_ahead": network.from_ahead, "answer": network.answer}
    for name, module in {**linears, "short_cut": network.short_cut}.items():
        arrays |= _linear(f"head.{name}", module)
    return arrays


def _items(network: NextItem) -> tuple[tuple[ExportColumn, ...], dict[str, np.ndarray]]:
    """Return the columns and arrays of items: inputs are their vectors, and answers the scores of all items."""
    reader, vectors = network.inputs, network.vectors
    weight = vectors.own.weight
    with torch.no_grad():
        said = 0 if vectors.reader is None else vectors._said(torch.arange(len(weight), device=weight.device))
        table = _array(weight + said)  # (V + 2, D)
    names = reader.names[: 1 + len(reader.recalled)]
    columns = [ExportColumn(name, "index", len(table), table=table, scale=vectors.width**READ_SCALE) for name in names]
    if reader.columns is not None:
        columns += _columns(reader.columns)[0]
    arrays = {
        "head.vectors": np.ascontiguousarray(table[: vectors.size].T),  # (D, V)
        "head.bias": _array(vectors.bias.weight[: vectors.size, 0]),  # (V,)
        **_linear("head.query", network.query),
    }
    if network.trust is not None:
        arrays |= _linear("head.trust", network.trust)  # of the columns after the first
    return tuple(columns), arrays
