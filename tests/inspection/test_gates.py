"""Gates by name are those of the equations: written out by hand, they make the cell's own next state."""

import pytest
import torch

from random_sequences import assert_close, noise, shake
from unrolled import textbook
from unrolled.cells.base import gates_of
from unrolled.cells.lstm import LSTMCell
from unrolled.cells.registry import CELLS, make_cell
from unrolled.inspection.gates import gates_of_step

B, F, H = 3, 2, 4


def a_step(name):
    cell = shake(make_cell(name, F, H).double())
    state = cell.state_type(*(noise(B, size, seed=i + 1) for i, size in enumerate(cell.state_sizes.values())))
    return cell, noise(B, F, seed=9), state


@pytest.mark.parametrize("name", CELLS)
def test_every_gate_is_between_shut_and_open(name):
    cell, inputs, state = a_step(name)
    for gate in gates_of_step(cell, inputs, state).values():
        assert gate.shape == (B, H)
        assert bool(((gate > 0) & (gate < 1)).all())


@pytest.mark.parametrize("name", ["elman", "elman_relu", "linear"])
def test_a_cell_without_gates_has_none(name):
    assert gates_of_step(*a_step(name)) == {}


@pytest.mark.parametrize("name", ["lstm", "lstm_peephole", "lstm_layer_norm", "lstm_projected"])
def test_the_gates_of_an_lstm_store_and_forget_what_its_cell_becomes(name):
    cell, inputs, state = a_step(name)
    gates = gates_of_step(cell, inputs, state)
    _, after = cell.step(inputs, state)
    candidate = (after.cell - gates["forget"] * state.cell) / gates["store"]  # what was stored, if these are the gates
    _, same_inputs = cell.step(inputs, state._replace(cell=torch.zeros_like(state.cell)))
    if name != "lstm_peephole":  # there the gates see the cell
        assert_close(candidate, same_inputs.cell / gates["store"])
    assert float(candidate.detach().abs().max()) < 1  # a tanh


def test_the_gates_of_an_lstm_are_the_textbooks():
    cell = shake(LSTMCell(F, H).double())
    x = noise(1, F)
    moment = textbook.LSTM.from_torch(*(weight.detach().numpy() for weight in cell.weights)).forward(x.numpy())[0]
    for name, gate in gates_of_step(cell, x, cell.initial_state(1)).items():
        assert_close(gate[0], torch.from_numpy(getattr(moment, name)))


def test_the_peephole_output_gate_sees_the_new_cell():
    cell, inputs, state = a_step("lstm_peephole")
    hidden, after = cell.step(inputs, state)
    assert_close(gates_of_step(cell, inputs, state)["output"], hidden / after.cell.tanh())


@pytest.mark.parametrize("name", ["gru", "gru_layer_norm", "min_gru"])
def test_the_update_gate_says_how_much_of_the_state_stays(name):
    cell, inputs, state = a_step(name)
    gates = gates_of_step(cell, inputs, state)
    kept = gates["update"] if name != "min_gru" else 1 - gates["update"]
    jacobian = torch.autograd.functional.jacobian(lambda h: _beside_products(cell, inputs, state, h), state.hidden)
    own = torch.einsum("bhbh->bh", jacobian)
    assert_close(own, kept)


def _beside_products(cell, inputs, state, hidden):
    """The next state where only what goes past the recurrent product varies."""
    if "weight_hh" in cell.weight_shapes:
        return cell.step_reading(state.hidden, inputs, state._replace(hidden=hidden))[0]
    return cell.step(inputs, state._replace(hidden=hidden))[0]


def test_the_reset_gate_multiplies_the_recurrent_product():
    cell, inputs, state = a_step("gru")
    gates = gates_of_step(cell, inputs, state)
    new_in = gates_of(torch.nn.functional.linear(inputs, cell.weight_ih, cell.bias_ih), 3)[2]
    new_back = gates_of(torch.nn.functional.linear(state.hidden, cell.weight_hh, cell.bias_hh), 3)[2]
    candidate = (new_in + gates["reset"] * new_back).tanh()
    assert_close(cell.step(inputs, state)[0], candidate + gates["update"] * (state.hidden - candidate))
