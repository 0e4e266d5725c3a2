"""Several columns together: all codecs learn in one pass, and records become one Batch."""

from collections.abc import Iterable, Mapping, Sequence
from queue import Queue
from threading import Thread
from typing import Any, Self

from torch import Tensor

from unrolled.batch import Batch, Nested
from unrolled.codecs.base import Codec, Spec
from unrolled.codecs.base import Record as RawRecord
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.values import bad_value, chunks
from unrolled.errors import ArtifactError, OptionError, message
from unrolled.pauses import pause
from unrolled.ragged import Ragged

_CHUNK = 64  # records that are passed to every codec at once; small, since a record may be a long text


class Record:
    """The codecs of a table's columns, side by side.

    Args:
        codecs: one or more codecs; those with a sequence per record must give equal lengths.

    Attributes:
        names: a stable name for each codec, such as "words(review)".

    Example:
        >>> from unrolled.codecs.tables.numeric import Numbers
        >>> from unrolled.codecs.text.characters import Characters
        >>> both = Record([Characters("name"), Numbers("age")])
        >>> batch = both.fit([{"name": "Ada", "age": 36}]).encode_all([{"name": "Ada", "age": 36}])
        >>> batch.inputs, batch.statics["numbers(age)"].shape
        ({'characters(name)': Ragged(B=1, N=3, T=3, feature=(), dtype=torch.int64)}, torch.Size([1, 1]))
    """

    def __init__(self, codecs: Sequence[Codec]) -> None:
        if not codecs:
            raise OptionError(message("codecs", expected="at least one codec", received="none"))
        self.codecs = list(codecs)
        self.names: list[str] = []
        for codec in self.codecs:
            name = f"{codec.name}({','.join(codec.columns)})"
            copies = sum(other == name or other.startswith(f"{name}#") for other in self.names)
            self.names.append(f"{name}#{copies + 1}" if copies else name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns that are read, each once."""
        return tuple(dict.fromkeys(column for codec in self.codecs for column in codec.columns))

    @property
    def specs(self) -> dict[str, Spec]:
        """Specs of the codecs' encodings, by name."""
        return {name: codec.spec for name, codec in zip(self.names, self.codecs, strict=True)}

    def fit(self, records: Iterable[RawRecord]) -> Self:
        """Fit every codec on the records, which are read once."""
        if len(self.codecs) == 1:
            self.codecs[0].fit(records)
        else:
            _fit_together(self.codecs, records)
        return self

    def encode_all(self, records: Iterable[RawRecord]) -> Batch:
        """Return the records as one Batch.

        Returns:
            `inputs`: one Ragged or Nested per codec with a sequence per record.
            `statics`: one tensor per other codec: (B,) int64 indices or (B, F) float32 vectors.

        Raises:
            DataError: sequences of one record that disagree on its length.
        """
        rows = records if isinstance(records, Sequence) else list(records)
        inputs: dict[str, Ragged | Nested] = {}
        statics: dict[str, Tensor] = {}
        for name, codec in zip(self.names, self.codecs, strict=True):
            pause()
            encoded = codec.encode(rows)
            if codec.spec.per_step:
                inputs[name] = encoded
            else:
                statics[name] = encoded.values  # type: ignore[union-attr]
        self._refuse_unequal(inputs)
        return Batch(inputs, statics)

    def report(self) -> dict[str, int]:
        """Return counts of unusual values in the last `encode_all`, such as {"unknown in words(review)": 3}."""
        return {
            f"{what} in {name}": count
            for name, codec in zip(self.names, self.codecs, strict=True)
            for what, count in codec.report().items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return every codec's JSON, in order."""
        return {"codec": "record", "version": 1, "codecs": [codec.to_json() for codec in self.codecs]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned; ArtifactError for damaged or newer data."""
        if data.get("codec") != "record" or data.get("version") != 1 or not isinstance(data.get("codecs"), list):
            received = (data.get("codec"), data.get("version"))
            raise ArtifactError(message("codecs", expected="a record of codecs, version 1", received=received))
        return cls([codec_from_json(codec) for codec in data["codecs"]])

    def __repr__(self) -> str:
        return f"Record([{', '.join(map(repr, self.codecs))}])"

    def _refuse_unequal(self, inputs: Mapping[str, Ragged | Nested]) -> None:
        columns = {name: codec.columns for name, codec in zip(self.names, self.codecs, strict=True)}
        first = next(iter(inputs), "")
        for name, encoded in inputs.items():
            differs = (encoded.lengths != inputs[first].lengths).nonzero()
            if len(differs):
                row = int(differs[0])
                raise bad_value(
                    columns[name][0],
                    row,
                    f"{int(inputs[first].lengths[row])} steps, as {first} has",
                    f"{int(encoded.lengths[row])} steps from {name}",
                    "inputs per step need equal lengths; leave one out",
                )


def _fit_together(codecs: Sequence[Codec], records: Iterable[RawRecord]) -> None:
    """Fit every codec in a thread of its own with a bounded queue: one pass feeds all, in constant memory."""
    queues: list[Queue[list[RawRecord] | None]] = [Queue(2) for _ in codecs]
    faults: list[BaseException | None] = [None] * len(codecs)

    def learn(place: int) -> None:
        arriving = iter(queues[place].get, None)
        try:
            codecs[place].fit(record for chunk in arriving for record in chunk)
        except BaseException as fault:  # raised again in the caller's thread
            faults[place] = fault
        for _ in arriving:  # a codec that stopped early must not block the others
            pass

    threads = [Thread(target=learn, args=(place,), daemon=True) for place in range(len(codecs))]
    for thread in threads:
        thread.start()
    try:
        for _, chunk in chunks(records, _CHUNK):
            for queue in queues:
                queue.put(chunk)
    finally:
        for queue in queues:
            queue.put(None)
        for thread in threads:
            thread.join()
    for fault in faults:
        if fault is not None:
            raise fault
