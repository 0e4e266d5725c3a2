"""The pool of forecasts: a weighted average of the members' quantiles, with weights per block of the horizon."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from unrolled.blending.blend import Kind

SMOOTH = 1e-3  # half-width of the rounded kink of the pinball loss, in mean losses of the best member
MOST_NUMBERS = 4_000_000  # numbers of all members that the weights are fitted on; further rows are thinned out


def quantile_pool(quantiles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted average of the members' quantiles, (N, H, Q).

    Non-crossing quantiles stay non-crossing, because the weights are not negative.

    Args:
        quantiles: forecasts of each member, (M, N, H, Q).
        weights: weights on the simplex, one row per block of the horizon, (blocks, M).

    Example:
        >>> both = np.array([[[[1.0], [2.0]]], [[[3.0], [6.0]]]])  # two members, one row, two steps, one quantile
        >>> quantile_pool(both, np.array([[1.0, 0.0], [0.5, 0.5]])).tolist()
        [[[1.0], [4.0]]]
    """
    blocks = np.atleast_2d(weights)[block_of_step(quantiles.shape[2], len(np.atleast_2d(weights)))]  # (H, M)
    return np.einsum("hm,mnhq->nhq", blocks, quantiles)


def block_of_step(horizon: int, blocks: int) -> np.ndarray:
    """Return the block of each step of the horizon, (H,); blocks have equal lengths, up to one step.

    Example:
        >>> block_of_step(5, 2).tolist()
        [0, 0, 0, 1, 1]
    """
    parts = np.array_split(np.arange(horizon), min(blocks, horizon))
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def pinball(quantiles: np.ndarray, targets: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the pinball loss of each number, (..., Q); 0 where the target is NaN.

    Args:
        quantiles: forecasts, (..., Q).
        targets: what came, (...), NaN = unknown.
        levels: level of each quantile, (Q,), in (0, 1).

    Example:
        >>> pinball(np.array([[3.0]]), np.array([5.0]), np.array([0.9])).tolist()
        [[1.8]]
    """
    over = np.asarray(targets, dtype=np.float64)[..., None] - quantiles
    return np.nan_to_num(np.maximum(levels * over, (levels - 1) * over))


@dataclass(frozen=True)
class QuantilePool:
    """Forecasts of several members, with what came.

    Args:
        quantiles: forecasts of each member, (M, N, H, Q), finite.
        targets: what came, (N, H), NaN = unknown. Divide both by the scale of the series if series differ in size.
        levels: level of each quantile, (Q,), in (0, 1).
        blocks: number of blocks of the horizon with weights of their own.
    """

    quantiles: np.ndarray
    targets: np.ndarray
    levels: np.ndarray
    blocks: int = 1
    kind: ClassVar[Kind] = "quantile"

    @property
    def size(self) -> int:
        """Return the number of members, M."""
        return len(self.quantiles)

    @property
    def rows(self) -> int:
        """Return the number of rows, N."""
        return self.quantiles.shape[1]

    def alone(self, member: int) -> np.ndarray:
        """Return the weights with which one member answers by itself, (blocks, M)."""
        return np.tile(np.eye(self.size)[member], (self._of_step[-1] + 1, 1))

    def losses(self, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the mean pinball loss of some rows over known steps and levels, (R,)."""
        targets = self.targets[rows]
        lost = pinball(quantile_pool(self.quantiles[:, rows], weights), targets, self.levels)  # (R, H, Q)
        known = np.maximum((~np.isnan(targets)).sum(1), 1)
        return lost.mean(2).sum(1) / known

    def fit(self, rows: np.ndarray) -> np.ndarray:
        """Return the weights on the simplex of least mean pinball loss, block by block: (blocks, M)."""
        most = max(1, MOST_NUMBERS // max(self.quantiles[:, 0].size, 1))
        kept = rows[:: -(-len(rows) // most)]
        return np.stack([self._fit_block(kept, self._of_step == block) for block in range(self._of_step[-1] + 1)])

    @property
    def _of_step(self) -> np.ndarray:
        return block_of_step(self.quantiles.shape[2], self.blocks)

    def _fit_block(self, rows: np.ndarray, steps: np.ndarray) -> np.ndarray:
        told = self.quantiles[:, rows][:, :, steps]  # (M, R, h, Q)
        came = self.targets[rows][:, steps]  # (R, h)
        known = ~np.isnan(came)
        told, came = told[:, known], came[known]  # (M, P, Q), (P,)
        singles = np.array([pinball(one, came, self.levels).mean() if len(came) else 0.0 for one in told])
        best = np.eye(self.size)[int(np.argmin(singles))]
        unit = singles.min()
        if self.size == 1 or not unit > 0:
            return best
        width = SMOOTH * unit

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            over = came[:, None] - np.tensordot(weights, told, 1)  # (P, Q)
            root = np.sqrt(over**2 + width**2)
            value = ((self.levels - 0.5) * over + 0.5 * root).mean()
            slope = (self.levels - 0.5 + 0.5 * over / root) / over.size  # (P, Q)
            apart = weights - best
            steep = -np.tensordot(told, slope, 2) / unit + 2 * apart / len(rows)
            return float(value / unit + apart @ apart / len(rows)), steep

        whole = {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like}
        inner = 0.9 * best + 0.1 / self.size
        found = minimize(loss, inner, jac=True, method="SLSQP", bounds=[(0, 1)] * self.size, constraints=[whole])
        weights = np.clip(found.x, 0, 1)
        weights = weights / weights.sum()
        return weights if loss(weights)[0] < loss(best)[0] else best
