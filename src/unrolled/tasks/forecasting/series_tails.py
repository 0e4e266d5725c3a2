"""Conversion of the ends of the training series, which a saved forecaster keeps, to tensors and back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.ragged import Ragged
from unrolled.tasks.forecasting.plan import ForecastPlan
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.series.series import Series

FIELDS = ("values", "past", "known")


def tails_of(series: Sequence[Series], plan: ForecastPlan) -> dict[Any, Series]:
    """Return as much of the end of each series as later forecasts need, by name."""
    return {one.name: replace(one.cut(max(0, len(one) - plan.kept)), unread=0) for one in series if len(one)}


def tails_to_tensors(tails: Mapping[Any, Series]) -> tuple[list[Any], dict[str, Tensor]]:
    """Convert the ends to names, and one tensor per field, series end to end."""
    series = list(tails.values())
    tensors = {name: torch.from_numpy(np.concatenate([getattr(one, name) for one in series])) for name in FIELDS}
    times = np.concatenate([one.times for one in series])
    tensors["times"] = torch.from_numpy(times.astype(np.int64) if times.dtype.kind == "M" else times)
    tensors["static"] = torch.from_numpy(np.stack([one.static for one in series]))
    tensors["lengths"] = torch.tensor([len(one) for one in series])
    return list(tails), tensors


def tails_from_tensors(names: Sequence[Any], tensors: Mapping[str, Tensor], panel: Panel) -> dict[Any, Series]:
    """Restore what `tails_to_tensors` returned.

    Args:
        names: names of the series.
        tensors: the saved tensors.
        panel: gives the form of the times and the calendars; series without one, of a model saved before series had
            calendars, get theirs here.
    """
    lengths = tensors["lengths"]
    columns = {field: list(Ragged(tensors[field], lengths)) for field in ("times", *FIELDS)}
    tails = {}
    for index, name in enumerate(names):
        times, values, past, known = (columns[field][index].numpy() for field in ("times", *FIELDS))
        times = times if panel.form.kind == "number" else times.astype("M8[us]")
        if name not in panel.calendars.places and len(times) > 1:
            panel.calendars.adopt(name, times[-1])
        calendar = panel.calendars.of(name, times[-1:])
        tails[name] = Series(name, calendar, times, values, past, known, tensors["static"][index].numpy(), known[:0])
    return tails
