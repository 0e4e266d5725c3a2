"""Streams of recommenders and next-place models: one user's events in, the most probable next items out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.codecs.record import Record
from unrolled.codecs.tables.catalogue import Catalogue
from unrolled.codecs.tables.event_time import EventTimes
from unrolled.codecs.tables.habits import Habits
from unrolled.codecs.tables.places import Places
from unrolled.data.event_log import EventLog, event_log
from unrolled.data.kinds import column_of
from unrolled.data.source import Source
from unrolled.data.trajectories import MOST, distance_km
from unrolled.decoding.retrieval import Filters, Score, best_items
from unrolled.errors import DataError, lacking, message, whole_number
from unrolled.nn.event_reader import ITEM
from unrolled.ragged import Ragged
from unrolled.reading_report import note
from unrolled.state_forms import Either, Exactly, FixedParts, Form, Many, Maybe, Real, Whole
from unrolled.streaming.engine import final
from unrolled.streaming.network_steps import last_of
from unrolled.tasks.items.event_report import note_event
from unrolled.tasks.items.item_ranking import allowed_items
from unrolled.tasks.shared.event_values import number_of
from unrolled.tasks.shared.option_checks import check_flag
from unrolled.tasks.shared.stream_events import events_of_log

TIMES = "times"  # the input that holds the time of the event before
DISTANCE = "distance"  # the input that holds the distance from the place before
_LATEST = 2.0**63  # seconds, or numbers in the log's own unit


@dataclass(frozen=True)
class EventColumns:
    """The columns of an event and their encoding.

    Args:
        user: the column that identifies the user, or None.
        item: the column that names the item.
        time: the column of times, or None.
        catalogue: the items.
        times: the encoding of times, or None.
        features: codecs of further columns, or None.
        recalled: names of the inputs that hold suggestions from the user's own history.
        places: the codec that finds places among positions, or None.
        position: columns of latitude and longitude, or None.
    """

    user: str | None
    item: str
    time: str | None
    catalogue: Catalogue
    times: EventTimes | None
    features: Record | None
    recalled: tuple[str, ...]
    places: Places | None = None
    position: tuple[str, str] | None = None

    def log(self, source: Source) -> EventLog:
        """Return a table as an event log in order, each user's events one after the other."""
        table = source if self.places is None else self.places.table(source)
        form = None if self.times is None else self.times.form
        return event_log(table, self.user, self.item, self.time, form=form)


class _Kept(NamedTuple):
    """The memory of a user besides the network's state."""

    seconds: float | None = None  # time of the last event
    point: tuple[float, float] | None = None  # its position
    habits: Any = ()
    seen: tuple[int, ...] = ()  # items seen, if they are left out of answers


class _Event(NamedTuple):
    """One event as numbers."""

    item: int
    recalled: dict[str, int]
    seconds: float
    gap: float
    first: bool
    far: float
    features: Mapping[str, Any]
    seen: tuple[int, ...]


