"""TextWriter: reads a prompt and writes on, token by token, with the parts of a fitted language model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.codecs.base import Codec
from unrolled.codecs.record import Record
from unrolled.data.schema import Schema
from unrolled.decoding.generate import Drawn, Sampling, generate
from unrolled.ragged import Ragged
from unrolled.reading_report import uncounted
from unrolled.tasks.language.long_texts import read_to_the_end
from unrolled.tasks.language.texts import empty_text, start_of, tokens_of, with_edges

TEXT = "text"  # name of the network's input


class TextWriter:
    """The reading and writing side of a language model.

    Args:
        network: the fitted network.
        column: the column of texts.
        codec: converts texts to tokens.
        given: codecs of the columns that start a text; None = there are none.
        boundary: the token before the first token of a text.
        ends: whether the boundary also follows a text; else it is never written.
        schema: kinds of the columns, by which given values are cast.
    """

    def __init__(
        self, network: Any, column: str, codec: Codec, given: Record | None, boundary: int, ends: bool, schema: Schema
    ) -> None:
        self.network, self.column, self.codec, self.given = network.eval(), column, codec, given
        self.boundary, self.ends, self.schema = boundary, ends, schema

    def record(self, prompt: str | Sequence[str], given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the record of a prompt.

        Raises:
            OptionError: a given column that is missing, or that the model does not have.
            DataError: a value of another kind than in training.
        """
        columns = () if self.given is None else self.given.columns
        return self.schema.cast_event(start_of(given, self.column, prompt or empty_text(self.codec), columns))

    def read(self, records: Sequence[Mapping[str, Any]]) -> tuple[Tensor, Any]:
        """Return the logits of what follows each text, (B, V), and the state."""
        ends, state = read_to_the_end(self.network, TEXT, self.encode(records))
        return self.legal(ends), state

    def write(self, logits: Tensor, state: Any, sampling: Sampling) -> Iterator[Drawn]:
        """Write on after one text that was read."""
        return generate(self.step, logits, state, sampling, self.boundary)

    def step(self, token: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read one token of each text, (B,); return the logits of the next, (B, V), and the state."""
        raw, state = self.network.step(Batch({TEXT: Ragged(token, torch.ones_like(token))}), state)
        return self.legal(raw), state

    def encode(self, records: Sequence[Mapping[str, Any]]) -> Batch:
        """Convert records to what the network reads: the boundary, then the text."""
        texts = [record[self.column] for record in records]
        with nullcontext() if any(texts) else uncounted():  # a text that starts from nothing is no empty record
            tokens = tokens_of(self.codec, self.column, texts)
        edges = torch.full((len(records),), self.boundary)
        statics = {} if self.given is None else self.given.encode_all(records).statics
        return Batch({TEXT: with_edges(edges, tokens, after=False)}, statics)

    def tokens(self, prompt: str | Sequence[str]) -> Tensor:
        """Return the tokens of a prompt, (T,), which were counted where it was read."""
        with uncounted():
            return tokens_of(self.codec, self.column, [prompt or empty_text(self.codec)]).values

    def spell(self, tokens: Tensor) -> Any:
        """Return the text of tokens, (T,); a list of them if texts are lists of tokens."""
        return (
            self.codec.decode(Ragged(tokens, torch.tensor([len(tokens)])))[0] if len(tokens) else empty_text(self.codec)
        )

    def spell_one(self, token: int) -> str:
        """Return one token as text."""
        spelt = self.spell(torch.tensor([token]))
        return spelt if isinstance(spelt, str) else spelt[0]

    def legal(self, logits: Tensor) -> Tensor:
        """Exclude the boundary where texts have no end."""
        return logits if self.ends else logits.index_fill(1, torch.tensor([self.boundary]), -torch.inf)
