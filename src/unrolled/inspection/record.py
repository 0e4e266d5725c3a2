"""Everything that inspection says about a model and one of its sequences, in one record."""

from dataclasses import asdict, dataclass
from typing import Any

from unrolled.inspection.alignment import Working
from unrolled.inspection.graph import DECODER, Unfolding
from unrolled.inspection.records import GradientFlow
from unrolled.inspection.saliency import Saliency
from unrolled.inspection.states import LayerStates, States
from unrolled.inspection.tracking import Tracked
from unrolled.metrics.confusion import Confusion
from unrolled.metrics.scores import Scores


@dataclass(frozen=True)
class Mistake:
    """A sequence that costs much.

    Args:
        row: which one.
        loss: its mean loss.
        read: what it reads, cut where it is long; empty where its steps have no names.
        true: the right answer, or the answers of its steps.
        given: the model's.
    """

    row: int
    loss: float
    read: str
    true: str
    given: str


@dataclass(frozen=True, eq=False)
class Inspection:
    """What `task.inspect(data)` returns.

    Args:
        scores: of the model on the data, beside the baselines'.
        labels: what each step of the chosen sequence reads, such as its character; empty where that has no name. Where
            there is an encoder, what that reads.
        unfolding: the model unfolded over that sequence, with real values.
        states: what every layer remembers at each of its steps.
        saliency: which of its steps the last answer hangs on; None where there is a decoder, see `workings`.
        gradient_flow: how far back the loss of some of the data reaches in every layer, and a verdict.
        mistakes: the sequences that cost most, the worst first.
        tracking: units that follow a simple feature, over as much of the data as was looked at; the best first.
        confusion: which class is taken for which over all of the data; None where an answer is not one class.
        before: what each step of a decoder reads, the true piece before it; empty where there is none.
        workings: where there is a decoder, records with the answer written and where each piece of it looked; the
            chosen one first, the others drawn by chance.
    """

    scores: Scores
    labels: tuple[str, ...]
    unfolding: Unfolding
    states: States
    saliency: Saliency | None
    gradient_flow: GradientFlow
    mistakes: tuple[Mistake, ...]
    tracking: tuple[Tracked, ...]
    confusion: Confusion | None = None
    before: tuple[str, ...] = ()
    workings: tuple[Working, ...] = ()

    def labels_of(self, layer: LayerStates) -> tuple[str, ...]:
        """What each step of a layer reads; empty where that has no name."""
        return self.before if layer.stack == DECODER else self.labels

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "scores": self.scores.to_json(),
            "labels": list(self.labels),
            "unfolding": self.unfolding.to_json(),
            "states": self.states.to_json(),
            "saliency": None if self.saliency is None else self.saliency.to_json(),
            "gradient_flow": self.gradient_flow.to_json(),
            "mistakes": [asdict(one) for one in self.mistakes],
            "tracking": [one.to_json() for one in self.tracking],
            "confusion": None if self.confusion is None else self.confusion.to_json(),
            "before": list(self.before),
            "workings": [one.to_json() for one in self.workings],
        }
