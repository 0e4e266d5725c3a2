"""A task says what it reads and what it answers, so that a server or a page need not guess."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from unrolled.codecs.base import Codec

Kind = Literal["text", "sequence", "value", "media", "time", "group"]
Answer = Literal["label", "labels", "text", "token", "items", "frames", "forecast", "scores"]
Ability = Literal[
    "predict",  # answers for records, or for the rows of a table
    "probabilities",  # of each class, for records
    "confusion",  # which class is taken for which
    "generate",  # texts from a prompt
    "continue",  # sequences from their first frames
    "draw",  # sequences from nothing
    "search",  # the best of the texts that it could answer
    "rank",  # the best items for each user
    "detect",  # alarms in the rows of a table
    "unfold",  # its network drawn over one record
]


@dataclass(frozen=True)
class Column:
    """A column that a task reads.

    Args:
        name: of the column.
        kind: "text"; "sequence", a list with a value for each step; "value", one for each record; "media", a recording,
            picture or film; "time" and "group" of tables in long format.
        takes_text: a plain text may be given.
        opens_files: a text in it may name a file.
    """

    name: str
    kind: Kind
    takes_text: bool = False
    opens_files: bool = False

    @classmethod
    def of(cls, codec: Codec, per_step: bool) -> "list[Column]":
        """The columns of a codec.

        Args:
            codec: a fitted one.
            per_step: whether it gives a sequence for each record.
        """
        text = codec.takes_text
        kind: Kind = "media" if codec.media else "value" if not per_step else "text" if text else "sequence"
        return [cls(name, kind, text, codec.opens_files) for name in codec.columns]


@dataclass(frozen=True)
class Description:
    """What a fitted task reads, answers and can do.

    Args:
        task: its name.
        columns: that it reads, each once.
        target: the column that is answered; empty where answers are in no column.
        answer: what an answer is: for each record a "label", a list of "labels", or a "text"; the next "token", "items"
            or "frames"; a "forecast" or "scores" for rows.
        abilities: what may be asked of it.
        classes: what answers are chosen from; None where they are no classes.
        given: columns that start a text.
        time: the column of times in a table of its data; None where there is none.
        group: the column that tells series apart; None where there is none.

    Example:
        >>> import unrolled as ur
        >>> model = ur.Classifier(hidden_size=2).fit(["ab", "ba"] * 8, ["x", "y"] * 8, epochs=1)
        >>> found = model.describe()
        >>> found.columns, found.target, found.answer
        ((Column(name='x', kind='text', takes_text=True, opens_files=False),), 'y', 'label')
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

    @property
    def opens_files(self) -> tuple[str, ...]:
        """The columns in which a text may name a file."""
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
    """A task that says what it reads; a subclass names its codecs and its answers."""

    answer: Answer
    abilities: tuple[Ability, ...] = ("predict", "unfold")

    def describe(self: Any) -> Description:
        """Say what this task reads, what it answers and what may be asked of it.

        Raises:
            NotFittedError: nothing learnt yet.
        """
        self._fitted()
        columns: dict[str, Column] = {}
        for column in self._described_columns():
            known = columns.get(column.name)
            columns[column.name] = column if known is None or column.takes_text else known
        time, group = self._series_columns()
        return Description(
            type(self).__name__,
            tuple(columns.values()),
            self._answered_column(),
            self.answer,
            self._abilities(),
            self._classes(),
            self._given_columns(),
            time,
            group,
        )

    def allow_files(self: Any, allowed: bool = True) -> Any:
        """Let records name files that are then opened, or refuse every name alike, whether a file is there or not.

        A task that was fitted, or loaded by `load`, opens the recordings, pictures and films that its records name.
        Turn that off where records come from strangers; `unrolled serve` does.

        Args:
            allowed: whether names of files are opened.

        Returns:
            self.

        Raises:
            NotFittedError: nothing learnt yet.
        """
        self._fitted()
        for codec in (*self._input_codecs(), *self._answer_codecs()):
            codec.allow_files(allowed)
        if self.rival_ is not None:
            self.rival_.allow_files(allowed)
        return self

    # ---- what a subclass provides -------------------------------------------------------------

    def _input_codecs(self) -> Sequence[Codec]:
        """The codecs of what is read."""
        raise NotImplementedError

    def _answer_codecs(self) -> Sequence[Codec]:
        """The codecs of what is answered; none where no codec reads it."""
        return ()

    def _described_columns(self) -> Iterable[Column]:
        """The columns that are read, in order; some may come twice."""
        return [column for codec in self._input_codecs() for column in Column.of(codec, codec.spec.per_step)]

    def _answered_column(self) -> str:
        """The column that is answered; empty where answers are in none."""
        return next((column for codec in self._answer_codecs() for column in codec.columns), "")

    def _classes(self) -> Sequence[Any] | None:
        """What answers are chosen from."""
        return None

    def _abilities(self) -> tuple[Ability, ...]:
        """What may be asked of it; a subclass narrows or widens `abilities` by its options."""
        return self.abilities

    def _given_columns(self) -> tuple[str, ...]:
        """Columns that start a text."""
        return ()

    def _series_columns(self: Any) -> tuple[str | None, str | None]:
        """The columns of times and of groups, as the training data were read."""
        return self.reading_.get("time") or None, self.reading_.get("group") or None
