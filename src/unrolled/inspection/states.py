"""States of a model at every step of real sequences: hidden states, cells and gates, by layer and direction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.inspection.gates import gates_of_step
from unrolled.inspection.names import layer_name
from unrolled.inspection.trace import Stretch, stretches, trace
from unrolled.inspection.visits import Visit, joined, not_recurrent, visiting
from unrolled.nn.watching import Pass
from unrolled.ragged import Ragged


@dataclass(frozen=True, eq=False)
class LayerStates:
    """One layer in one direction, over every step of a batch.

    Args:
        layer: number of the layer, the lowest is 0.
        direction: "forward", or "backward" for a cell that reads from the last step to the first.
        cell: name of the cell's class.
        inputs: of the cell, (N, F) ragged.
        initial: the state before the cell's first step, (B, H) by field name.
        fields: the state after every step, (N, H) ragged by field name, such as "hidden" and "cell".
        gates: openness of every gate, from 0 to 1, (N, H) ragged by name; empty for a cell without gates.
        outputs: of the cell, (N, H) ragged.
        stack: the attribute that holds the layer, if the model has several stacks; else empty.
    """

    layer: int
    direction: str
    cell: str
    inputs: Ragged
    initial: Mapping[str, Tensor]
    fields: Mapping[str, Ragged]
    gates: Mapping[str, Ragged]
    outputs: Ragged
    stack: str = ""

    @property
    def name(self) -> str:
        """Name of the layer, as in gradient flow."""
        return layer_name(self.layer, self.direction, self.stack)

    @property
    def everything(self) -> dict[str, Ragged]:
        """State fields and gates together, by name."""
        return {**self.fields, **{f"{name} gate": values for name, values in self.gates.items()}}

    def to_json(self) -> dict[str, Any]:
        """Convert the states to plain values: per field and gate a list of sequences of steps of units."""
        return {
            "name": self.name,
            "layer": self.layer,
            "direction": self.direction,
            "cell": self.cell,
            "initial": {name: field.tolist() for name, field in self.initial.items()},
            "fields": {name: _lists(field) for name, field in self.fields.items()},
            "gates": {name: _lists(gate) for name, gate in self.gates.items()},
        }


@dataclass(frozen=True, eq=False)
class States:
    """The states of every layer over a batch, in the order of the model, and forward before backward."""

    layers: tuple[LayerStates, ...]

    def of_stack(self, stack: str = "") -> "States":
        """Return the layers of one stack by its name; "" is the only stack, or an arrangement's own."""
        return States(tuple(layer for layer in self.layers if layer.stack == stack))

    def to_json(self) -> dict[str, Any]:
        """Convert the states of all layers to plain values."""
        return {"layers": [layer.to_json() for layer in self.layers]}


def states(model: nn.Module, batch: Any) -> States:
    """Record hidden states, cells and gates of a model in evaluation mode while it reads a batch.

    The model runs once, and each layer is then replayed over its inputs, on the CPU: the states are the model's own,
    including resets, starting vectors and zoneout.

    Args:
        model: an arrangement, such as `task.network_`, or any module that runs a Stack, a module of `unrolled.nn`, or
            `unroll(cell, ...)`.
        batch: input of the model.

    Raises:
        UnsupportedError: no recurrent layer ran.

    Example:
        >>> from unrolled.arrangements.many_to_many import ManyToMany
        >>> from unrolled.batch import Batch
        >>> from unrolled.codecs.base import Spec
        >>> from unrolled.nn.heads import ClassOutput
        >>> from unrolled.nn.inputs import InputLayer
        >>> from unrolled.nn.stack import Stack
        >>> model = ManyToMany(InputLayer({"x": Spec("vector", 3)}), Stack(3, 4), ClassOutput(2))
        >>> seen = states(model, Batch({"x": Ragged(torch.randn(5, 3), torch.tensor([2, 3]))}))
        >>> list(seen.layers[0].everything)
        ['hidden', 'cell', 'store gate', 'forget gate', 'output gate']
        >>> seen.layers[0].fields["cell"][1].shape
        torch.Size([3, 4])
    """
    visits: list[Visit] = []

    def note(visit: Visit, one: Pass) -> tuple[Ragged, Any]:
        visits.append(visit)
        return one.outputs, one.final

    with torch.no_grad():
        with visiting(model, note):
            model(batch)
        if not visits:
            raise not_recurrent(model)
        return States(tuple(_of_layer(visit) for visit in joined(visits)))


def _of_layer(visit: Visit) -> LayerStates:
    """Replay a visit, and put every step at its place in the batch."""
    stretch, sizes = stretches(visit), visit.cell.state_sizes
    values, before, after, outputs = _replayed(stretch)  # one row per step, in the stretch's order
    place = stretch.rows.values.argsort()  # (N,) where the stretch has each row of the batch

    def placed(rows: Tensor) -> Ragged:
        return visit.inputs.with_values(rows[place])

    gates = gates_of_step(stretch.cell, values, stretch.state_of(before))
    return LayerStates(
        visit.place.layer,
        visit.direction,
        visit.cell.short_name,
        placed(values),
        dict(zip(sizes, visit.state, strict=True)),
        {name: placed(field) for name, field in zip(sizes, stretch.state_of(after), strict=True)},
        {name: placed(gate) for name, gate in gates.items()},
        placed(outputs),
        visit.place.stack,
    )


def _replayed(stretch: Stretch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the inputs (N, F), the states before and after (N, S), and the outputs (N, H) of each step."""
    values = stretch.inputs.values
    if not len(values):
        width = sum(stretch.cell.state_sizes.values())
        return values, values.new_zeros(0, width), values.new_zeros(0, width), stretch.output_gradient.values
    replay = trace(stretch)
    order = replay.layout.scatter
    return values, replay.before[order], replay.states[order], replay.outputs[order]


def _lists(values: Ragged) -> list[Any]:
    return [sequence.tolist() for sequence in values]
