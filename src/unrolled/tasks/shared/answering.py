"""Which models answer: the network alone, or, where a subclass says how, a blend of it and the baselines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from unrolled.blending.blend import Blend
from unrolled.data.source import Source
from unrolled.inspection.record import Part
from unrolled.training.options import TrainingOptions


@dataclass(frozen=True)
class FitRun:
    """The rows and the options of a fit, once network and baselines have learnt.

    Args:
        train: the rows that they learnt from.
        aside: rows that nothing was fitted on; None where there are none.
        held: rows that early stopping used; None where there are none.
        settings: training options of the task.
        options: those that the user gave.
    """

    train: Source
    aside: Source | None
    held: Source | None
    settings: TrainingOptions
    options: Mapping[str, Any]


class Answering:
    """A task whose network answers alone; a subclass may choose a blend, and then says what its parts say.

    Attributes:
        blend_: weights of the network and the baselines; None where the network answers alone.
    """

    blend_: Blend | None = None

    def _set_aside(self, source: Source, settings: TrainingOptions) -> tuple[Source, Source | None]:
        """Split off records that nothing is fitted on, to choose a blend on them; None where none is chosen."""
        return source, None

    def _choose_blend(self, fit: FitRun) -> Blend | None:
        """Return the weights of network and baselines; None where the network answers alone."""
        return None

    def _logs_of_blend(self, source: Source, examples: Any) -> Tensor | None:
        """Return the log probabilities of a blend, (B, V); None where the network answers alone."""
        return None

    def _parts_of_answer(self, source: Source, examples: Any, row: int) -> tuple[Part, ...]:
        """Return what each part of a blend says of one record; empty where the network answers alone."""
        return ()
