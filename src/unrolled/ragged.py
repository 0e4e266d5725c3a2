"""Ragged: the type of all batches of sequences of unequal length, stored end to end.

Guarantees of every Ragged:

1. `values` has shape (N, *feature) and is contiguous; `lengths` has shape (B,), dtype int64, on the CPU.
2. Every length is >= 0, and the lengths sum to N. Empty sequences and empty batches are legal.
3. Order is kept: the steps of sequence 0 in time order, then those of sequence 1, and so on.
4. Nothing is padded. Padding exists only inside a kernel, or where a caller asks for `padded()`.
5. A Ragged is immutable: every method returns a new one and none writes into its tensors.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.errors import ShapeError, message
from unrolled.shapes import Lengths, Mask


@dataclass(frozen=True, eq=False)
class Ragged:
    """Sequences of unequal length, stored end to end.

    Args:
        values: every step of every sequence, (N, *feature), any dtype and device.
        lengths: steps of each sequence, (B,); a tensor, array or list of integers >= 0.

    Raises:
        ShapeError: a negative length, or lengths that do not sum to N.

    Example:
        >>> import torch
        >>> from unrolled.ragged import Ragged
        >>> r = Ragged.from_sequences([torch.tensor([1.0, 2.0]), torch.tensor([3.0])])
        >>> r.padded()
        tensor([[1., 2.],
                [3., 0.]])
    """

    values: Tensor  # (N, *feature)
    lengths: Lengths  # (B,)

    def __post_init__(self) -> None:
        lengths = torch.as_tensor(self.lengths, dtype=torch.int64, device="cpu")
        if lengths.ndim != 1:
            raise ShapeError(message("lengths", expected="shape (B,)", received=tuple(lengths.shape)))
        if self.values.ndim < 1:
            raise ShapeError(message("values", expected="shape (N, *feature)", received="a scalar"))
        if torch.compiler.is_compiling():  # a graph has no branches on values, but it can stop
            whole = (lengths >= 0).all() & (lengths.sum() == self.values.shape[0])
            torch._assert_async(whole, "lengths: expected integers >= 0 that sum to the rows of values")
        elif bool((lengths < 0).any()):
            raise ShapeError(message("lengths", expected="integers >= 0", received=int(lengths.min())))
        elif int(lengths.sum()) != self.values.shape[0]:
            raise ShapeError(
                message(
                    "lengths",
                    expected=f"a sum of N = {self.values.shape[0]} (the rows of values)",
                    received=int(lengths.sum()),
                )
            )
        object.__setattr__(self, "lengths", lengths)
        object.__setattr__(self, "values", self.values.contiguous())

    # ---- making one -------------------------------------------------------------------------

    @staticmethod
    def from_sequences(sequences: Iterable[Tensor | np.ndarray | Sequence[Any]]) -> "Ragged":
        """Join sequences, each (T_i, *feature), end to end; an empty list gives B = 0, N = 0."""
        tensors = [torch.as_tensor(sequence) for sequence in sequences]
        lengths = torch.tensor([tensor.shape[0] for tensor in tensors], dtype=torch.int64)
        filled = [tensor for tensor in tensors if tensor.shape[0]]
        if filled:
            values = torch.cat(filled)
        else:
            values = tensors[0] if tensors else torch.empty(0)
        return Ragged(values, lengths)

    @staticmethod
    def from_padded(padded: Tensor, lengths: Tensor | Sequence[int]) -> "Ragged":
        """Drop the padding of (B, T, *feature), keeping the first lengths[b] steps of row b."""
        lengths = torch.as_tensor(lengths, dtype=torch.int64, device="cpu")
        if padded.ndim < 2:
            raise ShapeError(message("padded", expected="shape (B, T, *feature)", received=tuple(padded.shape)))
        if lengths.shape != padded.shape[:1] or bool((lengths > padded.shape[1]).any()):
            raise ShapeError(
                message(
                    "lengths",
                    expected=f"({padded.shape[0]},) with every length <= {padded.shape[1]}",
                    received=lengths.tolist(),
                )
            )
        return Ragged(padded[_mask(lengths, padded.shape[1]).to(padded.device)], lengths)

    # ---- its shape --------------------------------------------------------------------------

    @property
    def batch_size(self) -> int:
        """Number of sequences, B."""
        return self.lengths.shape[0]

    @property
    def num_steps(self) -> int:
        """Total number of real steps, N."""
        return self.values.shape[0]

    @cached_property
    def max_length(self) -> int:
        """Length of the longest sequence, T; 0 for an empty batch."""
        return int(self.lengths.max()) if self.batch_size else 0

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of one step."""
        return tuple(self.values.shape[1:])

    @cached_property
    def offsets(self) -> Tensor:
        """Start of each sequence in `values`, then N: (B + 1,), on the CPU."""
        return torch.cat([torch.zeros(1, dtype=torch.int64), self.lengths.cumsum(0)])

    @cached_property
    def sequence_ids(self) -> Tensor:
        """Index of the sequence of each step: (N,), on the device of `values`."""
        ids = torch.repeat_interleave(torch.arange(self.batch_size), self.lengths)
        return ids.to(self.values.device)

    @cached_property
    def positions(self) -> Tensor:
        """Time index of each step within its sequence: (N,), on the device of `values`."""
        starts = torch.repeat_interleave(self.offsets[:-1], self.lengths)
        return (torch.arange(self.num_steps) - starts).to(self.values.device)

    def __len__(self) -> int:
        return self.batch_size

    def __getitem__(self, index: int) -> Tensor:
        if not -self.batch_size <= index < self.batch_size:
            raise IndexError(f"sequence {index} of {self.batch_size}")
        index %= self.batch_size
        return self.values[int(self.offsets[index]) : int(self.offsets[index + 1])]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.values.split(self.lengths.tolist()) if self.batch_size else ())

    def __repr__(self) -> str:
        return (
            f"Ragged(B={self.batch_size}, N={self.num_steps}, T={self.max_length}, "
            f"feature={self.feature_shape}, dtype={self.values.dtype})"
        )

    # ---- padding, only on request -------------------------------------------------------------

    def mask(self) -> Mask:
        """Return the mask of real steps: (B, T) bool, True = real, on the device of `values`."""
        return _mask(self.lengths, self.max_length).to(self.values.device)

    def padded(self, value: float = 0) -> Tensor:
        """Return a dense (B, T, *feature) copy, padded with `value` after each sequence's end."""
        shape = (self.batch_size, self.max_length, *self.feature_shape)
        dense = self.values.new_full(shape, value)  # (B, T, *feature)
        return dense.index_put((self.sequence_ids, self.positions), self.values)

    # ---- other values, same lengths -----------------------------------------------------------

    def with_values(self, values: Tensor) -> "Ragged":
        """Return a Ragged with new values (N, *any) and the same lengths."""
        return Ragged(values, self.lengths)

    def map(self, function: Callable[[Tensor], Tensor]) -> "Ragged":
        """Apply a function that keeps the N axis to `values`."""
        return self.with_values(function(self.values))

    def to(self, *args: Any, **kwargs: Any) -> "Ragged":
        """Move or convert the values as `Tensor.to` does; lengths stay on the CPU."""
        return self.with_values(self.values.to(*args, **kwargs))

    # ---- other sequences ----------------------------------------------------------------------

    def _gather(self, starts: Tensor, lengths: Tensor) -> "Ragged":
        """Copy sequences of the given starts and lengths out of `values`."""
        ends = lengths.cumsum(0)
        total = int(ends[-1]) if len(lengths) else 0
        index = torch.arange(total) + torch.repeat_interleave(starts - (ends - lengths), lengths)
        return Ragged(self.values[index.to(self.values.device)], lengths)

    def select(self, indices: Tensor | np.ndarray | Sequence[int]) -> "Ragged":
        """Return the sequences at the given indices, in that order; an index may repeat."""
        rows = as_indices(indices)
        return self._gather(self.offsets[:-1][rows], self.lengths[rows])

    def slice(self, start: int | Tensor, stop: int | Tensor) -> "Ragged":
        """Return steps start <= t < stop of every sequence; both are clipped to its length, each an int or (B,).

        Negative numbers are refused: use `last_steps` to count from the end.
        """
        first = torch.as_tensor(start, dtype=torch.int64, device="cpu").expand(self.batch_size)
        last = torch.as_tensor(stop, dtype=torch.int64, device="cpu").expand(self.batch_size)
        if bool((first < 0).any()) or bool((last < 0).any()):
            raise ShapeError(message("slice", expected="start and stop >= 0", received=(start, stop)))
        first = torch.minimum(first, self.lengths)
        last = torch.maximum(torch.minimum(last, self.lengths), first)
        return self._gather(self.offsets[:-1] + first, last - first)

    def last_steps(self, count: int) -> "Ragged":
        """Return the last `count` steps of every sequence (all of them where it is shorter)."""
        return self.slice((self.lengths - count).clamp(min=0), self.lengths)

    def last(self, fill: float = 0) -> Tensor:
        """Return the final step of every sequence, (B, *feature); `fill` where a sequence is empty."""
        out = self.values.new_full((self.batch_size, *self.feature_shape), fill)
        real = self.lengths > 0
        index = (self.offsets[1:][real] - 1).to(self.values.device)
        return out.index_put((real.to(self.values.device).nonzero().squeeze(1),), self.values[index])

    def reversed(self) -> "Ragged":
        """Reverse every sequence in time, within its own length."""
        ends = self.lengths.cumsum(0)
        mirrors = 2 * ends - self.lengths - 1  # the first and the last step of each, added
        index = mirrors.repeat_interleave(self.lengths, output_size=self.num_steps) - torch.arange(self.num_steps)
        return self.with_values(self.values[index.to(self.values.device)])

    @staticmethod
    def concatenate(batches: Sequence["Ragged"]) -> "Ragged":
        """Join the sequences of several batches to one batch, in order."""
        return Ragged(torch.cat([b.values for b in batches]), torch.cat([b.lengths for b in batches]))

    # ---- time-major, for kernels --------------------------------------------------------------

    @cached_property
    def time_major(self) -> "TimeMajor":
        """Return the layout that kernels use: all first steps, then all second steps, longest sequence first."""
        order = torch.argsort(self.lengths, descending=True, stable=True)
        sorted_lengths = self.lengths[order]
        steps = torch.arange(self.max_length)
        # number of sequences with a step t: lengths are sorted, so a search is enough
        batch_sizes = torch.searchsorted(sorted_lengths.neg(), steps.neg(), right=False)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(self.batch_size)
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), batch_sizes.cumsum(0)])
        ids = torch.repeat_interleave(torch.arange(self.batch_size), self.lengths)
        positions = torch.arange(self.num_steps) - torch.repeat_interleave(self.offsets[:-1], self.lengths)
        to_time = starts[positions] + rank[ids]
        from_time = torch.empty_like(to_time)
        from_time[to_time] = torch.arange(self.num_steps)
        return TimeMajor(order, rank, batch_sizes, from_time, to_time)


