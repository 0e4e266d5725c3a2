"""The textbook against torch, against finite differences, and against the lecture's own numbers."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unrolled.textbook import LSTM, RNN, clip_to_band, cross_entropy, softmax

SIZES = st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 6), st.integers(2, 5))  # T, F, H, V


def problem(sizes: tuple[int, int, int, int], seed: int = 0) -> tuple[RNN, np.ndarray, list[int]]:
    steps, features, hidden, classes = sizes
    draw = np.random.default_rng(seed)
    network = RNN(features, hidden, classes, seed=seed)
    return network, draw.normal(size=(steps, features)), draw.integers(classes, size=steps).tolist()


def slope_of(function: Callable[[], float], weights: np.ndarray) -> np.ndarray:
    """Central differences of a function over an array that it reads in place."""
    found = np.zeros_like(weights)
    for index in np.ndindex(*weights.shape):
        kept = weights[index]
        weights[index] = kept + 1e-6
        above = function()
        weights[index] = kept - 1e-6
        found[index] = (above - function()) / 2e-6
        weights[index] = kept
    return found


def torch_rnn(network: RNN) -> nn.RNN:
    hidden, features = network.U.shape
    module = nn.RNN(features, hidden, bias=False, dtype=torch.float64)
    module.load_state_dict({"weight_ih_l0": torch.tensor(network.U), "weight_hh_l0": torch.tensor(network.W)})
    return module


@given(SIZES)
def test_the_network_and_its_gradient_equal_torch(sizes):
    network, inputs, targets = problem(sizes)
    module, readout = torch_rnn(network), torch.tensor(network.V, requires_grad=True)
    hidden, _ = module(torch.tensor(inputs))
    outputs = hidden @ readout.T
    loss = nn.functional.cross_entropy(outputs, torch.tensor(targets), reduction="sum")
    loss.backward()
    states, ours = network.forward(inputs)
    np.testing.assert_allclose(states[1:], hidden.detach(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours, outputs.detach(), rtol=0, atol=1e-10)
    assert network.loss(inputs, targets) == pytest.approx(loss.item(), abs=1e-10)
    gradients = network.backward(inputs, targets)
    np.testing.assert_allclose(gradients.U, module.weight_ih_l0.grad, rtol=0, atol=1e-10)
    np.testing.assert_allclose(gradients.W, module.weight_hh_l0.grad, rtol=0, atol=1e-10)
    np.testing.assert_allclose(gradients.V, readout.grad, rtol=0, atol=1e-10)


@given(SIZES)
def test_the_formula_on_the_board_equals_the_single_sweep(sizes):
    network, inputs, targets = problem(sizes)
    board, sweep = network.backward_as_written(inputs, targets), network.backward(inputs, targets)
    for one, other in zip(board, sweep, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)


def test_the_gradient_equals_finite_differences():
    network, inputs, targets = problem((6, 3, 4, 3))
    gradients = network.backward(inputs, targets)
    for matrix, gradient in zip((network.U, network.W, network.V), gradients, strict=True):
        slope = slope_of(lambda: network.loss(inputs, targets), matrix)
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-7)


def test_truncation_to_the_whole_length_changes_nothing_and_to_one_step_keeps_only_the_explicit_part():
    network, inputs, targets = problem((6, 3, 4, 3))
    whole = network.backward(inputs, targets)
    np.testing.assert_allclose(network.backward_as_written(inputs, targets, bptt_steps=6).W, whole.W, atol=1e-10)
    states, outputs = network.forward(inputs)
    explicit = np.zeros_like(network.W)
    for t, target in enumerate(targets, start=1):
        d_state = network.V.T @ (softmax(outputs[t - 1]) - np.eye(3)[target])
        explicit += np.outer(d_state * (1 - states[t] ** 2), states[t - 1])
    one = network.backward_as_written(inputs, targets, bptt_steps=1)
    np.testing.assert_allclose(one.W, explicit, atol=1e-12)
    assert np.abs(one.W - whole.W).max() > 1e-3
    np.testing.assert_allclose(one.V, whole.V, atol=1e-12)  # the read-out is not recurrent


def test_stepping_equals_the_whole_pass_and_the_same_input_gives_different_outputs():
    network, _, _ = problem((1, 2, 3, 2))
    inputs = np.ones((4, 2))
    _, outputs = network.forward(inputs)
    network.reset()
    stepped = np.stack([network.step(x) for x in inputs])
    np.testing.assert_array_equal(stepped, outputs)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-3


def test_an_empty_sequence_has_no_loss_no_gradient_and_the_first_state():
    network, _, _ = problem((1, 2, 3, 2))
    states, outputs = network.forward(np.empty((0, 2)))
    assert states.shape == (1, 3)
    assert outputs.shape == (0, 2)
    assert network.loss(np.empty((0, 2)), []) == 0
    assert all(not gradient.any() for gradient in network.backward(np.empty((0, 2)), []))


def test_the_jacobian_is_the_slope_of_a_later_state_in_an_earlier_one():
    network, inputs, _ = problem((5, 2, 3, 2))
    states, _ = network.forward(inputs)
    start = states[2].copy()

    def later(unit: int) -> float:
        network.state = start.copy()
        for x in inputs[2:5]:
            network.step(x)
        return float(network.state[unit])

    slope = np.stack([slope_of(lambda unit=unit: later(unit), start) for unit in range(3)])
    np.testing.assert_allclose(network.jacobian(states, 5, 2), slope, atol=1e-8)


@pytest.mark.parametrize(("scale", "steps", "expected"), [(0.9, 9, 0.9**9), (1.5, 8, 1.5**8)])
def test_the_product_of_jacobians_vanishes_below_one_and_explodes_above(scale, steps, expected):
    network = RNN(1, 2, 1)
    network.W = scale * np.eye(2)
    states, _ = network.forward(np.zeros((steps, 1)))  # at s = 0 the tanh has slope 1, so only W counts
    assert np.linalg.norm(network.jacobian(states, steps, 0), 2) == pytest.approx(expected)


def test_the_band_scales_the_norm_up_and_down_and_leaves_what_lies_inside():
    gradients = [np.array([3.0]), np.array([[4.0]])]
    for low, high, norm in ((0.0, 1.0, 1.0), (10.0, 20.0, 10.0), (1.0, 9.0, 5.0)):
        clipped = clip_to_band(gradients, low, high)
        assert np.sqrt(sum((g**2).sum() for g in clipped)) == pytest.approx(norm)
    assert clip_to_band([np.zeros(2)], 1.0, 2.0)[0].tolist() == [0.0, 0.0]


def test_learning_makes_the_true_next_character_more_probable():
    word = [0, 1, 2, 2, 3]  # h e l l o
    one_hot = np.eye(4)[word[:-1]]
    network = RNN(4, 8, 4)
    losses = [network.learn(one_hot, word[1:]) for _ in range(200)]
    assert losses[-1] < 0.1 * losses[0]
    _, outputs = network.forward(one_hot)
    assert outputs.argmax(axis=1).tolist() == word[1:]  # the first l is followed by l, the second by o


def test_scores_far_apart_give_a_finite_loss():
    assert cross_entropy(np.array([1000.0, 0.0]), 0) == 0
    np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0])), [0.5, 0.5])


def torch_lstm(features: int, hidden: int, seed: int = 0) -> nn.LSTM:
    torch.manual_seed(seed)
    return nn.LSTM(features, hidden, dtype=torch.float64)


@given(SIZES)
def test_the_lstm_and_its_gradient_equal_torch(sizes):
    steps, features, hidden, _ = sizes
    module, draw = torch_lstm(features, hidden), np.random.default_rng(1)
    inputs, d_outputs = draw.normal(size=(steps, features)), draw.normal(size=(steps, hidden))
    theirs, (_, cell) = module(torch.tensor(inputs))
    theirs.backward(torch.tensor(d_outputs))
    lstm = LSTM.from_torch(*(parameter.detach().numpy() for parameter in module.parameters()))
    moments = lstm.forward(inputs)
    np.testing.assert_allclose(np.stack([m.hidden for m in moments]), theirs.detach(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(moments[-1].cell, cell[0].detach(), rtol=0, atol=1e-10)
    gradients = lstm.backward(inputs, d_outputs)
    for ours, grad in (("U", module.weight_ih_l0.grad), ("W", module.weight_hh_l0.grad), ("b", module.bias_ih_l0.grad)):
        blocks = [getattr(gradients[name], ours) for name in ("store", "forget", "candidate", "output")]
        np.testing.assert_allclose(np.concatenate(blocks), grad, rtol=0, atol=1e-10)


def test_the_lstm_gradient_equals_finite_differences():
    lstm, draw = LSTM(2, 3), np.random.default_rng(2)
    inputs, weights = draw.normal(size=(5, 2)), draw.normal(size=(5, 3))
    gradients = lstm.backward(inputs, weights)
    for name, gradient in gradients.items():
        for letter in "UWb":
            slope = slope_of(
                lambda: sum(float(w @ m.hidden) for w, m in zip(weights, lstm.forward(inputs), strict=True)),
                getattr(getattr(lstm, name), letter),
            )
            np.testing.assert_allclose(getattr(gradient, letter), slope, rtol=0, atol=1e-7)


def test_stepping_an_lstm_equals_the_whole_pass():
    lstm, inputs = LSTM(2, 3), np.random.default_rng(3).normal(size=(5, 2))
    whole = [moment.hidden for moment in lstm.forward(inputs)]
    lstm.reset()
    np.testing.assert_array_equal([lstm.step(x) for x in inputs], whole)


def test_an_open_forget_gate_keeps_the_gradient_alive_where_the_simple_network_loses_it():
    steps = 50
    lstm = LSTM(1, 2)
    for name in ("store", "forget", "candidate", "output"):
        getattr(lstm, name).W[:] = 0
    lstm.forget.b[:] = 20.0  # open
    inputs, d_outputs = np.zeros((steps, 1)), np.zeros((steps, 2))
    inputs[0], d_outputs[-1] = 1.0, 1.0  # the first input is what the last output depends on
    kept = np.abs(lstm.backward(inputs, d_outputs)["candidate"].U).max()
    assert kept > 0.05
    network = RNN(1, 2, 1)
    network.W = 0.9 * np.eye(2)
    states, _ = network.forward(np.zeros((steps, 1)))
    assert np.linalg.norm(network.jacobian(states, steps, 1), 2) < 0.006


# ---- every term of the sum ---------------------------------------------------------------------------

NAMES = ("store", "forget", "candidate", "output")


def lstm_problem(sizes: tuple[int, int, int, int]) -> tuple[LSTM, np.ndarray, np.ndarray]:
    steps, features, hidden, _ = sizes
    draw = np.random.default_rng(4)
    return LSTM(features, hidden), draw.normal(size=(steps, features)), draw.normal(size=(steps, hidden))


def loss_of_window(network: RNN, inputs: np.ndarray, targets: list[int], i: int, bptt_steps: int) -> torch.Tensor:
    """The gradient in W of loss i by autograd, where the state is detached `bptt_steps` steps before."""
    W, U, V = (torch.tensor(m) for m in (network.W, network.U, network.V))
    W.requires_grad_()
    state = torch.tensor(network.forward(inputs)[0][max(0, i - bptt_steps)])
    for x in inputs[max(0, i - bptt_steps) : i]:
        state = torch.tanh(W @ state + U @ torch.tensor(x))
    loss = nn.functional.cross_entropy(V @ state, torch.tensor(targets[i - 1]))
    return torch.autograd.grad(loss, W)[0]


@given(SIZES, st.integers(0, 4))
def test_the_terms_add_up_to_the_gradient_as_written(sizes, bptt_steps):
    network, inputs, targets = problem(sizes)
    terms = network.terms(inputs, targets, bptt_steps)
    board = network.backward_as_written(inputs, targets, bptt_steps)
    np.testing.assert_allclose(terms.sum((0, 1)), board.W, rtol=0, atol=1e-10)
    if not bptt_steps:
        np.testing.assert_allclose(terms.sum((0, 1)), network.backward(inputs, targets).W, rtol=0, atol=1e-10)


@given(SIZES, st.integers(1, 4))
def test_the_truncated_gradient_of_each_loss_equals_autograd_from_a_detached_state(sizes, bptt_steps):
    network, inputs, targets = problem(sizes)
    terms = network.terms(inputs, targets, bptt_steps)
    for i in range(1, len(inputs) + 1):
        theirs = loss_of_window(network, inputs, targets, i, bptt_steps)
        np.testing.assert_allclose(terms[i - 1].sum(0), theirs, rtol=0, atol=1e-10)


@given(SIZES, st.integers(1, 8))
def test_the_truncated_sweep_equals_the_truncated_sum(sizes, bptt_steps):
    network, inputs, targets = problem(sizes)
    sweep = network.backward_truncated(inputs, targets, bptt_steps)
    for one, other in zip(sweep, network.backward_as_written(inputs, targets, bptt_steps), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)
    lstm, inputs, d_outputs = lstm_problem(sizes)
    swept, board = (
        function(inputs, d_outputs, bptt_steps) for function in (lstm.backward_truncated, lstm.backward_as_written)
    )
    for name in NAMES:
        for letter in "UWb":
            np.testing.assert_allclose(getattr(swept[name], letter), getattr(board[name], letter), rtol=0, atol=1e-10)


def test_the_explicit_and_the_implicit_part_are_the_slope_of_the_state_in_the_weights():
    network, inputs, _ = problem((5, 2, 3, 2))
    states, _ = network.forward(inputs)
    whole = network.explicit_part(states, 4) + network.implicit_part(states, 4)
    slope = np.stack([slope_of(lambda a=a: float(network.forward(inputs)[0][4, a]), network.W) for a in range(3)])
    np.testing.assert_allclose(whole, slope, rtol=0, atol=1e-8)
    assert np.abs(network.implicit_part(states, 4)).max() > 1e-3
    assert not network.implicit_part(states, 1).any()  # before step 1 no weight acted


def joint(moment) -> np.ndarray:
    return np.concatenate([moment.hidden, moment.cell])


def test_the_lstm_parts_are_the_slope_of_the_joint_state_in_each_matrix():
    lstm, inputs, _ = lstm_problem((4, 2, 3, 2))
    moments = lstm.forward(inputs)
    explicit, implicit = lstm.explicit_part(moments[3]), lstm.implicit_part(moments, 4)
    for name in NAMES:
        W = lstm.networks[name].W
        slope = np.stack([slope_of(lambda a=a: float(joint(lstm.forward(inputs)[3])[a]), W) for a in range(6)])
        np.testing.assert_allclose(explicit[name] + implicit[name], slope, rtol=0, atol=1e-8)


def test_the_joint_jacobian_of_the_lstm_equals_autograd():
    module, inputs = torch_lstm(2, 3), np.random.default_rng(5).normal(size=(5, 2))
    lstm = LSTM.from_torch(*(parameter.detach().numpy() for parameter in module.parameters()))
    moments = lstm.forward(inputs)

    def later(state: torch.Tensor) -> torch.Tensor:  # s_2 to s_5
        start = (state[None, :3], state[None, 3:])
        return torch.cat(module(torch.tensor(inputs[2:]), start)[1], 1)[0]

    theirs = torch.autograd.functional.jacobian(later, torch.tensor(joint(moments[1])))
    np.testing.assert_allclose(lstm.jacobian(moments, 5, 2), theirs, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(lstm.jacobian(moments, 3, 3), np.eye(6))


@given(SIZES)
def test_the_lstm_terms_add_up_to_the_sweep(sizes):
    lstm, inputs, d_outputs = lstm_problem(sizes)
    terms, sweep = lstm.terms(inputs, d_outputs), lstm.backward(inputs, d_outputs)
    board = lstm.backward_as_written(inputs, d_outputs)
    for name in NAMES:
        np.testing.assert_allclose(terms[name].sum((0, 1)), sweep[name].W, rtol=0, atol=1e-10)
        for letter in "UWb":
            np.testing.assert_allclose(getattr(board[name], letter), getattr(sweep[name], letter), rtol=0, atol=1e-10)


def test_a_truncated_lstm_loss_equals_autograd_from_a_detached_state():
    module, draw = torch_lstm(2, 3), np.random.default_rng(6)
    inputs, d_outputs = draw.normal(size=(6, 2)), draw.normal(size=(6, 3))
    lstm = LSTM.from_torch(*(parameter.detach().numpy() for parameter in module.parameters()))
    terms = lstm.terms(inputs, d_outputs, bptt_steps=2)
    x = torch.tensor(inputs)
    _, before = module(x[:3])
    outputs, _ = module(x[3:5], tuple(field.detach() for field in before))
    theirs = torch.autograd.grad(outputs[-1] @ torch.tensor(d_outputs[4]), module.weight_hh_l0)[0]
    ours = np.concatenate([terms[name][4].sum(0) for name in NAMES])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
