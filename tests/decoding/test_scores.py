"""The best of each row in one fixed order."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from random_sequences import seeds
from unrolled.decoding.scores import best


@given(st.integers(0, 5), st.integers(1, 30), st.integers(1, 12), st.sampled_from([1, 3, 1000]), seeds)
def test_it_is_the_head_of_a_stable_sort(rows, width, count, levels, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(0, levels, (rows, width), generator=generator).float()
    count = min(count, width)
    got, places = best(values, count)
    want, order = values.sort(dim=1, descending=True, stable=True)
    assert torch.equal(got, want[:, :count])
    assert torch.equal(places, order[:, :count])


@given(st.integers(2, 30), st.integers(1, 12), seeds)
def test_what_is_not_minus_infinity_is_in_order_among_what_is(width, count, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(0, 3, (4, width), generator=generator).float()
    values[torch.rand(4, width, generator=generator) < 0.5] = -torch.inf
    got, places = best(values, min(count, width))
    want, order = values.sort(dim=1, descending=True, stable=True)
    real = got > -torch.inf
    assert torch.equal(got, want[:, : got.shape[1]])
    assert torch.equal(places[real], order[:, : got.shape[1]][real])
    assert torch.equal(values.gather(1, places), got)
