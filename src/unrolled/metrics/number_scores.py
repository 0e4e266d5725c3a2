"""Scores of step-by-step predictions: tokens, frames, densities and forecasts."""

from collections.abc import Mapping, Sequence

import numpy as np

from unrolled.metrics.label_scores import binary_nats
from unrolled.metrics.scores import Metrics, Scores, answered, mean


def language_scores(totals: Mapping[str, float], steps: int, characters: int) -> Scores:
    """Compute nats per token, perplexity and bits per character; NaN without tokens.

    Args:
        totals: summed nats by name; the model's is under "model".
        steps: number of scored tokens.
        characters: number of characters of the texts.

    Raises:
        DataError: nats that are no number.

    Source: the definitions in D. Jurafsky and J. H. Martin, "Speech and Language Processing", section 3.2, with e as
    the base: perplexity is exp(nats per token), at most exp(700). Bits per character are those of M. Mahoney's Large
    Text Compression Benchmark.

    Example:
        >>> round(language_scores({"model": 2 * np.log(8)}, 2, 6).model["bits_per_character"], 6)
        1.0
    """

    def metrics(nats: float) -> Metrics:
        per_token = nats / steps if steps else float("nan")
        return {
            "nats_per_token": per_token,
            "perplexity": float(np.exp(min(per_token, 700))) if steps else per_token,
            "bits_per_character": float(nats / np.log(2) / characters) if characters else float("nan"),
        }

    rows = {
        name: metrics(float(answered(nats, "" if name == "model" else name, "nats"))) for name, nats in totals.items()
    }
    return Scores(steps, "tokens", rows.pop("model"), rows, "nats_per_token", False)


def frame_scores(
    truth: Sequence[np.ndarray],
    guess: Sequence[np.ndarray],
    rivals: Mapping[str, Sequence[np.ndarray]],
    binary: bool,
) -> Scores:
    """Compute nats per frame and F1 for binary frames; squared and absolute error for others.

    Args:
        truth: the true frames, (T, V) each; NaN = missing.
        guess: the model's probabilities or values for them.
        rivals: the baselines' by name.
        binary: whether frames hold 0 and 1 only.

    Raises:
        DataError: an answer that is no number.

    Reference program: scikit-learn's `mean_squared_error`, `mean_absolute_error` and `f1_score(average="micro")`; nats
    are those of N. Boulanger-Lewandowski et al., "Modeling Temporal Dependencies in High-Dimensional Sequences", 2012
    (see `binary_nats` for their bounds).

    Example:
        >>> frame_scores([np.array([[1.0, 3.0]])], [np.array([[1.0, 5.0]])], {}, binary=False).model
        {'mse': 2.0, 'mae': 1.0}
    """
    true = _joined(truth)
    counts = ~np.isnan(true)
    measure = _binary_frames if binary else _number_frames
    rows = {
        name: measure(true, answered(_joined(values), name, "frames", counts))
        for name, values in {"": guess, **rivals}.items()
    }
    return Scores(len(true), "frames", rows.pop(""), rows, "nats_per_frame" if binary else "mse", False)


def density_scores(
    truth: Sequence[np.ndarray], answers: Mapping[str, tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]
) -> Scores:
    """Compute nats per frame, including the end of each sequence, and the squared error of the means.

    Args:
        truth: the true numbers, (T, D) each; NaN = missing.
        answers: by name, the model's under "": the cost of each sequence in nats, and the predicted means (T, D).

    Raises:
        DataError: nats or a mean that are no number.

    Reference program: minus the mean of SciPy's `logpdf`, and scikit-learn's `mean_squared_error`.

    Example:
        >>> truth, costs = [np.zeros((2, 1))], [np.array([1.0, 2.0, 0.5])]
        >>> density_scores(truth, {"": (costs, truth)}).model
        {'nats_per_frame': 1.75, 'mse': 0.0}
    """
    true = _joined(truth)
    known = ~np.isnan(true)
    rows = {}
    for name, (costs, means) in answers.items():
        total = sum(answered(cost, name, "nats").sum(dtype=np.float64) for cost in costs)
        error = answered(_joined(means), name, "means", known) - true
        rows[name] = {
            "nats_per_frame": float(total) / len(true) if len(true) else float("nan"),
            "mse": mean(error[known] ** 2),
        }
    return Scores(len(true), "frames", rows.pop(""), rows, "nats_per_frame", False)


