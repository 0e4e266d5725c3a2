"""Times of events as features: the gap to the event before, the hour and the day of the week."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from unrolled.data.event_log import EventLog
from unrolled.data.time_forms import TimeForm, saved_form
from unrolled.data.time_zones import local_seconds

_DAY, _WEEK = 86_400.0, 7 * 86_400.0
_MONDAY = 3 * _DAY  # the first of January 1970 was a Thursday


class EventTimes:
    """The times of a log's events as vectors.

    Attributes:
        calendar: whether the times are dates, so that hours and weekdays are features too; by the clocks of their zone.
        centre: mean of log(1 + seconds) between neighbours in time.
        spread: standard deviation of the same values.
        form: the form of the times.

    Example:
        >>> import polars as pl
        >>> from unrolled.data.event_log import event_log
        >>> from unrolled.data.source import Table
        >>> log = event_log(Table(pl.DataFrame({"u": [1, 1], "i": [1, 2], "t": [0, 9]})), "u", "i", "t")
        >>> EventTimes.learnt(log).encode(log).shape
        (2, 1)
    """

    def __init__(self, calendar: bool, centre: float, spread: float, form: TimeForm) -> None:
        self.calendar, self.centre, self.spread, self.form = calendar, centre, spread, form

    @classmethod
    def learnt(cls, log: EventLog) -> Self:
        """Learn the features of the times of a log."""
        gaps, first = _gaps(log)
        inner = gaps[~first]
        assert log.form is not None
        centre, spread = (float(inner.mean()), float(inner.std())) if len(inner) else (0.0, 1.0)
        return cls(log.calendar, centre, spread, log.form)

    @property
    def size(self) -> int:
        """Number of features per event, F."""
        return 5 if self.calendar else 1

    def encode(self, log: EventLog) -> np.ndarray:
        """Return the features of each event, (N, F): the gap before it, sine and cosine of hour and weekday."""
        assert log.seconds is not None
        return self.vectors(log.seconds, *_gaps(log))

    def vectors(self, seconds: np.ndarray, gaps: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Return the features of events, (N, F).

        Args:
            seconds: time of each event, (N,).
            gaps: log of 1 + the seconds since the user's event before, (N,).
            first: which events are the first of their user, (N,).
        """
        columns = [np.where(first, 0.0, (gaps - self.centre) / max(self.spread, 1e-3))]
        if self.calendar:
            local = local_seconds(seconds, self.form.zone)
            for shares in (local % _DAY / _DAY, (local + _MONDAY) % _WEEK / _WEEK):
                columns += [np.sin(2 * np.pi * shares), np.cos(2 * np.pi * shares)]
        return np.stack(columns, 1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**vars(self), "form": self.form.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        # models of earlier versions kept no form, and read all times as UTC
        form = saved_form(data.get("form"), not data["calendar"]) or TimeForm("datetime", zone="UTC")
        return cls(**{**data, "form": form})


def _gaps(log: EventLog) -> tuple[np.ndarray, np.ndarray]:
    """Return log of 1 + the seconds since the user's event before, (N,), and which events are first."""
    assert log.seconds is not None
    starts = (np.cumsum(log.lengths) - log.lengths)[log.lengths > 0]
    first = np.zeros(len(log.seconds), dtype=bool)
    first[starts] = True
    gaps = np.diff(log.seconds, prepend=log.seconds[:1])
    return np.log1p(np.where(first, 0.0, np.maximum(gaps, 0.0))), first
