"""Streams of classifiers and taggers: records that grow event by event."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from torch import Tensor

from unrolled.baselines.steps import Columns
from unrolled.batch import Batch
from unrolled.codecs.record import Record
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.words import Words
from unrolled.data.source import Source
from unrolled.nn.heads import MultiLabelOutput
from unrolled.nn.output import Output
from unrolled.ragged import Ragged
from unrolled.state_forms import Form, Many, Named, OneOf, Real
from unrolled.streaming.network_steps import last_of
from unrolled.streaming.record_pieces import Pieces
from unrolled.tasks.shared.stream_events import events_of_records


class RecordReader:
    """A reader of records; the answer is one label for all steps so far, or one per step.

    Args:
        codecs: codecs of the inputs.
        output: the output that gives the network's numbers their meaning.
        labels: the classes, in the order of the numbers.
        per_step: whether there is one label per step, instead of one for all steps so far.

    Attributes:
        columns: of the records, and which of them grow.
    """

    def __init__(self, codecs: Record, output: Output, labels: Iterable[Any], per_step: bool) -> None:
        self._codecs, self._output, self._per_step = codecs, output, per_step
        self._labels = [label.item() if isinstance(label, np.generic) else label for label in labels]
        self.pieces = pieces = Pieces(codecs.codecs)
        self.columns = Columns(codecs.columns, pieces.texts, pieces.lists)
        self.initial, self.take, self.rest, self.parts = pieces.initial, pieces.take, pieces.rest, pieces.parts
        self.joined = _steps_of if per_step else last_of
        self.repeats, self.quick = pieces.waits and not per_step, None
        self.form = pieces.form

    @property
    def said(self) -> Form:
        """Form of an answer for all steps so far."""
        share = Real(0, 1)
        named = Named({str(label): share for label in self._labels})
        if isinstance(self._output, MultiLabelOutput):
            return Named({"labels": Many(OneOf(self._labels), len(self._labels)), "probabilities": named})
        return Named({"label": OneOf(self._labels), "probability": share, "probabilities": named})

    def encode(self, pieces: Sequence[dict[str, Any]], fresh: Sequence[bool]) -> Batch:
        return self._codecs.encode_all(pieces)

    def answers(self, raw: Ragged, pieces: Sequence[dict[str, Any]]) -> list[Any]:
        shares = self._output.describe(raw.values)  # (N, V)
        lengths = raw.lengths.tolist()
        if self._per_step:
            return [self._steps(*found) for found in zip(shares.split(lengths), pieces, strict=True)]
        rows = iter(shares.tolist())  # at most one per piece
        return [self.whole(next(rows)) if length else None for length in lengths]

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        return events_of_records(source, self._codecs.codecs, rng)

    def whole(self, shares: Sequence[float]) -> Any:
        """Return the answer for all steps so far, from the probabilities of the classes."""
        named = {str(label): share for label, share in zip(self._labels, shares, strict=True)}
        if isinstance(self._output, MultiLabelOutput):
            chosen = [
                label for label, share in zip(self._labels, shares, strict=True) if share > self._output.threshold
            ]
            return {"labels": chosen, "probabilities": named}
        best = max(range(len(shares)), key=shares.__getitem__)
        return {"label": self._labels[best], "probability": shares[best], "probabilities": named}

    def _steps(self, shares: Tensor, piece: dict[str, Any]) -> dict[str, Any]:
        best = shares.argmax(1).tolist() if len(shares) else []
        spelled = next((codec for codec in self._codecs.codecs if isinstance(codec, Words | Characters)), None)
        words = {} if spelled is None else {"words": spelled.pieces([piece])[0]}
        return words | {"tags": [self._labels[place] for place in best], "probabilities": shares.tolist()}


def _steps_of(outputs: Sequence[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """Join the answers of parts, which have one entry per step."""
    return {name: [*chain.from_iterable(output[name] for output in outputs)] for name in outputs[0]}