class ItemReader:
    """A reader of the events of one user.

    Args:
        columns: the columns that are read.
        names: the network's names of times and distances.
        score: scores of queries against a range of items.
        k: items per answer.
        exclude_seen: leave out the items that the user already had.
        allowed: answer only with these items; None allows all.
    """

    repeats, quick, joined = False, None, staticmethod(last_of)

    def __init__(
        self,
        columns: EventColumns,
        names: tuple[str, str],
        score: Score,
        k: int = 10,
        exclude_seen: bool = False,
        allowed: Sequence[Any] | None = None,
    ) -> None:
        check_flag("exclude_seen", exclude_seen)
        k = whole_number("k", k, least=1)
        self._columns, self._names, self._score, self._k = columns, names, score, k
        self._exclude_seen, self._allowed = exclude_seen, allowed_items(columns.catalogue, allowed)
        self.said = Exactly(None)

    @property
    def form(self) -> Form:
        """Form of a memory: time and position of the last event, the user's habits, and the items seen."""
        columns, size = self._columns, self._columns.catalogue.size
        seconds = Exactly(None) if columns.time is None or columns.times is None else Maybe(Real(-_LATEST, _LATEST))
        point = Exactly(None) if columns.position is None else Maybe(FixedParts(Real(), Real()))
        habits = Either(Exactly(()), Habits.form(size)) if columns.recalled else Exactly(())
        seen = Many(Whole(0, size - 1), size, distinct=True) if self._exclude_seen else Exactly(())
        return FixedParts(seconds, point, habits, seen)

    def initial(self) -> Any:
        return tuple(_Kept())

    def take(self, event: Any, memory: Any) -> tuple[_Event | None, Any]:
        columns, kept = self._columns, _Kept(*memory)
        record = self._record(event)
        if columns.places is not None and columns.position is not None:
            where = pl.DataFrame([column_of(one, [record[one]]) for one in columns.position])
            name = columns.places.encode(where)[0]
            note("rows left out", int(name is None), 1)
            if name is None:
                return None, memory  # at no place: left out, as in a table
            record = {**record, columns.item: name}
        seconds = self._seconds(record)
        if seconds is not None and kept.seconds is not None and seconds < kept.seconds:
            raise DataError(
                message(f"column {columns.time!r}", expected="a time not before the user's last event",
                        received=repr(record[columns.time or ""]), remedy="send events in order")
            )  # fmt: skip
        item = columns.catalogue.index_of(record[columns.item])
        note_event(columns.item, record[columns.item], columns.catalogue)
        habits, recalled = kept.habits, {}
        if columns.recalled:
            dated = None
            if seconds is not None and columns.times is not None and columns.times.calendar:
                dated = columns.times.form.local_second(seconds)
            now = Habits.from_values(kept.habits).with_event(item, dated)
            habits, recalled = tuple(now), now.recalled(nothing=columns.catalogue.size + 1)
        point = self._point(record)
        seen = kept.seen
        if self._exclude_seen and item < columns.catalogue.size and item not in seen:
            seen = (*seen, item)
        first = kept.seconds is None
        gap = 0.0 if kept.seconds is None or seconds is None else float(np.log1p(seconds - kept.seconds))
        far = _distance(kept.point, point)
        found = _Event(item, recalled, seconds or 0.0, gap, first, far, record, seen)
        return found, tuple(_Kept(seconds, point if columns.position else None, habits, seen))

    def rest(self, memory: Any) -> tuple[None, Any]:
        return None, memory

    def parts(self, event: Any, most: int) -> list[Any]:
        return [event]

    def encode(self, pieces: Sequence[_Event | None], fresh: Sequence[bool]) -> Batch:
        """Encode events: a start for a new user, then the event."""
        columns, size = self._columns, self._columns.catalogue.size
        events = [piece for piece in pieces if piece is not None]
        lengths = torch.tensor([int(new) + (piece is not None) for piece, new in zip(pieces, fresh, strict=True)])
        own = torch.tensor([
            row for piece, new in zip(pieces, fresh, strict=True)
            for row in (*([False] if new else []), *([True] if piece is not None else []))
        ], dtype=torch.bool)  # fmt: skip

        def placed(values: Tensor, start: float) -> Ragged:
            rows = values.new_full((len(own), *values.shape[1:]), start)
            rows[own] = values
            return Ragged(rows, lengths)

        inputs = {ITEM: placed(torch.tensor([one.item for one in events], dtype=torch.int64), size + 1)}
        for name in columns.recalled:
            inputs[name] = placed(torch.tensor([one.recalled[name] for one in events], dtype=torch.int64), size + 1)
        for name, values in self._vectors(events).items():
            inputs[name] = placed(values, 0)
        return Batch(dict(inputs))

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        return events_of_log(self._columns.log(source))

    def _vectors(self, events: Sequence[_Event]) -> dict[str, Tensor]:
        columns, (times, distance) = self._columns, self._names
        found: dict[str, Tensor] = {}
        if columns.position is not None:
            found[distance] = torch.tensor([[one.far] for one in events], dtype=torch.float32).reshape(-1, 1)
        if columns.times is not None:
            read = [np.array([getattr(one, name) for one in events]) for name in ("seconds", "gap", "first")]
            found[times] = torch.from_numpy(columns.times.vectors(read[0], read[1], read[2].astype(bool)))
        if columns.features is not None:
            found |= columns.features.encode_all([one.features for one in events]).statics
        return found

    def answers(self, raw: Ragged, pieces: Sequence[_Event | None]) -> list[Any]:
        catalogue, filled = self._columns.catalogue, (raw.lengths > 0).tolist()
        seen = [() if piece is None else piece.seen for piece, read in zip(pieces, filled, strict=True) if read]
        barred = None
        if self._exclude_seen:
            barred = Ragged(torch.tensor([i for own in seen for i in own], dtype=torch.int64),
                            torch.tensor([len(own) for own in seen], dtype=torch.int64))  # fmt: skip
        filters = Filters(barred, self._allowed)
        items, scores = best_items(self._score, final(raw), catalogue.size, min(self._k, catalogue.size), filters)
        said = iter(zip(items, scores, strict=True))
        return [self._answer(*next(said)) if read else None for read in filled]

    def _answer(self, items: Tensor, scores: Tensor) -> dict[str, Any]:
        known = items >= 0
        return {"items": self._columns.catalogue.decode(items[known].numpy()), "scores": scores[known].tolist()}

    # ---- pieces -----------------------------------------------------------------------------------

    def _record(self, event: Any) -> Mapping[str, Any]:
        columns = self._columns
        needs = [] if columns.places is not None else [columns.item]
        needs += [column for column in (columns.time,) if column is not None and columns.times is not None]
        needs += list(columns.position or ())
        needs += [] if columns.features is None else list(columns.features.columns)
        if not isinstance(event, Mapping):
            if needs != [columns.item]:
                raise DataError(message("event", expected=f"a record with {needs}", received=repr(event)[:60]))
            return {columns.item: event}
        for name in needs:
            if name not in event:
                raise lacking(name, event)
        return event

    def _seconds(self, record: Mapping[str, Any]) -> float | None:
        name = self._columns.time
        if name is None or self._columns.times is None:
            return None
        return self._columns.times.form.seconds_of_one(record[name], name)

    def _point(self, record: Mapping[str, Any]) -> tuple[float, float] | None:
        if self._columns.position is None:
            return None
        point = [number_of(record[name], name, most) for name, most in zip(self._columns.position, MOST, strict=True)]
        return None if any(map(isnan, point)) else (point[0], point[1])


def _distance(before: tuple[float, float] | None, point: tuple[float, float] | None) -> float:
    """Return log of 1 + kilometres, 0 for a first event and for a missing position."""
    if before is None or point is None:
        return 0.0
    far = distance_km(np.array(point[0]), np.array(point[1]), (np.array(before[0]), np.array(before[1])))
    return float(np.log1p(far))
