"""The minimal LSTM against its equations in numpy."""

import numpy as np
import pytest
import torch

from random_sequences import assert_close, noise, shake
from unrolled.cells.min_lstm import MinLSTMCell, MinLSTMState

F, H, B, T = 3, 4, 5, 3


def test_three_steps_are_its_equations():
    cell = shake(MinLSTMCell(F, H).double())
    x, state = noise(T, B, F, seed=1), MinLSTMState(noise(B, H, seed=2))
    w = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
    h = state.hidden.numpy()
    for t in range(T):
        store, forget, candidate = np.split(x[t].numpy() @ w["weight_ih"].T + w["bias_ih"], 3, axis=1)
        store, forget = 1 / (1 + np.exp(-store)), 1 / (1 + np.exp(-forget))
        h = forget / (forget + store) * h + store / (forget + store) * candidate
        output, state = cell.step(x[t], state)
        assert_close(output.detach(), torch.from_numpy(h), 1e-10)
        assert state.hidden is output


def test_gradients_equal_finite_differences():
    cell = shake(MinLSTMCell(2, 3).double())
    x, h = noise(2, 2, seed=1).requires_grad_(), noise(2, 3, seed=2).requires_grad_()

    def two_steps(x, h, *weights):  # gradcheck moves the weights in place
        assert len(weights) == 2
        _, state = cell.step(x, MinLSTMState(h))
        return cell.step(x, state)[0]

    assert torch.autograd.gradcheck(two_steps, (x, h, *cell.parameters()))


@pytest.mark.parametrize(("store", "forget", "keeps"), [(-200, -200, 0.5), (-200, 200, 1.0), (200, -200, 0.0)])
def test_gates_that_are_both_shut_divide_nothing_by_nothing(store, forget, keeps):
    cell = MinLSTMCell(F, 1)  # float32, where sigmoid(-200) is 0
    cell.bias_ih.data = torch.tensor([store, forget, 3.0])
    start = torch.ones(1, 1, requires_grad=True)
    output, _ = cell.step(torch.zeros(1, F), MinLSTMState(start))
    assert output.item() == pytest.approx(keeps * 1 + (1 - keeps) * 3)
    output.sum().backward()
    assert start.grad.item() == pytest.approx(keeps)
    assert all(weight.grad.isfinite().all() for weight in cell.parameters())


def test_it_has_no_recurrent_weights():
    shapes = {name: tuple(weight.shape) for name, weight in MinLSTMCell(F, H).named_parameters()}
    assert shapes == {"weight_ih": (3 * H, F), "bias_ih": (3 * H,)}
