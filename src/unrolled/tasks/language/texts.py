"""Texts in the forms that language models read and score: with boundaries, in parts, in chunks, or lazily."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor

from unrolled.codecs.base import Codec
from unrolled.data.documents import Documents, stretches_of
from unrolled.data.source import Source
from unrolled.errors import OptionError, message, unknown
from unrolled.ragged import Ragged

PART_STEPS = 8192  # a longer text is scored in parallel parts, each after WARM_UP steps that do not count
WARM_UP = 512
MIN_HELD_OUT, MAX_HELD_OUT = 200, 50_000  # characters; more would take too long to validate on
STRETCHES = 10  # held out at equal distances, so that a name that occurs only near the end can be learnt


class LazyText:
    """Text that is read again in every epoch; its sizes are estimates, one token per byte.

    Args:
        documents: the text.
    """

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.num_steps = documents.len_bytes
        self.lengths = torch.tensor([documents.len_bytes])
        self.batch_size = 1


def tokens_of(codec: Codec, column: str, texts: Sequence[Any]) -> Ragged:
    """Convert texts to their tokens, (N,) ragged."""
    tokens = codec.encode([{column: text} for text in texts])
    assert isinstance(tokens, Ragged)
    return tokens


def hold_out(documents: Documents, share: float, seed: int) -> tuple[Documents, Documents | None]:
    """Split into training and validation text: whole files, or stretches of one text or of its lines."""
    share = _bounded_share(share, documents.len_bytes)
    if not share:
        return documents, None
    if documents.kind == "files" and not documents.single:
        return documents.split(test=share, seed=seed)
    return documents.spread(share, STRETCHES)


def spread(text: Any, share: float) -> tuple[Any, Any]:
    """Split a text, or a list of its tokens, into two parts.

    The second is made of stretches at equal distances, as `Documents.spread` does.
    """
    share = _bounded_share(share, len(text))
    places = [0, *(place for edge in stretches_of(len(text), share, STRETCHES) for place in edge), len(text)]
    parts = [text[start:stop] for start, stop in pairwise(places)]
    if isinstance(text, str):
        return "".join(parts[::2]), "".join(parts[1::2])
    return list(chain.from_iterable(parts[::2])), list(chain.from_iterable(parts[1::2]))


def empty_text(codec: Any) -> Any:
    """Return a text without a token, as a codec of characters, words or subwords has it: "", or a list."""
    return codec.join([])


def characters_of(text: Any) -> int:
    """Return the number of characters of a text, or of the tokens in a list; a missing one has none.

    Example:
        >>> characters_of("to be"), characters_of(["to", "be", None]), characters_of(None)
        (5, 4, 0)
    """
    if text is None or isinstance(text, str):
        return len(text or "")
    return sum(len(token or "") for token in text)


def _bounded_share(share: float, length: int) -> float:
    if length * share < MIN_HELD_OUT:
        return 0.0
    return min(share, MAX_HELD_OUT / length)


def parts_of(lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return long sequences as parts: index of the sequence, first and last step, and first step that counts."""
    rows = []
    for owner, length in enumerate(lengths.tolist()):
        edges = range(0, max(length, 1), PART_STEPS)
        for first in edges:
            start = max(0, first - WARM_UP)
            rows.append((owner, start, min(first + PART_STEPS, length), first - start))
    owner, start, stop, counted = torch.tensor(rows, dtype=torch.int64).view(-1, 4).unbind(1)
    return owner, start, stop, counted


def with_edges(edge: Tensor, tokens: Ragged, after: bool) -> Ragged:
    """Add one token to every sequence, in front or behind: edge (B,)."""
    rows = [torch.cat([row, end] if after else [end, row]) for row, end in zip(tokens, edge.split(1), strict=True)]
    return Ragged(torch.cat(rows) if rows else tokens.values, tokens.lengths + 1)


def start_of(given: Mapping[str, Any] | None, text: str, prompt: Any, columns: Sequence[str]) -> dict[str, Any]:
    """Return the record that starts a text.

    Args:
        given: values of the columns that the model was trained with besides the text.
        text: the column of the text.
        prompt: its beginning.
        columns: those columns.

    Raises:
        OptionError: no values by name, one that lacks, or another one.
    """
    if given is not None and not isinstance(given, Mapping):
        raise OptionError(message("given", expected="values by the names of columns", received=given))
    record = {**(given or {}), text: prompt}
    missing = [column for column in columns if column not in record]
    extra = [column for column in record if column not in (*columns, text)]
    if missing:
        raise OptionError(message("given", expected=f"a value for {missing[0]!r}", received=list(record)))
    if extra:
        raise unknown("given", str(extra[0]), columns)
    return record


def chunks_of(source: Source, characters: int, column: str) -> Iterator[list[Mapping[str, Any]]]:
    """Yield records in lists of about `characters` characters, so that memory stays constant; longer texts are cut."""
    waiting: list[Mapping[str, Any]] = []
    size = 0
    for record in _bounded(source, characters) if isinstance(source, Documents) else source:
        waiting.append(record)
        size += characters_of(record[column])
        if size >= characters:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _bounded(documents: Documents, characters: int) -> Iterator[dict[str, Any]]:
    for text in documents.texts():
        parts: list[str] = []
        size = 0
        for piece in text:
            parts.append(piece)
            size += len(piece)
            if size >= characters:
                yield {documents.column: "".join(parts)}
                parts, size = [], 0
        if parts:
            yield {documents.column: "".join(parts)}
