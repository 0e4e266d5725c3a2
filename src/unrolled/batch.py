"""Batch: encoded examples for a model, and the sum of their losses.

A whole encoded data set is one Batch; a training batch is `examples.select(rows)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import ShapeError, message
from unrolled.ragged import Ragged, as_indices
from unrolled.shapes import Reset


@dataclass(frozen=True, eq=False)
class Nested:
    """A sequence inside every step, such as the characters of each word; repeats are stored once.

    Args:
        index: row of `pieces` for each step, a Ragged of integers (N,).
        pieces: the distinct inner sequences, for example the characters of each distinct word.
    """

    index: Ragged
    pieces: Ragged

    @property
    def lengths(self) -> Tensor:
        return self.index.lengths

    def select(self, rows: Tensor) -> "Nested":
        return replace(self, index=self.index.select(rows))

    def slice(self, start: int | Tensor, stop: int | Tensor) -> "Nested":
        return replace(self, index=self.index.slice(start, stop))

    def to(self, *args: Any, **kwargs: Any) -> "Nested":
        return Nested(self.index.to(*args, **kwargs), self.pieces.to(*args, **kwargs))


@dataclass(frozen=True, eq=False)
class Batch:
    """Encoded examples: the inputs and the targets of a model.

    Args:
        inputs: per-step inputs by name; every one has the same lengths.
        statics: one row per sequence by name, each (B, *feature).
        targets: per step (a Ragged with the inputs' lengths), per sequence (a Tensor (B, ...)), or None.
        reset: True where the state restarts before a step, (N,) in the inputs' order; None = nowhere.
        carries: True when row b continues row b of the batch before it, so the state is carried.
        sources: inputs that an encoder reads whole before the first step, by name; all have the same lengths, which
            differ from those of the inputs.

    Raises:
        ShapeError: inputs, statics, targets, reset or sources that do not agree on lengths or batch size.
    """

    inputs: Mapping[str, Ragged | Nested]
    statics: Mapping[str, Tensor] = field(default_factory=dict)
    targets: Ragged | Tensor | None = None
    reset: Reset | None = None
    carries: bool = False
    sources: Mapping[str, Ragged | Nested] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.inputs.items():
            if not torch.equal(value.lengths, self.lengths):
                raise ShapeError(
                    message(
                        f"inputs[{name!r}]",
                        expected="the same lengths as the other inputs",
                        received=_first_difference(value.lengths, self.lengths),
                    )
                )
        for name, rows in self.statics.items():
            if rows.shape[0] != self.batch_size:
                raise ShapeError(message(f"statics[{name!r}]", expected=f"{self.batch_size} rows", received=len(rows)))
        if isinstance(self.targets, Ragged) and self.inputs and not torch.equal(self.targets.lengths, self.lengths):
            raise ShapeError(
                message(
                    "targets",
                    expected="one target for each input step",
                    received=_first_difference(self.targets.lengths, self.lengths),
                )
            )
        if isinstance(self.targets, Tensor) and (self.inputs or self.statics) and len(self.targets) != self.batch_size:
            raise ShapeError(message("targets", expected=f"{self.batch_size} rows", received=len(self.targets)))
        for name, value in self.sources.items():
            first = next(iter(self.sources.values())).lengths
            if not torch.equal(value.lengths, first):
                raise ShapeError(
                    message(
                        f"sources[{name!r}]",
                        expected="the same lengths as the other sources",
                        received=_first_difference(value.lengths, first),
                    )
                )
            if len(first) != self.batch_size:
                raise ShapeError(
                    message(f"sources[{name!r}]", expected=f"{self.batch_size} sequences", received=len(first))
                )
        if self.reset is not None and tuple(self.reset.shape) != (self.num_steps,):
            raise ShapeError(message("reset", expected=f"shape ({self.num_steps},)", received=tuple(self.reset.shape)))

    @cached_property
    def lengths(self) -> Tensor:
        """Number of steps of each sequence, (B,)."""
        if self.inputs:
            return next(iter(self.inputs.values())).lengths
        if isinstance(self.targets, Ragged):
            return self.targets.lengths
        rows = next((len(value.lengths) for value in self.sources.values()), 0)
        rows = next((value.shape[0] for value in self.statics.values()), rows)
        return torch.zeros(rows, dtype=torch.int64)

    @cached_property
    def sizes(self) -> Tensor:
        """Number of steps of each sequence and its sources together, a measure of its work, (B,)."""
        source = next(iter(self.sources.values()), None)
        return self.lengths if source is None else self.lengths + source.lengths

    @property
    def batch_size(self) -> int:
        """Number of sequences, B."""
        return int(self.lengths.shape[0])

    @cached_property
    def num_steps(self) -> int:
        """Number of real steps, N."""
        return int(self.lengths.sum())

    def __len__(self) -> int:
        return self.batch_size

    def select(self, rows: Tensor) -> "Batch":
        """Return the sequences at the given rows, with everything that belongs to them."""
        rows = as_indices(rows)
        reset = None
        if self.reset is not None:
            reset = Ragged(self.reset, self.lengths).select(rows).values
        return Batch(
            inputs={name: value.select(rows) for name, value in self.inputs.items()},
            statics={name: value[rows.to(value.device)] for name, value in self.statics.items()},
            targets=_select(self.targets, rows),
            reset=reset,
            carries=self.carries,
            sources={name: value.select(rows) for name, value in self.sources.items()},
        )

    def expanded(self, longest: int | None = None) -> "Batch":
        """Return the batch that a network reads; a subclass that holds references to its steps makes them here.

        Args:
            longest: steps of each sequence to make at most; None = all. A batch that has its steps returns itself.
        """
        return self

    def slice_time(self, start: int | Tensor, stop: int | Tensor) -> "Batch":
        """Return steps start <= t < stop of every sequence; statics, per-sequence targets and sources stay whole."""
        reset = None
        if self.reset is not None:
            reset = Ragged(self.reset, self.lengths).slice(start, stop).values
        targets = self.targets.slice(start, stop) if isinstance(self.targets, Ragged) else self.targets
        return replace(
            self,
            inputs={name: value.slice(start, stop) for name, value in self.inputs.items()},
            targets=targets,
            reset=reset,
        )

    def to(self, device: torch.device | str) -> "Batch":
        """Move everything to a device."""
        return replace(
            self,
            inputs={name: value.to(device) for name, value in self.inputs.items()},
            statics={name: value.to(device) for name, value in self.statics.items()},
            targets=None if self.targets is None else self.targets.to(device),
            reset=None if self.reset is None else self.reset.to(device),
            sources={name: value.to(device) for name, value in self.sources.items()},
        )


@dataclass(frozen=True, eq=False)
class LossSum:
    """The loss of one batch: a sum, its divisor, and the final state.

    Args:
        total: the summed loss, a scalar with gradients.
        count: number of real steps or sequences (weighted) in the sum.
        state: the model's final state, for a batch that continues this one; None where there is none.
    """

    total: Tensor
    count: float
    state: Any = None


def _select(targets: Ragged | Tensor | None, rows: Tensor) -> Ragged | Tensor | None:
    if targets is None:
        return None
    return targets.select(rows) if isinstance(targets, Ragged) else targets[rows.to(targets.device)]


def _first_difference(got: Tensor, want: Tensor) -> str:
    if got.shape != want.shape:
        return f"{len(got)} sequences instead of {len(want)}"
    row = int((got != want).nonzero()[0])
    return f"{int(got[row])} steps instead of {int(want[row])} in sequence {row}"
