"""What a model remembers at every step of real sequences: hidden states, cells and gates, by layer and direction."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.cells.base import Cell, State
from unrolled.errors import UnsupportedError
from unrolled.inspection.gates import gates_of_step
from unrolled.kernels.noise import step
from unrolled.nn.stack import Bidirectional, Recurrent, Stack
from unrolled.nn.unroll import choose_rows
from unrolled.ragged import Ragged

FORWARD, BACKWARD = "forward", "backward"


@dataclass(frozen=True, eq=False)
class LayerStates:
    """One layer in one direction, over every step of a batch.

    Args:
        layer: number of the layer, the lowest is 0.
        direction: "forward", or "backward" for a cell that reads from the last step to the first.
        cell: name of the cell's class.
        inputs: what the cell read, (N, F) ragged.
        initial: the state before the cell's first step, (B, H) by the name of its field.
        fields: the state after every step, (N, H) ragged by the name of its field, such as "hidden" and "cell".
        gates: how far every gate was open, (N, H) ragged by name; empty for a cell without gates.
        outputs: what the cell showed, (N, H) ragged.
    """

    layer: int
    direction: str
    cell: str
    inputs: Ragged
    initial: Mapping[str, Tensor]
    fields: Mapping[str, Ragged]
    gates: Mapping[str, Ragged]
    outputs: Ragged

    @property
    def everything(self) -> dict[str, Ragged]:
        """State fields and gates together, by name."""
        return {**self.fields, **{f"{name} gate": values for name, values in self.gates.items()}}

    def to_json(self) -> dict[str, Any]:
        """Plain values: for every field and gate a list of sequences of steps of units."""
        return {
            "layer": self.layer,
            "direction": self.direction,
            "cell": self.cell,
            "initial": {name: field.tolist() for name, field in self.initial.items()},
            "fields": {name: _lists(field) for name, field in self.fields.items()},
            "gates": {name: _lists(gate) for name, gate in self.gates.items()},
        }


@dataclass(frozen=True, eq=False)
class States:
    """Every layer's states over a batch, the lowest layer first, and forward before backward."""

    layers: tuple[LayerStates, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"layers": [layer.to_json() for layer in self.layers]}


def states(model: nn.Module, batch: Batch) -> States:
    """Hidden states, cells and gates of a model in evaluation, while it reads a batch.

    The model runs once, and each layer's cell is then stepped over what that layer was given: the states are the
    model's own, resets, starting vectors and zoneout included.

    Args:
        model: an arrangement of recurrent layers, such as `task.network_`.
        batch: what it reads.

    Raises:
        UnsupportedError: a model without recurrent layers.

    Example:
        >>> import torch
        >>> from unrolled.arrangements.many_to_many import ManyToMany
        >>> from unrolled.codecs.base import Spec
        >>> from unrolled.nn.heads import ClassOutput
        >>> from unrolled.nn.inputs import InputLayer
        >>> model = ManyToMany(InputLayer({"x": Spec("vector", 3)}), Stack(3, 4), ClassOutput(2))
        >>> seen = states(model, Batch({"x": Ragged(torch.randn(5, 3), torch.tensor([2, 3]))}))
        >>> list(seen.layers[0].everything)
        ['hidden', 'cell', 'store gate', 'forget gate', 'output gate']
        >>> seen.layers[0].fields["cell"][1].shape
        torch.Size([3, 4])
    """
    with torch.no_grad():
        given = _given_to_layers(model, batch)
        return States(
            tuple(
                layer_states
                for number, layer in enumerate(recurrent_layers(model))
                for layer_states in _of_layer(number, layer, *given[layer])
            )
        )


def recurrent_layers(model: nn.Module) -> list[nn.Module]:
    """The layers of a model's Stack, each a `Recurrent` or a `Bidirectional`.

    Raises:
        UnsupportedError: a model of another kind, such as a convolution.
    """
    stack = getattr(model, "layers", None)
    if not isinstance(stack, Stack):
        raise UnsupportedError(
            f"only recurrent layers have states to look at, and this model reads with a {type(stack).__name__}; "
            "use a cell such as 'lstm'"
        )
    return list(stack.layers)


