"""Everything that inspection says about a model and one of its sequences, in one record."""

from dataclasses import dataclass
from typing import Any

from unrolled.inspection.graph import Unfolding
from unrolled.inspection.saliency import Saliency
from unrolled.inspection.states import States
from unrolled.inspection.tracking import Tracked
from unrolled.metrics import Scores


@dataclass(frozen=True, eq=False)
class Inspection:
    """What `task.inspect(data)` returns.

    Args:
        scores: of the model on the data, beside the baselines'.
        labels: what each step of the chosen sequence reads, such as its character; empty where that has no name.
        unfolding: the model unfolded over that sequence, with real values.
        states: what every layer remembers at each of its steps.
        saliency: which of its steps the last answer hangs on.
        tracking: units that follow a simple feature, over as much of the data as was looked at; the best first.
    """

    scores: Scores
    labels: tuple[str, ...]
    unfolding: Unfolding
    states: States
    saliency: Saliency
    tracking: tuple[Tracked, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "scores": self.scores.to_json(),
            "labels": list(self.labels),
            "unfolding": self.unfolding.to_json(),
            "states": self.states.to_json(),
            "saliency": self.saliency.to_json(),
            "tracking": [one.to_json() for one in self.tracking],
        }
