"""Trace: a replay of one layer, step by step, that keeps every state so that its gradient can be computed.

The replay has the layer's own inputs and starts from the gradient of the loss in its outputs, so it costs a few
sequences of one layer, regardless of the rest of the model. It runs on the CPU in the precision of the weights, but at
least in float32.
"""

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from unrolled.cells.base import Cell, State
from unrolled.inspection.names import BACKWARD
from unrolled.inspection.visits import Visit
from unrolled.kernels.noise import Noise, step
from unrolled.nn.unroll import reset_backwards, restarting
from unrolled.ragged import Ragged, TimeMajor
from unrolled.state import map_state

ALL = -1  # in place of the step of a single loss: the whole loss


@dataclass(frozen=True, eq=False)
class Stretch:
    """The input of a trace: pieces of sequences between two restarts, in the order in which the layer reads them.

    Args:
        cell: a copy of the cell.
        noise: of the cell in evaluation.
        inputs: (N, F).
        start: the state before each piece, fields (P, width).
        output_gradient: dL/d output, (N, H) ragged; zeros where no loss was computed.
        end_gradient: dL/d state after the last step, (P, S); zeros where the loss does not read it.
        rows: row of the visit's inputs of each step, (N,) ragged.
    """

    cell: Cell
    noise: Noise
    inputs: Ragged
    start: State
    output_gradient: Ragged
    end_gradient: Tensor
    rows: Ragged

    def select(self, pieces: Tensor) -> "Stretch":
        """Select some of the pieces; an index may repeat."""
        return Stretch(
            self.cell,
            self.noise,
            self.inputs.select(pieces),
            map_state(lambda field: field[pieces], self.start),
            self.output_gradient.select(pieces),
            self.end_gradient[pieces],
            self.rows.select(pieces),
        )

    def state_of(self, joined: Tensor) -> State:
        """Split joined fields, (N, S), into a state."""
        return self.cell.state_type(*joined.split(list(self.cell.state_sizes.values()), 1))


def stretches(visit: Visit) -> Stretch:
    """Split a visit into pieces without restarts; a restart cuts the gradient, so each piece has its own flow."""
    steps = visit.inputs.with_values(torch.arange(visit.inputs.num_steps))
    reset = None if visit.reset is None else visit.reset.cpu()
    if visit.direction == BACKWARD:
        reset = None if reset is None else reset_backwards(steps, reset)
        steps = steps.reversed()
    seen: list[Any] = []

    def look(pieces: Ragged, before: State) -> tuple[Ragged, Any]:
        seen.extend((pieces, before))
        return pieces, torch.arange(pieces.batch_size)

    _, last = restarting(look, steps, _on_cpu(visit.state), reset, lambda rows: _on_cpu(visit.cell.initial_state(rows)))
    rows, start = seen
    dtype = torch.promote_types(visit.cell.weight_ih.dtype, torch.float32)

    def ordered(values: Tensor) -> Ragged:
        return rows.with_values(values.detach().cpu()[rows.values].to(dtype))

    final_gradient = visit.final_gradient or (None,) * len(visit.state)
    ends = [_or_zeros(given, field) for given, field in zip(final_gradient, visit.state, strict=True)]  # (B, width)
    end_gradient = torch.zeros(rows.batch_size, sum(visit.cell.state_sizes.values()), dtype=dtype)
    end_gradient[last] = torch.cat(ends, 1).cpu().to(dtype)
    shape = (visit.inputs.num_steps, visit.cell.output_size)
    output_gradient = torch.zeros(shape) if visit.output_gradient is None else visit.output_gradient
    return Stretch(
        _private(visit.cell, dtype),
        visit.noise,
        ordered(visit.inputs.values),
        map_state(lambda field: field.to(dtype), start),
        ordered(output_gradient),
        end_gradient,
        rows,
    )


def _private(cell: Cell, dtype: torch.dtype) -> Cell:
    """Copy a cell to the CPU without gradients; the weights of a drop-in module's cell are plain attributes."""
    copies = {id(weight): weight.detach().cpu().to(dtype, copy=True) for weight in cell.weights}
    for weight in cell.parameters():
        copies[id(weight)] = torch.nn.Parameter(weight.detach().cpu().to(dtype, copy=True), requires_grad=False)
    return copy.deepcopy(cell, copies)


def _on_cpu(state: State) -> State:
    return map_state(lambda field: field.detach().cpu(), state)


def _or_zeros(gradient: Tensor | None, field: Tensor) -> Tensor:
    return torch.zeros_like(field) if gradient is None else gradient


