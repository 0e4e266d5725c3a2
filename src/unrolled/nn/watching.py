"""Watching: whoever looks inside a model is shown every pass of a cell along sequences, wherever the model makes it."""

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
        cell: what ran.
        noise: what disturbed it; None = nothing.
        inputs: (N, F).
        state: before the first step, fields (B, width).
        reset: as `unroll`'s.
        reverse: as `unroll`'s.
        outputs: (N, H).
        final: the state after the last step.
        part: where the pass is one step of longer sequences, which; None for whole ones.
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
    """One step of sequences that a model goes through step by step, as each step waits for the one before.

    Args:
        sequences: the whole of them.
        step: which step, from 0: its rows are the sequences that have it, the longest first.
    """

    sequences: Ragged
    step: int


Watcher = Callable[[Pass], tuple[Ragged, State]]  # returns the outputs and the final state that go on in their place

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)  # of this thread: others run models too
_part: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def watching(watcher: Watcher) -> Generator[None]:
    """Show every pass to a watcher while this lasts.

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
    """While this lasts, each pass is one step of these sequences; `Pass.part` says so."""
    token = _part.set(Part(sequences, step))
    try:
        yield
    finally:
        _part.reset(token)


def watched() -> bool:
    """Whether somebody watches; never inside torch.compile, which would record who does."""
    return not torch.compiler.is_compiling() and _watcher.get() is not None


def show(one: Pass) -> tuple[Ragged, State]:
    """The outputs and final state of a pass, as the watcher hands them on."""
    watcher = None if torch.compiler.is_compiling() else _watcher.get()
    return (one.outputs, one.final) if watcher is None else watcher(one._replace(part=_part.get()))
