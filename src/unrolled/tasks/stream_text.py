"""Streams of language models: texts that arrive in pieces, and what is likely to follow."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.codecs.base import Codec
from unrolled.codecs.record import Record
from unrolled.ragged import Ragged
from unrolled.streaming.pieces import Memory, Pieces
from unrolled.tasks.texts import with_edges


class TextReader:
    """Reads texts that begin with a boundary.

    Args:
        text: the input's name.
        codec: of the text.
        given: codecs of the columns that start a text, or None.
        boundary: the token before every text's first.
        ends: whether a text may end by itself.
        top: how many likely tokens an answer names.
    """

    def __init__(self, text: str, codec: Codec, given: Record | None, boundary: int, ends: bool, top: int) -> None:
        self._text, self._codec, self._given, self._boundary, self._ends = text, codec, given, boundary, ends
        self._pieces = Pieces([codec, *([] if given is None else given.codecs)])
        self._top = min(top, boundary + ends)
        self.repeats = self._pieces.waits
        every = Ragged(torch.arange(boundary), torch.ones(boundary, dtype=torch.int64))
        spelled = codec.decode(every)
        self._tokens = [*("".join(token) if isinstance(token, list) else token for token in spelled), ""]

    def initial(self) -> Memory:
        return self._pieces.initial()

    def take(self, event: Any, memory: Memory) -> tuple[dict[str, Any], Memory]:
        return self._pieces.take(event, memory)

    def rest(self, memory: Memory) -> tuple[dict[str, Any], Memory]:
        return self._pieces.rest(memory)

    def encode(self, pieces: Sequence[dict[str, Any]], fresh: Sequence[bool]) -> Batch:
        tokens = self._codec.encode(pieces)
        assert isinstance(tokens, Ragged)
        if any(fresh):
            edge = tokens.values.new_full((tokens.batch_size,), self._boundary)
            begun = with_edges(edge, tokens, after=False)
            tokens = begun.slice(torch.tensor([0 if new else 1 for new in fresh]), begun.lengths)
        statics = {} if self._given is None else self._given.encode_all(pieces).statics
        return Batch({self._text: tokens}, statics)

    def answers(self, raw: Sequence[Tensor], pieces: Sequence[dict[str, Any]]) -> list[Any]:
        rows = [numbers[-1:] for numbers in raw]
        logits = torch.cat(rows)  # (M, V)
        if not self._ends:
            logits = logits[:, : self._boundary]
        shares, tokens = logits.float().softmax(1).topk(self._top, dim=1)
        said = iter(zip(shares.tolist(), tokens.tolist(), strict=True))
        return [self._answer(*next(said)) if len(row) else None for row in rows]

    def _answer(self, shares: list[float], tokens: list[int]) -> dict[str, Any]:
        likely = [
            {"token": self._tokens[token], "probability": share} for share, token in zip(shares, tokens, strict=True)
        ]
        return {"next": likely[0]["token"], "probability": shares[0], "likely": likely}
