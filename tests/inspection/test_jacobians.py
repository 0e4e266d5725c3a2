"""The estimate of a Jacobian's size against the exact one."""

import pytest
import torch

from random_sequences import noise, shake
from unrolled.batch import Batch, LossSum
from unrolled.inspection.capture import capture
from unrolled.inspection.jacobians import estimated_norms, exact_jacobians, stated_error, window
from unrolled.inspection.trace import Trace, stretches, trace
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

KINDS = ["elman", "lstm", "gru", "lstm_layer_norm"]


def a_trace(cell: str, hidden: int, seed: int) -> Trace:
    stack = shake(Stack(3, hidden, cell).double(), seed, scale=0.02)  # nearly orthogonal: no singular value stands out
    batch = Batch({"x": Ragged(noise(36, 3, seed=seed), [20, 16])})
    visits = capture(stack, batch, lambda model, b: LossSum(model(b.inputs["x"])[0].values.sum(), 1.0)).visits
    return trace(stretches(visits[0]))


def error(looked: Trace, lag: int) -> float:
    runs = window(looked, torch.tensor([0, 1, 0]), torch.tensor([19, 15, 12]), lag)
    exact = torch.linalg.matrix_norm(exact_jacobians(looked.stretch, runs), 2)
    estimate = estimated_norms(looked.stretch, runs)
    assert bool((estimate <= exact * (1 + 1e-9)).all())  # from below
    return float(((exact - estimate) / exact).max())


@pytest.mark.parametrize("seed", range(20))
def test_the_estimate_errs_less_than_it_states(seed):
    hidden = 40 + 12 * (seed % 5)
    looked = a_trace(KINDS[seed % 4], hidden, seed)
    size = looked.states.shape[1]
    assert max(error(looked, lag) for lag in (1, 3, 10)) <= stated_error(size)


def test_the_stated_error_shrinks_with_the_products_and_grows_with_the_state():
    assert stated_error(256, 32) < stated_error(256, 16) < stated_error(1024, 16)
    assert 0 < stated_error(1024) < 0.1


def test_a_product_over_a_window_is_the_product_of_its_steps():
    looked = a_trace("lstm", 4, 0)
    pieces, ends = torch.tensor([0]), torch.tensor([10])
    whole = exact_jacobians(looked.stretch, window(looked, pieces, ends, 3))[0]
    steps = [exact_jacobians(looked.stretch, window(looked, pieces, ends - back, 1))[0] for back in range(3)]
    torch.testing.assert_close(whole, steps[0] @ steps[1] @ steps[2], rtol=0, atol=1e-12)
