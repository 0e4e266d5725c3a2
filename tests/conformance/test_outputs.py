"""The contract of output objects, for every one there is, and each one's textbook formula in numpy."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from random_sequences import assert_close, noise, seeds
from unrolled.errors import OptionError, ShapeError
from unrolled.nn.heads import (
    IGNORED,
    BinaryVectorOutput,
    ClassOutput,
    MultiLabelOutput,
    NumberOutput,
    Output,
    QuantilesOutput,
    TokenOutput,
)
from unrolled.nn.item_output import ItemOutput
from unrolled.nn.mixture import FLOOR, MixtureOutput

V = 5
WEIGHTS = [0.5, 1.0, 2.0, 0.25, 4.0]


def classes(rows: int, seed: int) -> Tensor:
    return torch.randint(V, (rows,), generator=torch.Generator().manual_seed(seed))


def subsets(rows: int, seed: int) -> Tensor:
    return (noise(rows, V, seed=seed + 1) > 0).double()


def numbers(rows: int, seed: int) -> Tensor:
    return 2 * noise(rows, 3, seed=seed + 1)


def log_softmax(raw: np.ndarray) -> np.ndarray:
    return raw - np.log(np.exp(raw).sum(1, keepdims=True))


def cross_entropy(raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -log_softmax(raw)[np.arange(len(y)), y]


def smoothed(raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 0.8 * cross_entropy(raw, y) - 0.2 * log_softmax(raw).mean(1)


def binary(raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-raw))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(1)


def huber(raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    error = np.abs(y - raw)
    return np.where(error < 1, error**2 / 2, error - 0.5).sum(1)


def pinball(raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    answers, total = raw.reshape(len(raw), 3, 3), 0.0
    for i, q in enumerate((0.1, 0.5, 0.9)):
        error = y - answers[..., i]
        total = total + np.where(error > 0, q * error, (q - 1) * error) / 3
    return total.sum(1)


def points(rows: int, seed: int) -> Tensor:
    """Two numbers, one switch between them, and an end."""
    targets = noise(rows, 4, seed=seed + 1)
    targets[:, [1, 3]] = (targets[:, [1, 3]] > 0).double()
    return targets


def mixture(raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two Gaussians of two numbers by their covariances."""
    logs, means, spreads = log_softmax(raw[:, :2]), raw[:, 2:6].reshape(-1, 2, 2), raw[:, 6:10]
    spreads = np.log1p(np.exp(spreads)).reshape(-1, 2, 2) + FLOOR
    for row in range(len(raw)):
        for k in range(2):
            first, second, by = *spreads[row, k], raw[row, 10 + k]
            covariance = np.array([[first**2, by * first**2], [by * first**2, second**2 + by**2 * first**2]])
            error = y[row, [0, 2]] - means[row, k]
            logs[row, k] -= 0.5 * error @ np.linalg.inv(covariance) @ error
            logs[row, k] -= np.log(2 * np.pi) + 0.5 * np.log(np.linalg.det(covariance))
    return binary(raw[:, 12:], y[:, [1, 3]]) - np.logaddexp(logs[:, 0], logs[:, 1])


@dataclass
class Case:
    """An output, targets for it, its loss in numpy and the smallest loss there can be."""

    output: Output
    targets: Callable[[int, int], Tensor]
    formula: Callable[[np.ndarray, np.ndarray], np.ndarray]
    least: float = 0.0


# with smoothing the best answer is the smoothed target itself: its entropy remains
SMOOTH = np.array([0.84, 0.04, 0.04, 0.04, 0.04])
CASES = {
    "class": Case(ClassOutput(V), classes, cross_entropy),
    "class, weighted": Case(ClassOutput(V, WEIGHTS), classes, lambda r, y: np.array(WEIGHTS)[y] * cross_entropy(r, y)),
    "class, smoothed": Case(ClassOutput(V, None, 0.2), classes, smoothed, float(-(SMOOTH * np.log(SMOOTH)).sum())),
    "token": Case(TokenOutput(V), classes, cross_entropy),
    "token, smoothed": Case(TokenOutput(V, 0.2), classes, smoothed, float(-(SMOOTH * np.log(SMOOTH)).sum())),
    "multilabel": Case(MultiLabelOutput(V), subsets, binary),
    "binary_vector": Case(BinaryVectorOutput(V, 0.3), subsets, binary),
    "number": Case(NumberOutput(3), numbers, lambda r, y: ((y - r) ** 2).sum(1)),
    "number, absolute": Case(NumberOutput(3, "absolute"), numbers, lambda r, y: np.abs(y - r).sum(1)),
    "number, huber": Case(NumberOutput(3, "huber"), numbers, huber),
    "quantiles": Case(QuantilesOutput(size=3), numbers, pinball),
    "mixture": Case(MixtureOutput(3, 2, [1], ends=True), points, mixture, -np.inf),  # a density has no least cost
}
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_every_output_is_here():
    kinds, found = [Output], set()
    while kinds:
        subclasses = [kind for kind in kinds.pop().__subclasses__() if kind.__module__.startswith("unrolled.")]
        kinds += subclasses
        found.update(subclasses)
    assert {type(case.output) for case in CASES.values()} == found - {ItemOutput}


