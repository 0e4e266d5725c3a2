"""Scores: pure functions of the truth and the answers, the same for a model and for its baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

IGNORED = -100  # a label that does not count
TINY = 1e-7
TOP = 5  # among how many classes the truth is looked for, where there are more than twice as many

Metrics = dict[str, float]


@dataclass(frozen=True)
class Scores:
    """A model's scores beside those of every baseline.

    Args:
        n: how many answers were scored.
        unit: what an answer is for: sequences, steps, tokens, frames or values.
        model: metrics of the model.
        baselines: metrics by the name of the baseline.
        leading: the metric that decides.
        higher_is_better: whether a higher value of it is better.
        notes: what a reader needs to count the same, such as a library's signature; shown below the table.

    Example:
        >>> scores = Scores(10, "sequences", {"accuracy": 0.9}, {"majority": {"accuracy": 0.6}}, "accuracy", True)
        >>> round(scores.difference, 2), scores.wins
        (0.3, True)
    """

    n: int
    unit: str
    model: Metrics
    baselines: dict[str, Metrics]
    leading: str
    higher_is_better: bool
    notes: tuple[str, ...] = ()

    @property
    def best_baseline(self) -> str | None:
        """Name of the baseline with the best leading metric; None without baselines."""
        known = {
            name: values[self.leading]
            for name, values in self.baselines.items()
            if np.isfinite(values.get(self.leading, np.nan))
        }
        if not known:
            return None
        return (max if self.higher_is_better else min)(known, key=lambda name: known[name])

    @property
    def difference(self) -> float:
        """Leading metric of the model minus that of the best baseline; NaN without baselines."""
        best = self.best_baseline
        mine = self.model.get(self.leading, float("nan"))
        return float("nan") if best is None else mine - self.baselines[best][self.leading]

    @property
    def wins(self) -> bool:
        """Whether the model is better than every baseline; False without baselines."""
        return self.difference > 0 if self.higher_is_better else self.difference < 0

    @property
    def verdict(self) -> str:
        """Who is better, by how much, in one sentence."""
        best = self.best_baseline
        if best is None:
            return "No baseline was run."
        if np.isnan(self.difference):
            return f"The model LOSES to a simple baseline: it has no {self.leading.replace('_', ' ')}, and {best} has."
        size = f"{abs(self.difference):.4f} {self.leading.replace('_', ' ')}"
        if self.wins:
            return f"The model beats the best baseline ({best}) by {size}."
        if self.difference == 0:
            return f"The model only EQUALS a simple baseline: {best}."
        return f"The model LOSES to a simple baseline: {best} is better by {size}."

    def __str__(self) -> str:
        rows = {"this model": self.model, **self.baselines}
        metrics = list(dict.fromkeys(metric for values in rows.values() for metric in values))
        widths = {metric: max(len(metric), 8) for metric in metrics}
        first = max(map(len, rows))
        lines = [" " * first + "".join(f"  {metric:>{widths[metric]}}" for metric in metrics)]
        for name, values in rows.items():
            cells = [f"{values[m]:.4f}" if m in values else "-" for m in metrics]
            lines.append(
                f"{name:<{first}}" + "".join(f"  {c:>{widths[m]}}" for c, m in zip(cells, metrics, strict=True))
            )
        return "\n".join([*lines, *self.notes, self.summary])

    @property
    def summary(self) -> str:
        """How much was scored, and how the model stands beside its baselines."""
        return f"{self.n:,} {self.unit} scored. {self.verdict}"

    def to_json(self) -> dict[str, Any]:
        """Plain values; NaN becomes None."""
        record = asdict(self)
        record["model"] = _no_nan(self.model)
        record["baselines"] = {name: _no_nan(values) for name, values in self.baselines.items()}
        record["notes"] = list(self.notes)
        return record

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Scores":
        """The inverse of `to_json`; a metric that was not a number is left out."""
        record = dict(data)
        record["model"] = _known(record["model"])
        record["baselines"] = {name: _known(values) for name, values in record["baselines"].items()}
        record["notes"] = tuple(record.get("notes", ()))  # older records have none
        return cls(**record)


def _no_nan(values: Metrics) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


def _known(values: Mapping[str, float | None]) -> Metrics:
    return {name: value for name, value in values.items() if value is not None}


def classification_scores(truth: np.ndarray, shares: np.ndarray, rivals: Mapping[str, np.ndarray], size: int) -> Scores:
    """Accuracy, macro-F1 (the mean over the classes that occur) and log loss; of many classes, top-5 accuracy too.

    Args:
        truth: class indices, (B,); `IGNORED` ones are skipped.
        shares: the model's probabilities, (B, V).
        rivals: the baselines' probabilities by name.
        size: classes, V.
    """
    known = truth != IGNORED
    rows = {name: _classes(truth[known], values[known], size) for name, values in {"": shares, **rivals}.items()}
    return Scores(int(known.sum()), "sequences", rows.pop(""), rows, "accuracy", True)


def _classes(truth: np.ndarray, shares: np.ndarray, size: int) -> Metrics:
    guess = shares.argmax(1) if len(shares) else np.empty(0, dtype=int)
    nats = -np.log(np.clip(shares[np.arange(len(truth)), truth], TINY, 1))
    metrics = {"accuracy": _mean(guess == truth), "macro_f1": macro_f1(truth, guess, size), "log_loss": _mean(nats)}
    return metrics | ({f"top_{TOP}": top_k_accuracy(truth, shares, TOP)} if size > 2 * TOP else {})


def top_k_accuracy(truth: np.ndarray, shares: np.ndarray, k: int) -> float:
    """How often the truth is among the k likeliest classes; equal shares count against it.

    Args:
        truth: class indices, (B,).
        shares: probabilities, (B, V).
        k: classes that may be named.

    Example:
        >>> top_k_accuracy(np.array([0, 1]), np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]]), 2)
        0.5
    """
    own = shares[np.arange(len(truth)), truth][:, None]
    return _mean((shares >= own).sum(1) <= k)


def macro_f1(truth: np.ndarray, guess: np.ndarray, size: int) -> float:
    """Mean F1 over the classes that occur in the truth or in the answers."""
    hits = np.bincount(truth[truth == guess], minlength=size)
    both = np.bincount(truth, minlength=size) + np.bincount(guess, minlength=size)
    return _mean(2 * hits[both > 0] / both[both > 0])


def multilabel_scores(truth: np.ndarray, shares: np.ndarray, rivals: Mapping[str, np.ndarray], size: int) -> Scores:
    """Micro-F1, the share of sets that are right as a whole, and log loss a label: (B, V) binary truth."""
    rows = {name: _sets(truth > 0.5, values) for name, values in {"": shares, **rivals}.items()}
    return Scores(len(truth), "sequences", rows.pop(""), rows, "micro_f1", True)


def _sets(truth: np.ndarray, shares: np.ndarray) -> Metrics:
    guess = shares > 0.5
    hits = float((truth & guess).sum())
    total = float(truth.sum() + guess.sum())
    return {
        "micro_f1": 2 * hits / total if total else 1.0,
        "exact": _mean((truth == guess).all(1)),
        "log_loss": _mean(_binary_nats(truth, shares)),
    }


def tagging_scores(
    truth: Sequence[Sequence[Any]], guess: Sequence[Sequence[Any]], rivals: Mapping[str, Sequence[Sequence[Any]]]
) -> Scores:
    """Accuracy by step, macro-F1, and the share of sequences without a mistake.

    Args:
        truth: labels of every step of every sequence; steps whose label is None do not count.
        guess: the model's labels.
        rivals: the baselines' labels by name.
    """
    known = [[place for place, label in enumerate(row) if label is not None] for row in truth]
    truth = _steps(truth, known)
    names = sorted({label for row in truth for label in row}, key=str)
    rows = {name: _tags(truth, _steps(labels, known), names) for name, labels in {"": guess, **rivals}.items()}
    return Scores(sum(map(len, truth)), "steps", rows.pop(""), rows, "accuracy", True)


def _steps(rows: Sequence[Sequence[Any]], places: Sequence[Sequence[int]]) -> list[list[Any]]:
    return [[row[place] for place in chosen] for row, chosen in zip(rows, places, strict=True)]


def _tags(truth: Sequence[Sequence[Any]], guess: Sequence[Sequence[Any]], names: list[Any]) -> Metrics:
    index = {name: place for place, name in enumerate(names)}
    true = np.array([index[label] for row in truth for label in row], dtype=int)
    said = np.array([index.get(label, len(names)) for row in guess for label in row], dtype=int)
    whole = [list(a) == list(b) for a, b in zip(truth, guess, strict=True) if len(a)]
    return {
        "accuracy": _mean(true == said),
        "macro_f1": macro_f1(true, said, len(names) + 1),
        "whole_sequences": _mean(np.array(whole)),
    }


def language_scores(totals: Mapping[str, float], steps: int, characters: int) -> Scores:
    """Nats a token, perplexity and bits a character.

    Args:
        totals: summed nats by name; the model's is under "model".
        steps: tokens scored.
        characters: characters of the texts.
    """

    def metrics(nats: float) -> Metrics:
        per_token = nats / max(steps, 1)
        return {
            "nats_per_token": per_token,
            "perplexity": float(np.exp(min(per_token, 700))),
            "bits_per_character": float(nats / np.log(2) / max(characters, 1)),
        }

    rows = {name: metrics(nats) for name, nats in totals.items()}
    return Scores(steps, "tokens", rows.pop("model"), rows, "nats_per_token", False)


def frame_scores(
    truth: Sequence[np.ndarray],
    guess: Sequence[np.ndarray],
    rivals: Mapping[str, Sequence[np.ndarray]],
    binary: bool,
) -> Scores:
    """Nats a frame and F1 of binary frames; squared and absolute error of others.

    Args:
        truth: the frames that came, (T, V) each.
        guess: the model's probabilities or values for them.
        rivals: the baselines' by name.
        binary: whether frames hold 0 and 1 only.
    """
    true = _joined(truth)
    measure = _binary_frames if binary else _number_frames
    rows = {name: measure(true, _joined(values)) for name, values in {"": guess, **rivals}.items()}
    return Scores(len(true), "frames", rows.pop(""), rows, "nats_per_frame" if binary else "mse", False)


def density_scores(
    truth: Sequence[np.ndarray], answers: Mapping[str, tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]
) -> Scores:
    """Nats a frame, the end of each sequence included, and the squared error of the means; NaN is missing.

    Args:
        truth: the numbers that came, (T, D) each.
        answers: by name, the model's under "": what each sequence cost in nats, and the means said before (T, D).
    """
    true = _joined(truth)
    known = ~np.isnan(true)
    rows = {
        name: {
            "nats_per_frame": float(sum(cost.sum(dtype=np.float64) for cost in costs)) / max(len(true), 1),
            "mse": _mean((_joined(means) - true)[known] ** 2),
        }
        for name, (costs, means) in answers.items()
    }
    return Scores(len(true), "frames", rows.pop(""), rows, "nats_per_frame", False)


def _binary_frames(truth: np.ndarray, shares: np.ndarray) -> Metrics:
    on, said = truth > 0.5, shares > 0.5
    total = float(on.sum() + said.sum())
    return {
        "nats_per_frame": _mean(_binary_nats(on, shares).sum(1)),
        "key_f1": 2 * float((on & said).sum()) / total if total else 1.0,
    }


def _number_frames(truth: np.ndarray, guess: np.ndarray) -> Metrics:
    known = ~np.isnan(truth)
    error = (guess - truth)[known]
    return {"mse": _mean(error**2), "mae": _mean(np.abs(error))}


def _binary_nats(truth: np.ndarray, shares: np.ndarray) -> np.ndarray:
    right = np.where(truth, shares, 1 - shares)
    return -np.log(np.clip(right, TINY, 1))


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
    """MASE, MAE, RMSE, sMAPE and skill over a reference; pinball loss and coverage for quantiles.

    Args:
        truth: what came, (M, H); NaN where nothing is known.
        guess: point forecasts, (M, H).
        rivals: the baselines' point forecasts by name.
        scale: what an error is divided by in MASE, the in-sample error of the seasonal naive, (M,).
        quantiles: levels, and forecasts (M, H, Q).
        reference: name of the baseline that skill is measured against: 1 - its share of the absolute error.
        rival_quantiles: the baselines' quantiles at the same levels by name, (M, H, Q).

    Source of MASE: R. Hyndman and A. Koehler, "Another look at measures of forecast accuracy", 2006, section 3.
    """
    rows = {name: _forecasts(truth, values, scale) for name, values in {"": guess, **rivals}.items()}
    if reference in rows:
        against = rows[reference]["mae"]
        for values in rows.values():
            values["skill"] = 1 - values["mae"] / against if against else 0.0
    if quantiles is not None:
        for name, values in {"": quantiles[1], **(rival_quantiles or {})}.items():
            rows[name] |= _quantiles(truth, values, np.asarray(quantiles[0]))
    return Scores(int((~np.isnan(truth)).sum()), "values", rows.pop(""), rows, "mase", False)


def _forecasts(truth: np.ndarray, guess: np.ndarray, scale: np.ndarray) -> Metrics:
    known = ~np.isnan(truth)
    error = np.abs(guess - truth)
    scaled = (error / np.broadcast_to(scale[:, None], error.shape))[known]
    size = (np.abs(guess) + np.abs(truth))[known]
    relative = np.divide(2 * error[known], size, out=np.zeros_like(size), where=size > 0)
    return {
        "mase": _mean(scaled),
        "mae": _mean(error[known]),
        "rmse": float(np.sqrt(_mean(error[known] ** 2))),
        "smape": 100 * _mean(relative),
    }


def _quantiles(truth: np.ndarray, guess: np.ndarray, levels: np.ndarray) -> Metrics:
    known = ~np.isnan(truth)
    error = truth[known][:, None] - guess[known]  # (K, Q)
    inside = (guess[known][:, 0] <= truth[known]) & (truth[known] <= guess[known][:, -1])
    return {
        "pinball": _mean(np.maximum(levels * error, (levels - 1) * error)),
        f"coverage_{levels[-1] - levels[0]:.0%}": _mean(inside),
    }


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")
