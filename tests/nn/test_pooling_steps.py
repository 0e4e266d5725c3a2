"""Pooling all new steps of many streams at once is pooling them one by one, from any state."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.nn.pooling import POOLINGS, make_pooling
from unrolled.ragged import Ragged
from unrolled.state import choose_rows, state_tensors

SIZE = 3


@pytest.mark.parametrize("name", POOLINGS)
@given(
    before=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    scale=st.sampled_from([1.0, 100.0]),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_all_steps_at_once_are_the_steps_one_by_one(name, before, scale, seed, data):
    lengths = data.draw(st.lists(st.integers(0, 5), min_size=len(before), max_size=len(before)))
    torch.manual_seed(seed)
    pooling = make_pooling(name, SIZE)
    state = pooling.initial_state(len(before), torch.zeros(1, 1))
    for steps in (before, lengths):
        outputs = Ragged.from_sequences([scale * torch.randn(length, SIZE) for length in steps])
        some = outputs.lengths > 0
        with torch.no_grad():
            pooled, after = pooling.steps(outputs, state)
            at_once, want, found = choose_rows(some, after, state), state, torch.zeros(len(steps), pooling.output_size)
            for step in range(max(steps)):
                going = outputs.lengths > step
                values = outputs.values[(outputs.offsets[:-1] + step).clamp(max=max(0, outputs.num_steps - 1))]
                one, then = pooling.step(values, want)
                found, want = choose_rows(going, one, found), choose_rows(going, then, want)
        torch.testing.assert_close(pooled[some], found[some], rtol=1e-5, atol=1e-5 * scale)
        for got, exact in zip(state_tensors(at_once), state_tensors(want), strict=True):
            torch.testing.assert_close(got, exact, rtol=1e-5, atol=1e-5 * scale)
        state = at_once
