"""AttendingDecoder: a recurrent decoder of tokens with attention over a source.

    bottom_t  = the first layer, over the token before (and, with input feeding, the last read-out)
    context_t = attention of bottom_t over the source
    top_t     = the other layers, over [bottom_t, context_t]
    readout_t = tanh of a linear map of [top_t, context_t]

The first layer's output is the query, so no step waits for the attention of the previous one: whole targets go through
the kernels at once. Input feeding and coverage need the previous step, and are trained step by step.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unrolled.errors import OptionError, message
from unrolled.nn.attention import KINDS, Attention, KeysAndValues
from unrolled.nn.layers import make_layers
from unrolled.nn.starting import state_from, state_size
from unrolled.nn.watching import going_through, watched
from unrolled.ragged import Ragged
from unrolled.state import map_state

NONE = "none"  # no attention: the summary of the source is the context of every step


class DecoderState(NamedTuple):
    """The state of decoding, one row per hypothesis."""

    bottom: Any
    top: Any
    readout: Tensor | None  # (R, D), with input feeding
    coverage: Tensor | None  # (R, S), with attention: the sum of all weights so far
    weights: Tensor | None  # (R, S), with attention: those of the last step
    time: Tensor  # (R,) tokens read so far


class ReadSource(NamedTuple):
    """The source as the decoder reads it, one row per source."""

    memory: KeysAndValues | None  # None without attention
    summary: Tensor  # (B, M)


class DecoderOutput(NamedTuple):
    """The output of a decoder, one row per step."""

    readout: Tensor  # (N, D)
    hidden: Tensor  # (N, H + E), input of the choice between writing and copying
    weights: Tensor | None  # (N, S), with attention
    repeats: Tensor | None  # (N,), with coverage: attention on places that had attention before


class AttendingDecoder(nn.Module):
    """Computes the read-out of every step of a target; a head turns it into tokens.

    Args:
        size: number of tokens, V.
        memory_size: width of a place of the source, E.
        summary_size: width of the vector of the whole source, M.
        embedding_size: width of a token's vector, and of the read-out, D.
        hidden_size: hidden units of each layer, H.
        cell: name in `unrolled.cells.registry.CELLS`.
        num_layers: number of layers above the first one, which makes queries.
        attention: "multiplicative", "additive" or "none".
        dropout: share of values zeroed in training: of embeddings, between layers, before the read-out's head.
        input_feeding: the first layer also reads the last read-out.
        coverage: as in `Attention`.
        layers: further options of `unrolled.nn.stack.Stack`, for the layers above the first one.
        positions: as in `Attention`.

    Raises:
        OptionError: an unknown name, or coverage or positions without attention.

    Sources: attention queried by the first layer and read by those above: Y. Wu et al., "Google's Neural Machine
    Translation System", 2016, section 3; the read-out and input feeding: M.-T. Luong, H. Pham and C. Manning,
    "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015, sections 3 and 3.3.
    """

    storeys = ("bottom", "top")  # the stacks that together are one pile of layers, the lowest first

    def __init__(
        self,
        size: int,
        memory_size: int,
        summary_size: int,
        embedding_size: int = 256,
        hidden_size: int = 256,
        cell: str = "lstm",
        num_layers: int = 1,
        attention: str = "multiplicative",
        dropout: float = 0.0,
        input_feeding: bool = False,
        coverage: bool = False,
        layers: Mapping[str, Any] | None = None,
        positions: bool = False,
    ) -> None:
        super().__init__()
        for name, asked in (("coverage", coverage), ("positions", positions)):
            if asked and attention == NONE:
                raise OptionError(message(name, expected=f"an attention, {KINDS}", received=attention))
        self.embedding = nn.Embedding(size, embedding_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)  # it may also be the last linear layer
        fed = embedding_size if input_feeding else 0
        self.bottom = make_layers(cell, embedding_size + fed, hidden_size)
        context = summary_size if attention == NONE else memory_size
        options = dict(layers or {})
        self.top = make_layers(
            cell, self.bottom.output_size + context, hidden_size, num_layers=num_layers, dropout=dropout, **options
        )
        width = self.bottom.output_size
        self.attention = None if attention == NONE else Attention(width, memory_size, attention, coverage, positions)
        self.start = nn.Linear(summary_size, state_size(self.bottom) + state_size(self.top))
        self.to_readout = nn.Linear(self.top.output_size + context, embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.input_feeding, self.coverage, self.positions = input_feeding, coverage, positions
        self.readout_size, self.hidden_size = embedding_size, self.top.output_size + context

    @property
    def sequential(self) -> bool:
        """Whether a step needs the read-out or the attention of the previous step."""
        return self.input_feeding or self.coverage

    def read(self, places: Ragged, summary: Tensor) -> ReadSource:
        """Prepare a source for the steps: its places (N, E) ragged, and its summary (B, M)."""
        return ReadSource(None if self.attention is None else self.attention.remember(places), summary)

    def first_state(self, source: ReadSource) -> DecoderState:
        """Return the state before the first token: one row per source."""
        flat = self.start(source.summary).tanh()  # (B, all states side by side)
        bottom, top = flat.split([state_size(self.bottom), state_size(self.top)], 1)
        rows = flat.shape[0]
        nothing = None if source.memory is None else flat.new_zeros(rows, source.memory.mask.shape[1])  # (B, S)
        return DecoderState(
            state_from(bottom, self.bottom),
            state_from(top, self.top),
            flat.new_zeros(rows, self.readout_size) if self.input_feeding else None,
            nothing,
            nothing,
            torch.zeros(rows, dtype=torch.int64, device=flat.device),
        )

    def forward(self, tokens: Ragged, source: ReadSource) -> tuple[DecoderOutput, DecoderState]:
        """Run whole targets with teacher forcing: tokens (N,) ragged to read-outs (N, D) and the final state.

        The final state's coverage and weights are the initial ones, as training does not need them.
        """
        state = self.first_state(source)
        if self.sequential:
            return self._by_steps(tokens, source, state)
        asked, bottom = self.bottom(tokens.with_values(self._embed(tokens.values)), state.bottom)
        context, weights = self._look(asked, source)
        hidden, top = self.top(asked.with_values(torch.cat([asked.values, context], 1)), state.top)
        joined = torch.cat([hidden.values, context], 1)
        written = DecoderOutput(self.to_readout(self.dropout(joined)).tanh(), joined, weights, None)
        return written, state._replace(bottom=bottom, top=top)

    def _embed(self, tokens: Tensor) -> Tensor:
        # of unit variance, as the cells' weights expect
        return self.dropout(self.embedding(tokens) * self.readout_size**0.5)  # (N, D)

    def _look(self, asked: Ragged, source: ReadSource) -> tuple[Tensor, Tensor | None]:
        """Compute the context of every step, (N, E), and the weights, (N, S)."""
        if self.attention is None or source.memory is None:
            return source.summary[asked.sequence_ids], None
        times = torch.arange(asked.max_length, device=asked.values.device) if self.positions else None  # (T,)
        context, weights = self.attention(asked.padded(), source.memory, None, times)  # (B, T, E), (B, T, S)
        real = asked.sequence_ids, asked.positions
        return context[real], weights[real]

    def _by_steps(self, tokens: Ragged, source: ReadSource, state: DecoderState) -> tuple[DecoderOutput, DecoderState]:
        """Run targets step by step, longest first, so that finished ones cost nothing."""
        order = tokens.time_major
        rows = order.order.to(tokens.values.device)
        source, state = _choose(source, rows), _choose(state, rows)
        steps = tokens.values[order.gather.to(tokens.values.device)].split(order.batch_sizes.tolist())
        written, ended = [], []
        for time, step in enumerate(steps):
            alive = len(step)
            ended.append(_choose(state, slice(alive, None)))
            source, state = _choose(source, slice(alive)), _choose(state, slice(alive))
            with going_through(tokens, time):
                one, state = self._advance(step, state, source)
            written.append(one)
        final = _join([state, *reversed(ended)])
        back = order.scatter.to(tokens.values.device)
        return _choose(_join(written), back), _choose(final, order.rank.to(tokens.values.device))

    def step(self, tokens: Tensor, state: DecoderState, source: ReadSource) -> tuple[DecoderOutput, DecoderState]:
        """Read one more token for every hypothesis, in evaluation.

        Args:
            tokens: the previous tokens, (R,), R = B * K, with the hypotheses of a source in consecutive rows.
            state: of the hypotheses.
            source: of the B sources.
        """
        return self._advance(tokens, state, source)

    def _advance(self, tokens: Tensor, state: DecoderState, source: ReadSource) -> tuple[DecoderOutput, DecoderState]:
        inputs = self._embed(tokens)  # (R, D)
        if state.readout is not None:
            inputs = torch.cat([inputs, state.readout], 1)
        asked, bottom = self._one(self.bottom, inputs, state.bottom)  # (R, H)
        context, weights = self._look_once(asked, state, source)
        top, above = self._one(self.top, torch.cat([asked, context], 1), state.top)
        joined = torch.cat([top, context], 1)  # (R, H + E)
        readout = self.to_readout(self.dropout(joined)).tanh()  # (R, D)
        coverage, repeats = state.coverage, None
        if coverage is not None and weights is not None:
            repeats = torch.minimum(coverage, weights).sum(1) if self.coverage else None
            coverage = coverage + weights
        after = DecoderState(bottom, above, readout if self.input_feeding else None, coverage, weights, state.time + 1)
        return DecoderOutput(readout, joined, weights, repeats), after

    def _one(self, layers: Any, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Run one step of layers: with noise in training or for watchers by `forward`, else by the fast `step`."""
        if not self.training and not watched():
            return layers.step(inputs, state)
        outputs, state = layers(Ragged(inputs, torch.ones(len(inputs), dtype=torch.int64)), state)
        return outputs.values, state

    def _look_once(self, asked: Tensor, state: DecoderState, source: ReadSource) -> tuple[Tensor, Tensor | None]:
        rows, sources = asked.shape[0], source.summary.shape[0]
        each = rows // max(sources, 1)  # hypotheses of a source
        if self.attention is None or source.memory is None:
            return source.summary.repeat_interleave(each, 0), None
        queries = asked.view(sources, each, -1)  # (B, K, H)
        seen = None
        if self.coverage and state.coverage is not None:
            seen = state.coverage.view(sources, each, -1)  # (B, K, S)
        times = state.time.view(sources, each) if self.positions else None  # (B, K)
        context, weights = self.attention(queries, source.memory, seen, times)
        return context.flatten(0, 1), weights.flatten(0, 1)


def _choose(tree: Any, rows: Any) -> Any:
    return map_state(lambda field: field[rows], tree)


def _join(trees: list[Any]) -> Any:
    return map_state(lambda *fields: torch.cat(fields), *trees)
