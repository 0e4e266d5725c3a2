"""Records that arrive in pieces: sequences grow, single values keep their last given value."""

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from unrolled.codecs.base import Codec
from unrolled.codecs.holding import Holder, Text, holder_of, value_columns
from unrolled.errors import DataError, lacking, message
from unrolled.state_forms import Also, FixedParts, Form, Plain

Memory = tuple[Any, ...]  # held-back input of each column, then the single values in the order of their columns
AWAITED = ()  # a single value that no event has given yet; None is one that is missing, and no codec reads ()


class Pieces:
    """Assembles the columns of records, event by event.

    Args:
        codecs: fitted codecs; columns with one value per step grow, the others have one value per sequence.

    Attributes:
        columns: all columns.
        texts: those whose text grows.
        lists: those whose list of steps grows.
        waits: whether a piece may have to wait.

    Raises:
        UnsupportedError: a codec that reads a file as a whole.

    Example:
        >>> from unrolled.codecs.text.words import Words
        >>> pieces = Pieces([Words("review").fit([{"review": "a good one"}])])
        >>> record, memory = pieces.take("a go", pieces.initial())
        >>> record, pieces.take("od one", memory)[0], pieces.rest(pieces.take("od one", memory)[1])[0]
        ({'review': 'a '}, {'review': 'good '}, {'review': 'one'})
    """

    def __init__(self, codecs: Sequence[Codec]) -> None:
        self._codecs = codecs
        self._holders: dict[str, Holder] = {}
        for codec in codecs:
            if codec.spec.per_step:
                self._holders |= {column: holder_of(codec) for column in value_columns(codec)}
        every = dict.fromkeys(column for codec in codecs for column in codec.columns)
        self._single = [column for column in every if column not in self._holders]
        self.columns = list(every)
        self.texts = tuple(column for column, holder in self._holders.items() if isinstance(holder, Text))
        self.lists = tuple(column for column in self._holders if column not in self.texts)
        self.waits = any(holder.waits for holder in self._holders.values())

    def initial(self) -> Memory:
        """Return the memory before the first event."""
        return (*(holder.empty for holder in self._holders.values()), *(AWAITED for _ in self._single))

    @property
    def form(self) -> Form:
        """The form of the memory: each column's own, and single values that their codecs can read."""
        single = [Plain() for _ in self._single]
        parts = FixedParts(*(holder.form for holder in self._holders.values()), *single)
        return Also(parts, self._reads, "single values like the training data") if single else parts

    def _reads(self, memory: Memory) -> bool:
        record, _ = self.rest((*(holder.empty for holder in self._holders.values()), *memory[len(self._holders) :]))
        for codec in self._codecs:
            if all(record[column] is not None for column in codec.columns):
                codec.encode([record])
        return True

    def take(self, event: Any, memory: Memory) -> tuple[dict[str, Any], Memory]:
        """Return what can be read now, as a record, and the new memory.

        Args:
            event: a record; or, where only one column grows, a piece of that column.
            memory: held back by earlier events.

        Raises:
            DataError: a column that is missing or unknown, or a value that its column cannot hold.
        """
        event = self._named(event)
        record: dict[str, Any] = {}
        held: list[Any] = []
        for (column, holder), before in zip(self._holders.items(), memory, strict=False):
            if column not in event:
                raise lacking(column, event)
            record[column], after = holder.push(event[column], before)
            held.append(after)
        for column, before in zip(self._single, memory[len(held) :], strict=True):
            value = event.get(column, before)
            if column not in event and _awaited(before):
                raise DataError(
                    message(f"column {column!r}", expected="a value in the first event", received="none",
                            remedy="it belongs to the whole sequence")
                )  # fmt: skip
            record[column] = value
            held.append(value)
        return record, tuple(held)

    def parts(self, event: Any, most: int) -> list[Any]:
        """Cut an event into events of at most `most` steps, the last ones as long as the others.

        Columns that grow are cut at the same places; where their lengths differ the event stays whole.

        Args:
            event: as for `take`.
            most: maximum number of steps of a part.
        """
        single = not isinstance(event, Mapping)
        values = dict.fromkeys(self._holders, event) if single else event
        counts = {holder.count(values.get(column)) for column, holder in self._holders.items()}
        count = counts.pop() if len(counts) == 1 else 1
        pieces = -(-count // most)
        if pieces <= 1:
            return [event]
        cuts = pairwise(count * number // pieces for number in range(pieces + 1))
        if single:
            return [event[start:end] for start, end in cuts]
        return [{**event, **{name: event[name][start:end] for name in self._holders}} for start, end in cuts]

    def joined(self, pieces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the records that `take` gave for events in a row as one record."""
        whole = dict(pieces[-1])
        whole |= {name: "".join(piece[name] for piece in pieces) for name in self.texts}
        return whole | {name: [*chain.from_iterable(piece[name] for piece in pieces)] for name in self.lists}

    def rest(self, memory: Memory) -> tuple[dict[str, Any], Memory]:
        """Return what was held back, as a record, at the end of a sequence."""
        record = {
            column: holder.rest(held) for (column, holder), held in zip(self._holders.items(), memory, strict=False)
        }
        single = memory[len(self._holders) :]
        empty = tuple(holder.empty for holder in self._holders.values())
        given = [None if _awaited(value) else value for value in single]
        return record | dict(zip(self._single, given, strict=True)), (*empty, *single)

    def _named(self, event: Any) -> Mapping[str, Any]:
        if isinstance(event, Mapping):
            return event
        if len(self._holders) == 1:
            return {next(iter(self._holders)): event}
        raise DataError(
            message("event", expected=f"a record with {', '.join(map(repr, self.columns))}", received=repr(event)[:60])
        )


def _awaited(value: Any) -> bool:
    return isinstance(value, tuple) and not value