@every
@given(rows=st.integers(0, 4), seed=seeds)
def test_the_loss_is_the_textbook_formula_and_never_below_its_minimum(case, rows, seed):
    raw, targets = 2 * noise(rows, case.output.width, seed=seed), case.targets(rows, seed)
    loss = case.output.loss(raw, targets)
    assert_close(loss, torch.from_numpy(case.formula(raw.numpy(), targets.numpy())), 1e-10)
    assert loss.shape == (rows,)
    assert bool((loss >= case.least - 1e-12).all())


@every
def test_the_gradient_of_the_loss_equals_finite_differences(case):
    raw, targets = noise(4, case.output.width).requires_grad_(), case.targets(4, 0)
    assert torch.autograd.gradcheck(lambda raw: case.output.loss(raw, targets), (raw,))


@every
def test_half_precision_answers_are_scored_in_float32(case):
    raw, targets = noise(4, case.output.width).bfloat16(), case.targets(4, 0)
    loss = case.output.loss(raw, targets)
    assert loss.dtype == torch.float32
    assert_close(loss, case.output.loss(raw.float(), targets), 1e-6)


@every
def test_json_carries_everything(case):
    said = json.loads(json.dumps(case.output.to_json()))
    assert said.pop("output") == case.output.name
    again = type(case.output)(**said)
    assert vars(again) == vars(case.output)


@every
def test_the_best_answer_follows_from_the_whole_answer(case):
    raw = noise(6, case.output.width)
    whole, best = case.output.describe(raw), case.output.predict(raw)
    if isinstance(case.output, ClassOutput):
        assert_close(whole, torch.from_numpy(np.exp(log_softmax(raw.numpy()))))
        assert torch.equal(best, whole.argmax(1))
    elif isinstance(case.output, MultiLabelOutput):
        assert_close(whole, 1 / (1 + (-raw).exp()))
        assert torch.equal(best, whole > case.output.threshold)
        assert best.any()
        assert not best.all()
    elif isinstance(case.output, MixtureOutput):
        assert whole.shape == (6, 4)
        assert torch.equal(best[:, [0, 2]], whole[:, [0, 2]])
        assert torch.equal(best[:, 1], (whole[:, 1] > 0.5).double())
    elif isinstance(case.output, QuantilesOutput):
        assert whole.shape == (6, 3, 3)
        assert torch.equal(best, whole[..., 1])
    else:
        assert torch.equal(best, raw)
        assert torch.equal(whole, raw)


@every
def test_a_step_against_the_gradient_lowers_the_loss(case):
    raw, targets = noise(8, case.output.width).requires_grad_(), case.targets(8, 0)
    before = case.output.loss(raw, targets).sum()
    (gradient,) = torch.autograd.grad(before, raw)
    assert case.output.loss(raw - 0.01 * gradient, targets).sum() < before


# ---- counting, and targets that are missing -----------------------------------------------------------


@every
def test_a_loss_divided_by_its_count_does_not_change_when_rows_are_doubled(case):
    raw, targets = noise(4, case.output.width), case.targets(4, 0)
    once = case.output.loss(raw, targets).sum() / case.output.count(targets)
    twice = case.output.loss(raw.repeat(2, 1), targets.repeat(2, *[1] * (targets.ndim - 1))).sum()
    assert_close(twice / case.output.count(targets.repeat(2, *[1] * (targets.ndim - 1))), once)


