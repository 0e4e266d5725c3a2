"""Members of a forecast: the network and the baselines, each with its own answers; and their blend."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from unrolled.baselines.base import Baseline
from unrolled.baselines.exponential_smoothing import ExponentialSmoothing
from unrolled.baselines.forecasting import Forecast, SeasonalNaive
from unrolled.baselines.histories import History
from unrolled.baselines.theta import Theta
from unrolled.blending.blend import Blend
from unrolled.blending.choice import LEAST_ROWS, choose
from unrolled.blending.quantile_pool import QuantilePool, block_of_step, quantile_pool
from unrolled.metrics.number_scores import forecast_scores
from unrolled.metrics.scores import Scores
from unrolled.tasks.forecasting.forecasts import point_of
from unrolled.tasks.forecasting.target_kinds import TargetRange

NETWORK = "network"
ANSWERS = (NETWORK, "blend")
MOST_ORIGINS = 400  # that weights are chosen on
BLOCKS = 3  # of the horizon, with weights of their own, where that many groups of origins allow
GROUPS_PER_BLOCK = 20
SAFE = (NETWORK, Theta.key, ExponentialSmoothing.key)
SHARPNESS = 2.0  # with few origins, weights are losses to the power of -2


def baseline_answers(
    baselines: Mapping[str, Baseline], histories: Sequence[History], levels: Sequence[float] | None, legal: TargetRange
) -> dict[str, np.ndarray]:
    """Return the answers of each baseline, in the legal range.

    Args:
        baselines: fitted, by key.
        histories: one per forecast.
        levels: levels of quantiles, or None for one number per step.
        legal: the range.

    Returns:
        Numbers (M, H), or quantiles (M, H, Q), by key.
    """
    found = {}
    for key, one in baselines.items():
        assert isinstance(one, Forecast)
        raw = one.predict(histories) if levels is None else one.quantiles(histories, levels)
        found[key] = legal.legal(raw, levels is not None)
    return found


def blended(parts: Mapping[str, np.ndarray], blend: Blend) -> np.ndarray:
    """Return the weighted average of the members' answers, with the weights of each step's block.

    Args:
        parts: numbers (M, H), or quantiles (M, H, Q), of each member that has a weight.
        blend: the weights.
    """
    used = [key for key in blend.members if blend.weight_of(key) > 0]
    weights = blend.array()[:, [blend.members.index(key) for key in used]]  # (blocks, members)
    stacked = np.stack([parts[key] for key in used])
    if stacked.ndim == 4:
        return quantile_pool(stacked, weights)
    return quantile_pool(stacked[..., None], weights)[..., 0]


def choose_blend(
    parts: Mapping[str, np.ndarray],
    truth: np.ndarray,
    units: np.ndarray,
    levels: Sequence[float] | None,
    groups: np.ndarray,
) -> Blend:
    """Choose the weights of the members on origins that training and early stopping did not use.

    Where there are too few origins to tell the members apart, each has a weight by its loss: an average of several
    forecasts is safer than the best of a few tries.

    Args:
        parts: numbers (M, H), or quantiles (M, H, Q), by member.
        truth: the true values, (M, H), NaN where unknown.
        units: unit of the errors of each origin, (M,); NaN counts as 1.
        levels: levels of the quantiles; None for numbers, which are compared by their absolute error.
        groups: origins of one group overlap, (M,).
    """
    members = list(parts)
    unit = np.where(np.isfinite(units) & (units > 0), units, 1.0)[:, None, None]
    stacked = np.stack([one if levels is not None else one[..., None] for one in parts.values()]) / unit
    chosen_on = np.array([0.5] if levels is None else list(levels))
    known = np.isfinite(truth).any(1)
    many = len(np.unique(groups[known])) if known.any() else 0
    blocks = int(np.clip(many // GROUPS_PER_BLOCK, 1, min(BLOCKS, truth.shape[1])))
    pool = QuantilePool(stacked[:, known], truth[known] / unit[known][:, 0], chosen_on, blocks)
    words = "back-test windows after early stopping's"
    if many >= LEAST_ROWS:
        return choose(pool, members, [str(group) for group in groups[known]], chosen_on=words)
    return _by_loss(pool, members, words)


def equal_weights(members: Sequence[str]) -> Blend:
    """Return the average of the members in `SAFE`, for series that are too short to hold a part of them out."""
    used = [member in SAFE for member in members]
    weights = tuple(one / sum(used) for one in used)
    return Blend("quantile", tuple(members), (weights,), members[0], 0.0, 0.0, True, 0, "no held-out part")


def _by_loss(pool: QuantilePool, members: Sequence[str], words: str) -> Blend:
    rows = np.arange(pool.rows)
    losses = np.array([pool.losses(pool.alone(i), rows).mean() if len(rows) else 1.0 for i in range(pool.size)])
    least = max(losses.min(), 1e-12)
    raw = np.maximum(losses / least, 1.0) ** -SHARPNESS
    raw = np.where(raw < 0.25, 0.0, raw)  # twice the loss of the best: no help
    weights = np.repeat((raw / raw.sum())[None], block_of_step(pool.quantiles.shape[2], 1)[-1] + 1, 0)
    best = int(losses.argmin())
    gain = float(losses[best] - pool.losses(weights, rows).mean()) if len(rows) else 0.0
    kept = tuple(tuple(map(float, row)) for row in weights)
    return Blend("quantile", tuple(members), kept, members[best], gain, 0.0, True, pool.rows, words)


def shown_weights(blend: Blend) -> str:
    """Return the members that have a weight, the largest first, as one line.

    Example:
        >>> shown_weights(Blend("quantile", ("network", "theta"), ((0.25, 0.75),), "theta", 0.1, 0.0, True, 9))
        'theta 0.75, network 0.25'
    """
    return ", ".join(f"{key} {blend.weight_of(key):.2f}" for key in blend.used)


def compared(
    truth: np.ndarray,
    answers: np.ndarray,
    parts: Mapping[str, np.ndarray],
    rival: np.ndarray | None,
    units: np.ndarray,
    levels: Sequence[float] | None,
    names: Mapping[str, str],
    blend: Blend | None,
) -> Scores:
    """Return the scores of the answers next to those of every member, with its weight where there is a blend.

    Args:
        truth: the true values, (M, H), NaN where unknown.
        answers: numbers (M, H), or quantiles (M, H, Q).
        parts: the answers of each member, by key.
        rival: answers of the convolution net of the same size, or None.
        units: unit of MASE of each forecast, (M,).
        levels: levels of the quantiles, or None.
        names: name of each baseline, by key.
        blend: weights of the members; None where the network answers alone.
    """
    shown = dict(names) if blend is None else {NETWORK: "network alone", **names}
    if blend is not None:
        order = sorted(shown, key=lambda key: -blend.weight_of(key))
        shown = {key: f"{shown[key]} [{blend.weight_of(key):.2f}]" for key in order}
    rows = {shown[key]: parts[key] for key in shown}
    if rival is not None:
        rows["causal convolution net of the same size"] = rival
    points = {name: point_of(values, levels) for name, values in rows.items()}
    quantiles = None if levels is None else (list(levels), answers)
    spreads = None if levels is None else rows
    reference = shown.get(SeasonalNaive.key, "")
    scores = forecast_scores(truth, point_of(answers, levels), points, units, quantiles, reference, spreads)
    if blend is None:
        return scores
    note = f"This model is the average of its parts by the weights in brackets, chosen on {blend.rows:,} windows."
    return replace(scores, notes=(*scores.notes, note))
