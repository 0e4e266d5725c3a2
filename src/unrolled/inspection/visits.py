"""Visits: records of every pass of a recurrent layer, made while the model runs.

All recurrent layers call `unroll`: those of a `Stack`, of the modules of `unrolled.nn`, and of a user's own module. So
one watcher there sees all of them.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.cells.base import Cell, State
from unrolled.errors import UnsupportedError
from unrolled.inspection.names import BACKWARD, FORWARD, CellPlace, layer_name, places
from unrolled.kernels.noise import SILENCE, Noise
from unrolled.nn.drop_in import DropIn
from unrolled.nn.watching import Part, Pass, watching
from unrolled.ragged import Ragged
from unrolled.shapes import Reset
from unrolled.state import map_state


@dataclass(frozen=True, eq=False)
class Visit:
    """One pass through one layer in one direction.

    Args:
        place: of the layer in the model.
        direction: "forward" or "backward".
        cell: the cell.
        noise: of the cell in evaluation.
        inputs: (N, F).
        state: before the first step, fields (B, width).
        reset: as in `unroll`.
        output_gradient: dL/d output of every step, (N, H) in the order of `inputs`; None where no loss was computed.
        final_gradient: dL/d final state by field, (B, width) each; None where the loss does not read it.
        part: index of the step within longer sequences, where the model runs step by step; see `joined`.
    """

    place: CellPlace
    direction: str
    cell: Cell
    noise: Noise
    inputs: Ragged
    state: State
    reset: Reset | None
    output_gradient: Tensor | None = None
    final_gradient: tuple[Tensor | None, ...] = ()
    part: Part | None = None

    @property
    def name(self) -> str:
        """Name of the layer."""
        return layer_name(self.place.layer, self.direction, self.place.stack)


Note = Callable[[Visit, Pass], tuple[Ragged, State]]  # returns the outputs and the state that the model continues with


@contextmanager
def visiting(model: nn.Module, note: Note) -> Generator[None]:
    """Call `note` for every pass of a model's own layers, in evaluation mode; the mode is restored afterwards."""
    known, running = places(model), _Running()
    modes = {module: module.training for module in model.modules()}
    drop_ins = [module for module in known if isinstance(module, DropIn)]
    hooks = [module.register_forward_pre_hook(running.begin) for module in drop_ins]
    hooks += [module.register_forward_hook(running.end, always_call=True) for module in drop_ins]

    def watcher(one: Pass) -> tuple[Ragged, State]:
        place = known.get(one.cell) or running.place(known)
        if place is None:  # a cell of another model
            return one.outputs, one.final
        visit = Visit(
            place,
            BACKWARD if one.reverse else FORWARD,
            one.cell,
            one.noise or SILENCE,
            one.inputs.map(Tensor.detach),
            map_state(Tensor.detach, one.state),
            one.reset,
            part=one.part,
        )
        return note(visit, one)

    model.eval()
    try:
        with watching(watcher):
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for hook in hooks:
            hook.remove()


def joined(visits: list[Visit]) -> list[Visit]:
    """Join visits that are single steps of the same sequences by the same cell into one pass."""
    whole: dict[tuple[int, int], list[Visit]] = {}
    for number, visit in enumerate(visits):
        key = (number, -1) if visit.part is None else (id(visit.cell), id(visit.part.sequences))
        whole.setdefault(key, []).append(visit)
    return [_one_pass(steps, first.part.sequences) if (first := steps[0]).part else first for steps in whole.values()]


def _one_pass(steps: list[Visit], sequences: Ragged) -> Visit:
    """Join steps in time-major order, the longest sequence first, to one visit in the order of the sequences."""
    layout, first = sequences.time_major, steps[0]

    def placed(rows: list[Tensor]) -> Tensor:
        return torch.cat(rows)[layout.scatter.to(rows[0].device)]

    def by_sequence(rows: Tensor) -> Tensor:
        """Return one row per sequence; zeros for those without steps, whose state is never used."""
        empty = rows.new_zeros(sequences.batch_size - len(rows), rows.shape[1])
        return torch.cat([rows, empty])[layout.rank.to(rows.device)]

    def ends(field: int) -> Tensor | None:
        """Return the gradient in a field of each sequence's last state; earlier states are read by the next step."""
        rows = []
        for visit, after in zip(reversed(steps), [0, *(len(visit.inputs) for visit in reversed(steps))], strict=False):
            given = visit.final_gradient[field]
            rows.append((torch.zeros_like(visit.state[field]) if given is None else given)[after:])
        return by_sequence(torch.cat(rows))

    gradients = [visit.output_gradient for visit in steps if visit.output_gradient is not None]
    return replace(
        first,
        inputs=sequences.with_values(placed([visit.inputs.values for visit in steps])),
        state=map_state(by_sequence, first.state),
        output_gradient=placed(gradients) if gradients else None,
        final_gradient=tuple(ends(field) for field in range(len(first.final_gradient))),
        part=None,
    )


class _Running:
    """The drop-in module that is running, and the number of its passes: its cells exist for one pass only."""

    def __init__(self) -> None:
        self.module: DropIn | None = None
        self.passes = 0

    def begin(self, module: Any, given: Any) -> None:
        self.module, self.passes = module, 0

    def end(self, module: Any, given: Any, made: Any) -> None:
        self.module = None

    def place(self, known: dict[nn.Module, CellPlace]) -> CellPlace | None:
        """Return the place of the cell whose pass has just ended; None if no drop-in module is running."""
        if self.module is None:
            return None
        layer = self.passes // (1 + self.module.bidirectional)
        self.passes += 1
        return known[self.module]._replace(layer=layer)


def not_recurrent(model: nn.Module) -> UnsupportedError:
    """Make the error for a model in which no recurrent layer ran."""
    reads = type(getattr(model, "layers", model)).__name__
    return UnsupportedError(
        f"only recurrent layers can be inspected, and none ran in a {reads}; use a cell such as 'lstm', "
        "unrolled.nn.LSTM in place of torch.nn.LSTM, or unroll(cell, ...) in place of a loop over cell.step"
    )
