"""The mixture output beside torch.distributions: whole and missing numbers, tiny spreads, and draws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from random_sequences import assert_close, noise, seeds
from unrolled.errors import OptionError
from unrolled.nn.mixture import FLOOR, MixtureOutput

NAN = float("nan")


def covariances(output, raw):
    """By the definition of a component: each number around a line in those before it, (M, K, D, D)."""
    mixture = output.parts(raw)
    size = mixture.means.shape[2]
    root = torch.zeros(*mixture.means.shape, size, dtype=raw.dtype)
    for i in range(size):
        for j in range(i):
            root[:, :, i] += mixture.coupling[:, :, i, j, None] * root[:, :, j]
        root[:, :, i, i] = mixture.scales[:, :, i]
    return root @ root.mT


def twin(output, raw, row, known):
    mixture = output.parts(raw)
    covariance = covariances(output, raw)[row][:, known][:, :, known]
    return MixtureSameFamily(
        Categorical(logits=mixture.log_shares[row]), MultivariateNormal(mixture.means[row][:, known], covariance)
    )


@given(size=st.integers(1, 5), components=st.integers(1, 4), seed=seeds, data=st.data())
def test_the_loss_is_that_of_torch_distributions_whatever_is_missing(size, components, seed, data):
    output = MixtureOutput(size, components)
    raw, targets = noise(3, output.width, seed=seed), noise(3, size, seed=seed + 1)
    missing = torch.tensor(
        data.draw(st.lists(st.lists(st.booleans(), min_size=size, max_size=size), min_size=3, max_size=3))
    )
    loss = output.loss(raw, targets.masked_fill(missing, NAN))
    for row in range(3):
        known = (~missing[row]).nonzero().squeeze(1)
        want = -twin(output, raw, row, known).log_prob(targets[row, known]) if len(known) else torch.tensor(0.0)
        assert_close(loss[row], want.double(), 1e-8)


def test_the_gradient_through_missing_numbers_equals_finite_differences():
    output = MixtureOutput(4, 3, [1], ends=True)
    raw, targets = noise(5, output.width).requires_grad_(), noise(5, 5, seed=1)
    targets[:, [1, 4]] = (targets[:, [1, 4]] > 0).double()
    targets[0, 0] = targets[1, [2, 3]] = targets[2, 1] = targets[3, 4] = targets[4, :4] = NAN
    assert torch.autograd.gradcheck(lambda raw: output.loss(raw, targets), (raw,))


def test_a_missing_number_is_integrated_out():
    output, places = MixtureOutput(2, 3), torch.linspace(-60, 60, 40_001).double()
    raw = noise(1, output.width)
    grid = torch.stack([torch.full_like(places, 0.3), places], 1)
    density = torch.trapezoid((-output.loss(raw.expand(len(grid), -1), grid)).exp(), places)
    assert_close(density.log(), -output.loss(raw, torch.tensor([[0.3, NAN]]).double())[0], 1e-6)


def test_a_row_that_only_ends_costs_its_end_and_teaches_nothing_else():
    output = MixtureOutput(3, 2, [2], ends=True)
    raw = noise(1, output.width).requires_grad_()
    loss = output.loss(raw, torch.tensor([[NAN, NAN, NAN, 1.0]]))
    assert_close(loss[0], -raw[0, -1].sigmoid().log())
    (gradient,) = torch.autograd.grad(loss.sum(), raw)
    assert bool((gradient[0, :-1] == 0).all())
    assert gradient[0, -1] < 0
    assert output.count(torch.tensor([[NAN, NAN, NAN, 1.0], [NAN] * 4])) == 1


@pytest.mark.parametrize("spread", [-1e4, -50.0, 0.0, 50.0])
def test_losses_and_gradients_in_float32_are_finite_at_any_spread(spread):
    output = MixtureOutput(3, 4)
    raw = noise(8, output.width).float()
    raw[:, 16:28] = spread
    raw.requires_grad_()
    targets = 100 * noise(8, 3, seed=1).float()
    targets[0, 1] = NAN
    loss = output.loss(raw, targets)
    (gradient,) = torch.autograd.grad(loss.sum(), raw)
    assert bool(loss.isfinite().all())
    assert bool(gradient.isfinite().all())
    assert output.parts(raw).scales.min() >= FLOOR


def test_a_loss_in_float32_keeps_its_digits_at_the_floor():
    output = MixtureOutput(2, 2)
    raw = noise(6, output.width)
    raw[:, 6:10] = -30.0
    targets = output.predict(raw)
    for gap in (False, True):
        if gap:
            targets[:, 0] = NAN
        wanted = output.loss(raw, targets)
        assert_close(output.loss(raw.float(), targets.float()).double(), wanted, 1e-2)


# ---- draws --------------------------------------------------------------------------------------------


def test_draws_have_the_moments_that_the_parts_say():
    output = MixtureOutput(4, 2, [0], ends=True)
    raw = noise(1, output.width, seed=3)
    rows = output.sample(raw.expand(200_000, -1), generator=torch.Generator().manual_seed(0))
    shares, means = output.parts(raw).log_shares[0].exp(), output.parts(raw).means[0]
    mean = shares @ means
    apart = means - mean
    covariance = torch.einsum("k,kij->ij", shares, covariances(output, raw)[0] + apart[:, :, None] * apart[:, None])
    scale = covariance.diagonal().max()
    assert (rows[:, 1:4].mean(0) - mean).abs().max() < 0.01 * scale**0.5 * 3
    assert (torch.cov(rows[:, 1:4].T) - covariance).abs().max() < 0.02 * scale
    assert (rows[:, [0, 4]].mean(0) - raw[0, -2:].sigmoid()).abs().max() < 0.01
    assert set(rows[:, [0, 4]].unique().tolist()) == {0.0, 1.0}
    assert_close(output.describe(raw)[0, 1:4], mean)


def test_a_temperature_multiplies_the_variance_and_sharpens_the_shares():
    output = MixtureOutput(1, 2)
    raw = torch.tensor([[1.0, 0.0, -50.0, 50.0, 0.0, 0.0]]).expand(100_000, -1)
    spread = torch.nn.functional.softplus(torch.tensor(0.0)) + FLOOR
    for temperature in (0.25, 1.0, 4.0):
        rows = output.sample(raw, temperature, torch.Generator().manual_seed(0))
        low = rows[rows < 0]
        assert abs(low.std() / (spread * temperature**0.5) - 1) < 0.02
        assert abs(len(low) / len(rows) - torch.tensor(1 / temperature).sigmoid()) < 0.01


def test_no_temperature_takes_the_likeliest():
    output = MixtureOutput(2, 2, [1], ends=True)
    raw = torch.tensor([[0.0, 1.0, 5.0, 7.0, 0.0, 0.0, -0.1, 0.1]])
    assert output.sample(raw, 0.0).tolist() == [[7.0, 0.0, 1.0]]


def test_draws_repeat_with_their_generator():
    output, raw = MixtureOutput(3, 4), noise(5, MixtureOutput(3, 4).width)
    one, again, other = (output.sample(raw, 1.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert bool((one != other).all())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MixtureOutput(2, 0), "components: expected an integer >= 1, received 0"),
        (lambda: MixtureOutput(2, 3, [2]), r"switches: expected distinct columns below 2, received \[2\]"),
        (lambda: MixtureOutput(2, 3, [0, 0]), "switches: expected distinct"),
        (lambda: MixtureOutput(2, 3, [0, 1]), "size: expected at least one number besides the switches"),
        (lambda: MixtureOutput(0, 3), "size: expected at least one number"),
        (lambda: MixtureOutput(1, 1).sample(torch.zeros(1, 3), -0.1), "temperature: expected a finite number >= 0"),
    ],
)
def test_illegal_options_are_refused(make, says):
    with pytest.raises(OptionError, match=says):
        make()


def test_quantiles_are_those_of_what_is_drawn():
    output = MixtureOutput(3, 4)
    raw = noise(2, output.width, dtype=torch.float32)
    levels = [0.05, 0.5, 0.95]
    found = output.quantiles(raw, levels)
    assert found.shape == (2, 3, 3)
    generator = torch.Generator().manual_seed(0)
    drawn = output.sample(raw.repeat_interleave(20_000, 0), generator=generator).view(2, 20_000, 3)
    shares = (drawn[..., None] <= found[:, None]).float().mean(1)  # (M, D, Q)
    torch.testing.assert_close(shares, torch.tensor(levels).expand_as(shares), atol=0.02, rtol=0)


def test_the_floor_is_the_least_spread_that_is_believed():
    sure = torch.tensor([[0.0, 0.0, -60.0]])
    for floor in (FLOOR, 0.1):
        output = MixtureOutput(1, 1, floor=floor)
        assert float(output.parts(sure).scales) == pytest.approx(floor)
