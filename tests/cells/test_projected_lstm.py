"""The projected LSTM against its equations in numpy, and against torch's."""

import re

import numpy as np
import pytest
import torch

from random_sequences import assert_close, noise, shake, some_ragged
from unrolled.cells.projected_lstm import ProjectedLSTMCell, ProjectedLSTMState
from unrolled.errors import OptionError, ShapeError
from unrolled.nn.unroll import unroll

F, H, P, B, T = 3, 5, 2, 4, 3


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_three_steps_are_its_equations():
    cell = shake(ProjectedLSTMCell(F, H, P).double())
    x, state = noise(T, B, F, seed=1), ProjectedLSTMState(noise(B, P, seed=2), noise(B, H, seed=3))
    w = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
    h, c = state.hidden.numpy(), state.cell.numpy()
    for t in range(T):
        drive = x[t].numpy() @ w["weight_ih"].T + h @ w["weight_hh"].T + w["bias_ih"] + w["bias_hh"]
        store, forget, candidate, show = np.split(drive, 4, axis=1)
        c = sigmoid(forget) * c + sigmoid(store) * np.tanh(candidate)
        h = (sigmoid(show) * np.tanh(c)) @ w["weight_hr"].T
        output, state = cell.step(x[t], state)
        assert_close((output.detach(), state.cell.detach()), (torch.from_numpy(h), torch.from_numpy(c)), 1e-10)
        assert state.hidden is output


@pytest.mark.parametrize("lengths", [[6], [3, 0, 5, 1]])
def test_it_equals_torchs_forward_and_backward(lengths):
    cell = shake(ProjectedLSTMCell(F, H, P).double())
    theirs = torch.nn.LSTM(F, H, proj_size=P, batch_first=True).double()
    theirs.load_state_dict({f"{name}_l0": weight for name, weight in cell.state_dict().items()})
    inputs = some_ragged(lengths, F)
    before = ProjectedLSTMState(noise(len(lengths), P, seed=2), noise(len(lengths), H, seed=3))
    got, state = unroll(cell, inputs, before)
    for row, sequence in enumerate(inputs):
        if not len(sequence):
            continue
        start = tuple(field[row : row + 1] for field in before)
        want, (hidden, kept) = theirs(sequence, start)
        assert_close(got[row], want)
        assert_close((state.hidden[row], state.cell[row]), (hidden[0], kept[0]))
        (want.square().sum() + kept.sum()).backward()
    filled = inputs.lengths > 0
    (got.values.square().sum() + state.cell[filled].sum()).backward()
    for name, weight in cell.named_parameters():
        assert_close(weight.grad, getattr(theirs, f"{name}_l0").grad)


def test_gradients_equal_finite_differences():
    cell = shake(ProjectedLSTMCell(2, 3, 2).double())
    x, h, c = (noise(2, width, seed=seed).requires_grad_() for seed, width in enumerate((2, 2, 3)))

    def two_steps(x, h, c, *weights):  # gradcheck moves the weights in place
        assert len(weights) == 5
        _, state = cell.step(x, ProjectedLSTMState(h, c))
        return tuple(cell.step(x, state)[1])

    assert torch.autograd.gradcheck(two_steps, (x, h, c, *cell.parameters()))


@pytest.mark.parametrize(("hidden_size", "proj_size"), [(1, 1), (2, 1), (5, 2), (8, 4)])
def test_half_of_the_cells_are_shown_when_nothing_is_said(hidden_size, proj_size):
    cell = ProjectedLSTMCell(F, hidden_size)
    assert (cell.proj_size, cell.output_size) == (proj_size, proj_size)
    assert f"proj_size={proj_size}" in repr(cell)


def test_a_learnt_initial_state_has_the_widths_of_its_fields():
    state = ProjectedLSTMCell(F, H, P, learn_initial_state=True).initial_state(B)
    assert [tuple(field.shape) for field in state] == [(B, P), (B, H)]
    assert all(field.requires_grad for field in state)


@pytest.mark.parametrize("proj_size", [-1, 0, H + 1])
def test_a_projection_out_of_range_is_refused(proj_size):
    with pytest.raises(OptionError, match=f"proj_size: expected 1 to {H} .* received {proj_size}"):
        ProjectedLSTMCell(F, H, proj_size)
    with pytest.raises(OptionError, match="hidden_size: expected an integer >= 1, received 0"):
        ProjectedLSTMCell(F, 0)


@pytest.mark.parametrize(
    ("widths", "says"),
    [
        ((H, H), f"state.hidden: expected shape (1, {P}), received (1, {H})"),
        ((P, P), f"state.cell: expected shape (1, {H}), received (1, {P})"),
    ],
)
def test_a_state_is_refused_by_the_width_of_each_field(widths, says):
    state = ProjectedLSTMState(*(torch.zeros(1, width) for width in widths))
    with pytest.raises(ShapeError, match=re.escape(says)):
        unroll(ProjectedLSTMCell(F, H, P), some_ragged([2], F, dtype=torch.float32), state)


def test_a_fresh_projection_is_orthogonal():
    cell = ProjectedLSTMCell(F, H, P)
    assert_close(cell.weight_hr @ cell.weight_hr.T, torch.eye(P), 1e-5)
