"""Stretches of time of a ragged batch: rows of all sequences between two steps, and a layer run over them in order."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from unrolled.cells.base import Cell
from unrolled.kernels.noise import Noise
from unrolled.pauses import has_pauses, pause
from unrolled.ragged import Ragged

WORK = 1 << 27  # multiplications between two pauses: some 50 ms of a core


def stretches(lengths: Tensor, size: int, noise: Noise | None) -> Iterator[tuple[Ragged, Noise | None]]:
    """Yield the rows of each stretch of all sequences, with its noise.

    Args:
        lengths: steps of each sequence, (B,).
        size: steps of a stretch.
        noise: of the recurrence; every stretch has the same draws as the whole.
    """
    rows = Ragged(torch.arange(int(lengths.sum())), lengths)
    for start in range(0, rows.max_length, size):
        yield rows.slice(start, start + size), None if noise is None else noise.later(start)


def place_of(rows: Ragged, values: Tensor) -> Any:
    """Return an index of these rows; a slice, without a copy, for a single sequence."""
    if rows.batch_size == 1:
        return slice(int(rows.values[0]), int(rows.values[-1]) + 1)
    return rows.values.to(values.device)


def rows_at(values: Tensor, rows: Ragged) -> Ragged:
    """Return the values (N, F) of one stretch."""
    return Ragged(values[place_of(rows, values)], rows.lengths)


def steps_between_pauses(cell: Cell, inputs: Ragged) -> int:
    """Return how many steps of all sequences to read between two pauses; 0 = all, as nobody wants pauses.

    With gradients a layer is not cut: training has its pauses elsewhere.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.is_grad_enabled() or not has_pauses():
        return 0
    each = sum(weight.numel() for weight in cell.weights) * inputs.batch_size
    size = max(1, WORK // max(1, each))
    return size if size < inputs.max_length else 0


def with_pauses(
    run: Callable[..., tuple[Ragged, Any]], cell: Cell, inputs: Ragged, state: Any, noise: Noise | None, size: int
) -> tuple[Ragged, Any]:
    """Run a layer stretch by stretch, with a pause before each.

    Args:
        run: maps a cell, a Ragged (N, F), an initial state and noise to a Ragged (N, H) and the final state.
        cell: to run.
        inputs: (N, F) ragged.
        state: before the first step.
        noise: of the recurrence.
        size: steps of a stretch.

    Returns:
        the result of `run` for the whole sequences.
    """
    outputs = inputs.values.new_empty(0)
    for rows, own_noise in stretches(inputs.lengths, size, noise):
        pause()
        found, state = run(cell, rows_at(inputs.values, rows), state, own_noise)
        if not len(outputs):
            outputs = found.values.new_empty(len(inputs.values), found.values.shape[1])
        outputs[place_of(rows, inputs.values)] = found.values
    return inputs.with_values(outputs), state
