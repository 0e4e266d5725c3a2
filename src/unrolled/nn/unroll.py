"""unroll: run a cell over every sequence of a ragged batch."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from unrolled.cells.base import Cell, State
from unrolled.errors import ShapeError, message
from unrolled.kernels.choose import KERNELS, choose
from unrolled.kernels.noise import Noise, refuse_graphs
from unrolled.nn.recompute import in_stretches, outgrows
from unrolled.nn.stretches import steps_between_pauses, with_pauses
from unrolled.nn.watching import Pass, show
from unrolled.ragged import Ragged
from unrolled.shapes import Reset
from unrolled.state import choose_rows, map_state


def unroll(
    cell: Cell,
    inputs: Ragged,
    state: State | None = None,
    reset: Reset | None = None,
    reverse: bool = False,
    kernel: str = "auto",
    want_state: bool = True,
    recompute: bool | None = None,
    noise: Noise | None = None,
) -> tuple[Ragged, State]:
    """Unfold a cell in time over sequences of unequal length.

    Args:
        cell: the cell; its `step` defines the result that every kernel computes.
        inputs: (N, F) ragged.
        state: state before the first step, fields (B, `cell.state_sizes`); None = `cell.initial_state`.
        reset: (N,) bool in the order of `inputs.values`; True = the state restarts before this step.
        reverse: run every sequence backwards by its true length; outputs stay in forward order.
        kernel: "auto", or a name in `unrolled.kernels.choose.KERNELS`.
        want_state: False allows a faster path when the final state will not be used.
        recompute: keep a state every 4 * sqrt(T) steps for the backward pass, and compute the rest again there:
            saves memory on very long sequences, for a third to two thirds more time. None = on a CPU, where keeping
            everything would take more than `unrolled.nn.recompute.BUDGET`, except in graphs and function transforms.
        noise: recurrent dropout and zoneout; None = neither. The steps between two restarts count as a sequence.

    Returns:
        outputs (N, H) ragged, and the state after the last step of every sequence; an empty sequence
        keeps its state.

    Raises:
        ShapeError: inputs, state or reset of the wrong shape.
        OptionError: recurrent dropout for a cell that does not support it.
        UnsupportedError: the requested kernel cannot run this cell here; noise inside torch.compile or torch.export.

    Example:
        >>> import torch
        >>> from unrolled.cells.gru import GRUCell
        >>> from unrolled.nn.unroll import unroll
        >>> from unrolled.ragged import Ragged
        >>> inputs = Ragged(torch.randn(5, 3), torch.tensor([2, 0, 3]))
        >>> outputs, state = unroll(GRUCell(3, 4), inputs)
        >>> outputs.values.shape, state.hidden.shape
        (torch.Size([5, 4]), torch.Size([3, 4]))
    """
    if inputs.values.ndim != 2:
        raise ShapeError(message("inputs", expected="values of shape (N, F)", received=tuple(inputs.values.shape)))
    cell.check_inputs(inputs.values.shape[1])
    state = cell.initial_state(inputs.batch_size) if state is None else state
    check_state(state, cell, inputs.batch_size)
    if noise is not None:
        noise.check(cell)
        noise = noise if noise.acts else None

    run = partial(_run, cell, kernel, want_state, recompute, noise)
    if noise is not None:
        refuse_graphs()
        # after a graph break because of that, torch.compile would still compile each function called here
        run = _uncompiled(run) if "torch._dynamo" in sys.modules else run
    read, restarts = inputs, reset
    if reverse:
        read, restarts = inputs.reversed(), None if reset is None else reset_backwards(inputs, reset)
    outputs, final = restarting(run, read, state, restarts, cell.initial_state)
    outputs = outputs.reversed() if reverse else outputs
    return show(Pass(cell, noise, inputs, state, reset, reverse, outputs, final))


def _run(
    cell: Cell,
    kernel: str,
    want_state: bool,
    recompute: bool | None,
    noise: Noise | None,
    inputs: Ragged,
    state: State,
) -> tuple[Ragged, State]:
    if outgrows(cell, inputs) if recompute is None else recompute:
        # a stretch needs the previous state
        return in_stretches(partial(_at_once, kernel, True), cell, inputs, state, noise)
    if size := steps_between_pauses(cell, inputs):
        return with_pauses(partial(_at_once, kernel, True), cell, inputs, state, noise, size)
    return _at_once(kernel, want_state, cell, inputs, state, noise)


def _at_once(
    kernel: str, want_state: bool, cell: Cell, inputs: Ragged, state: State, noise: Noise | None
) -> tuple[Ragged, State]:
    if not inputs.num_steps:
        return inputs.with_values(inputs.values.new_zeros(0, cell.output_size)), state
    chosen = choose(cell, inputs, kernel, noise)
    return KERNELS[chosen.name].run(cell, inputs, state, noise, want_state)


def _uncompiled(run: Callable[..., Any]) -> Callable[..., Any]:
    """Hide a function from the compiler, if that is loaded (loading takes a while)."""
    return torch.compiler.disable(fn=run)


def restarting(
    run: Callable[[Ragged, Any], tuple[Ragged, Any]],
    inputs: Ragged,
    state: Any,
    reset: Reset | None,
    initial_state: Callable[[int], Any],
) -> tuple[Ragged, Any]:
    """Apply `reset` around any runner: each stretch between restarts becomes its own sequence.

    So no kernel has to handle resets, and the stretches run in one batch.
    """
    if reset is None:
        return run(inputs, state)
    check_reset(reset, inputs)
    if not bool(reset.any()):
        return run(inputs, state)
    reset = reset.cpu()
    first_steps = torch.zeros(inputs.num_steps, dtype=torch.bool)
    filled = inputs.lengths > 0
    first_steps[inputs.offsets[:-1][filled]] = True
    begins = (reset | first_steps).nonzero().squeeze(1)  # (P,) start of each stretch
    ends = torch.cat([begins[1:], torch.tensor([inputs.num_steps])])
    # rows without steps become stretches of length 0 at the end, so that they keep their state
    empty_rows = (~filled).nonzero().squeeze(1)
    rows = torch.cat([inputs.sequence_ids.cpu()[begins], empty_rows])  # (P + E,) row of each stretch
    stretches = Ragged(inputs.values, torch.cat([ends - begins, torch.zeros_like(empty_rows)]))

    continues = torch.cat([~reset[begins], torch.ones(len(empty_rows), dtype=torch.bool)])  # from the row's state
    given = map_state(lambda field: field[rows.to(field.device)], state)
    before = choose_rows(continues, given, initial_state(len(rows)))
    outputs, after = run(stretches, before)
    # the final state of a row is that of its last stretch
    last = torch.zeros(inputs.batch_size, dtype=torch.int64)
    last = last.scatter_reduce(0, rows, torch.arange(len(rows)), "amax")
    return inputs.with_values(outputs.values), map_state(lambda field: field[last.to(field.device)], after)


def check_reset(reset: Reset, inputs: Ragged) -> None:
    """Refuse a reset without exactly one value per step."""
    if tuple(reset.shape) != (inputs.num_steps,):
        raise ShapeError(message("reset", expected=f"shape ({inputs.num_steps},)", received=tuple(reset.shape)))


def check_state(state: Any, cell: Cell, batch_size: int) -> None:
    """Refuse a state of another cell, batch or width."""
    if not isinstance(state, cell.state_type):
        raise ShapeError(message("state", expected=cell.state_type.__name__, received=type(state).__name__))
    for (name, size), field in zip(cell.state_sizes.items(), state, strict=True):
        if tuple(field.shape) != (batch_size, size):
            raise ShapeError(
                message(f"state.{name}", expected=f"shape ({batch_size}, {size})", received=tuple(field.shape))
            )


def reset_backwards(inputs: Ragged, reset: Reset) -> Reset:
    """Return the restarts of the reversed sequences: a restart still separates the same two steps."""
    check_reset(reset, inputs)
    cuts = reset.cpu() & (inputs.positions.cpu() > 0)  # a restart before the first step cuts nothing backwards
    shifted = torch.zeros_like(cuts)
    shifted[:-1] = cuts[1:]  # backwards, the step before the cut comes right after it
    return Ragged(shifted, inputs.lengths).reversed().values.to(reset.device)
