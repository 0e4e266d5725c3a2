"""Units that track a feature: chosen by correlation on one half of the steps, evaluated on the other."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unrolled.errors import ShapeError, message
from unrolled.inspection.names import layer_name
from unrolled.inspection.states import LayerStates, States

MIN_STEPS = 8  # minimum number of steps for a correlation


@dataclass(frozen=True)
class Tracked:
    """The unit that follows a feature best.

    Args:
        feature: what is tracked, such as "inside quotes".
        layer: the unit's layer, from 0.
        direction: "forward" or "backward".
        field: part of the state, such as "hidden" or "cell".
        unit: its number.
        correlation: with the feature on the half of the steps that was not used for the choice; unbiased.
        chosen_at: with the feature on the half used for the choice; biased upwards, as the best of many.
        stack: as in `LayerStates`.
    """

    feature: str
    layer: int
    direction: str
    field: str
    unit: int
    correlation: float
    chosen_at: float
    stack: str = ""

    @property
    def name(self) -> str:
        """The unit's name, such as "layer 1, cell 7"."""
        return f"{layer_name(self.layer, self.direction, self.stack)}, {self.field} {self.unit}"

    def to_json(self) -> dict[str, Any]:
        """Convert the record to plain values."""
        return {"name": self.name} | asdict(self)


def tracking_units(states: States, features: Mapping[str, np.ndarray]) -> tuple[Tracked, ...]:
    """Find for each feature the unit that tracks it best, ranked by the correlation on unseen steps.

    The unit is chosen on the first half of all steps, by the largest absolute correlation, and evaluated on the second.

    Args:
        states: of the model.
        features: of the same steps in the same order, (N,) by name.

    Returns:
        one record per feature that varies in both halves, the strongest first.

    Raises:
        ShapeError: not one value of a feature per step.

    Source: A. Karpathy, J. Johnson and L. Fei-Fei, "Visualizing and Understanding Recurrent Networks", ICLR workshop
    2016, section 4.2, looks for such units by eye.

    Example:
        >>> import torch
        >>> from unrolled.inspection.states import LayerStates
        >>> from unrolled.ragged import Ragged
        >>> count = Ragged(torch.arange(10.0)[:, None], [10])
        >>> seen = States((LayerStates(0, "forward", "GRU", count, {}, {"hidden": count}, {}, count),))
        >>> [(one.unit, round(one.correlation, 2)) for one in tracking_units(seen, {"time": np.arange(10)})]
        [(0, 1.0)]
    """
    places, values = _units(states)  # (N, units)
    found = []
    for name, feature in features.items():
        if len(feature) != len(values):
            raise ShapeError(message(f"features[{name!r}]", expected=f"{len(values)} steps", received=len(feature)))
        half = len(values) // 2
        if half < MIN_STEPS // 2:
            continue
        choosing, judging = correlations(values[:half], feature[:half]), slice(half, None)
        if not np.isfinite(choosing).any():
            continue
        best = int(np.nanargmax(np.abs(choosing)))
        held = float(correlations(values[judging, best : best + 1], feature[judging])[0])
        if np.isfinite(held):
            layer, field, unit = places[best]
            chosen_at = float(choosing[best])
            found.append(Tracked(name, layer.layer, layer.direction, field, unit, held, chosen_at, layer.stack))
    return tuple(sorted(found, key=lambda one: -abs(one.correlation)))


def correlations(values: np.ndarray, feature: np.ndarray) -> np.ndarray:
    """Compute Pearson's correlation of every column of (N, K) with (N,); NaN where one of the two is constant."""
    x = values - values.mean(0)
    y = feature - np.mean(feature)
    norms = np.sqrt((x**2).sum(0) * (y**2).sum())  # (K,)
    varies = norms > 1e-12 * max(len(x), 1)
    return np.where(varies, (x * y[:, None]).sum(0) / np.where(varies, norms, 1.0), np.nan)


def _units(states: States) -> tuple[list[tuple[LayerStates, str, int]], np.ndarray]:
    """Return the place of every unit of every state field, and all their values as columns."""
    places, columns = [], []
    for layer in states.layers:
        for name, field in layer.fields.items():
            numbers = field.values.detach().double().numpy(force=True)  # (N, H)
            columns.append(numbers)
            places += [(layer, name, unit) for unit in range(numbers.shape[1])]
    return places, np.concatenate(columns, 1)
