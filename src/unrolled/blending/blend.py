"""Blend: which models answer together, with which weights, and on what evidence."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

NETWORK = "network"  # key of the network among the members
Kind = Literal["log", "quantile", "rank", "score"]


@dataclass(frozen=True)
class Blend:
    """The weights of the members of a pool, and how they were chosen.

    Args:
        kind: the pool: "log" for probabilities, "quantile" for forecasts, "rank" for rankings, "score" for anomalies.
        members: keys of the members, such as "network" and "character_ngrams".
        weights: one row of weights per block of the horizon, each with one weight per member; other pools have one row.
        best: key of the best single member on the rows of the choice.
        gain: cross-fitted gain of the pool over the best single member, in the pool's loss per row.
        standard_error: of the gain.
        adopted: whether the pool answers; otherwise the best single member has all the weight.
        rows: number of rows that the weights were chosen on.
        chosen_on: what those rows are: "folds" or "held-out part".

    Example:
        >>> blend = Blend("log", ("network", "bag_of_words"), ((0.7, 0.5),), "network", 0.05, 0.01, True, 400, "folds")
        >>> blend.weight_of("bag_of_words"), Blend.from_json(blend.to_json()) == blend
        (0.5, True)
    """

    kind: Kind
    members: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    best: str
    gain: float
    standard_error: float
    adopted: bool
    rows: int
    chosen_on: str = "folds"

    def __post_init__(self) -> None:
        rows = [len(row) == len(self.members) and all(np.isfinite(w) and w >= 0 for w in row) for row in self.weights]
        distinct = len(set(self.members)) == len(self.members) and self.best in self.members
        if not rows or not all(rows) or not distinct:
            raise ValueError("a blend has one weight that is not negative per member")

    def array(self) -> np.ndarray:
        """Return the weights, (blocks, M)."""
        return np.array(self.weights, dtype=np.float64)

    def weight_of(self, member: str) -> float:
        """Return the weight of a member, the mean over blocks; 0 for a model that is no member."""
        return float(self.array()[:, self.members.index(member)].mean()) if member in self.members else 0.0

    @property
    def used(self) -> tuple[str, ...]:
        """Return the members with a weight, the heaviest first."""
        found = [member for member in self.members if self.weight_of(member) > 0]
        return tuple(sorted(found, key=lambda member: -self.weight_of(member)))

    def with_weights(self, weights: np.ndarray) -> "Blend":
        """Return the blend with other weights, (blocks, M)."""
        return replace(self, weights=tuple(tuple(map(float, row)) for row in weights))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"members": list(self.members), "weights": [list(row) for row in self.weights]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], known: Collection[str] | None = None) -> "Blend":
        """Restore what `to_json` returned.

        Args:
            data: plain values.
            known: keys of the models that there are; None = any.

        Raises:
            ValueError: weights that do not fit the members, or a member that is not known.
        """
        for member in data["members"]:
            if known is not None and member not in known:
                raise ValueError(f"a member of the blend is {member!r}, and the model has {', '.join(known)}")
        rows = tuple(tuple(float(weight) for weight in row) for row in data["weights"])
        return cls(**{**data, "members": tuple(data["members"]), "weights": rows})
