"""Watching: a hook that is called for every pass of a cell over sequences, anywhere in a model."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch

from unrolled.cells.base import Cell, State
from unrolled.kernels.noise import Noise
from unrolled.ragged import Ragged
from unrolled.shapes import Reset


class Pass(NamedTuple):
    """One call of `unroll`.

    Args:
        cell: that ran.
        noise: of the pass; None = none.
        inputs: (N, F).
        state: before the first step, fields (B, width).
        reset: as in `unroll`.
        reverse: as in `unroll`.
        outputs: (N, H).
        final: the state after the last step.
        part: the step, if the pass is one step of longer sequences; None for whole sequences.
    """

    cell: Cell
    noise: Noise | None
    inputs: Ragged
    state: State
    reset: Reset | None
    reverse: bool
    outputs: Ragged
    final: State
    part: "Part | None" = None


class Part(NamedTuple):
    """One step of sequences that a model runs step by step.

    Args:
        sequences: the whole sequences.
        step: index of the step, from 0: its rows are the sequences that have it, the longest first.
    """

    sequences: Ragged
    step: int


Watcher = Callable[[Pass], tuple[Ragged, State]]  # returns the outputs and the final state to use instead

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)  # per thread: others run models too
_part: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def watching(watcher: Watcher) -> Generator[None]:
    """Call a watcher for every pass while the context lasts.

    Example:
        >>> from unrolled.cells.gru import GRUCell
        >>> from unrolled.nn.unroll import unroll
        >>> seen = []
        >>> def note(one):
        ...     seen.append(type(one.cell).__name__)
        ...     return one.outputs, one.final
        >>> with watching(note):
        ...     _ = unroll(GRUCell(3, 4), Ragged(torch.randn(5, 3), [2, 3]))
        >>> seen
        ['GRUCell']
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextmanager
def going_through(sequences: Ragged, step: int) -> Generator[None]:
    """Mark each pass as one step of these sequences while the context lasts; see `Pass.part`."""
    token = _part.set(Part(sequences, step))
    try:
        yield
    finally:
        _part.reset(token)


def watched() -> bool:
    """Return whether there is a watcher; never inside torch.compile, which would record it."""
    return not torch.compiler.is_compiling() and _watcher.get() is not None


def show(one: Pass) -> tuple[Ragged, State]:
    """Call the watcher for a pass; return the outputs and the final state to use."""
    watcher = None if torch.compiler.is_compiling() else _watcher.get()
    return (one.outputs, one.final) if watcher is None else watcher(one._replace(part=_part.get()))
