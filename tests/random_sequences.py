"""Random ragged batches for property tests, and comparisons with a tolerance that has a name."""

from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from unrolled.nn.unroll import map_state
from unrolled.ragged import Ragged

seeds = st.integers(0, 2**16)


def some_lengths(min_size: int = 0, max_size: int = 5, longest: int = 6) -> st.SearchStrategy[list[int]]:
    """Lengths of a batch; empty sequences and, with min_size=0, empty batches among them."""
    return st.lists(st.integers(0, longest), min_size=min_size, max_size=max_size)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers from a seed of their own."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def some_ragged(lengths: Sequence[int], features: int = 3, seed: int = 0, dtype: torch.dtype = torch.float64) -> Ragged:
    """A Ragged (N, features) of noise."""
    return Ragged(noise(sum(lengths), features, seed=seed, dtype=dtype), torch.tensor(lengths, dtype=torch.int64))


def shake(module: torch.nn.Module, seed: int = 0, scale: float = 0.3) -> Any:
    """Move every weight by noise, so that no bias or initial state is zero; returns the module."""
    with torch.no_grad():
        for index, weight in enumerate(module.parameters()):
            weight += scale * noise(*weight.shape, seed=seed + index, dtype=weight.dtype)
    return module


def tensors_of(state: Any) -> list[Tensor]:
    """The tensors of a nested state, in order."""
    found: list[Tensor] = []
    map_state(lambda field: found.append(field) or field, state)
    return found


def assert_close(got: Any, want: Any, tolerance: float = 1e-12) -> None:
    """Two tensors, Raggeds or states agree, with the same shapes."""
    if isinstance(want, Ragged):
        assert torch.equal(got.lengths, want.lengths)
        got, want = got.values, want.values
    got, want = tensors_of(got), tensors_of(want)
    assert len(got) == len(want)
    for mine, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


def differ(one: Tensor, other: Tensor) -> bool:
    """Two tensors of one shape are visibly not the same."""
    return one.shape != other.shape or float((one - other).detach().abs().max()) > 1e-6
