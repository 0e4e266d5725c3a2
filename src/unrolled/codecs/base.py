"""The codec interface: raw values to numbers and back. A codec learns from data but holds no weights.

The life of a codec: construct (stores its arguments), `fit` (reads records once), `encode`, `decode`.
`to_json` / `from_json` carry everything it learnt. A codec for a scalar column gives sequences of
length 1, so every codec returns a Ragged.

A new codec is one file and one line in `registry.py`; JSON, `repr` and the report are defined here, as
long as learnt attributes end in `_`, hold plain JSON values and are set through `_learn`.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np

from unrolled.batch import Nested
from unrolled.errors import NotFittedError, message
from unrolled.ragged import Ragged
from unrolled.reading_report import LOOKED_AT, current, note

Record = Mapping[str, Any]
Kind = Literal["index", "vector", "nested", "spectrum", "picture"]


@dataclass(frozen=True)
class Spec:
    """The content of one encoded step, from which a model builds the layer that reads or writes it.

    Args:
        kind: "index" (an integer below `size`), "vector" (`size` floats), "nested" (a sequence of `pieces`),
            "spectrum" (`size` floats, a few frames of a spectrogram), "picture" (bytes of `shape`).
        size: vocabulary size, or width of the vector; for "nested" that of the pieces, for "picture" its numbers.
        embedding_size: for "index" and "nested": width of a learnt embedding; 0 = one-hot. For "picture": width of
            the vector that a convolutional network computes from it.
        per_step: True when a record holds a sequence of these, False when it holds exactly one.
        unknown_index: for "index": the index of unknowns, or None when every value is known. Training
            sometimes replaces rare values by it, so that its vector is learnt.
        shape: for "spectrum": frames and bands, (K, F); for "picture": channels, height and width, (C, S, S).
        augment: for "spectrum": how strongly training masks and disturbs it.
        scaling: for "picture": mean and deviation of each channel, 0 to 255.
    """

    kind: Kind
    size: int
    embedding_size: int = 0
    per_step: bool = True
    unknown_index: int | None = None
    shape: tuple[int, ...] = ()
    augment: float = 0.0
    scaling: tuple[tuple[float, float], ...] = ()


class Codec(ABC):
    """The base of all codecs: raw column values in, Ragged numbers out, and back.

    Subclasses set `name` (the key in JSON), store constructor arguments as attributes, and put what
    `fit` learns into attributes that end in `_`.
    """

    name: ClassVar[str]
    opens_files: ClassVar[bool]  # whether a raw value may name a file; every codec sets it
    unit: ClassVar[str] = "values"  # what one token of the column is, in reports
    media: ClassVar[bool] = False  # a raw value is a recording, picture or film: baselines read its encoding instead
    version: ClassVar[int] = 1  # version of the JSON form; increased when a codec changes its form
    may_open: bool = False  # whether a named file is opened now; never before `allow_files(True)`

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that this codec reads."""

    @property
    def takes_text(self) -> bool:
        """Whether a raw value is a plain text, once fitted."""
        return False

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """Content of one step of the encoding; NotFittedError before `fit`."""

    @abstractmethod
    def fit(self, records: Iterable[Record]) -> Self:
        """Learn from the records (read once, in one pass) and return self."""

    @abstractmethod
    def encode(self, records: Sequence[Record]) -> Ragged | Nested:
        """Encode records as one sequence per record, with values as in the spec.

        int64 (N,) for "index", uint8 (N, *shape) for "picture", float32 (N, size) otherwise.
        """

    @abstractmethod
    def decode(self, encoded: Ragged) -> list[Any]:
        """Decode sequences to one value each, in the form of the column."""

    def to_json(self) -> dict[str, Any]:
        """Return constructor arguments and learnt attributes as plain JSON values, with `"codec": name`."""
        return {
            "codec": self.name,
            "version": self.version,
            "arguments": self.arguments(),
            "learnt": {key: value for key, value in vars(self).items() if _is_learnt(key)},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore a codec that `to_json` wrote; it opens no files until `allow_files`."""
        codec = cls(**data["arguments"])._learn(**data["learnt"])
        codec.allow_files(False)
        return codec

    def allow_files(self, allowed: bool) -> None:
        """Set whether raw values may name files to open; if not, every name is refused.

        A codec that is constructed by code opens files; one that was read from a model's folder opens none, until
        the task that was loaded allows it.
        """
        self.may_open = allowed and self.opens_files

    def report(self) -> dict[str, int]:
        """Return counts of unusual values in the last `encode`, such as {"unknown": 3}; empty if there were none."""
        return dict(vars(self).get("_met", {}))

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        shown = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = self.arguments()[name]
            if parameter.default is inspect.Parameter.empty:
                shown.append(repr(value))
            elif value != parameter.default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    # ---- for subclasses -----------------------------------------------------------------------

    def _learn(self, **learnt: Any) -> Self:
        """Set learnt attributes, and clear everything that was derived from earlier ones."""
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                vars(self).pop(name, None)
        vars(self).update(learnt)
        return self

    def _require_fit(self) -> None:
        if not any(_is_learnt(key) for key in vars(self)):
            raise NotFittedError(message(repr(self), expected="a fitted codec", received="one before fit",
                                         remedy="call fit(records) first"))  # fmt: skip

    def _count(self, **met: Any) -> None:
        """Store the counts of this `encode`, for `report`."""
        self._met = {what: int(count) for what, count in met.items() if count}

    def _is_counted(self) -> bool:
        """Return whether the call that runs counts what this codec reads."""
        tally = current()
        return tally is not None and tally.counts_for(self)

    def _tell(
        self,
        lengths: np.ndarray,
        tokens: int = 0,
        unknown: np.ndarray | None = None,
        value_at: Callable[[int], Any] = int,
        knows: Callable[[Any], bool] = bool,
        missing: int = 0,
        column: str = "",
        values: int = 0,
    ) -> None:
        """Tell the call that runs, if it counts, what was read: see `unrolled.reading_report`.

        Args:
            lengths: steps of each record, (B,).
            tokens: number of tokens.
            unknown: places of the unknown ones among all tokens; None for a codec without a vocabulary.
            value_at: returns the value at a place.
            knows: returns whether the vocabulary has a value.
            missing: number of missing values, which are no unknown ones.
            column: the column of the tokens; empty for the codec's first.
            values: number of values that might be missing; 0 for the number of tokens.
        """
        tally = current()
        if tally is None or not self._is_counted():
            return
        tally.empty[id(self)] = tally.empty.get(id(self), 0) + int((np.asarray(lengths) == 0).sum())
        note("missing values", missing, values or tokens)
        if unknown is not None:
            share = tally.share(column or self.columns[0], self.unit, id(self))
            share.tokens += tokens
            share.unknown += len(unknown)
            share.learn(list(dict.fromkeys(map(value_at, unknown[:LOOKED_AT].tolist()))), knows)


def _is_learnt(attribute: str) -> bool:
    return attribute.endswith("_") and not attribute.startswith("_")