@dataclass(frozen=True, eq=False)
class TimeMajor:
    """The indices that reorder a Ragged's steps for a kernel; all tensors on the CPU.

    Args:
        order: sequence indices, longest first, (B,).
        rank: the inverse of `order`, (B,).
        batch_sizes: number of sequences at each step, non-increasing, (T,).
        gather: `values[gather]` is time-major, (N,).
        scatter: `time_major_values[scatter]` is the Ragged's order again, (N,).
    """

    order: Tensor  # (B,)
    rank: Tensor  # (B,)
    batch_sizes: Tensor  # (T,)
    gather: Tensor  # (N,)
    scatter: Tensor  # (N,)


def as_indices(indices: Tensor | np.ndarray | Sequence[int]) -> Tensor:
    """Convert indices to int64 on the CPU; refuse a mask, which as numbers would pick rows 0 and 1."""
    rows = torch.as_tensor(indices)
    if rows.dtype == torch.bool:
        raise ShapeError(
            message("indices", expected="integers", received="booleans", remedy="use mask.nonzero() for a mask")
        )
    return rows.to("cpu", torch.int64).reshape(-1)


def _mask(lengths: Tensor, max_length: int) -> Tensor:
    return torch.arange(max_length)[None, :] < lengths[:, None]  # (B, T)
