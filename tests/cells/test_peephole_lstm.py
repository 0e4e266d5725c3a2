"""The peephole LSTM against its equations in numpy, and against the LSTM that it starts as."""

import numpy as np
import torch

from random_sequences import assert_close, differ, noise, shake
from unrolled.cells.lstm import LSTMCell, LSTMState
from unrolled.cells.peephole_lstm import PeepholeLSTMCell, PeepholeLSTMState

F, H, B, T = 3, 4, 5, 3


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_three_steps_are_its_equations():
    cell = shake(PeepholeLSTMCell(F, H).double())
    x, state = noise(T, B, F, seed=1), PeepholeLSTMState(noise(B, H, seed=2), noise(B, H, seed=3))
    w = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
    h, c = state.hidden.numpy(), state.cell.numpy()
    for t in range(T):
        drive = x[t].numpy() @ w["weight_ih"].T + h @ w["weight_hh"].T + w["bias_ih"] + w["bias_hh"]
        store, forget, candidate, show = np.split(drive, 4, axis=1)
        before = c
        c = sigmoid(forget + w["peephole_forget"] * before) * before
        c = c + sigmoid(store + w["peephole_input"] * before) * np.tanh(candidate)
        h = sigmoid(show + w["peephole_output"] * c) * np.tanh(c)
        output, state = cell.step(x[t], state)
        assert_close((output.detach(), state.cell.detach()), (torch.from_numpy(h), torch.from_numpy(c)), 1e-10)
        assert state.hidden is output


def test_a_fresh_one_is_an_lstm_and_its_open_peepholes_are_not():
    cell, plain = PeepholeLSTMCell(F, H).double(), LSTMCell(F, H).double()
    plain.load_state_dict({name: getattr(cell, name) for name in plain.state_dict()})
    x, h, c = noise(B, F, seed=1), noise(B, H, seed=2), noise(B, H, seed=3)
    want = plain.step(x, LSTMState(h, c))
    assert_close(cell.step(x, PeepholeLSTMState(h, c)), (want[0], tuple(want[1])))
    for name in ("peephole_input", "peephole_forget", "peephole_output"):
        getattr(cell, name).data.fill_(1.0)
        assert differ(cell.step(x, PeepholeLSTMState(h, c))[0], want[0])
        cell.reset_parameters()
        assert not getattr(cell, name).any()
        cell.load_state_dict(plain.state_dict(), strict=False)
