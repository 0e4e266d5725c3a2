"""What each kind of task reads and answers, for the descriptions of `unrolled.tasks.description`."""

from collections.abc import Iterable, Sequence
from typing import Any

from unrolled.codecs.base import Codec
from unrolled.data.source import Source, Table, refuse_nested
from unrolled.data.time_forms import TimeForm
from unrolled.tasks.description import Ability, Column, Described, Kind
from unrolled.tasks.series.long_table import STEP
from unrolled.tasks.shared.given_examples import sessions_of


class ReadsRecords(Described):
    """A task that reads the columns of records and answers with labels."""

    answer_kind = "label"
    abilities = ("predict", "probabilities", "confusion", "unfold")

    def _input_codecs(self: Any) -> Sequence[Codec]:
        return self.codecs_.codecs

    def _answer_codecs(self: Any) -> Sequence[Codec]:
        return (self.target_codec_,)

    def _classes(self: Any) -> Sequence[Any]:
        return self.classes_.tolist()


class ReadsSteps(ReadsRecords):
    """A task that reads the columns of records and answers with one label per step."""

    answer_kind = "labels"
    abilities = ("predict", "probabilities", "unfold")


class ReadsTexts(Described):
    """A task that reads texts, and columns that start them, and continues them."""

    answer_kind = "token"
    abilities = ("predict", "generate", "unfold")

    def _input_codecs(self: Any) -> Sequence[Codec]:
        return [self.codec_, *([] if self.given_ is None else self.given_.codecs)]

    def _given_columns(self: Any) -> tuple[str, ...]:
        return () if self.given_ is None else self.given_.columns

    def _said_of_answers(self: Any) -> dict[str, Any]:
        (name, *_) = self.network_.inputs.names
        return {"labels": [*self.codec_.entries, ""], "first": {name: self.boundary_}, "ends": self.many_}

    def _exported_codecs(self: Any) -> dict[str, Codec]:
        given = self.given_
        more = {} if given is None else dict(zip(given.names, given.codecs, strict=True))
        return {**self._readers(), **more}


class ReadsFrames(Described):
    """A task that reads vectors and answers with the next one."""

    answer_kind = "frames"
    abilities = ("predict", "continue", "unfold")

    def _abilities(self: Any) -> tuple[Ability, ...]:
        return (*self.abilities, "draw") if self.output == "mixture" else self.abilities

    def _input_codecs(self: Any) -> Sequence[Codec]:
        return (self.codec_,)

    def _said_of_answers(self: Any) -> dict[str, Any]:
        if self.output == "mixture":
            (name,) = self.network_.inputs.names
            return {"first": {name: [0.0] * self.codec_.spec.size + [1.0]}}
        return {} if self._binary else {"unit": self.codec_.scaling_}

    def _exported_codecs(self: Any) -> dict[str, Codec]:
        return {"frames": self.codec_}


class ReadsSources(Described):
    """A task that reads one column and writes a text."""

    answer_kind = "text"
    abilities = ("predict", "search", "unfold")

    def _input_codecs(self: Any) -> Sequence[Codec]:
        return (self.reader_,)

    def _answer_codecs(self: Any) -> Sequence[Codec]:
        return (self.target_.codec,)

    def _records(self, source: Source) -> list[Any]:
        """Return the records as the model reads them."""
        return list(source)


class ReadsEvents(Described):
    """A task that reads the events of users and answers with items."""

    answer_kind = "items"
    abilities = ("predict", "rank", "unfold")

    def _input_codecs(self: Any) -> Sequence[Codec]:
        return [codec for columns in (self.features_, self.item_features_) if columns for codec in columns.codecs]

    def _convert(self: Any, data: Any, y: Any = None) -> Source:
        source = sessions_of(data, y, self._item, self.user)
        if isinstance(source, Table) and self.user in source.columns:
            refuse_nested(source.frame[self.user])
        return source

    def _described_columns(self: Any) -> Iterable[Column]:
        kinds: tuple[tuple[str | None, Kind], ...] = ((self.user, "group"), (self.time, "time"))
        yield from (Column(name, kind) for name, kind in kinds if name is not None)
        yield from self._event_columns_read()
        if self.features_ is not None:  # features of items were read in training; no event holds them
            yield from (column for codec in self.features_.codecs for column in Column.of(codec, per_step=False))

    def _event_columns_read(self: Any) -> Iterable[Column]:
        yield Column(self._item, "value", takes_text=True)

    def _names_of_strangers(self: Any) -> set[str]:
        return set() if self.user is None else {self.user}

    def _answered_column(self: Any) -> str:
        return self._item

    def _classes(self: Any) -> Sequence[Any]:
        return self.classes_

    @property
    def time_form_(self: Any) -> TimeForm | None:
        return None if self.times_ is None else self.times_.form


class ReadsVisits(ReadsEvents):
    """A task that reads visits to places and answers with the next place; a place may be given by its position."""

    def _event_columns_read(self: Any) -> Iterable[Column]:
        if self.places_ is None:
            yield Column(self._item, "value", takes_text=True)
        yield from (Column(name, "value") for name in self._position or ())


class ReadsSeries(Described):
    """A task that reads series in long format, and forecasts them."""

    answer_kind = "forecast"

    def _input_codecs(self: Any) -> Sequence[Codec]:
        panel = self.panel_
        return [codec for codecs in panel.codecs.values() for codec in codecs] + [panel.phases] * bool(panel.phases)

    def _described_columns(self: Any) -> Iterable[Column]:
        yield from _of_series(*self._series_columns())
        yield Column(self.panel_.target, "value")
        covariates = [codec for codecs in self.panel_.codecs.values() for codec in codecs]  # one value per row
        yield from (column for codec in covariates for column in Column.of(codec, per_step=False))

    def _answered_column(self: Any) -> str:
        return self.panel_.target

    def _series_columns(self: Any) -> tuple[str | None, str | None]:
        return (None if self.panel_.time == STEP else self.panel_.time), self.panel_.group

    def _calendar(self: Any) -> str:
        return str(self.panel_.calendars)

    @property
    def time_form_(self: Any) -> TimeForm | None:
        return self.panel_.form


class ReadsWatched(Described):
    """A task that reads series in long format, and monitors them."""

    answer_kind = "scores"
    abilities = ("predict", "detect", "unfold")

    def _input_codecs(self: Any) -> Sequence[Codec]:
        return self.plan_.codecs

    def _described_columns(self: Any) -> Iterable[Column]:
        yield from _of_series(*self._series_columns())
        yield from (Column(name, "value", takes_text=self.watched_.events) for name in self.watched_.columns)

    def _series_columns(self: Any) -> tuple[str | None, str | None]:
        return (None if self.watched_.time == STEP else self.watched_.time), self.watched_.group

    def _calendar(self: Any) -> str:
        return self.plan_.step

    @property
    def time_form_(self: Any) -> TimeForm | None:
        return self.watched_.time_form


def _of_series(time: str | None, group: str | None) -> Iterable[Column]:
    if time is not None:
        yield Column(time, "time")
    if group is not None:
        yield Column(group, "group")
