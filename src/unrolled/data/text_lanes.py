"""Lanes over text that is too long for memory: each lane reads its own stretch of the files, lazily."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import ceil

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.documents import Documents, at_spaces
from unrolled.data.spans import Span
from unrolled.errors import OptionError, message
from unrolled.ragged import Ragged

Block = tuple[Tensor, Tensor, Tensor]  # inputs, targets, restarts: (N,) each


class StreamLanes:
    """Batches for truncated back-propagation through lazily read text; the target of each step is the next token.

    Every lane has its own range of bytes. A document starts with the boundary token, and with `ends` it is also the
    last target; the state restarts there, and where a lane begins.

    Args:
        documents: the texts.
        encode: converts a piece of text to its tokens, (N,).
        boundary: the token before every document.
        lanes: rows of every batch, B.
        steps: steps of every batch.
        name: name of the input.
        ends: whether to learn where documents end.
        seed: determines where windows begin, together with the epoch's number.
        shuffle: False begins every window at the first step.
        whole_words: never cut text for `encode` inside a word.
    """

    def __init__(
        self,
        documents: Documents,
        encode: Callable[[str], Tensor],
        boundary: int,
        lanes: int,
        steps: int,
        name: str = "text",
        ends: bool = False,
        seed: int = 0,
        shuffle: bool = True,
        whole_words: bool = False,
    ) -> None:
        for option, size in (("lanes", lanes), ("steps", steps)):
            if size < 1:
                raise OptionError(message(option, expected="an integer >= 1", received=size))
        self.documents = documents
        self.encode = encode
        self.boundary = boundary
        self.lanes = lanes
        self.steps = steps
        self.name = name
        self.ends = ends
        self.seed = seed
        self.shuffle = shuffle
        self.whole_words = whole_words
        self._density: float | None = None  # tokens per byte, from a sample

    def __len__(self) -> int:
        if self._density is None:
            text = next((piece for text in self.documents.texts() for piece in text), "")
            name = next((span.encoding.name for span in self.documents.spans), "utf-8")
            self._density = len(self.encode(text)) / max(1, len(text.encode(name)))
        return max(1, ceil(self._density * self.documents.len_bytes / self.lanes / self.steps))

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on; earlier ones are read but not returned."""
        size = self.documents.len_bytes
        edges = [size * lane // self.lanes for lane in range(self.lanes + 1)]
        stretches = [self.documents.cut(left, right) for left, right in pairwise(edges)]
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + index) % 2**63)
        # a random first window shifts the start of all later windows
        steps = int(torch.randint(1, self.steps + 1, (1,), generator=generator)) if self.shuffle else self.steps
        readers = [_Lane(self._blocks(spans)) for spans in stretches]
        number = 0
        while True:
            rows = [reader.take(steps) for reader in readers]
            if not any(len(inputs) for inputs, _, _ in rows):
                return
            if number >= start:
                lengths = torch.tensor([len(inputs) for inputs, _, _ in rows])
                inputs, targets, reset = (torch.cat([row[part] for row in rows]) for part in range(3))
                yield Batch(
                    {self.name: Ragged(inputs, lengths)},
                    targets=Ragged(targets, lengths),
                    reset=reset,
                    carries=number > 0,
                )
            number += 1
            steps = self.steps

    def _blocks(self, spans: list[Span]) -> Iterator[Block]:
        """Yield one lane's inputs, targets and restarts, one piece of text at a time."""
        whole_ends = {(span.path, span.stop) for span in self.documents.spans}
        lines = self.documents.kind == "lines"
        for span in spans:
            complete = lines or (span.path, span.stop) in whole_ends
            for text in self.documents.around([span]).texts():
                yield from self._document(at_spaces(text) if self.whole_words else text, self.ends and complete)

    def _document(self, pieces: Iterator[str], end: bool) -> Iterator[Block]:
        last = torch.tensor([self.boundary])
        first = True
        for piece in pieces:
            tokens = self.encode(piece)
            if not len(tokens):
                continue
            reset = torch.zeros(len(tokens), dtype=torch.bool)
            reset[0] = first
            yield torch.cat([last, tokens[:-1]]), tokens, reset
            last, first = tokens[-1:], False
        if end:
            yield last, torch.tensor([self.boundary]), torch.tensor([first])


class _Lane:
    """One lane, whose blocks are cut into windows."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self.blocks = blocks
        nothing = torch.zeros(0, dtype=torch.int64)
        self.waiting: Block = (nothing, nothing, nothing.bool())

    def take(self, steps: int) -> Block:
        """Return the next `steps` steps, fewer at the end of the stretch."""
        parts = [self.waiting]
        have = len(self.waiting[0])
        while have < steps and (block := next(self.blocks, None)) is not None:
            parts.append(block)
            have += len(block[0])
        inputs, targets, reset = (torch.cat([part[place] for part in parts]) for place in range(3))
        self.waiting = inputs[steps:], targets[steps:], reset[steps:]
        return inputs[:steps], targets[:steps], reset[:steps]
