"""What a classifier does with its blend: it chooses one, answers with it, and says what each part says."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.blending.blend import NETWORK, Blend
from unrolled.blending.log_pool import pulls
from unrolled.data.source import Source
from unrolled.inspection.record import Part
from unrolled.metrics.scores import NETWORK as ALONE
from unrolled.tasks.classification.blend_choice import SHARE, choose_blend, is_multiple, members_of, pooled, uses_folds
from unrolled.tasks.shared.answering import FitRun
from unrolled.training.options import TrainingOptions


class Blended:
    """A classifier whose network and baselines can answer together."""

    def _set_aside(self: Any, source: Source, settings: TrainingOptions) -> tuple[Source, Source | None]:
        if self.answer == NETWORK or uses_folds(len(source), settings):
            return source, None
        return self._hold_out(source, SHARE, settings.seed + 1)

    def _choose_blend(self: Any, fit: FitRun) -> Blend | None:
        return None if self.answer == NETWORK else choose_blend(self, fit)

    def _blended(self: Any, members: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the probabilities that are the answer, (B, V)."""
        return members[NETWORK] if self.blend_ is None else pooled(self.blend_, members, is_multiple(self))

    def _names_of_members(self: Any) -> dict[str, str]:
        """Return the name of each member in the table of scores, by key."""
        return {NETWORK: ALONE, **{key: baseline.name for key, baseline in self.baselines_.items()}}

    def _weights_of_parts(self: Any) -> dict[str, float]:
        """Return the weight of each part of the blend, by its name in the table; empty without a blend."""
        blend = self.blend_
        return {} if blend is None else {self._names_of_members()[key]: blend.weight_of(key) for key in blend.used}

    def _logs_of_blend(self: Any, source: Source, examples: Batch) -> Tensor | None:
        shares = self._probabilities(source, examples) if members_of(self) else None
        return None if shares is None else torch.from_numpy(np.log(np.maximum(shares, np.finfo(np.float64).tiny)))

    def _parts_of_answer(self: Any, source: Source, examples: Batch, row: int) -> tuple[Part, ...]:
        if self.blend_ is None or is_multiple(self):
            return ()
        members, names = self._members(source, examples), self._names_of_members()
        best = int(self._blended(members)[row].argmax())
        used = self.blend_.used
        weights = np.array([self.blend_.weight_of(key) for key in used])
        pull = pulls(np.stack([members[key][row] for key in used]), weights)
        order = np.argsort(-pull, kind="stable").tolist()
        said = [(used[place], members[used[place]][row], place) for place in order]
        return tuple(
            Part(names[key], float(weights[at]), str(self.classes_[shares.argmax()]), float(shares[best]),
                 float(pull[at]), at == order[0])
            for key, shares, at in said
        )  # fmt: skip
