"""Laws of the pools, over every kind: the weights, the order of members, and when a pool is adopted."""

import numpy as np
import pytest

from unrolled.blending.blend import Blend
from unrolled.blending.choice import choose
from unrolled.blending.log_pool import LEAST, LogPool, log_pool
from unrolled.blending.quantile_pool import QuantilePool, pinball, quantile_pool
from unrolled.blending.rank_pool import RankPool, log_shares, rank_pool, reciprocal_ranks
from unrolled.blending.score_pool import p_values, score_pool

LEVELS = np.array([0.1, 0.5, 0.9])
N, M = 300, 3


def softmax(scores):
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def labels(noise, seed=0):
    """Members that see the true class through noise of their own."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 4, N)
    spread = np.array(noise)[:, None, None]
    seen = 2 * np.eye(4)[truth] + draw.normal(size=(len(noise), N, 4)) * spread
    return LogPool(softmax(2 * seen / spread**2), truth)  # the true posterior of what each member sees


def forecasts(noise, seed=0):
    draw = np.random.default_rng(seed)
    came = draw.normal(size=(N, 4))
    told = came + draw.normal(size=(len(noise), N, 4)) * np.array(noise)[:, None, None]
    return QuantilePool(told[..., None] + np.array([-1.0, 0.0, 1.0]), came, LEVELS, blocks=2)


def rankings(noise, seed=0):
    draw = np.random.default_rng(seed)
    came = draw.integers(0, 20, N)
    scores = 3 * np.eye(20)[came] + draw.normal(size=(len(noise), N, 20)) * np.array(noise)[:, None, None]
    return RankPool(np.stack([log_shares(one) for one in scores]), came)


MAKERS = {"log": labels, "quantile": forecasts, "rank": rankings}
NAMES = ("a", "b", "c")
every = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@every
def test_errors_of_their_own_make_a_pool_that_is_adopted(make):
    found = choose(make([1.0, 1.1, 1.2]), NAMES)
    assert found.adopted
    assert found.gain > found.standard_error > 0
    assert len(found.used) >= 2


@every
def test_on_fresh_data_the_pool_is_no_worse_than_its_best_member(make):
    pool, fresh = make([1.0, 1.1, 1.2]), make([1.0, 1.1, 1.2], seed=1)
    rows = np.arange(N)
    mine = fresh.losses(choose(pool, NAMES).array(), rows).mean()
    assert mine < min(fresh.losses(fresh.alone(member), rows).mean() for member in range(M))


@every
def test_copies_of_one_member_bring_no_pool_of_note(make):
    pool = make([1.0])
    field = "shares" if pool.kind == "log" else "quantiles" if pool.kind == "quantile" else "views"
    same = type(pool)(**{**vars(pool), field: np.repeat(vars(pool)[field], 3, 0)})
    rows = np.arange(N)
    found = choose(same, NAMES)
    assert found.gain < 0.02
    assert same.losses(found.array(), rows).mean() <= same.losses(same.alone(0), rows).mean() + 1e-9


@every
def test_a_pool_that_is_not_adopted_is_its_best_member_alone(make):
    pool = make([0.05, 9.0, 9.0])
    found = choose(pool, NAMES)
    if not found.adopted:
        np.testing.assert_array_equal(found.array(), pool.alone(0))
    assert found.best == "a"


@every
def test_the_order_of_the_members_changes_no_weight(make):
    pool = make([1.0, 1.1, 1.2])
    field = "shares" if pool.kind == "log" else "quantiles" if pool.kind == "quantile" else "views"
    turned = type(pool)(**{**vars(pool), field: vars(pool)[field][::-1]})
    rows = np.arange(N)
    one, other = pool.fit(rows), turned.fit(rows)[:, ::-1]
    np.testing.assert_allclose(pool.losses(one, rows).mean(), pool.losses(other, rows).mean(), rtol=2e-3)


@every
def test_weights_are_not_negative_and_finite(make):
    weights = make([1.0, 1.1, 5.0]).fit(np.arange(N))
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()


@every
def test_too_few_rows_leave_the_best_member(make):
    pool = make([1.0, 1.1, 1.2])
    short = {
        name: value[:, :6] if name in ("shares", "quantiles", "views") else value[:6] if name == "targets" else value
        for name, value in vars(pool).items()
    }
    found = choose(type(pool)(**short), NAMES)
    assert not found.adopted
    assert found.used == (found.best,)


def test_rows_of_one_group_count_as_one_for_the_standard_error():
    pool = labels([1.0, 1.1, 1.2])
    tenfold = LogPool(np.repeat(pool.shares, 10, 1), np.repeat(pool.targets, 10))
    apart, together = choose(tenfold, NAMES), choose(tenfold, NAMES, groups=np.repeat(np.arange(N), 10).tolist())
    plain = choose(pool, NAMES)
    assert together.standard_error == pytest.approx(plain.standard_error, rel=0.3)
    assert apart.standard_error < 0.5 * together.standard_error


def test_a_weight_per_row_is_a_row_several_times():
    pool = labels([1.0, 1.1])
    counts = np.random.default_rng(2).integers(1, 4, N)
    rows = np.repeat(np.arange(N), counts)
    once = LogPool(pool.shares, pool.targets, counts.astype(float)).fit(np.arange(N))
    often = LogPool(pool.shares[:, rows], pool.targets[rows]).fit(np.arange(len(rows)))
    np.testing.assert_allclose(once, often, atol=1e-3)


# ---- the log pool ------------------------------------------------------------------------------------


def test_weight_one_of_one_member_gives_its_own_probabilities():
    pool = labels([1.0, 2.0])
    np.testing.assert_allclose(log_pool(pool.shares, np.array([1.0, 0.0])), pool.shares[0], atol=1e-5)


def test_no_member_rules_a_class_out_for_all():
    shares = np.array([[[1.0, 0.0]], [[0.1, 0.9]]])
    assert log_pool(shares, np.array([1.0, 1.0]))[0, 1] > LEAST


def test_the_scale_of_a_member_that_is_too_sure_is_below_one():
    pool = labels([1.0])
    sure = LogPool(log_pool(pool.shares, np.array([4.0]))[None], pool.targets)
    mild = LogPool(log_pool(pool.shares, np.array([0.25]))[None], pool.targets)
    assert sure.scale(np.ones(1)) < 0.6 < 2 < mild.scale(np.ones(1))


def test_the_weights_solve_the_convex_problem():
    pool = labels([1.0, 1.3])
    rows = np.arange(N)
    (weights,) = pool.fit(rows)

    def cost(w):
        return pool.losses(w, rows).mean() + ((w - np.array([1.0, 0.0])) ** 2).sum() / N

    grid = [np.array([a, b]) for a in np.linspace(0, 2, 17) for b in np.linspace(0, 2, 17)]
    assert cost(weights) <= min(map(cost, grid)) + 1e-9


# ---- forecasts, rankings, scores ---------------------------------------------------------------------


def test_pinball_is_that_of_scikit_learn():
    from sklearn.metrics import mean_pinball_loss

    pool = forecasts([1.0])
    for place, level in enumerate(LEVELS):
        expected = mean_pinball_loss(pool.targets.ravel(), pool.quantiles[0, ..., place].ravel(), alpha=level)
        assert pinball(pool.quantiles[0], pool.targets, LEVELS)[..., place].mean() == pytest.approx(expected)


def test_each_block_of_the_horizon_takes_the_member_that_is_good_there():
    near, far = forecasts([0.2]), forecasts([3.0], seed=0)
    one = np.concatenate([near.quantiles[:, :, :2], far.quantiles[:, :, 2:]], 2)
    other = np.concatenate([far.quantiles[:, :, :2], near.quantiles[:, :, 2:]], 2)
    weights = QuantilePool(np.concatenate([one, other]), near.targets, LEVELS, blocks=2).fit(np.arange(N))
    assert weights[0, 0] > 0.9
    assert weights[1, 1] > 0.9


def test_pooled_quantiles_do_not_cross():
    pool = forecasts([1.0, 2.0, 3.0])
    assert (np.diff(quantile_pool(pool.quantiles, pool.fit(np.arange(N)))) >= 0).all()


def test_an_unknown_target_changes_no_weight():
    pool = forecasts([1.0, 1.1])
    more = QuantilePool(
        np.concatenate([pool.quantiles, 99 + pool.quantiles[:, :5]], 1),
        np.concatenate([pool.targets, np.full((5, 4), np.nan)]),
        LEVELS,
        blocks=2,
    )
    np.testing.assert_allclose(more.fit(np.arange(N + 5)), pool.fit(np.arange(N)), atol=0.01)


def test_the_reciprocal_rank_is_the_one_of_the_pooled_scores():
    pool = rankings([1.0, 1.2])
    weights = np.array([0.5, 0.5])
    scores = rank_pool(pool.views, weights)
    mine = reciprocal_ranks(scores)[np.arange(N), pool.targets]
    np.testing.assert_allclose(1 - pool.losses(weights, np.arange(N)), mine)


def test_an_item_that_no_member_knows_is_a_miss():
    pool = rankings([1.0])
    unknown = RankPool(pool.views, np.full(N, -1))
    assert (unknown.losses(unknown.alone(0), np.arange(N)) == 1).all()


def test_anomaly_scores_pool_by_their_order_alone():
    draw = np.random.default_rng(0)
    scores, calm = draw.normal(size=50), draw.normal(size=500)
    np.testing.assert_allclose(score_pool([np.exp(scores)], [np.exp(calm)]), score_pool([scores], [calm]))
    assert (p_values(scores, calm) > 0).all()


# ---- the record --------------------------------------------------------------------------------------


def test_a_blend_survives_json():
    import json

    found = choose(forecasts([1.0, 1.1, 1.2]), NAMES)
    assert Blend.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("weights", [[[1.0]], [[1.0, -1.0, 0.0]], [[float("nan"), 1.0, 1.0]], []])
def test_a_record_with_other_weights_is_refused(weights):
    found = choose(labels([1.0, 1.1, 1.2]), NAMES)
    with pytest.raises(ValueError, match="one weight"):
        Blend.from_json({**found.to_json(), "weights": weights})