@dataclass(frozen=True, eq=False)
class Trace:
    """A replayed stretch. Everything is time-major: all first steps, then all second steps, longest piece first.

    Args:
        stretch: its input.
        after: the state after each step, as fields per time step, (P_t, width).
        shown: the output of each time step, (P_t, H).
        shows_state: whether the output is a field of the state, as in every cell here.
    """

    stretch: Stretch
    after: list[tuple[Tensor, ...]]
    shown: list[Tensor]
    shows_state: bool

    @property
    def layout(self) -> TimeMajor:
        """The time-major order of the steps."""
        return self.stretch.inputs.time_major

    @cached_property
    def inputs(self) -> Tensor:
        """Input of each step, (N, F)."""
        return self.stretch.inputs.values[self.layout.gather]

    @cached_property
    def pieces(self) -> Tensor:
        """Index of the piece of each step, (N,)."""
        return self.stretch.inputs.sequence_ids[self.layout.gather]

    @cached_property
    def positions(self) -> Tensor:
        """Index of each step within its piece, (N,)."""
        return self.stretch.inputs.positions[self.layout.gather]

    @cached_property
    def outputs(self) -> Tensor:
        """Output of each step, (N, H)."""
        return torch.cat(self.shown)

    @cached_property
    def states(self) -> Tensor:
        """State after each step, (N, S)."""
        return _joined(self.after)

    @cached_property
    def before(self) -> Tensor:
        """State before each step, (N, S): the start, or the state after the previous step."""
        start = torch.cat([field.detach() for field in self.stretch.start], 1)[self.layout.order]  # (P, S)
        begins = self.layout.batch_sizes.cumsum(0) - self.layout.batch_sizes  # (T,) first row of each time step
        rank = torch.arange(len(self.pieces)) - begins[self.positions]  # (N,) row within its time step
        earlier = begins[(self.positions - 1).clamp(min=0)] + rank  # (N,)
        return torch.where((self.positions == 0)[:, None], start[rank], self.states.detach()[earlier])

    def asked(self, only: Tensor) -> tuple[Tensor, Tensor]:
        """Return the direct gradient of a loss in every output, (N, H), and in the state after every step, (N, S)."""
        last = self.positions == self.stretch.inputs.lengths[self.pieces] - 1  # (N,)
        counts = (only == ALL)[self.pieces] | (self.positions == only[self.pieces])  # (N,)
        outputs = self.stretch.output_gradient.values[self.layout.gather] * counts[:, None]
        return outputs, self.stretch.end_gradient[self.pieces] * (last & counts)[:, None]

    @property
    def shown_field(self) -> int:
        """Index of the state's field that is the output, if `shows_state`."""
        return [field is self.shown[0] for field in self.after[0]].index(True)

    def gradients(self, only: Tensor) -> Tensor:
        """Compute the gradient of a loss in the state after every step, (N, S).

        Args:
            only: the step of each piece whose loss is used, (P,), counted within the piece; `ALL` = all steps.
        """
        asked, ends = self.asked(only)
        sizes = self.layout.batch_sizes.tolist()
        roots, slopes = list(self.shown), list(asked.split(sizes))
        for index in self.positions[ends.any(1)].unique().tolist():
            roots.extend(self.after[index])
            slopes.extend(self.stretch.state_of(ends.split(sizes)[index]))
        fields = [field for step_fields in self.after for field in step_fields]
        found = iter(torch.autograd.grad(roots, fields, slopes, retain_graph=True, materialize_grads=True))
        return _joined([tuple(next(found) for _ in fields) for fields in self.after])


def _joined(steps: list[tuple[Tensor, ...]]) -> Tensor:
    """Join the fields of each time step to one row per step, (N, S)."""
    return torch.cat([torch.cat(field) for field in zip(*steps, strict=True)], 1)


def trace(stretch: Stretch) -> Trace:
    """Replay a stretch with at least one step; every state is in the autograd graph if gradients are on."""
    values, layout = stretch.inputs.values, stretch.inputs.time_major
    values = values[layout.gather]  # (N, F)
    alive = tuple(field[layout.order].requires_grad_(torch.is_grad_enabled()) for field in stretch.start)
    after, shown = [], []
    shows_state = False
    for inputs in values.split(layout.batch_sizes.tolist()):
        if len(inputs) < len(alive[0]):
            alive = tuple(field[: len(inputs)] for field in alive)
        output, alive, shows_state = one_step(stretch, inputs, alive)
        after.append(alive)
        shown.append(output)
    return Trace(stretch, after, shown, shows_state)


def one_step(stretch: Stretch, inputs: Tensor, fields: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...], bool]:
    """Take one step whose new state is one node of the graph, used by both the output and the next step.

    Returns:
        the output (P, H), the fields of the next state, and whether the output is one of them.
    """
    output, state = step(stretch.cell, stretch.noise, inputs, stretch.cell.state_type(*fields))
    after = tuple(field.view_as(field) for field in state) if torch.is_grad_enabled() else tuple(state)
    shown = [new for new, field in zip(after, state, strict=True) if field is output]
    return (shown[0] if shown else output), after, bool(shown)
