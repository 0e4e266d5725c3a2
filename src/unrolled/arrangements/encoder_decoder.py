"""Encoder-decoder: reads a sequence or a picture and writes another sequence, of its own length."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unrolled.arrangements.encoders import Encoder, PictureEncoder
from unrolled.batch import Batch, LossSum
from unrolled.errors import OptionError, UnsupportedError, message
from unrolled.nn.decoder import AttendingDecoder, DecoderOutput, DecoderState, ReadSource
from unrolled.nn.heads import IGNORED, TokenOutput
from unrolled.nn.token_head import TokenHead
from unrolled.ragged import Ragged

TARGET = "target"  # name of the input with the tokens before each step
COPIES = 3  # numbers per step and vocabulary entry: logits, their logarithm, the gradient
COPY = "copy"  # name of the source with the token that copying each place would write; the encoder does not read it


class Shared(NamedTuple):
    """The data that all hypotheses of a source read, one row per source."""

    source: ReadSource
    places: Tensor | None  # (B, S) tokens that can be copied


class DecodingState(NamedTuple):
    """The state of `step`: the decoder's state and the data that each row reads."""

    state: DecoderState
    shared: Shared


class EncoderDecoder(nn.Module):
    """A network that writes a target from a source, token by token, each from the tokens before it.

    The encoder reads `batch.sources` (a picture is in `batch.statics`); `batch.inputs["target"]` holds the
    tokens before each step, the start first; `batch.targets` the tokens to write, the end last.

    Args:
        encoder: gives places for the attention, and a summary for the first state.
        decoder: an `AttendingDecoder`.
        tied: whether the decoder's embedding is also the last linear layer.
        copy: whether words of the source can be copied; `batch.sources["copy"]` holds their tokens.
        label_smoothing: share of the probability spread over the vocabulary in the loss.
        unknown: the token of unknown pieces; copied words are read as it, and it is never written.

    Attributes:
        teacher_forcing: share of true tokens among those read in training, from 1 (all) to 0; the others are drawn
            from the model's own answers, see `loss`.

    Raises:
        OptionError: copying without attention.

    Example:
        >>> import torch
        >>> from unrolled.arrangements.encoders import RecurrentEncoder
        >>> from unrolled.codecs.base import Spec
        >>> from unrolled.nn.inputs import InputLayer
        >>> from unrolled.nn.stack import Stack
        >>> encoder = RecurrentEncoder(InputLayer({"source": Spec("index", 9, 4)}), Stack(4, 8, bidirectional=True))
        >>> decoder = AttendingDecoder(7, encoder.memory_size, encoder.summary_size, 6, 8)
        >>> net = EncoderDecoder(encoder, decoder)
        >>> tokens = Ragged(torch.tensor([6, 1, 2, 6, 3]), [3, 2])
        >>> batch = Batch({"target": tokens}, sources={"source": Ragged(torch.tensor([1, 2, 3, 4]), [1, 3])})
        >>> net(batch)[0].values.shape  # log-probabilities of the 7 tokens after each of 5 steps
        torch.Size([5, 7])
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: AttendingDecoder,
        tied: bool = True,
        copy: bool = False,
        label_smoothing: float = 0.0,
        unknown: int | None = None,
    ) -> None:
        super().__init__()
        if copy and decoder.attention is None:
            raise OptionError(message("copy", expected="a decoder with attention", received="attention='none'"))
        self.encoder, self.decoder = encoder, decoder
        size = decoder.embedding.num_embeddings
        self.output = TokenOutput(size, label_smoothing)
        self.head = TokenHead(size, decoder.readout_size, decoder.hidden_size, tied, copy, label_smoothing)
        self.copies, self.unknown = copy, unknown
        self.teacher_forcing = 1.0

    # ---- whole targets ------------------------------------------------------------------------

    def forward(self, batch: Batch, state: Any = None) -> tuple[Ragged, DecoderState]:
        """Return log-probabilities of the token after each step, (N, V + further) ragged, and the final state."""
        if state is not None:
            raise UnsupportedError("an encoder-decoder starts from its source; continue from a state with `step`")
        tokens, shared = self._tokens(batch), self.share(batch)
        written, final = self.decoder(tokens, shared.source)
        places = None if shared.places is None else shared.places[tokens.sequence_ids]
        return tokens.with_values(self._log_probabilities(written, places, self.further(batch))), final

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """Return the nats of all known target tokens; with coverage, also the loss for repeated attention.

        If `teacher_forcing` is below 1, a first pass predicts the next token after each true prefix, and the second
        one reads draws from these predictions in place of some true tokens.

        Sources: scheduled sampling: S. Bengio et al., NeurIPS 2015, section 2.4; both passes over whole targets: D.
        Duckworth et al., "Parallel Scheduled Sampling", 2019, section 3.1; coverage: See et al. 2017, section 2.3.
        """
        assert isinstance(batch.targets, Ragged), "targets are one token for each step"
        tokens, shared = self._tokens(batch), self.share(batch)
        places = None if shared.places is None else shared.places[tokens.sequence_ids]  # (N, S)
        if self.training and self.teacher_forcing < 1:
            tokens = self._sampled(tokens, shared)
        written, _ = self.decoder(tokens, shared.source)
        targets = batch.targets.values
        weight = self.decoder.embedding.weight
        costs = self.head.loss(written.readout, written.hidden, weight, targets, written.weights, places)
        if written.repeats is not None and self.training:
            costs = costs + written.repeats
        return LossSum(costs.sum(), float((targets != IGNORED).sum()))

    def _tokens(self, batch: Batch) -> Ragged:
        tokens = batch.inputs[TARGET]
        assert isinstance(tokens, Ragged)
        return tokens

    def _sampled(self, tokens: Ragged, shared: Shared) -> Ragged:
        with torch.no_grad():
            written, _ = self.decoder(tokens, shared.source)
            words = self.head.words(written.readout, self.decoder.embedding.weight)  # (N, V)
            noise = -torch.empty_like(words).exponential_().log()
            drawn = (words + noise).argmax(1)  # (N,) after each step
            own = torch.rand(len(drawn), device=drawn.device) >= self.teacher_forcing
            own &= tokens.positions > 0  # the start token is never predicted
            before = torch.cat([drawn[:1], drawn[:-1]])
        return tokens.with_values(torch.where(own, before, tokens.values))

    def _log_probabilities(self, written: DecoderOutput, places: Tensor | None, further: int) -> Tensor:
        weight = self.decoder.embedding.weight
        return self.head(written.readout, written.hidden, weight, written.weights, places, further)

    def further(self, batch: Batch) -> int:
        """Return the number of tokens beyond the vocabulary that the sources of a batch offer."""
        places = batch.sources[COPY] if self.copies else None
        if not isinstance(places, Ragged) or not places.num_steps:
            return 0
        return max(0, int(places.values.max()) + 1 - self.head.size)

    def kept(self, rows: int, reads: int, writes: int) -> int:
        """Return the number of values that training keeps of a batch in addition to those of its cells.

        They belong to attention, vocabulary and pictures.

        Args:
            rows: number of pairs, B.
            reads: steps of the longest source, S.
            writes: steps of the longest target, T.
        """
        attention = self.decoder.attention
        width = 0 if attention is None else attention.width
        pictures = self.encoder.net.kept() if isinstance(self.encoder, PictureEncoder) else 0
        places = (
            self.encoder.net.grid[0] * self.encoder.net.grid[1] if isinstance(self.encoder, PictureEncoder) else reads
        )
        return rows * (writes * (COPIES * self.head.size + width * places) + pictures)

    # ---- one token at a time ------------------------------------------------------------------

    def share(self, batch: Batch) -> Shared:
        """Return the data that the steps read: the sources, encoded once."""
        source = self.decoder.read(*self.encoder(batch))
        places = batch.sources[COPY] if self.copies else None
        return Shared(source, places.padded() if isinstance(places, Ragged) else None)

    def first_state(self, batch: Batch) -> DecodingState:
        """Return the state before the first token of every source."""
        shared = self.share(batch)
        return DecodingState(self.decoder.first_state(shared.source), shared)

    def initial_state(self, batch_size: int) -> Any:
        """Refuse: the first state depends on the source."""
        raise UnsupportedError("an encoder-decoder starts from its source; use first_state(batch)")

    def step(self, batch: Batch, state: DecodingState) -> tuple[Tensor, DecodingState]:
        """Read one more token in every row and return log-probabilities (B, V + further)."""
        logs, after = self.advance(self._tokens(batch).values, state.state, state.shared, self.further(batch))
        return logs, state._replace(state=after)

    def advance(
        self, tokens: Tensor, state: DecoderState, shared: Shared, further: int = 0
    ) -> tuple[Tensor, DecoderState]:
        """Make one step: the step function for decoding.

        Args:
            tokens: the tokens before, (R,): all hypotheses of a source are adjacent.
            state: the state before.
            shared: the data of the sources.
            further: number of tokens beyond the vocabulary that the sources offer.

        Returns:
            Log-probabilities (R, V + further), and the next state.
        """
        if self.unknown is not None:
            tokens = tokens.masked_fill(tokens >= self.head.size, self.unknown)
        written, state = self.decoder.step(tokens, state, shared.source)
        places = shared.places
        if places is not None:
            places = places.repeat_interleave(len(tokens) // max(len(places), 1), 0)  # (R, S)
        return self._log_probabilities(written, places, further), state
