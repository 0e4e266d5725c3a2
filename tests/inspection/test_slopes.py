"""Walking back by slopes gives what autograd gives, and is only done for cells whose units meet in one product."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.test_gradient_flow import a_stack_and_batch, squares
from unrolled.cells.registry import CELLS
from unrolled.inspection.capture import capture
from unrolled.inspection.slopes import replay, unit_by_unit
from unrolled.inspection.trace import ALL, stretches, trace

TOGETHER = {"lstm_layer_norm", "gru_layer_norm", "lstm_projected"}  # these normalise or mix units elsewhere as well


def a_stretch(cell, lengths, seed=0, **options):
    stack, batch = a_stack_and_batch(cell, lengths, seed, **options)
    return stretches(capture(stack, batch, squares).visits[0])


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_seen_through_unless_it_mixes_its_units(cell):
    assert unit_by_unit(a_stretch(cell, [5, 3])) == (cell not in TOGETHER)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", [{}, {"zoneout": 0.3}, {"bidirectional": True}], ids=str)
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4).filter(any), seed=st.integers(0, 9), data=st.data())
@settings(max_examples=4)
def test_the_gradients_are_autograd_s(cell, options, lengths, seed, data):
    stretch = a_stretch(cell, lengths, seed, **options)
    filled = int(torch.tensor(lengths).argmax())
    only = torch.full((len(lengths),), ALL)
    only[filled] = data.draw(st.integers(ALL, lengths[filled] - 1))
    stretch.end_gradient.normal_(generator=torch.Generator().manual_seed(seed))
    looked, ours = replay(stretch, only)
    theirs = trace(stretch).gradients(only)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(looked.states, trace(stretch).states.detach())
