"""Descriptions of tasks: what a task reads and answers, for servers, pages and the command line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from unrolled.codecs.base import Codec
from unrolled.data.time_facts import time_facts
from unrolled.data.time_forms import TimeForm

Kind = Literal["text", "sequence", "value", "media", "time", "group"]
Answer = Literal["label", "labels", "text", "token", "items", "frames", "forecast", "scores"]
Ability = Literal[
    "predict",  # answers for records, or for the rows of a table
    "probabilities",  # of each class, for records
    "confusion",  # a confusion matrix
    "generate",  # texts from a prompt
    "continue",  # sequences from their first frames
    "draw",  # new sequences without a prompt
    "search",  # the best of the possible texts
    "rank",  # the best items for each user
    "detect",  # alarms in the rows of a table
    "unfold",  # its network drawn over one record
]


@dataclass(frozen=True)
class Column:
    """A column that a task reads.

    Args:
        name: name of the column.
        kind: "text"; "sequence", a list with one value per step; "value", one per record; "media", a recording,
            picture or film; "time" and "group" of tables in long format.
        takes_text: whether a plain text may be given.
        opens_files: whether a text in it may name a file.
        holds: kind of its values in training, such as "text" or "lists of numbers"; empty if it was not kept.
    """

    name: str
    kind: Kind
    takes_text: bool = False
    opens_files: bool = False
    holds: str = ""

    @classmethod
    def of(cls, codec: Codec, per_step: bool) -> "list[Column]":
        """Return the columns of a codec.

        Args:
            codec: a fitted codec.
            per_step: whether the column holds a sequence per record.
        """
        text = codec.takes_text
        kind: Kind = "media" if codec.media else "value" if not per_step else "text" if text else "sequence"
        return [cls(name, kind, text, codec.opens_files) for name in codec.columns]


@dataclass(frozen=True)
class Description:
    """What a fitted task reads, answers and can do.

    Args:
        task: its name.
        columns: the columns that it reads, each once.
        target: the column that is predicted; empty if answers belong to no column.
        answer: kind of answer: for each record a "label", a list of "labels", or a "text"; the next "token", "items"
            or "frames"; a "forecast" or "scores" for rows.
        abilities: the methods that it offers.
        classes: the classes that answers are chosen from; None if answers are no classes.
        given: columns that start a text.
        time: the column of times in a table of its data; None where there is none.
        group: the column that identifies the series; None where there is none.
        parts: weight of each model that answers, by key, where network and baselines answer together; else None.
        reading: how values are read, in words: marks of missing ones, decimals, times, zone and calendar.

    Example:
        >>> import unrolled as ur
        >>> model = ur.Classifier(hidden_size=2).fit(["ab", "ba"] * 8, ["x", "y"] * 8, epochs=1)
        >>> found = model.describe()
        >>> found.columns, found.target, found.answer
        ((Column(name='x', kind='text', takes_text=True, opens_files=False, holds='text'),), 'y', 'label')
    """

    task: str
    columns: tuple[Column, ...]
    target: str
    answer: Answer
    abilities: tuple[Ability, ...]
    classes: Sequence[Any] | None = None
    given: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = None
    parts: Mapping[str, float] | None = None
    reading: Mapping[str, str] = field(default_factory=dict)

    @property
    def opens_files(self) -> tuple[str, ...]:
        """Return the columns in which a text may name a file."""
        return tuple(column.name for column in self.columns if column.opens_files)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `unrolled info MODEL --json` prints them; their schema: docs/description.schema.json.

        Example:
            >>> said = Description("Forecaster", (Column("load", "value"),), "load", "forecast", ("predict",))
            >>> said.to_json()["target"]
            'load'
        """
        return asdict(self) | {"opens_files": list(self.opens_files)}


class Described:
    """A task that can describe itself; a subclass names its codecs and its answers."""

    answer_kind: Answer
    abilities: tuple[Ability, ...] = ("predict", "unfold")

    def describe(self: Any) -> Description:
        """Return what this task reads, what it answers and which methods it offers.

        Raises:
            NotFittedError: the task is not fitted.
        """
        self._fitted()
        columns: dict[str, Column] = {}
        for column in self._described_columns():
            known = columns.get(column.name)
            if known is None or column.takes_text:
                columns[column.name] = replace(column, holds=self.schema_.named(column.name))
        time, group = self._series_columns()
        return Description(
            type(self).__name__,
            tuple(columns.values()),
            self._answered_column(),
            self.answer_kind,
            self._abilities(),
            self._classes(),
            self._given_columns(),
            time,
            group,
            None if self.blend_ is None else {key: self.blend_.weight_of(key) for key in self.blend_.used},
            self.schema_.rules(),
        )

    def allow_files(self: Any, allowed: bool = True) -> Any:
        """Set whether records may name files to open; if not, every name is refused, even that of a missing file.

        A task that was fitted, or loaded by `load`, opens the recordings, pictures and films that its records name.
        Turn that off for records from unknown sources; `unrolled serve` does.

        Args:
            allowed: whether names of files are opened.

        Returns:
            self.

        Raises:
            NotFittedError: the task is not fitted.
        """
        self._fitted()
        for codec in (*self._input_codecs(), *self._answer_codecs()):
            codec.allow_files(allowed)
        if self.rival_ is not None:
            self.rival_.allow_files(allowed)
        return self

    # ---- what a subclass provides -------------------------------------------------------------

    def _input_codecs(self) -> Sequence[Codec]:
        """Return the codecs of the inputs."""
        raise NotImplementedError

    def _answer_codecs(self) -> Sequence[Codec]:
        """Return the codecs of the answers; none where no codec reads them."""
        return ()

    def _described_columns(self) -> Iterable[Column]:
        """Yield the columns that are read, in order; a column may be repeated."""
        return [column for codec in self._input_codecs() for column in Column.of(codec, codec.spec.per_step)]

    def _answered_column(self) -> str:
        """Return the column that is predicted; empty if answers belong to none."""
        return next((column for codec in self._answer_codecs() for column in codec.columns), "")

    def _names_of_strangers(self) -> set[str]:
        """Return the columns whose values tell sequences apart and mean nothing else, so that any name will do."""
        return set()

    def _classes(self) -> Sequence[Any] | None:
        """Return the classes that answers are chosen from."""
        return None

    def _abilities(self) -> tuple[Ability, ...]:
        """Return the abilities of this task; a subclass changes `abilities` according to its options."""
        return self.abilities

    def _given_columns(self) -> tuple[str, ...]:
        """Return the columns that start a text."""
        return ()

    @property
    def time_form_(self: Any) -> TimeForm | None:
        """How the times of the training data were written; None for a task without times."""
        return None

    def _calendar(self) -> str:
        """Return the calendars of the series in words; empty for a task without any."""
        return ""

    def _reading_facts(self: Any) -> dict[str, str]:
        """Return how the times of the data are read, in words."""
        if self.time_form_ is None or not any(column.kind == "time" for column in self._described_columns()):
            return {}
        calendar = self._calendar()
        return time_facts(self.time_form_) | ({"calendar": calendar} if calendar else {})

    def _series_columns(self: Any) -> tuple[str | None, str | None]:
        """Return the columns of times and of groups, as they were named in training."""
        return self.reading_.get("time") or None, self.reading_.get("group") or None
