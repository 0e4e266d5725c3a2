"""The state of a detector for one series: a plain value, and the way a saved model stores those of many series."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.ragged import Ragged
from unrolled.state import state_tensors, with_tensors
from unrolled.tasks.detection.clocked_rows import SeriesEnd
from unrolled.tasks.detection.likelihood import Usual

STACKED = ("mean", "variance", "low", "high")


class DetectorState(NamedTuple):
    """The state that a detector keeps of one series between two steps; it is never modified."""

    history: SeriesEnd
    network: Any
    usual: Usual


def states_to_tensors(states: Mapping[str, DetectorState]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Convert states to plain values by name of the series, and tensors that hold all series."""
    plain = {name: _plain(state) for name, state in states.items()}
    every = list(states.values())
    tensors = {
        "values": torch.from_numpy(np.concatenate([one.history.values for one in every])),
        "filled": torch.from_numpy(np.concatenate([one.history.filled for one in every])),
        "recent": torch.from_numpy(np.concatenate([one.usual.recent for one in every])),
        "rows": torch.tensor([[len(one.history.values), len(one.usual.recent)] for one in every]),
    }
    for field in STACKED:
        tensors[field] = torch.from_numpy(np.stack([getattr(one.usual, field) for one in every]))
    for number, leaves in enumerate(zip(*(state_tensors(one.network) for one in every), strict=True)):
        tensors[f"network.{number}"] = torch.cat(leaves)
    return plain, tensors


def states_from_tensors(
    plain: Mapping[str, Any], tensors: Mapping[str, Tensor], network: Any, dated: bool
) -> dict[str, DetectorState]:
    """Restore what `states_to_tensors` returned.

    Args:
        plain: values by name of the series.
        tensors: the saved tensors.
        network: any state of one sequence, as a pattern.
        dated: whether times are dates, not numbers.
    """
    kept, judged = tensors["rows"].unbind(1)
    values, filled = (list(Ragged(tensors[name], kept)) for name in ("values", "filled"))
    recent = list(Ragged(tensors["recent"], judged))
    states = {}
    for row, (name, one) in enumerate(plain.items()):
        leaves = [tensors[f"network.{number}"][row : row + 1] for number in range(len(state_tensors(network)))]
        time = time_from_plain(one["time"], dated)
        stacked = {field: tensors[field][row].numpy() for field in STACKED}
        peaks = tuple((age, score) for age, score in one["peaks"])
        usual = Usual(one["steps"], recent=recent[row].numpy(), peaks=peaks, warm_up=one["warm_up"], **stacked)
        history = SeriesEnd(time, values[row].numpy(), filled[row].numpy())
        states[name] = DetectorState(history, with_tensors(network, leaves), usual)
    return states


def plain_time(time: Any) -> int | float | None:
    """Return the time of a row as a number; a date and time in microseconds."""
    if isinstance(time, np.datetime64):
        return int(time.astype("M8[us]").astype(np.int64))
    return None if time is None else float(time)


def time_from_plain(number: Any, dated: bool) -> Any:
    """Restore a time that `plain_time` returned; `dated` says whether times are dates."""
    return np.int64(number).astype("M8[us]") if dated and number is not None else number


def _plain(state: DetectorState) -> dict[str, Any]:
    usual = state.usual
    return {
        "time": plain_time(state.history.time),
        "steps": usual.steps,
        "warm_up": usual.warm_up,
        "peaks": [list(peak) for peak in usual.peaks],
    }
