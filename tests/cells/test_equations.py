"""Each cell's own equation, in numpy, and what a fresh cell looks like."""

import numpy as np
import pytest
import torch

from random_sequences import assert_close, noise, shake
from unrolled.cells.elman import ElmanCell
from unrolled.cells.gru import GRUCell, GRUState
from unrolled.cells.lstm import LSTMCell, LSTMState
from unrolled.cells.registry import CELLS, make_cell
from unrolled.errors import OptionError

F, H, B = 3, 4, 5


def numbers(cell: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: weight.detach().numpy() for name, weight in cell.named_parameters()}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_elman_is_its_equation(activation):
    cell = shake(ElmanCell(F, H, activation).double())
    x, s = noise(B, F, seed=1), noise(B, H, seed=2)
    w = numbers(cell)
    drive = x.numpy() @ w["weight_ih"].T + s.numpy() @ w["weight_hh"].T + w["bias_ih"] + w["bias_hh"]
    want = np.tanh(drive) if activation == "tanh" else np.maximum(drive, 0)
    output, state = cell.step(x, cell.state_type(s))
    assert_close(output.detach(), torch.from_numpy(want))
    assert state.hidden is output


def test_gru_is_its_equation():
    cell = shake(GRUCell(F, H).double())
    x, h = noise(B, F, seed=1), noise(B, H, seed=2)
    w = numbers(cell)
    given = np.split(x.numpy() @ w["weight_ih"].T + w["bias_ih"], 3, axis=1)
    kept = np.split(h.numpy() @ w["weight_hh"].T + w["bias_hh"], 3, axis=1)
    reset, update = sigmoid(given[0] + kept[0]), sigmoid(given[1] + kept[1])
    want = (1 - update) * np.tanh(given[2] + reset * kept[2]) + update * h.numpy()
    output, state = cell.step(x, GRUState(h))
    assert_close(output.detach(), torch.from_numpy(want))
    assert state.hidden is output


def test_lstm_is_its_equation():
    cell = shake(LSTMCell(F, H).double())
    x, h, c = noise(B, F, seed=1), noise(B, H, seed=2), noise(B, H, seed=3)
    w = numbers(cell)
    drive = x.numpy() @ w["weight_ih"].T + h.numpy() @ w["weight_hh"].T + w["bias_ih"] + w["bias_hh"]
    store, forget, candidate, show = np.split(drive, 4, axis=1)
    kept = sigmoid(forget) * c.numpy() + sigmoid(store) * np.tanh(candidate)
    output, state = cell.step(x, LSTMState(h, c))
    assert_close(output.detach(), torch.from_numpy(sigmoid(show) * np.tanh(kept)))
    assert_close(state.cell.detach(), torch.from_numpy(kept))
    assert state.hidden is output


def test_only_the_forget_gate_of_a_fresh_lstm_is_open():
    cell = LSTMCell(F, H)
    total = (cell.bias_ih + cell.bias_hh).view(4, H)
    assert total.tolist() == [[0.0] * H, [1.0] * H, [0.0] * H, [0.0] * H]


@pytest.mark.parametrize("name", CELLS)
def test_no_other_bias_of_a_fresh_cell_is_set(name):
    cell = make_cell(name, F, H)
    biases = torch.cat([weight.detach() for key, weight in cell.named_parameters() if "bias" in key])
    opened = [1.0] * H if name.startswith("lstm") else []
    assert biases[biases != 0].tolist() == opened


@pytest.mark.parametrize("name", CELLS)
def test_every_gate_starts_with_orthogonal_recurrent_and_glorot_input_weights(name):
    cell = make_cell(name, 30, 20)
    recurrent = getattr(cell, "weight_hh", torch.zeros(0, cell.output_size))  # not every cell has them
    assert len(recurrent) in (0, cell.gates * 20)
    for block in recurrent.split(20) if len(recurrent) else ():
        assert_close(block.T @ block, torch.eye(cell.output_size), 1e-5)
    limit = (6 / (30 + 20)) ** 0.5  # of one gate: a stacked matrix would have a narrower one
    assert len(cell.weight_ih) == cell.gates * 20
    for block in cell.weight_ih.split(20):
        assert 0.9 * limit < float(block.detach().abs().max()) <= limit


@pytest.mark.parametrize("name", CELLS)
def test_fresh_weights_are_drawn_anew(name):
    cell = make_cell(name, F, H)
    before = cell.weight_ih.detach().clone()
    cell.reset_parameters()
    assert not torch.equal(cell.weight_ih, before)


@pytest.mark.parametrize(("sizes", "argument"), [((0, 4), "input_size"), ((3, 0), "hidden_size")])
def test_sizes_below_one_are_refused(sizes, argument):
    with pytest.raises(OptionError, match=f"{argument}: expected an integer >= 1, received 0"):
        LSTMCell(*sizes)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'lstm'"):
        make_cell("lstn", F, H)
    with pytest.raises(OptionError, match=r"activation: .* received tahn; did you mean 'tanh'"):
        ElmanCell(F, H, activation="tahn")


def test_a_cell_shows_its_sizes():
    assert "3, 4" in repr(GRUCell(F, H))
    assert "learn_initial_state=True" in repr(GRUCell(F, H, learn_initial_state=True))
    assert "learn_initial_state" not in repr(GRUCell(F, H))
