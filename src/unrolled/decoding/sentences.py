"""The sentences of a decoding batch: their limits, their forced prefixes, and the data that they read.

Axes in this room: B sentences, K hypotheses of each, R = B * K rows sentence by sentence, V tokens, S source places.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled.errors import OptionError, ShapeError, message
from unrolled.ragged import Ragged
from unrolled.state import map_state, state_tensors

# tokens (R,), state of R rows, shared of B rows -> logits or log-probabilities (R, V), state of R rows
SearchStep = Callable[[Tensor, Any, Any], tuple[Tensor, Any]]
Prefix = Ragged | Sequence[Sequence[int]]


class Sentences(NamedTuple):
    """The sentences that are still being decoded; every tensor has one row per sentence.

    Args:
        ids: index of each among the caller's sentences, (B,).
        limits: maximum number of steps, (B,).
        prefix: tokens that the sentence must begin with, (B, longest prefix).
        prefix_lengths: number of tokens of its own prefix, (B,).
        shared: data that all its hypotheses read, a tree of (B, ...).
    """

    ids: Tensor
    limits: Tensor
    prefix: Tensor
    prefix_lengths: Tensor
    shared: Any

    def keep(self, rows: Tensor) -> "Sentences":
        """Return only the sentences at these rows, in their order."""
        return self if len(rows) == len(self.ids) else map_state(lambda field: field[rows], self)

    def forced_at(self, step: int) -> tuple[Tensor, Tensor]:
        """Return which sentences have a forced token at this step, (B,) bool, and the token, (B,)."""
        if step >= self.prefix.shape[1]:
            return torch.zeros_like(self.ids, dtype=torch.bool), torch.zeros_like(self.ids)
        return self.prefix_lengths > step, self.prefix[:, step]


def begin(
    state: Any, shared: Any, start: int | Tensor, end: int, max_length: int | Tensor | Sequence[int], prefix: Any
) -> tuple[Tensor, Sentences]:
    """Return the first tokens to read, (B,), and the sentences, after all checks that are possible before a step.

    Raises:
        ShapeError: not one row or entry per sentence.
        OptionError: a negative length, or a prefix that is longer than its sentence may be or contains the end.

    Example:
        >>> import torch
        >>> tokens, sentences = begin(torch.zeros(2, 4), None, start=1, end=0, max_length=9, prefix=[[], [5, 6]])
        >>> tokens, sentences.limits, sentences.prefix_lengths
        (tensor([1, 1]), tensor([9, 9]), tensor([0, 2]))
    """
    sized = {f"{name} {place}": field for name, tree in (("state", state), ("shared", shared))
             for place, field in enumerate(state_tensors(tree))}  # fmt: skip
    firsts = torch.as_tensor(start)
    if firsts.ndim:
        sized["start"] = firsts
    if not sized:
        raise ShapeError(
            message("start", expected="one token for each sentence, (B,)", received=start, remedy="state has no rows")
        )
    name, first = next(iter(sized.items()))
    size, device = first.shape[0] if first.ndim else 0, first.device
    for other, field in sized.items():
        if not field.ndim or field.shape[0] != size:
            raise ShapeError(
                message(other, expected=f"one row for each sentence, {size} as in {name}", received=tuple(field.shape))
            )
    tokens = firsts.to(device, torch.int64).expand(size)
    limits = torch.as_tensor(max_length)
    if limits.is_floating_point() and limits.numel():
        raise OptionError(message("max_length", expected="integers >= 0", received=max_length))
    if limits.ndim and limits.shape != (size,):
        raise ShapeError(message("max_length", expected=f"an integer or shape ({size},)", received=tuple(limits.shape)))
    limits = limits.to(device, torch.int64).expand(size)
    if bool((limits < 0).any()):
        raise OptionError(message("max_length", expected="integers >= 0", received=int(limits.min())))
    if end < 0:
        raise OptionError(message("end", expected="a token, an integer >= 0", received=end))
    forced, lengths = _prefix(prefix, size, end, limits)
    return tokens, Sentences(torch.arange(size, device=device), limits, forced, lengths, shared)


def _prefix(prefix: Prefix | None, size: int, end: int, limits: Tensor) -> tuple[Tensor, Tensor]:
    """Return forced tokens, (B, longest), and their number per sentence, (B,)."""
    device = limits.device
    if prefix is None:
        return torch.zeros(size, 0, dtype=torch.int64, device=device), torch.zeros_like(limits)
    if not isinstance(prefix, Ragged):
        rows = [[int(token) for token in row] for row in prefix]
        flat = torch.tensor([token for row in rows for token in row], dtype=torch.int64)
        prefix = Ragged(flat, torch.tensor([len(row) for row in rows], dtype=torch.int64))
    lengths = prefix.lengths.to(device)
    if prefix.batch_size != size:
        raise ShapeError(message("prefix", expected=f"one for each of {size} sentences", received=prefix.batch_size))
    if bool((lengths > limits).any()):
        row = int((lengths > limits).nonzero()[0])
        expected = f"at most {int(limits[row])} tokens for sentence {row}, its max_length"
        raise OptionError(message("prefix", expected=expected, received=f"{int(lengths[row])} tokens"))
    if bool((prefix.values == end).any()):
        raise OptionError(message("prefix", expected="tokens that do not end the text", received=f"the end, {end}"))
    return prefix.padded().to(device, torch.int64), lengths
