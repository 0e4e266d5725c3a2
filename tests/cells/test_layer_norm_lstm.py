"""The layer-normalised LSTM against its equations in numpy."""

import numpy as np
import pytest
import torch

from random_sequences import assert_close, noise, shake
from unrolled.cells.layer_norm_lstm import LayerNormLSTMCell, LayerNormLSTMState

F, H, B, T = 3, 4, 5, 3


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def normalised(v: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    mean, variance = v.mean(1, keepdims=True), v.var(1, keepdims=True)
    return gain * (v - mean) / np.sqrt(variance + 1e-5) + bias


def test_three_steps_are_its_equations():
    cell = shake(LayerNormLSTMCell(F, H).double())
    x, state = noise(T, B, F, seed=1), LayerNormLSTMState(noise(B, H, seed=2), noise(B, H, seed=3))
    w = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
    h, c = state.hidden.numpy(), state.cell.numpy()
    for t in range(T):
        drive = normalised(x[t].numpy() @ w["weight_ih"].T, w["norm_ih_gain"], w["bias_ih"])
        drive = drive + normalised(h @ w["weight_hh"].T, w["norm_hh_gain"], w["bias_hh"])
        store, forget, candidate, show = np.split(drive, 4, axis=1)
        c = sigmoid(forget) * c + sigmoid(store) * np.tanh(candidate)
        h = sigmoid(show) * np.tanh(normalised(c, w["norm_cell_gain"], w["norm_cell_bias"]))
        output, state = cell.step(x[t], state)
        assert_close((output.detach(), state.cell.detach()), (torch.from_numpy(h), torch.from_numpy(c)), 1e-10)
        assert state.hidden is output


def test_gradients_equal_finite_differences():
    cell = shake(LayerNormLSTMCell(2, 3).double())
    x, h, c = (noise(2, width, seed=width).requires_grad_() for width in (2, 3, 3))

    def two_steps(x, h, c, *weights):  # gradcheck moves the weights in place
        assert len(weights) == 8
        _, state = cell.step(x, LayerNormLSTMState(h, c))
        return tuple(cell.step(x, state)[1])

    assert torch.autograd.gradcheck(two_steps, (x, h, c, *cell.parameters()))


@pytest.mark.parametrize(("weight", "scale"), [("weight_ih", 100.0), ("weight_hh", 0.5)])
def test_the_size_of_a_product_does_not_matter(weight, scale):
    cell = LayerNormLSTMCell(F, H).double()
    x, state = 10 * noise(B, F, seed=1), LayerNormLSTMState(10 * noise(B, H, seed=2), noise(B, H, seed=3))
    want, _ = cell.step(x, state)
    getattr(cell, weight).data.mul_(scale)
    assert_close(cell.step(x, state)[0], want, 1e-4)  # not exactly: the variance has 1e-5 added


def test_a_fresh_one_has_gains_of_one():
    cell = LayerNormLSTMCell(F, H)
    assert all((weight == 1).all() for name, weight in cell.named_parameters() if "gain" in name)
    cell.norm_cell_gain.data.zero_()
    cell.reset_parameters()
    assert (cell.norm_cell_gain == 1).all()
