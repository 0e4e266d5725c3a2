"""The linear recurrence against its equation in numpy, and how long a fresh one remembers."""

import numpy as np
import pytest
import torch

from random_sequences import assert_close, noise, shake, some_ragged
from unrolled.cells.linear_recurrence import LinearRecurrenceCell, LinearRecurrenceState
from unrolled.nn.unroll import unroll

F, H, B, T = 3, 4, 5, 3


def factors_of(cell: LinearRecurrenceCell) -> np.ndarray:
    return np.exp(-np.logaddexp(0, cell.decay.detach().numpy()))


def test_three_steps_are_its_equation():
    cell = shake(LinearRecurrenceCell(F, H).double())
    x, state = noise(T, B, F, seed=1), LinearRecurrenceState(noise(B, H, seed=2))
    a, U, b = factors_of(cell), cell.weight_ih.detach().numpy(), cell.bias_ih.detach().numpy()
    h = state.hidden.numpy()
    for t in range(T):
        h = a * h + np.sqrt(1 - a**2) * (x[t].numpy() @ U.T + b)
        output, state = cell.step(x[t], state)
        assert_close(output.detach(), torch.from_numpy(h), 1e-10)
        assert state.hidden is output


def test_gradients_equal_finite_differences():
    cell = shake(LinearRecurrenceCell(2, 3).double())
    x, h = noise(2, 2, seed=1).requires_grad_(), noise(2, 3, seed=2).requires_grad_()

    def two_steps(x, h, *weights):  # gradcheck moves the weights in place
        assert len(weights) == 3
        _, state = cell.step(x, LinearRecurrenceState(h))
        return cell.step(x, state)[0]

    assert torch.autograd.gradcheck(two_steps, (x, h, *cell.parameters()))


def test_fresh_squared_factors_are_uniform_between_the_fastest_and_the_slowest():
    torch.manual_seed(0)
    squares = np.sort(factors_of(LinearRecurrenceCell(1, 4000)) ** 2)
    low, high = 0.9**2, 0.999**2
    assert low - 1e-5 <= squares[0]
    assert squares[-1] <= high + 1e-5
    uniform = low + (high - low) * (np.arange(4000) + 0.5) / 4000
    assert np.abs(squares - uniform).max() < 1.63 / 4000**0.5 * (high - low)  # Kolmogorov and Smirnov at 1 %


def test_the_state_has_the_variance_of_the_drive_however_slow_it_is():
    torch.manual_seed(0)
    cell = LinearRecurrenceCell(2, 2).double()
    cell.weight_ih.data = torch.eye(2, dtype=torch.float64)
    outputs, _ = unroll(cell, some_ragged([300] * 300, 2, seed=5))
    last = torch.stack([sequence[-1] for sequence in outputs])
    settled = 1 - torch.from_numpy(factors_of(cell)) ** 600  # what 300 steps from zero reach of it
    assert last.detach().var(0).numpy() == pytest.approx(settled.numpy(), rel=0.25)


@pytest.mark.parametrize("decay", [-40.0, 40.0])
def test_extreme_factors_stay_finite_with_their_gradients(decay):
    cell = LinearRecurrenceCell(F, H)
    cell.decay.data.fill_(decay)
    output, _ = cell.step(torch.ones(B, F), LinearRecurrenceState(torch.ones(B, H)))
    output.sum().backward()
    assert output.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in cell.parameters())


def test_it_has_one_recurrent_number_for_each_unit():
    shapes = {name: tuple(weight.shape) for name, weight in LinearRecurrenceCell(F, H).named_parameters()}
    assert shapes == {"weight_ih": (H, F), "bias_ih": (H,), "decay": (H,)}
