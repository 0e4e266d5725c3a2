"""Streams of language models: pieces of text in, the most probable next tokens out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.codecs.record import Record
from unrolled.codecs.text.characters import Characters
from unrolled.data.source import Source
from unrolled.errors import whole_number
from unrolled.ragged import Ragged
from unrolled.state_forms import Form, Many, Named, OneOf, Real
from unrolled.streaming.engine import final
from unrolled.streaming.fast_step import Quick
from unrolled.streaming.network_steps import QuickStep, QuickSteps, last_of
from unrolled.streaming.record_pieces import Pieces
from unrolled.streaming.stacked_states import StreamStates, memories_of, rows_of
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answer
from unrolled.tasks.language.texts import with_edges
from unrolled.tasks.shared.stream_events import events_of_records


class TextReader:
    """A reader of texts that begin with a boundary.

    Args:
        text: name of the input.
        codec: codec of the text.
        given: codecs of the columns that start a text, or None.
        boundary: the token before the first token of every text.
        ends: whether a text may end by itself.
        top: number of probable tokens per answer.
    """

    def __init__(self, text: str, codec: Any, given: Record | None, boundary: int, ends: bool, top: int) -> None:
        self._text, self._codec, self._given, self._boundary, self._ends = text, codec, given, boundary, ends
        pieces = Pieces([codec, *([] if given is None else given.codecs)])
        self.initial, self.take, self.rest, self.parts = pieces.initial, pieces.take, pieces.rest, pieces.parts
        self.joined = last_of
        self._top = min(whole_number("top", top, least=1), boundary + ends)
        self.repeats, self.form = pieces.waits, pieces.form
        self.quick = self._quick if isinstance(codec, Characters) and not codec.lowercase else None
        every = Ragged(torch.arange(boundary), torch.ones(boundary, dtype=torch.int64))
        spelled = codec.decode(every)
        self._tokens = [*("".join(token) if isinstance(token, list) else token for token in spelled), ""]

    @property
    def said(self) -> Form:
        """Form of an answer: the most probable token, and some probable ones."""
        token, share = OneOf(self._tokens), Real(0, 1)
        likely = Many(Named({"token": token, "probability": share}), self._top)
        return Named({"next": token, "probability": share, "likely": likely})

    def encode(self, pieces: Sequence[dict[str, Any]], fresh: Sequence[bool]) -> Batch:
        tokens = self._codec.encode(pieces)
        assert isinstance(tokens, Ragged)
        if any(fresh):
            edge = tokens.values.new_full((tokens.batch_size,), self._boundary)
            begun = with_edges(edge, tokens, after=False)
            tokens = begun.slice(torch.tensor([0 if new else 1 for new in fresh]), begun.lengths)
        statics = {} if self._given is None else self._given.encode_all(pieces).statics
        return Batch({self._text: tokens}, statics)

    def answers(self, raw: Ragged, pieces: Sequence[dict[str, Any]]) -> list[Any]:
        said = iter(self._said(final(raw)))
        return [next(said) if length else None for length in raw.lengths.tolist()]

    def _said(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return the answers of rows, (M, V)."""
        logits = raw if self._ends else raw[:, : self._boundary]
        shares, tokens = logits.float().softmax(1).topk(self._top, dim=1)
        return [self._answer(*row) for row in zip(shares.tolist(), tokens.tolist(), strict=True)]

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        return events_of_records(source, [self._codec, *(self._given.codecs if self._given else ())], rng)

    def _quick(self, quick: Quick) -> tuple[QuickStep, QuickSteps]:
        """Return fast steps for one known character of a text that has begun."""
        rows, held = self._known(quick), self.initial()[0]
        top, size = self._top, self._boundary + self._ends

        def step(event: Any, state: StreamState) -> Answer | None:
            row = rows.get(event) if isinstance(event, str) else None
            memory = state.memory
            if row is None or not memory[0] or memory[2][0] != held:
                return None
            with quick.lock:
                quick.inputs[:] = row
                raw, after = quick.step(state.network)
            logits = raw[:size]
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            best = np.argpartition(shares, size - top)[size - top :]
            best = best[np.argsort(-shares[best], kind="stable")]
            return self._answer(shares[best].tolist(), best.tolist()), StreamState(memory, after)

        def many(events: Sequence[Any], states: Sequence[StreamState]) -> tuple[list[Any], StreamStates] | None:
            memories = memories_of(states)
            read = [rows.get(event) if isinstance(event, str) else None for event in events]
            if any(row is None for row in read) or not all(one[0] and one[2][0] == held for one in memories):
                return None
            raw, after = quick.step_many(np.array(read), rows_of(states))
            return self._said(torch.from_numpy(raw)), StreamStates(memories, after)

        return step, many

    def _known(self, quick: Quick) -> dict[str, np.ndarray]:
        """Return the network's input for each known character; the class of unknown ones has none."""
        with torch.no_grad():
            rows = quick.reads.vectors(self._text).numpy()
        return dict(zip(self._codec.entries[1:], rows[1:], strict=False))

    def _answer(self, shares: list[float], tokens: list[int]) -> dict[str, Any]:
        likely = [
            {"token": self._tokens[token], "probability": share} for share, token in zip(shares, tokens, strict=True)
        ]
        return {"next": likely[0]["token"], "probability": shares[0], "likely": likely}
