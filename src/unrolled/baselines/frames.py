"""Baselines that predict the next vector: for each sequence an array (T, V)."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import Baseline

WINDOW = 4  # frames a ridge regression sees
PENALTY = 1.0


class Marginal(Baseline):
    """Every key as often, or every number as large, as in training."""

    key = "marginal"
    name = "average frame"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        frames = np.concatenate([rows for rows in targets if len(rows)])
        self.mean_ = (np.nansum(frames, 0) + 0.5 * frames.mean()) / (len(frames) + 0.5)
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.tile(self.mean_, (len(rows), 1)) for rows in inputs]

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.mean_ = np.asarray(state["mean"])
        return baseline


class KeyTransitions(Baseline):
    """Each key on its own: how often it is on after it was on, and after it was off."""

    key = "key_transitions"
    name = "each key from its last state"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        before = np.concatenate([rows for rows in inputs if len(rows)]) > 0.5
        after = np.concatenate([rows for rows in targets if len(rows)]) > 0.5
        overall = (after.sum(0) + 0.1) / (len(after) + 0.2)
        # one pseudo-observation of the key's overall frequency keeps rare keys from certainty
        self.after_on_ = ((after & before).sum(0) + overall) / (before.sum(0) + 1)
        self.after_off_ = ((after & ~before).sum(0) + overall) / ((~before).sum(0) + 1)
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.where(rows > 0.5, self.after_on_, self.after_off_) for rows in inputs]

    def state(self) -> dict[str, Any]:
        return {"after_on": self.after_on_, "after_off": self.after_off_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.after_on_, baseline.after_off_ = np.asarray(state["after_on"]), np.asarray(state["after_off"])
        return baseline


class LastFrame(Baseline):
    """The next frame is the last one."""

    key = "last_frame"
    name = "last frame"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.nan_to_num(np.asarray(rows)) for rows in inputs]

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls()


class FrameRidge(Baseline):
    """A fixed window of frames side by side; then ridge regression."""

    key = "frame_ridge"
    name = f"window of {WINDOW} frames + ridge"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        rows = np.concatenate([_windows(frames) for frames in inputs if len(frames)])
        wanted = np.nan_to_num(np.concatenate([frames for frames in targets if len(frames)]))
        self.mean_ = wanted.mean(0)
        gram = rows.T @ rows + PENALTY * np.eye(rows.shape[1])
        self.weights_ = np.linalg.solve(gram, rows.T @ (wanted - self.mean_))
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [_windows(frames) @ self.weights_ + self.mean_ for frames in inputs]

    def state(self) -> dict[str, Any]:
        return {"weights": self.weights_, "mean": self.mean_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.weights_, baseline.mean_ = np.asarray(state["weights"]), np.asarray(state["mean"])
        return baseline


def _windows(frames: np.ndarray) -> np.ndarray:
    """Every frame with those before it, zeros before the first: (T, WINDOW * V)."""
    padded = np.concatenate([np.zeros((WINDOW - 1, frames.shape[1])), np.nan_to_num(frames)])
    return np.concatenate([padded[back : back + len(frames)] for back in range(WINDOW)], axis=1)
