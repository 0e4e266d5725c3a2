"""A baseline for densities of the next vector: a Gaussian around the prediction of another baseline."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.covariance import ledoit_wolf

from unrolled.baselines.base import Baseline
from unrolled.baselines.frames import FrameRidge, KeyTransitions, LastFrame, Marginal
from unrolled.nn.mixture import FLOOR

KINDS: dict[str, type[Baseline]] = {kind.key: kind for kind in (Marginal, LastFrame, FrameRidge)}
_SURE = 1e-6  # a rate is at least this far from 0 and 1


class GaussianFrames(Baseline):
    """A Gaussian with one covariance around another baseline's prediction; around the last frame it is a random walk.

    The first frame has a Gaussian of its own. The probability of a switch depends on its last state, and a sequence
    ends with the same probability after each frame. Spreads have the floor of `MixtureOutput`, so that densities can
    be compared.

    Args:
        kind: the baseline that predicts the mean, one in `KINDS`.
        switches: indices of the columns that are 0 or 1.

    Example:
        >>> walks = [np.cumsum(np.random.default_rng(seed).normal(size=(20, 2)), 0) for seed in range(50)]
        >>> walk = GaussianFrames(LastFrame).fit(walks, walks)
        >>> around = GaussianFrames(Marginal).fit(walks, walks)
        >>> bool(np.concatenate(walk.nats(walks)).mean() < np.concatenate(around.nats(walks)).mean())
        True
    """

    key = "gaussian_frames"

    def __init__(self, kind: type[Any], switches: Sequence[int] = ()) -> None:
        self.kind = kind
        self.switches = list(switches)
        self.mean: Baseline = kind()
        self.states = KeyTransitions()

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the baseline of the mean, and the part of the data that it was fitted on."""
        return f"Gaussian around {self.mean.name}"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Learn from whole sequences (T, V), which are their own targets; NaN is missing."""
        whole = [np.asarray(rows, dtype=np.float64) for rows in inputs if len(rows)]
        before, after = [rows[:-1] for rows in whole], [rows[1:] for rows in whole]
        self.mean.fit(before, after)
        self.states.fit([rows[:, self.switches] for rows in before], [rows[:, self.switches] for rows in after])
        numbers = self._numbers(whole[0].shape[1])
        firsts = np.stack([rows[0] for rows in whole])  # (B, V)
        self.first_, self.first_covariance_ = _normal(firsts[:, numbers])
        self.first_on_ = ((firsts[:, self.switches] > 0.5).sum(0) + 0.5) / (len(firsts) + 1)
        residuals = np.concatenate(after) - np.concatenate(self.mean.predict(before))  # (N - B, V)
        self.drift_, self.covariance_ = _normal(residuals[:, numbers])
        self.end_ = (len(whole) + 0.5) / (sum(map(len, whole)) + 1)
        return self

    def _numbers(self, width: int) -> list[int]:
        return [column for column in range(width) if column not in self.switches]

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the means of the next frame after each, and the probabilities of its switches: (T, V)."""
        answers = []
        for rows, means in zip(inputs, self.mean.predict(inputs), strict=True):
            answer = np.array(means, dtype=np.float64)
            answer[:, self._numbers(answer.shape[1])] += self.drift_
            answer[:, self.switches] = self.states.predict([rows[:, self.switches]])[0]
            answers.append(answer)
        return answers

    def means(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the prediction of each frame from those before it, (T, V)."""
        said = []
        for after in self.predict(inputs):
            first = np.empty((1, after.shape[1]))
            first[:, self._numbers(after.shape[1])], first[:, self.switches] = self.first_, self.first_on_
            said.append(np.concatenate([first, after[:-1]]) if len(after) else after)
        return said

    def nats(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the nats of each frame, and last of the end: (T + 1,); empty for a sequence without frames."""
        costs = []
        for rows, means in zip(inputs, self.means(inputs), strict=True):
            if not len(rows):
                costs.append(np.empty(0))
                continue
            error = (rows - means)[:, self._numbers(rows.shape[1])]
            cost = np.concatenate(
                [_gaussian_nats(error[:1], self.first_covariance_), _gaussian_nats(error[1:], self.covariance_)]
            )
            right = np.where(rows[:, self.switches] > 0.5, means[:, self.switches], 1 - means[:, self.switches])
            right = np.where(np.isnan(rows[:, self.switches]), 1.0, np.clip(right, _SURE, 1))
            cost = cost - np.log(right).sum(1)
            cost[1:] -= np.log(1 - self.end_)
            costs.append(np.append(cost, -np.log(self.end_)))
        return costs

    def state(self) -> dict[str, Any]:
        parts = {"mean": self.mean, "states": self.states}
        return {
            "kind": self.kind.key,
            "switches": self.switches,
            "end": self.end_,
            "first": self.first_,
            "first_covariance": self.first_covariance_,
            "first_on": self.first_on_,
            "drift": self.drift_,
            "covariance": self.covariance_,
            **{f"{name}/{key}": value for name, part in parts.items() for key, value in part.state().items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(KINDS[state["kind"]], state["switches"])
        baseline.end_ = float(state["end"])
        for name in ("first", "first_covariance", "first_on", "drift", "covariance"):
            setattr(baseline, f"{name}_", np.asarray(state[name]))
        own = {
            part: {key.partition("/")[2]: value for key, value in state.items() if key.startswith(f"{part}/")}
            for part in ("mean", "states")
        }
        baseline.mean = baseline.kind.from_state(own["mean"])
        baseline.states = KeyTransitions.from_state(own["states"])
        return baseline


def _normal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (D,) and covariance (D, D) of the complete rows; of a unit Gaussian if there are fewer than two."""
    rows = rows[~np.isnan(rows).any(1)]
    floor = FLOOR**2 * np.eye(rows.shape[1])
    if len(rows) < 2:
        return np.zeros(rows.shape[1]), np.eye(rows.shape[1])
    # shrunk a little toward a spherical one, by a share that decreases with the number of rows
    return rows.mean(0), ledoit_wolf(rows)[0] + floor


def _gaussian_nats(error: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return minus the log-density of the known numbers of each row: (T, D) to (T,)."""
    nats = np.zeros(len(error))
    known = ~np.isnan(error)
    for pattern in np.unique(known, axis=0):
        rows = (known == pattern).all(1)
        lower = np.linalg.cholesky(covariance[np.ix_(pattern, pattern)])
        apart = np.linalg.solve(lower, error[np.ix_(rows, pattern)].T)  # (d, m)
        nats[rows] = 0.5 * (apart**2).sum(0) + np.log(np.diag(lower)).sum() + 0.5 * pattern.sum() * np.log(2 * np.pi)
    return nats