def _given_to_layers(model: nn.Module, batch: Batch) -> dict[nn.Module, tuple[Any, ...]]:
    """What each layer is called with while the model reads the batch: inputs, state before, resets."""
    given: dict[nn.Module, tuple[Any, ...]] = {}

    def note(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        given[layer] = arguments[:3]

    hooks = [layer.register_forward_pre_hook(note) for layer in recurrent_layers(model)]
    was_training = model.training
    try:
        model.eval()(batch)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return given


def _of_layer(number: int, layer: nn.Module, inputs: Ragged, state: Any, reset: Tensor | None) -> Iterator[LayerStates]:
    before = layer.initial_state(inputs.batch_size) if state is None else state  # type: ignore[operator]
    restarts = None if reset is None else Ragged(reset, inputs.lengths)
    if isinstance(layer, Bidirectional):
        back = None if restarts is None else _seen_backwards(restarts)
        yield _walk(
            number, FORWARD, layer.forward_cell, _stepper(layer, layer.forward_cell), inputs, before[0], restarts
        )
        yield _walk(
            number, BACKWARD, layer.backward_cell, _stepper(layer, layer.backward_cell), inputs, before[1], back
        )
    elif isinstance(layer, Recurrent):
        yield _walk(number, FORWARD, layer.cell, layer.step, inputs, before, restarts)


def _stepper(layer: Bidirectional, cell: Cell) -> Callable[[Tensor, State], tuple[Tensor, State]]:
    return lambda inputs, state: step(cell, layer.noise, inputs, state)


def _seen_backwards(restarts: Ragged) -> Ragged:
    """Restarts of the reversed sequences: a restart before step t cuts the same two steps apart."""
    after = [torch.cat([one[1:], one.new_zeros(min(1, len(one)))]) for one in restarts]
    return Ragged.from_sequences(after).reversed() if after else restarts


def _walk(
    number: int,
    direction: str,
    cell: Cell,
    take: Callable[[Tensor, State], tuple[Tensor, State]],
    inputs: Ragged,
    initial: State,
    restarts: Ragged | None,
) -> LayerStates:
    read = inputs.reversed() if direction == BACKWARD else inputs
    before, after, shown = _step_through(cell, take, read, initial, restarts)

    def placed(steps: list[Tensor], width: int) -> Ragged:
        """From one (B, width) for each step to the batch's own order."""
        dense = torch.stack(steps, 1) if steps else read.values.new_zeros(read.batch_size, 0, width)  # (B, T, width)
        values = read.with_values(dense[read.sequence_ids, read.positions])
        return values.reversed() if direction == BACKWARD else values

    def fields(moments: list[State]) -> dict[str, Ragged]:
        return {name: placed([getattr(m, name) for m in moments], size) for name, size in cell.state_sizes.items()}

    old = cell.state_type(*(field.values for field in fields(before).values()))  # (N, H) each
    gates = gates_of_step(cell, inputs.values, old)
    return LayerStates(
        number,
        direction,
        type(cell).__name__,
        inputs,
        {name: field.detach() for name, field in zip(cell.state_sizes, initial, strict=True)},
        fields(after),
        {name: inputs.with_values(values) for name, values in gates.items()},
        placed(shown, cell.output_size),
    )


def _step_through(
    cell: Cell,
    take: Callable[[Tensor, State], tuple[Tensor, State]],
    read: Ragged,
    state: State,
    restarts: Ragged | None,
) -> tuple[list[State], list[State], list[Tensor]]:
    """The states before and after every step, and what is shown there; beyond a sequence's end they mean nothing."""
    padded = read.padded()  # (B, T, F)
    cuts = None if restarts is None else restarts.padded()  # (B, T)
    fresh = cell.initial_state(read.batch_size)
    before, after, shown = [], [], []
    for t in range(read.max_length):
        state = state if cuts is None else choose_rows(cuts[:, t], fresh, state)
        before.append(state)
        output, state = take(padded[:, t], state)  # (B, H)
        after.append(state)
        shown.append(output)
    return before, after, shown


def _lists(values: Ragged) -> list[Any]:
    return [sequence.tolist() for sequence in values]
