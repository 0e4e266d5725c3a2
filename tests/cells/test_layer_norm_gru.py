"""The layer-normalised GRU against its equations in numpy."""

import numpy as np
import torch

from random_sequences import assert_close, noise, shake
from unrolled.cells.layer_norm_gru import LayerNormGRUCell, LayerNormGRUState

F, H, B, T = 3, 4, 5, 3


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def normalised(v: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    mean, variance = v.mean(1, keepdims=True), v.var(1, keepdims=True)
    return gain * (v - mean) / np.sqrt(variance + 1e-5) + bias


def test_three_steps_are_its_equations():
    cell = shake(LayerNormGRUCell(F, H).double())
    x, state = noise(T, B, F, seed=1), LayerNormGRUState(noise(B, H, seed=2))
    w = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
    gate, new = slice(0, 2 * H), slice(2 * H, 3 * H)
    h = state.hidden.numpy()
    for t in range(T):
        given, kept = x[t].numpy() @ w["weight_ih"].T, h @ w["weight_hh"].T
        gates = normalised(given[:, gate], w["norm_ih_gain"][gate], w["bias_ih"][gate])
        gates = gates + normalised(kept[:, gate], w["norm_hh_gain"][gate], w["bias_hh"][gate])
        reset, update = np.split(sigmoid(gates), 2, axis=1)
        recurrent = normalised(kept[:, new], w["norm_hh_gain"][new], w["bias_hh"][new])
        candidate = normalised(given[:, new], w["norm_ih_gain"][new], w["bias_ih"][new]) + reset * recurrent
        h = (1 - update) * np.tanh(candidate) + update * h
        output, state = cell.step(x[t], state)
        assert_close(output.detach(), torch.from_numpy(h), 1e-10)
        assert state.hidden is output


def test_the_size_of_the_inputs_does_not_matter():
    cell = LayerNormGRUCell(F, H).double()
    x, state = 10 * noise(B, F, seed=1), LayerNormGRUState(noise(B, H, seed=2))
    assert_close(cell.step(100 * x, state), cell.step(x, state), 1e-4)  # not exactly: the variance has 1e-5 added


def test_a_fresh_one_has_gains_of_one():
    cell = LayerNormGRUCell(F, H)
    assert (cell.norm_ih_gain == 1).all()
    assert (cell.norm_hh_gain == 1).all()
    cell.norm_hh_gain.data.zero_()
    cell.reset_parameters()
    assert (cell.norm_hh_gain == 1).all()
