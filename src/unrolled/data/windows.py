"""Windows over series: where a context and a horizon fit."""

from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import DataError, OptionError, message


class Windows(NamedTuple):
    """Where windows begin.

    Args:
        series: which series each window lies in, (W,).
        starts: its first step within that series, (W,).
        skipped: series that are too short for one window, (S,).
    """

    series: Tensor
    starts: Tensor
    skipped: Tensor


def windows(lengths: Tensor, context: int, horizon: int, stride: int = 1) -> Windows:
    """Every window of `context + horizon` steps that lies inside one series.

    Args:
        lengths: steps of each series, (B,).
        context: steps that are read.
        horizon: steps that are predicted.
        stride: steps between the beginnings of neighbouring windows; the last window always ends at the last step.

    Raises:
        OptionError: a context, horizon or stride below 1.
        DataError: no series is long enough.

    Example:
        >>> windows(torch.tensor([5, 2]), context=2, horizon=1).starts
        tensor([0, 1, 2])
    """
    for name, value in (("context", context), ("horizon", horizon), ("stride", stride)):
        if value < 1:
            raise OptionError(message(name, expected="an integer >= 1", received=value))
    room = lengths - context - horizon  # (B,) the last beginning
    fits = room >= 0
    if not bool(fits.any()):
        longest = int(lengths.max()) if len(lengths) else 0
        raise DataError(
            message(
                "series",
                expected=f"at least one with {context + horizon} steps (context {context} + horizon {horizon})",
                received=f"{longest} steps in the longest",
                remedy="lower context_length or horizon",
            )
        )
    counts = torch.where(fits, room.div(stride, rounding_mode="floor") + 1, 0)
    series = torch.repeat_interleave(torch.arange(len(lengths)), counts)  # (W,)
    number = torch.arange(len(series)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    # counted from the end, so that the newest step is never left out
    starts = room[series] - (counts[series] - 1 - number) * stride
    return Windows(series, starts, (~fits).nonzero().squeeze(1))