def _binary_frames(truth: np.ndarray, shares: np.ndarray) -> Metrics:
    on, said = truth > 0.5, shares > 0.5
    total = float(on.sum() + said.sum())
    return {
        "nats_per_frame": mean(binary_nats(on, shares).sum(1)),
        "key_f1": 2 * float((on & said).sum()) / total if total else mean(np.ones(len(truth))),
    }


def _number_frames(truth: np.ndarray, guess: np.ndarray) -> Metrics:
    known = ~np.isnan(truth)
    error = (guess - truth)[known]
    return {"mse": mean(error**2), "mae": mean(np.abs(error))}


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    filled = [part for part in parts if len(part)]
    return np.concatenate(filled) if filled else np.zeros((0, 1))


def forecast_scores(
    truth: np.ndarray,
    guess: np.ndarray,
    rivals: Mapping[str, np.ndarray],
    scale: np.ndarray,
    quantiles: tuple[Sequence[float], np.ndarray] | None = None,
    reference: str = "",
    rival_quantiles: Mapping[str, np.ndarray] | None = None,
) -> Scores:
    """Compute MASE, MAE, RMSE, sMAPE and skill over a reference; for quantiles also pinball loss and coverage.

    Args:
        truth: true values, (M, H); NaN = unknown.
        guess: point forecasts, (M, H).
        rivals: the baselines' point forecasts by name.
        scale: the divisor of errors in MASE, the in-sample error of the seasonal naive forecast, (M,); NaN where
            there is none: those forecasts are left out of MASE with a note; if none is left, MAE leads.
        quantiles: levels, and forecasts (M, H, Q).
        reference: name of the baseline for skill: 1 - the model's absolute error / the baseline's.
        rival_quantiles: the baselines' quantiles at the same levels by name, (M, H, Q).

    Raises:
        DataError: a forecast or a quantile that is no number where the truth is known.

    Reference program: scikit-learn's `mean_absolute_error`, `root_mean_squared_error` and `mean_pinball_loss`; MASE and
    sMAPE (0 to 200, 0 where truth and forecast are 0) are those of the M4 competition's `Benchmarks and
    Evaluation.R`. Source of MASE: R. Hyndman and A. Koehler, "Another look at measures of forecast accuracy", 2006,
    section 3.

    Example:
        >>> truth, guess = np.array([[3.0, 5.0]]), np.array([[2.0, 5.0]])
        >>> got = forecast_scores(truth, guess, {}, np.array([2.0])).model
        >>> got["mase"], got["mae"], got["smape"]
        (0.25, 0.5, 20.0)
    """
    known = ~np.isnan(truth)
    rows = {
        name: _forecasts(truth, answered(values, name, "forecasts", known), scale)
        for name, values in {"": guess, **rivals}.items()
    }
    if reference in rows:
        against = rows[reference]["mae"]
        for values in rows.values():
            values["skill"] = 1 - values["mae"] / against if against else 0.0
    if quantiles is not None:
        for name, values in {"": quantiles[1], **(rival_quantiles or {})}.items():
            values = answered(values, name, "quantiles", known[:, :, None])
            rows[name] |= _quantiles(truth, values, np.asarray(quantiles[0]))
    odd = int(np.isnan(scale).sum())
    notes = (f"{odd:,} of {len(scale):,} forecasts have no MASE: the series is constant before them.",) if odd else ()
    leading = "mase" if odd < len(scale) or not len(scale) else "mae"
    return Scores(int(known.sum()), "values", rows.pop(""), rows, leading, False, notes)


def _forecasts(truth: np.ndarray, guess: np.ndarray, scale: np.ndarray) -> Metrics:
    known = ~np.isnan(truth)
    error = np.abs(guess - truth)
    measured = known & ~np.isnan(scale)[:, None]
    scaled = (error / np.broadcast_to(scale[:, None], error.shape))[measured]
    size = (np.abs(guess) + np.abs(truth))[known]
    relative = np.divide(2 * error[known], size, out=np.zeros_like(size), where=size > 0)
    return {
        "mase": mean(scaled),
        "mae": mean(error[known]),
        "rmse": float(np.sqrt(mean(error[known] ** 2))),
        "smape": 100 * mean(relative),
    }


def _quantiles(truth: np.ndarray, guess: np.ndarray, levels: np.ndarray) -> Metrics:
    known = ~np.isnan(truth)
    error = truth[known][:, None] - guess[known]  # (K, Q)
    inside = (guess[known][:, 0] <= truth[known]) & (truth[known] <= guess[known][:, -1])
    return {
        "pinball": mean(np.maximum(levels * error, (levels - 1) * error)),
        f"coverage_{levels[-1] - levels[0]:.0%}": mean(inside),
    }