def test_a_weighted_class_counts_by_its_weight():
    targets = torch.tensor([0, 4, 4])
    assert ClassOutput(V, WEIGHTS).count(targets) == 8.5
    assert ClassOutput(V).count(targets) == 3
    raw = noise(3, V)
    want = torch.nn.functional.cross_entropy(raw, targets, torch.tensor(WEIGHTS).double())
    assert_close(ClassOutput(V, WEIGHTS).loss(raw, targets).sum() / 8.5, want)


@pytest.mark.parametrize("output", [ClassOutput(V), ClassOutput(V, WEIGHTS, 0.1), TokenOutput(V)])
def test_a_missing_class_costs_nothing_and_is_not_counted(output):
    raw, targets = noise(3, V), torch.tensor([1, IGNORED, 2])
    loss = output.loss(raw, targets)
    assert loss[1] == 0
    assert_close(loss[[0, 2]], output.loss(raw[[0, 2]], targets[[0, 2]]))
    assert output.count(targets) == output.count(targets[[0, 2]]) > 0


@pytest.mark.parametrize("name", ["number", "number, absolute", "number, huber", "quantiles"])
def test_a_missing_number_costs_nothing_has_no_gradient_and_is_not_counted(name):
    output, targets = CASES[name].output, numbers(2, 0)
    raw = noise(2, output.width).requires_grad_()
    whole = output.loss(raw, targets)
    assert output.count(targets) == 6
    targets[0, 1] = torch.nan
    assert output.count(targets) == 5
    loss = output.loss(raw, targets)
    assert loss[0] < whole[0]
    assert loss[1] == whole[1]
    (gradient,) = torch.autograd.grad(loss.sum(), raw)
    free = gradient.view(2, 3, -1).abs().sum(2) == 0
    assert free.tolist() == [[False, True, False], [False, False, False]]


# ---- quantiles ----------------------------------------------------------------------------------------


@given(rows=st.integers(0, 4), seed=seeds)
def test_quantiles_never_cross(rows, seed):
    whole = QuantilesOutput((0.05, 0.2, 0.5, 0.95), size=2).describe(5 * noise(rows, 8, seed=seed))
    assert whole.shape == (rows, 2, 4)
    assert bool((whole.diff(dim=2) >= 0).all())


def test_the_best_constant_under_pinball_loss_is_the_quantile():
    targets = torch.linspace(0, 1, 101).double()[:, None]
    levels = (0.1, 0.5, 0.8)
    output = QuantilesOutput(levels)
    for i, level in enumerate(levels):
        raw = torch.full((101, 3), 0.5).double()
        costs = []
        for guess in torch.linspace(0, 1, 101).double():
            raw[:, i] = guess
            costs.append(output.loss(raw, targets).sum())
        assert abs(int(torch.stack(costs).argmin()) / 100 - level) <= 0.011


def test_the_single_answer_is_the_level_nearest_the_median():
    output = QuantilesOutput((0.1, 0.4, 0.95))
    assert output.predict(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [[2.0]]


# ---- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ClassOutput(1), "size: expected at least 2 classes, received 1"),
        (lambda: ClassOutput(3, [1.0]), "weights: expected 3 class weights, received 1"),
        (lambda: ClassOutput(3, None, 1.0), r"label_smoothing: expected a number in \[0, 1\), received 1.0"),
        (lambda: MultiLabelOutput(3, 0.0), r"threshold: expected a number in \(0, 1\), received 0.0"),
        (lambda: NumberOutput(1, "square"), "loss: .* did you mean 'squared'"),
        (lambda: QuantilesOutput((0.5, 0.1)), r"quantiles: expected increasing numbers in \(0, 1\)"),
        (lambda: QuantilesOutput((0.5, 0.5)), "quantiles: expected increasing"),
        (lambda: QuantilesOutput((0.0, 0.5)), "quantiles: expected increasing"),
        (lambda: QuantilesOutput(()), "quantiles: expected increasing"),
    ],
)
def test_illegal_options_are_refused(make, says):
    with pytest.raises(OptionError, match=says):
        make()


@pytest.mark.parametrize(
    "output", [MultiLabelOutput(V), NumberOutput(V), QuantilesOutput(size=V)], ids=lambda o: o.name
)
@pytest.mark.parametrize("shape", [(2,), (2, V + 1), (3, V)])
def test_targets_of_another_shape_are_refused_instead_of_broadcast(output, shape):
    with pytest.raises(ShapeError, match=r"targets: expected shape \(2, 5\)"):
        output.loss(torch.zeros(2, output.width), torch.zeros(*shape))
