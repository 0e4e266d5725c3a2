"""Saving and loading of what a forecaster has learnt besides its network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.blending.blend import Blend
from unrolled.errors import ArtifactError, message
from unrolled.tasks.forecasting.members import NETWORK
from unrolled.tasks.forecasting.online_intervals import OnlineWidths
from unrolled.tasks.forecasting.plan import ForecastPlan
from unrolled.tasks.forecasting.series_tails import tails_from_tensors, tails_to_tensors
from unrolled.tasks.forecasting.target_kinds import RANGES
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.shared.saving import Saved
from unrolled.training.weights import under

WIDTHS = ("missed", "sizes", "waiting")


class SavedForecaster(Saved):
    """A forecaster that can be saved and loaded, with the ends of its series."""

    def _learnt_to_json(self: Any) -> dict[str, Any]:
        return {
            "panel": self.panel_.to_json(),
            "plan": self.plan_.to_json(),
            "sizes": self.sizes_,
            "counts": self.counts_,
            "naive_errors": self.naive_errors_,
            "tails": list(self.tails_),
            "target_kind": self.target_kind_,
            "blend": None if self.blend_ is None else self.blend_.to_json(),
        }

    def _learnt_from_json(self: Any, data: Mapping[str, Any]) -> None:
        self.panel_ = Panel.from_json(data["panel"])
        self.plan_ = ForecastPlan.from_json(data["plan"])
        self.sizes_, self.season_ = data["sizes"], self.plan_.season
        self.counts_, self.naive_errors_ = data["counts"], data["naive_errors"]
        self.target_kind_ = data.get("target_kind", "number")  # earlier versions kept none
        width = sum(codec.spec.size for codec in self.panel_.codecs["future"])
        if self.target_kind_ not in RANGES or len(self.plan_.effects) not in (0, 2 * width):
            received = [self.target_kind_, len(self.plan_.effects)]
            raise ArtifactError(message("plan", expected="a kind of target, and its effects", received=received))
        blend = data.get("blend")
        self.blend_ = None if blend is None else Blend.from_json(blend)

    def _to_record(self: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
        record, tensors = super()._to_record()
        _, ends = tails_to_tensors(self.tails_)
        tensors["templates"] = torch.from_numpy(self.templates_)
        tensors |= {f"tails.{name}": values for name, values in ends.items()}
        if self.widths_:
            kept = [self.widths_.get(name) or OnlineWidths.start(self.horizon) for name in self.tails_]
            arrays = zip(WIDTHS, zip(*(one.parts() for one in kept), strict=True), strict=True)
            tensors |= {f"widths.{name}": torch.from_numpy(np.stack(values)) for name, values in arrays}
        return record, tensors

    @classmethod
    def _from_record(cls: Any, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Any:
        task = super()._from_record(record, tensors)
        task.tails_ = tails_from_tensors(record["learnt"]["tails"], under("tails.", tensors), task.panel_)
        task.templates_ = tensors["templates"].numpy() if "templates" in tensors else np.zeros((0, task.horizon))
        members = () if task.blend_ is None else task.blend_.used
        strangers = set(members) - {NETWORK, *task.baselines_}
        if strangers or task.templates_.shape[1:] != (task.horizon,):
            received = sorted(strangers) or list(task.templates_.shape)
            raise ArtifactError(message("model", expected="parts of the answer that it holds", received=received))
        kept = under("widths.", tensors)
        arrays = zip(*(kept[name].numpy() for name in WIDTHS), strict=True) if kept else ()
        task.widths_ = dict(zip(task.tails_, (OnlineWidths(*one) for one in arrays), strict=False))
        return task
