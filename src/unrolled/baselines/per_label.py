"""Baselines for any number of labels at once: one baseline per label, which predicts whether a sequence has it."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.classification import (
    BagOfWords,
    CharacterNGrams,
    EveryColumn,
    FixedWindow,
    Majority,
    PositionalNaiveBayes,
    SummaryStatistics,
)
from unrolled.baselines.mean_frame import MeanFrame
from unrolled.baselines.steps import ClassBaseline, Columns, Steps
from unrolled.baselines.values import Example

KINDS: dict[str, type[ClassBaseline]] = {
    kind.key: kind
    for kind in (
        Majority,
        BagOfWords,
        CharacterNGrams,
        PositionalNaiveBayes,
        FixedWindow,
        SummaryStatistics,
        EveryColumn,
        MeanFrame,
    )
}


class PerLabel(ClassBaseline):
    """The probabilities (B, V) that each sequence has each label.

    Args:
        kind: a baseline for whole sequences, one in `KINDS`.
        size: number of labels, V.
    """

    key = "per_label"

    def __init__(self, kind: type[Any], size: int) -> None:
        self.kind = kind
        self.parts: list[ClassBaseline] = [kind(2) for _ in range(size)]
        self.name = "label frequency" if kind is Majority else f"{kind.name}, a label at a time"

    def fit(self, inputs: Sequence[Example], targets: Sequence[Sequence[float]]) -> Self:
        truth = np.asarray(targets, dtype=np.int64)  # (M, V)
        for part, column in zip(self.parts, truth.T, strict=True):
            part.fit(inputs, column.tolist())
        return self

    def predict(self, inputs: Sequence[Example]) -> np.ndarray:
        return np.stack([part.predict(inputs)[:, 1] for part in self.parts], axis=1)

    def steps(self, columns: Columns) -> Steps:
        """Return the steps of one label: all were fitted on the same records, and have the same features."""
        return self.parts[0].steps(columns)

    def shares(self, features: Any) -> np.ndarray:
        return np.array([part.shares(features)[1] for part in self.parts])

    def state(self) -> dict[str, Any]:
        learnt = {
            f"{place}/{name}": value for place, part in enumerate(self.parts) for name, value in part.state().items()
        }
        return {"kind": self.kind.key, "count": len(self.parts), **learnt}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        kind = KINDS[state["kind"]]
        baseline = cls(kind, int(state["count"]))
        for place in range(len(baseline.parts)):
            own = {name.partition("/")[2]: value for name, value in state.items() if name.startswith(f"{place}/")}
            baseline.parts[place] = kind.from_state(own)
        return baseline
