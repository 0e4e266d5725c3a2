"""Scores of a model next to those of its baselines.

One rule holds for every metric: a counted answer that is NaN or infinite is refused with a DataError that names its
model and its place; it is neither left out nor counted as a class, an error of 0 or a low score. Where there is
nothing to score, a metric is NaN. Each score's docstring names the program or the paper that defines it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from unrolled.errors import DataError, message
from unrolled.reading_report import lines_of

WIDTH = 80  # characters of a line of the table
IGNORED = -100  # a label that is not scored
UNSEEN = -1  # a true label that training never saw
NETWORK = "network alone"  # its row, where the model is a blend

Metrics = dict[str, float]


@dataclass(frozen=True)
class Scores:
    """A model's scores next to those of every baseline.

    Args:
        n: number of scored answers.
        unit: unit of an answer: sequences, steps, tokens, frames or values.
        model: metrics of the model.
        baselines: metrics by the name of the baseline.
        leading: name of the metric that decides.
        higher_is_better: whether a higher value of it is better.
        notes: details needed to reproduce the scores, such as a library's signature; shown below the table.
        report: what the scored data held that the model does not know, see `unrolled.reading_report`; shown as well.
        network: metrics of the network alone, where the model is a blend of it and the baselines; else None.
        weights: the weight of each part of a blend, by its name in the table.

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
    report: Mapping[str, Any] = field(default_factory=dict, compare=False)
    network: Metrics | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

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
        """One sentence that says whether the model or a baseline is better, and by how much."""
        best = self.best_baseline
        if best is None:
            return "No baseline was run."
        if np.isnan(self.difference):
            return f"The model loses to a simple baseline: it has no {self.leading.replace('_', ' ')}, and {best} has."
        size = f"{abs(self.difference):.4f} {self.leading.replace('_', ' ')}"
        alarms = self.report.get("warnings", ())
        if self.wins and alarms:
            return f"No verdict, as too much is unknown to the model: {alarms[0]}."
        if self.wins:
            return f"The model beats the best baseline ({best}) by {size}."
        if self.difference == 0:
            return f"The model only equals a simple baseline: {best}."
        return f"The model loses to a simple baseline: {best} is better by {size}."

    def __str__(self) -> str:
        return "\n".join([*self._table(), *self.notes, *lines_of(self.report), self.summary])

    def _table(self) -> list[str]:
        """Return the lines of the table; metrics that do not fit beside the others follow in a table below."""
        rows = self.rows()
        metrics = list(dict.fromkeys(metric for values in rows.values() for metric in values if metric != "weight"))
        metrics += ["weight"] * bool(self.weights)
        first = max(map(len, rows))
        lines: list[str] = []
        for part in _side_by_side({metric: 2 + max(len(metric), 8) for metric in metrics}, WIDTH - first):
            lines += [""] * bool(lines)
            lines.append(" " * first + "".join(f"{metric:>{width}}" for metric, width in part.items()))
            for name, values in rows.items():
                cells = (f"{f'{values[m]:.4f}' if m in values else '-':>{width}}" for m, width in part.items())
                lines.append(f"{name:<{first}}" + "".join(cells))
        return lines

    def rows(self) -> dict[str, Metrics]:
        """Return the rows of the table by name: the model, the network of a blend, the baselines; parts with "weight".

        Example:
            >>> scores = Scores(10, "sequences", {"accuracy": 0.9}, {NETWORK: {"accuracy": 0.6}}, "accuracy", True)
            >>> scores.as_blend({NETWORK: 0.5}).rows()
            {'this model, a blend': {'accuracy': 0.9}, 'network alone': {'accuracy': 0.6, 'weight': 0.5}}
        """
        parts = ({} if self.network is None else {NETWORK: self.network}) | self.baselines
        weighed = {name: {"weight": weight} for name, weight in self.weights.items()}
        title = "this model, a blend" if self.weights else "this model"
        return {title: self.model, **{name: values | weighed.get(name, {}) for name, values in parts.items()}}

    @property
    def summary(self) -> str:
        """The number of scored answers, and the comparison of the model with its baselines."""
        return f"{self.n:,} {self.unit} scored. {self.verdict}"

    def as_blend(self, weights: Mapping[str, float]) -> "Scores":
        """Return these scores with the baseline named NETWORK as the network alone, and the weights of the parts."""
        rivals = {name: values for name, values in self.baselines.items() if name != NETWORK}
        return replace(self, baselines=rivals, network=self.baselines[NETWORK], weights=dict(weights))

    def to_json(self) -> dict[str, Any]:
        """Convert the scores to plain values; NaN becomes None."""
        record = asdict(self)
        record["model"] = _no_nan(self.model)
        record["baselines"] = {name: _no_nan(values) for name, values in self.baselines.items()}
        record["notes"] = list(self.notes)
        record["report"] = dict(self.report)
        record["network"] = None if self.network is None else _no_nan(self.network)
        record["weights"] = dict(self.weights)
        return record

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Scores":
        """Restore scores from `to_json`; a metric that was NaN is left out."""
        record = dict(data)
        record["model"] = _known(record["model"])
        record["baselines"] = {name: _known(values) for name, values in record["baselines"].items()}
        record["notes"] = tuple(record.get("notes", ()))  # older records have none
        network = record.get("network")
        record["network"] = None if network is None else _known(network)
        return cls(**record)


def _side_by_side(widths: Mapping[str, int], room: int) -> list[dict[str, int]]:
    """Return columns in parts that fit into a number of characters, as even as possible; each has at least one."""
    parts: list[dict[str, int]] = [{}]
    count = -(-sum(widths.values()) // max(room, 1))  # parts that are needed at least
    share = sum(widths.values()) / max(count, 1)
    for name, width in widths.items():
        taken = sum(parts[-1].values())
        if parts[-1] and (taken + width > room or (taken >= share and len(parts) < count)):
            parts.append({})
        parts[-1][name] = width
    return parts


def _no_nan(values: Metrics) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


def _known(values: Mapping[str, float | None]) -> Metrics:
    return {name: value for name, value in values.items() if value is not None}


def answered(values: Any, whose: str = "", what: str = "answers", counts: Any = True) -> np.ndarray:
    """Convert answers to an array, and check that all counted ones are finite numbers.

    Args:
        values: of any shape.
        whose: name of the baseline; empty for the model itself.
        what: name of the answers in the error.
        counts: which of them are counted; the same shape or one that broadcasts to it.

    Raises:
        DataError: a counted answer that is NaN or infinite, with its place.

    Example:
        >>> answered([0.5, 0.5]).tolist()
        [0.5, 0.5]
    """
    array = np.asarray(values)
    odd = np.atleast_1d(~np.isfinite(array) & np.asarray(counts))
    if odd.any():
        place = tuple(int(axis[0]) for axis in np.nonzero(odd))
        at = ", ".join(f"{name} {axis}" for name, axis in zip(("row", "place", "number"), place, strict=False))
        received = f"{np.atleast_1d(array)[place]} in {at}"
        raise DataError(message(f"{what} of {whose or 'this model'}", expected="numbers", received=received))
    return array


def mean(values: np.ndarray) -> float:
    """Return the mean of some values; NaN if there are none.

    Example:
        >>> mean(np.array([1, 2])), mean(np.array([]))
        (1.5, nan)
    """
    return float(np.mean(values)) if np.size(values) else float("nan")
