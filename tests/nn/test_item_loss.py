"""Losses that draw a part of the catalogue: what they draw, and that they lead where the whole loss leads."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from unrolled.errors import OptionError
from unrolled.nn.item_loss import LogUniform, bpr_max, choose_loss, sampled_softmax, without_the_true_item


def test_shares_of_the_proposal_sum_to_one_and_fall():
    for size in (2, 10, 5000):
        shares = LogUniform(size).log_share(torch.arange(size)).double().exp()
        assert float(shares.sum()) == pytest.approx(1, rel=1e-5)
        assert (shares.diff() < 0).all()


def test_items_are_drawn_as_often_as_the_proposal_says():
    proposal, rounds, count = LogUniform(50), 4000, 20
    torch.manual_seed(0)
    met = torch.zeros(50)
    for _ in range(rounds):
        drawn = proposal.draw(count)
        assert len(drawn.unique()) == len(drawn)
        met[drawn] += 1
    expected = proposal.log_expected(torch.arange(50), count).exp()
    deviation = (expected * (1 - expected) / rounds).sqrt()
    assert ((met / rounds - expected).abs() < 5 * deviation).all()


def test_a_generator_repeats_its_draws():
    one, other = (LogUniform(100).draw(9, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)


def test_the_sampled_loss_is_the_whole_one_where_everything_is_drawn():
    torch.manual_seed(0)
    scores, targets = torch.randn(6, 9, dtype=torch.float64), torch.randint(9, (6,))
    rivals = without_the_true_item(scores.clone(), targets, torch.arange(9))
    sampled = sampled_softmax(scores.gather(1, targets[:, None])[:, 0], rivals)
    torch.testing.assert_close(sampled, cross_entropy(scores, targets, reduction="sum"))


@given(st.integers(0, 500))
def test_exactly_the_true_item_of_each_row_competes_no_more(seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = LogUniform(20).draw(8, generator)
    targets = torch.randint(20, (6,), generator=generator)
    rivals = without_the_true_item(torch.zeros(6, len(drawn)), targets, drawn)
    assert torch.equal(rivals < 0, targets[:, None] == drawn)


def test_the_gradient_of_the_sampled_loss_points_on_average_where_the_whole_one_does():
    torch.manual_seed(0)
    size, count = 200, 40
    proposal = LogUniform(size)
    scores = torch.randn(1, size, requires_grad=True)
    target = torch.tensor([17])
    (whole,) = torch.autograd.grad(cross_entropy(scores, target, reduction="sum"), scores)
    mean = torch.zeros_like(whole)
    for _ in range(3000):
        drawn = proposal.draw(count)
        rivals = scores[:, drawn] - proposal.log_expected(drawn, count)
        own = scores[:, 17] - proposal.log_expected(target, count)
        loss = sampled_softmax(own, without_the_true_item(rivals, target, drawn))
        mean += torch.autograd.grad(loss, scores)[0] / 3000
    assert torch.cosine_similarity(whole, mean).item() > 0.99


@pytest.mark.parametrize("loss", [sampled_softmax, bpr_max])
def test_a_drawn_item_that_is_the_true_one_gets_no_gradient(loss):
    true = torch.zeros(1, requires_grad=True)
    drawn = torch.zeros(1, 2, requires_grad=True)
    loss(true, without_the_true_item(drawn.clone(), torch.tensor([4]), torch.tensor([4, 7]))).backward()
    assert math.isfinite(float(true.grad))
    assert float(drawn.grad[0, 0]) == 0
    assert float(drawn.grad[0, 1]) > 0


def test_two_items_are_drawn_at_least():
    assert all(len(LogUniform(2).draw(1)) == 2 for _ in range(20))


def test_bpr_max_falls_as_the_true_item_rises():
    drawn = torch.randn(1, 8)
    losses = [float(bpr_max(torch.tensor([value]), drawn)) for value in (-2.0, 0.0, 2.0, 4.0)]
    assert losses == sorted(losses, reverse=True)


def test_small_catalogues_are_looked_at_whole():
    assert choose_loss("auto", 4000) == "cross_entropy"
    assert choose_loss("auto", 400_000) == "sampled_softmax"
    assert choose_loss("bpr_max", 10) == "bpr_max"


def test_a_catalogue_of_one_and_an_unknown_loss_are_refused():
    with pytest.raises(OptionError, match="at least 2 items"):
        choose_loss("auto", 1)
    with pytest.raises(OptionError, match="bpr_max"):
        choose_loss("bprmax", 9)
