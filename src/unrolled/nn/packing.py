"""The batches of torch's recurrent layers, and their conversion to a Ragged and back.

`Padded` and `Packed` have the same interface: `steps`, `rows` and `lengths` for the choice of a kernel, `to_ragged` and
`from_ragged` for the steps, `state_to_ragged` and `state_from_ragged` for torch's hx, h_n and c_n.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from unrolled.ragged import Ragged


@dataclass(frozen=True, eq=False)
class Padded:
    """A dense batch, every sequence T steps long, or one sequence without a batch axis.

    Args:
        tensor: (T, B, F); (B, T, F) with `batch_first`; (T, F) for one sequence.
        batch_first: the batch axis comes first; ignored for one sequence.

    Example:
        >>> import torch
        >>> from unrolled.nn.packing import Padded
        >>> batch = Padded(torch.tensor([[[1.0], [10.0]], [[2.0], [20.0]]]))
        >>> batch.to_ragged().values.flatten()
        tensor([ 1.,  2., 10., 20.])
    """

    tensor: Tensor
    batch_first: bool = False

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """(B,), or () without a batch axis."""
        return () if self.tensor.ndim == 2 else (self.tensor.shape[0 if self.batch_first else 1],)

    @property
    def rows(self) -> Tensor:
        """All steps in memory order, (B * T, F)."""
        return self.tensor if self.tensor.ndim == 2 else self.tensor.flatten(0, 1)

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return self.tensor.shape[1 if self.batch_first and self.tensor.ndim == 3 else 0]

    @property
    def lengths(self) -> Tensor:
        """T for each sequence, (B,)."""
        return torch.full(self.batch_shape or (1,), self.steps)

    def to_ragged(self) -> Ragged:
        """Return the steps, sequence after sequence."""
        sequences = self.tensor if self.batch_first or self.tensor.ndim == 2 else self.tensor.transpose(0, 1)
        return Ragged(sequences.reshape(-1, sequences.shape[-1]), self.lengths)

    def from_ragged(self, outputs: Ragged) -> Tensor:
        """Return outputs (B * T, H) with the axes of the input, contiguous like torch's."""
        if self.tensor.ndim == 2:
            return outputs.values
        sequences = outputs.values.view(*self.batch_shape, -1, outputs.values.shape[1])  # (B, T, H)
        return sequences if self.batch_first else sequences.transpose(0, 1).contiguous()

    def state_to_ragged(self, field: Tensor) -> Tensor:
        """Return one field of hx as (L, B, H)."""
        return field if self.batch_shape else field.unsqueeze(1)

    def state_from_ragged(self, field: Tensor) -> Tensor:
        """Return one field (L, B, H) of the final state, without the batch axis where the input had none."""
        return field if self.batch_shape else field.squeeze(1)


@dataclass(frozen=True, eq=False)
class Packed:
    """A PackedSequence; its Ragged holds the sequences in sorted order, longest first.

    Args:
        sequence: data (N, F), all first steps, then all second steps.

    Example:
        >>> import torch
        >>> from torch.nn.utils.rnn import pack_sequence
        >>> from unrolled.nn.packing import Packed
        >>> packed = pack_sequence([torch.tensor([[1.0], [2.0]]), torch.tensor([[10.0]])])
        >>> Packed(packed).to_ragged().values.flatten()
        tensor([ 1.,  2., 10.])
    """

    sequence: PackedSequence

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """(B,)."""
        return (int(self.sequence.batch_sizes[0]),)

    @property
    def rows(self) -> Tensor:
        """All steps in memory order, (N, F)."""
        return self.sequence.data

    @property
    def steps(self) -> int:
        """Length of the longest sequence, T."""
        return len(self.sequence.batch_sizes)

    @property
    def lengths(self) -> Tensor:
        """Length of each sequence, longest first, (B,)."""
        alive = self.sequence.batch_sizes  # (T,) non-increasing, so a search counts the steps of row b
        return torch.searchsorted(alive.neg(), torch.arange(*self.batch_shape).neg())

    def to_ragged(self) -> Ragged:
        """Return the steps, sequence after sequence."""
        packed = Ragged(self.sequence.data, self.lengths)  # right lengths, so the right layout; steps in packed order
        return packed.with_values(packed.values[packed.time_major.scatter.to(packed.values.device)])

    def from_ragged(self, outputs: Ragged) -> PackedSequence:
        """Pack outputs (N, H) like the input."""
        data = outputs.values[outputs.time_major.gather.to(outputs.values.device)]
        return self.sequence._replace(data=data)

    def state_to_ragged(self, field: Tensor) -> Tensor:
        """Reorder one field (L, B, H) of hx from the caller's order to longest first."""
        order = self.sequence.sorted_indices
        return field if order is None else field.index_select(1, order)

    def state_from_ragged(self, field: Tensor) -> Tensor:
        """Reorder one field (L, B, H) of the final state from longest first to the caller's order."""
        order = self.sequence.unsorted_indices
        return field if order is None else field.index_select(1, order)


def pack(inputs: Ragged) -> PackedSequence:
    """Pack the sequences that have steps, longest first, like torch; at least one must have steps.

    >>> import torch
    >>> pack(Ragged(torch.tensor([10.0, 1.0, 2.0]), torch.tensor([1, 0, 2])))
    PackedSequence(data=tensor([ 1., 10.,  2.]), batch_sizes=tensor([2, 1]), ...)
    """
    layout = inputs.time_major
    return PackedSequence(inputs.values[layout.gather.to(inputs.values.device)], layout.batch_sizes)
