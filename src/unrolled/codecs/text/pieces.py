"""Texts as pieces that can be written one after another: words, characters or subwords; and copies from a source."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch

from unrolled.codecs.base import Record, Spec
from unrolled.ragged import Ragged


class PieceCodec(Protocol):
    """A codec of texts in which every index is a piece of text: `Words`, `Characters`, `Subwords`."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def spec(self) -> Spec: ...

    @property
    def takes_text(self) -> bool: ...

    @property
    def entries(self) -> list[str]: ...

    def encode(self, records: Sequence[Record]) -> Any: ...

    def pieces(self, records: Sequence[Record]) -> list[list[str]]: ...

    def join(self, pieces: Sequence[str]) -> Any: ...


def share_found(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> float:
    """Return the share of the written pieces that occur in the source; punctuation is ignored.

    Example:
        >>> share_found([(["drop", "users", "."], ["remove", "users", "."])])
        0.5
    """
    found = count = 0
    for read, written in pairs:
        known = set(read)
        telling = [piece for piece in written if any(map(str.isalnum, piece))]
        found += sum(piece in known for piece in telling)
        count += len(telling)
    return found / max(count, 1)


class Copies:
    """The tokens that copying would write at each place of each source.

    A piece of the target's vocabulary keeps its index; the k-th other piece of a source is `size + k`.

    Args:
        sources: the pieces of each source.
        index: the target's vocabulary, piece to index.
        size: index of the first further token.

    Example:
        >>> copies = Copies([["drop", "table", "users"], ["users"]], {"drop": 1, "table": 2}, size=3)
        >>> copies.places.values.tolist(), copies.index_of(0, "users"), copies.piece(0, 3)
        ([1, 2, 3, 3], 3, 'users')
    """

    def __init__(self, sources: Sequence[Sequence[str]], index: dict[str, int], size: int) -> None:
        self.size = size
        self._further: list[list[str]] = []
        self._index = index
        rows = []
        for pieces in sources:
            further = list(dict.fromkeys(piece for piece in pieces if piece not in index))
            own = {piece: size + place for place, piece in enumerate(further)}
            rows.append([own[piece] if piece in own else index[piece] for piece in pieces])
            self._further.append(further)
        values = torch.tensor([token for row in rows for token in row], dtype=torch.int64)
        self.places = Ragged(values, torch.tensor([len(row) for row in rows], dtype=torch.int64))

    def index_of(self, row: int, piece: str) -> int | None:
        """Return the token that copies a piece from a source; None if the source does not hold it."""
        further = self._further[row]
        return self.size + further.index(piece) if piece in further else None

    def piece(self, row: int, token: int) -> str:
        """Return the piece of a further token of a source."""
        return self._further[row][token - self.size]
