"""Program: one step of a recurrent layer as a short list of operations, recorded while the layer runs.

A cell's equation exists once, in its `step`. The exported computation is recorded from there, including the expectation
of zoneout, so a new cell is exported without any code of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from unrolled.errors import UnsupportedError
from unrolled.nn.stack import Recurrent

INPUTS = "x"  # name of a step's input
ROWS = 2  # batch size while recording; no recorded operation depends on it
PLAIN = {  # torch's operations and ours, with the same arguments
    "aten::add": "add",
    "aten::sub": "subtract",
    "aten::mul": "multiply",
    "aten::div": "divide",
    "aten::maximum": "maximum",
    "aten::minimum": "minimum",
    "aten::mm": "matmul",
    "aten::neg": "negative",
    "aten::abs": "abs",
    "aten::exp": "exp",
    "aten::sqrt": "sqrt",
    "aten::relu": "relu",
    "aten::tanh": "tanh",
    "aten::sigmoid": "sigmoid",
    "aten::softplus": "softplus",
}


class Operation(NamedTuple):
    """One line of a program.

    Args:
        name: of the operation, such as "matmul"; see `unrolled.export.runner.OPERATIONS`.
        results: names of the outputs; several for "split" only.
        arguments: names of the inputs, or numbers.
        settings: the sizes of "split"; the epsilon of "layer_norm".
    """

    name: str
    results: tuple[str, ...]
    arguments: tuple[str | float, ...]
    settings: tuple[float, ...] = ()


@dataclass(frozen=True)
class Program:
    """A step: from (B, F) under the name "x" and the state's fields by name to an output and the next state.

    Args:
        operations: in order.
        constants: weights, and results computed from weights alone, by name.
        output: name of the output.
        after: name of each state field's next value, by the field's name.
    """

    operations: tuple[Operation, ...]
    constants: Mapping[str, np.ndarray]
    output: str
    after: Mapping[str, str]

    def parts(self) -> tuple[list[Operation], list[Operation]]:
        """Split the operations into those on inputs alone, for all steps at once, and those that need the state."""
        at_once = {INPUTS, *self.constants}
        early, late = [], []
        for operation in self.operations:
            named = [argument for argument in operation.arguments if isinstance(argument, str)]
            if at_once.issuperset(named):
                at_once.update(operation.results)
                early.append(operation)
            else:
                late.append(operation)
        return early, late

    def to_json(self) -> dict[str, Any]:
        """Convert the program to plain values, without the constants."""
        return {
            "operations": [[list(part) if isinstance(part, tuple) else part for part in op] for op in self.operations],
            "output": self.output,
            "after": dict(self.after),
        }


def record(layer: Recurrent) -> Program:
    """Run one step of a layer in evaluation, and record its operations.

    Raises:
        UnsupportedError: a cell with an operation that exports do not have.

    Example:
        >>> from unrolled.cells.registry import make_cell
        >>> program = record(Recurrent(make_cell("elman", 3, 4)))
        >>> [operation.name for operation in program.operations]
        ['matmul', 'add', 'matmul', 'add', 'add', 'tanh']
    """
    cell = layer.cell
    state = cell.state_type(*(cell.weight_ih.new_zeros(ROWS, size) for size in cell.state_sizes.values()))
    inputs = cell.weight_ih.new_zeros(ROWS, cell.input_size)
    return record_call(f"{type(cell).__name__}.step", layer, layer.step, inputs, state, cell.state_type._fields)


def record_call(
    name: str, module: nn.Module, step: Callable[[Tensor, Any], Any], inputs: Tensor, state: Any, fields: Sequence[str]
) -> Program:
    """Run one step of a module in evaluation, and record its operations.

    Args:
        name: of the step, for an error.
        module: to run.
        step: maps inputs and a state to an output and the next state.
        inputs: (ROWS, F).
        state: a tuple of (ROWS, any).
        fields: names of its parts.

    Raises:
        UnsupportedError: an operation that exports do not have.
    """
    watch = _Recorder(name, {INPUTS: inputs, **dict(zip(fields, state, strict=True))})
    training = module.training
    module.eval()
    try:
        with torch.no_grad(), watch:
            output, after = step(inputs, state)
    finally:
        module.train(training)
    return Program(
        tuple(watch.operations),
        watch.constants,
        watch.name_of(output),
        {name: watch.name_of(value) for name, value in zip(fields, after, strict=True)},
    )


@dataclass
class _Recorder(TorchDispatchMode):
    """Records every operation that depends on inputs or state; those on weights alone are only computed."""

    step: str
    given: Mapping[str, Tensor]
    operations: list[Operation] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self.names = {id(tensor): name for name, tensor in self.given.items()}
        self.alive: list[Tensor] = list(self.given.values())  # an id is unique among existing objects only
        self.moving = set(self.names)  # ids of tensors that differ from step to step

    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        read = [part for arg in args for part in (arg if isinstance(arg, list | tuple) else [arg])]
        if any(id(part) in self.moving for part in read if isinstance(part, Tensor)):
            self._note(function._schema.name, args, dict(kwargs or {}), result)
        return result

    def name_of(self, tensor: Tensor) -> str:
        """Return a tensor's name; an unknown tensor becomes a constant."""
        if id(tensor) not in self.names:
            name = f"c{len(self.constants)}"
            self.constants[name] = tensor.detach().cpu().float().numpy().copy()
            self.names[id(tensor)] = name
            self.alive.append(tensor)
        return self.names[id(tensor)]

    def _new(self, *tensors: Tensor) -> tuple[str, ...]:
        names = tuple(f"v{len(self.moving) + place}" for place in range(len(tensors)))
        for name, tensor in zip(names, tensors, strict=True):
            self.names[id(tensor)] = name
            self.moving.add(id(tensor))
            self.alive.append(tensor)
        return names

    def _argument(self, value: Any) -> str | float:
        return self.name_of(value) if isinstance(value, Tensor) else float(value)

    def _note(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name in PLAIN and not kwargs:
            self._add(PLAIN[name], args, result)
        elif name in SPECIAL and not kwargs:
            SPECIAL[name](self, args, result)
        else:
            raise UnsupportedError(
                f"an exported model has no operation {name} with {len(args)} arguments, which {self.step} uses; "
                "see PLAIN in unrolled/export/program.py for those it has"
            )

    def _add(self, name: str, args: Sequence[Any], result: Tensor, settings: Sequence[float] = ()) -> None:
        arguments = tuple(self._argument(value) for value in args)
        self.operations.append(Operation(name, self._new(result), arguments, tuple(settings)))

    # ---- operations of another form -------------------------------------------------------------

    def _reversed(self, args: tuple[Any, ...], result: Tensor) -> None:
        value, number = args
        self._add("subtract", (number, value), result)

    def _product_and_sum(self, args: tuple[Any, ...], result: Tensor) -> None:
        bias, left, right = args
        product = torch.empty(0)  # placeholder for the product between the two
        self._add("matmul", (left, right), product)
        self._add("add", (product, bias), result)

    def _log_sigmoid(self, args: tuple[Any, ...], result: tuple[Tensor, Tensor]) -> None:
        self._add("log_sigmoid", args, result[0])

    def _split(self, args: tuple[Any, ...], result: list[Tensor]) -> None:
        values, _, *axis = args
        if (axis or [0])[0] not in (-1, values.ndim - 1):
            raise UnsupportedError(f"an exported model splits the last axis only, unlike {self.step}")
        sizes = tuple(float(part.shape[-1]) for part in result)
        self.operations.append(Operation("split", self._new(*result), (self._argument(values),), sizes))

    def _layer_norm(self, args: tuple[Any, ...], result: tuple[Tensor, Tensor, Tensor]) -> None:
        values, shape, gain, bias, epsilon = args
        if len(shape) != 1:
            raise UnsupportedError(f"an exported model normalises the last axis only, unlike {self.step}")
        size = values.new_ones(shape)
        given = (size if gain is None else gain, 0 * size if bias is None else bias)
        self._add("layer_norm", (values, *given), result[0], (epsilon,))


SPECIAL: dict[str, Callable[[_Recorder, tuple[Any, ...], Any], None]] = {
    "aten::rsub": _Recorder._reversed,
    "aten::addmm": _Recorder._product_and_sum,
    "aten::log_sigmoid_forward": _Recorder._log_sigmoid,
    "aten::split": _Recorder._split,
    "aten::split_with_sizes": _Recorder._split,
    "aten::native_layer_norm": _Recorder._layer_norm,
}
