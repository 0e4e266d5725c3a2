"""The record of a whole inspection of a model and one of its sequences."""

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
    """A sequence with a large loss.

    Args:
        row: its index.
        loss: its mean loss.
        read: its input as text, shortened; empty where steps have no names.
        true: the true answer, or those of its steps.
        given: the model's answer.
    """

    row: int
    loss: float
    read: str
    true: str
    given: str


@dataclass(frozen=True)
class Part:
    """What one part of a blend says of one record.

    Args:
        name: of the part, as in the table of scores.
        weight: its weight in the blend.
        answer: the class that it takes for the likeliest.
        probability: its probability for the blend's answer.
        pull: nats by which it moves the blend from its second best answer to its best; the pulls add up.
        decided: whether its pull is the largest.
    """

    name: str
    weight: float
    answer: str
    probability: float
    pull: float
    decided: bool


@dataclass(frozen=True, eq=False)
class Inspection:
    """The result of `task.inspect(data)`.

    Args:
        scores: of the model and the baselines on the data.
        labels: input of each step of the chosen sequence, such as its character; empty where it has no name. With an
            encoder, the input of the encoder.
        unfolding: the model unfolded over that sequence, with real values.
        states: the states of every layer at each of its steps.
        saliency: importance of its steps for the last answer; None with a decoder, see `workings`.
        gradient_flow: how far back the loss of some of the data reaches in every layer, and a verdict.
        mistakes: the sequences with the largest losses, the worst first.
        tracking: units that follow a simple feature, over the inspected part of the data; the best first.
        confusion: the confusion matrix over all of the data; None where an answer is not one class.
        before: input of each step of a decoder, the true piece before it; empty without a decoder.
        workings: with a decoder, records with the generated answer and its attention; the chosen one first, the
            others chosen at random.
        parts: what each part of a blend says of the chosen sequence, the one that decided first; empty without a blend.
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
    parts: tuple[Part, ...] = ()

    def labels_of(self, layer: LayerStates) -> tuple[str, ...]:
        """Return the input of each step of a layer as text; empty where it has no name."""
        return self.before if layer.stack == DECODER else self.labels

    def to_json(self) -> dict[str, Any]:
        """Convert the record to plain values."""
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
            "parts": [asdict(one) for one in self.parts],
        }
