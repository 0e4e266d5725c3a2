"""Baselines that predict the next vector: one array (T, V) per sequence."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.optimize import minimize

from unrolled.baselines.base import Baseline, partly, sample

WINDOW = 4  # frames that a regression reads
PENALTY = 1.0
MAX_FRAMES = 20_000  # frames that a regression is fitted on, fewer if `products` would be exceeded
MAX_NUMBERS = 8_000_000  # frames times keys, if each key is separate
MAX_WIDTH = 1024  # numbers a regression reads at once; of wider frames it reads only the last, or each key separately
MAX_ITERATIONS = 100


class Marginal(Baseline):
    """The frequency of every key, or the mean of every number, in training."""

    key = "marginal"
    name = "average frame"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        frames = np.concatenate(targets)
        known = ~np.isnan(frames)
        overall = frames[known].mean() if known.any() else 0.0
        # half a pseudo-observation of the overall mean keeps rare keys from certainty
        self.mean_ = (np.nansum(frames, 0) + 0.5 * overall) / (known.sum(0) + 0.5)
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
    """Each key separately: how often it is on after it was on, and after it was off."""

    key = "key_transitions"
    name = "each key from its last state"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        before, after = np.concatenate(inputs) > 0.5, np.concatenate(targets) > 0.5
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
    """The last frame as the prediction of the next."""

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


class _FrameWindow(Baseline):
    """A linear map of the last frames to the next one; a subclass defines how it is fitted and read.

    Of frames so wide that this would be slow, only the last frame, or each key's own past, is read.
    """

    ending: ClassVar[str]  # the part of the name after the window
    products: ClassVar[int]  # maximum of frames times numbers read times keys, so that fitting is quick

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        width = inputs[0].shape[1]
        alone, sees = width > MAX_WIDTH, WINDOW if WINDOW * width <= MAX_WIDTH else 1
        most = MAX_NUMBERS // width if alone else self.products // (sees * width * width + 1)
        most = min(most, MAX_FRAMES)
        rows = sample([len(frames) for frames in inputs], most)
        # a single sequence may be longer than that: its beginning is used
        before = np.concatenate([_windows(inputs[row][:most]) for row in rows])[:most]  # (M, WINDOW, V)
        wanted = np.nan_to_num(np.concatenate([targets[row][:most] for row in rows])[:most])  # (M, V)
        title = type(self).name if sees == WINDOW else f"last frame + {self.ending}"
        title = f"{WINDOW} steps of each key alone + {self.ending}" if alone else title
        self.name = partly(title, len(before), sum(map(len, inputs)), "frames")
        if alone:
            self.weights_ = np.stack([self._solve(before[:, :, [v]], wanted[:, [v]]) for v in range(width)])
        else:
            self.weights_ = self._solve(before[:, WINDOW - sees :], wanted)
        return self

    def _solve(self, before: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Return weights (D + 1, K), the bias last, from windows (M, W, D / W) and the frames after them (M, K)."""
        raise NotImplementedError

    def _scores(self, frames: np.ndarray) -> np.ndarray:
        """Return linear answers for the frame after each, (T, V)."""
        windows, weights = _windows(frames), self.weights_
        if weights.ndim == 3:  # each key separately, (V, WINDOW + 1, 1)
            return np.einsum("twv,vw->tv", windows, weights[:, :-1, 0]) + weights[:, -1, 0]
        seen = len(weights) - 1
        return windows.reshape(len(frames), WINDOW * frames.shape[1])[:, -seen:] @ weights[:-1] + weights[-1]

    def state(self) -> dict[str, Any]:
        return {"name": self.name, "weights": self.weights_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.name, baseline.weights_ = state["name"], np.asarray(state["weights"])
        return baseline


class FrameRidge(_FrameWindow):
    """A fixed window of frames; then ridge regression."""

    key = "frame_ridge"
    ending = "ridge"
    name = f"window of {WINDOW} frames + {ending}"
    products = 20_000_000_000

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._scores(frames) for frames in inputs]

    def _solve(self, before: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        x, y = before.reshape(len(before), before.shape[1] * before.shape[2]), wanted
        middle, mean = (x.mean(0), y.mean(0)) if len(x) else (np.zeros(x.shape[1]), np.zeros(y.shape[1]))
        x = x - middle
        weights = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ (y - mean))
        return np.concatenate([weights, [mean - middle @ weights]])


class FrameLogistic(_FrameWindow):
    """A fixed window of frames; then one logistic regression per key."""

    key = "frame_logistic"
    ending = "logistic regression"
    name = f"window of {WINDOW} frames + {ending}"
    products = 1_000_000_000

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [_sigmoid(self._scores(frames)) for frames in inputs]

    def _solve(self, before: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        rows = before.reshape(len(before), before.shape[1] * before.shape[2])
        x = np.concatenate([rows, np.ones((len(before), 1))], axis=1).astype(np.float32)
        y = (wanted > 0.5).astype(np.float32)
        share = (y.sum(0) + 0.1) / (len(y) + 0.2)
        start = np.zeros((x.shape[1], y.shape[1]))
        start[-1] = np.log(share / (1 - share))
        penalty = np.full((x.shape[1], 1), PENALTY)
        penalty[-1] = 0.01  # a key that was never on keeps a finite bias

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights = flat.reshape(start.shape)
            scores = x @ weights.astype(np.float32)  # (M, K)
            nats = float((np.logaddexp(0, scores) - y * scores).sum(dtype=np.float64))
            gradient = x.T @ (_sigmoid(scores) - y) + penalty * (weights - start)
            return nats + 0.5 * float((penalty * (weights - start) ** 2).sum()), gradient.ravel().astype(np.float64)

        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": MAX_ITERATIONS})
        return np.asarray(found.x).reshape(start.shape)


def _sigmoid(scores: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * scores))


def _windows(frames: np.ndarray) -> np.ndarray:
    """Return every frame after those before it, zeros before the first: (T, WINDOW, V)."""
    padded = np.concatenate([np.zeros((WINDOW - 1, frames.shape[1])), np.nan_to_num(frames)])
    return np.stack([padded[back : back + len(frames)] for back in range(WINDOW)], axis=1)
