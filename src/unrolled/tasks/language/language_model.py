"""LanguageModel: predicts the next character, word or subword of a text, and writes texts."""

import copy
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.arrangements.many_to_many import NextStep
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import language_baselines
from unrolled.batch import Batch
from unrolled.codecs.base import Codec, Spec
from unrolled.codecs.record import Record
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.words import Words
from unrolled.data.batching import BatchSource, Buckets, Lanes
from unrolled.data.documents import Documents
from unrolled.data.readers import as_source, read_text
from unrolled.data.source import Source
from unrolled.data.text_lanes import StreamLanes
from unrolled.decoding.generate import Sampling
from unrolled.errors import OptionError, message, unknown
from unrolled.metrics.number_scores import language_scores
from unrolled.metrics.scores import Scores
from unrolled.nn.heads import TokenOutput
from unrolled.nn.inputs import InputLayer
from unrolled.pauses import pause, paused
from unrolled.ragged import Ragged
from unrolled.streaming.network_steps import NetworkSteps
from unrolled.tasks.base import Task
from unrolled.tasks.kinds import ReadsTexts
from unrolled.tasks.language.long_texts import ROWS
from unrolled.tasks.language.text_stream import TextReader
from unrolled.tasks.language.text_writer import TEXT, TextWriter
from unrolled.tasks.language.texts import (
    LazyText,
    characters_of,
    chunks_of,
    empty_text,
    hold_out,
    parts_of,
    spread,
    tokens_of,
    with_edges,
)
from unrolled.tasks.language.unknown_tokens import UnknownTokens
from unrolled.tasks.shared.batch_sizes import batch_size_for
from unrolled.tasks.shared.column_codecs import Inputs, require, resolve_inputs
from unrolled.tasks.shared.given_examples import examples_of
from unrolled.training.options import TrainingOptions

UNITS = {"characters": partial(Characters, embedding_size=128), "words": Words, "subwords": Subwords}
# texts up to this many bytes are encoded once and kept (about 40 bytes per character); longer ones are read lazily
IN_MEMORY_BYTES = 8_000_000
MAX_LANES = 32  # more lanes would mean fewer updates on the same text, and slower learning
MIN_UPDATES = 50  # per epoch, if the text is long enough
SCORE_ROWS = 32
CHUNK_CHARACTERS = 5_000_000  # characters that are scored, or passed to a baseline, at once
ONE_HOT_LIMIT = 128  # larger vocabularies get an embedding
SCORE_STEPS = 1024  # long texts are scored in stretches of this many steps, state carried


class LanguageModel(ReadsTexts, Task):
    """A language model of characters, words or subwords: it predicts the next token, scores texts and writes them.

    Every document starts and, where there are several, ends with a boundary token.

    Args:
        text: the column of texts; a plain text, a list of texts or `read_text(path)` needs none.
        unit: characters, words or subwords; or a codec such as `Subwords("text", size=8000)`.
        given: columns that start each text, such as a language or a topic; the model then writes for given values.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for a causal convolutional network.
        hidden_size: hidden units of each layer.
        num_layers: recurrent layers.
        dropout: share of values set to zero in training, on the inputs, between layers and before the answer.
        layers: further options of `unrolled.nn.stack.Stack`: variational, layer_norm, residual, learn_initial_state,
            recurrent_dropout, zoneout.
        training: training options kept with the model; `fit` may override them.

    Example:
        >>> import unrolled as ur
        >>> model = ur.LanguageModel(hidden_size=16, dropout=0.0).fit("abcabc" * 100, epochs=12, learning_rate=0.02)
        >>> model.generate("ab", length=4, temperature=0)
        'cabc'
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {
        "bptt_steps": 64,
        "learning_rate": 5e-3,
        "validation": 0.05,
        "precision": "auto",
    }

    def __init__(
        self,
        text: str = TEXT,
        unit: str | Codec = "characters",
        given: Inputs = None,
        cell: str = "lstm",
        hidden_size: int = 512,
        num_layers: int = 1,
        dropout: float = 0.2,
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.text = text
        self.unit = unit
        self.given = given
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.layers = layers
        self.training = training

    # ---- data -------------------------------------------------------------------------------

    def _convert(self, data: Any, y: Any = None) -> Source:
        if isinstance(data, Path):
            return read_text(data)
        if isinstance(data, str):
            return as_source([{self.text: data}])
        return examples_of(data, y, self.text, None)

    def _hold_out(self, source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
        if isinstance(source, Documents):
            return hold_out(source, share, seed)
        if len(source) != 1:
            return super()._hold_out(source, share, seed)
        require(source, [self.text], "text")
        kept, held = spread(next(iter(source))[self.text] or "", share)
        return as_source([{self.text: kept}]), as_source([{self.text: held}]) if held else None

    def _learn(self, source: Source) -> None:
        require(source, [self.text], "text")
        if isinstance(self.unit, Codec):
            codec = copy.deepcopy(self.unit)
            if codec.name not in UNITS or codec.columns != (self.text,):
                raise OptionError(
                    message(
                        "unit",
                        expected=f"characters, words or subwords of the column {self.text!r}",
                        received=repr(codec),
                    )
                )
        elif self.unit in UNITS:
            codec = UNITS[self.unit](self.text)
        else:
            raise unknown("unit", str(self.unit), UNITS)
        self.codec_ = codec.fit(source.pieces() if isinstance(source, Documents) else source)
        given = None if self.given is None else Record(resolve_inputs(self.given, source, sequence=False)).fit(source)
        if given is not None and any(spec.per_step for spec in given.specs.values()):
            raise OptionError(
                message("given", expected="columns with one value for each text", received="a sequence column")
            )
        self.given_ = given
        # with several documents, their ends are learnt too
        self.many_ = not source.single if isinstance(source, Documents) else len(source) != 1

    @property
    def boundary_(self) -> int:
        """Token before the first token of every document and, with several documents, after its last."""
        return self.codec_.spec.size

    def _specs(self) -> dict[str, Spec]:
        size = self.boundary_ + 1
        width = self.codec_.spec.embedding_size
        if not width and size > ONE_HOT_LIMIT:
            width = min(256, 16 * math.ceil(size**0.25))
        # hiding known characters now and then costs more than a trained unknown character is worth
        unknown_index = self.codec_.spec.unknown_index if isinstance(self.codec_, Words) else None
        specs = {TEXT: Spec("index", size, width, unknown_index=unknown_index)}
        return specs if self.given_ is None else specs | self.given_.specs

    def _make_network(self) -> nn.Module:
        inputs = InputLayer(self._specs(), self.dropout)
        layers = self._make_layers(inputs.size)
        arrangement = NextStep if self.given_ is None else OneToMany
        return arrangement(inputs, layers, TokenOutput(self.boundary_ + 1), self.dropout)

    def _encode(self, source: Source, targets: bool = True) -> Any:
        require(source, [self.text])
        if isinstance(source, Documents) and source.len_bytes > IN_MEMORY_BYTES:
            return LazyText(source)
        records = list(paused(source))
        tokens = tokens_of(self.codec_, self.text, [record[self.text] or empty_text(self.codec_) for record in records])
        inputs, answers = self._shifted(tokens)
        statics = {} if self.given_ is None else self.given_.encode_all(records).statics
        return Batch({TEXT: inputs}, statics, answers)

    def _shifted(self, tokens: Ragged) -> tuple[Ragged, Ragged]:
        """Return inputs and targets: the boundary comes first, and also last if there are several texts."""
        edge = tokens.values.new_full((tokens.batch_size,), self.boundary_)
        before = with_edges(edge, tokens, after=False)
        if self.many_:
            return before, with_edges(edge, tokens, after=True)
        return before.slice(0, tokens.lengths), tokens

    def _batches(self, examples: Any, options: TrainingOptions, shuffle: bool) -> BatchSource:
        if self.given_ is not None or not options.bptt_steps:
            if isinstance(examples, LazyText):
                raise OptionError(
                    message("bptt_steps", expected="a number > 0 for text that does not fit in memory", received=0)
                )
            return Buckets(examples, options.batch_size or batch_size_for(examples.batch_size), options.seed, shuffle)
        # few enough lanes that even a small text gives many updates
        rows = options.batch_size or min(MAX_LANES, max(1, examples.num_steps // (MIN_UPDATES * options.bptt_steps)))
        if isinstance(examples, LazyText):
            return StreamLanes(
                examples.documents,
                lambda text: tokens_of(self.codec_, self.text, [text]).values,
                self.boundary_,
                rows,
                options.bptt_steps,
                name=TEXT,
                ends=self.many_,
                seed=options.seed,
                shuffle=shuffle,
                whole_words=self.codec_.name != "characters",
            )
        return Lanes(examples, rows, options.bptt_steps, seed=options.seed, shuffle=shuffle)

    # ---- answers ----------------------------------------------------------------------------

    def _nats(self, examples: Batch) -> np.ndarray:
        """Return the negative log-probability of every text in nats, (B,), with the state carried from its start."""
        owner, start, stop, counted = parts_of(examples.lengths)
        totals = torch.zeros(examples.batch_size, dtype=torch.float64)
        for rows in torch.argsort(stop - start, stable=True).split(SCORE_ROWS):
            batch = examples.select(owner[rows]).slice_time(start[rows], stop[rows])
            totals.index_add_(0, owner[rows], self._costs(batch, counted[rows]))
        return totals.numpy()

    def _costs(self, batch: Batch, counted: Tensor) -> Tensor:
        """Return the nats of every sequence from its step number `counted` on, (B,)."""
        network = self._fitted().eval()
        sums, state = torch.zeros(batch.batch_size, dtype=torch.float64), None
        for start in range(0, int(batch.lengths.max()), SCORE_STEPS):
            part = batch.slice_time(start, start + SCORE_STEPS)
            with torch.no_grad():
                raw, state = network(part, state)
            assert isinstance(part.targets, Ragged)
            costs = network.output.loss(raw.values, part.targets.values).double()  # (N,)
            counts = raw.positions + start >= counted[raw.sequence_ids]
            sums.index_add_(0, raw.sequence_ids, costs * counts)
        return sums

    def score_texts(self, texts: Sequence[str] | str) -> np.ndarray:
        """Return the log-probability of each text in nats, (B,); higher is more probable.

        A text of more than 8,192 tokens is read in parallel parts, each after 512 tokens that do not count.

        Args:
            texts: one text or several; for a model with `given` columns, use `evaluate` or records instead.
        """
        self._fitted()
        source = self._source(texts)
        examples = self._encode(source)
        return -self._nats(examples) - UnknownTokens(self.codec_).nats(list(source), examples.targets)

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        length: int = 200,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Any:
        """Continue a prompt.

        Args:
            prompt: the beginning of the text, a list of tokens for a model of such lists; empty starts a document.
            length: maximum number of tokens to write; a model of several documents may end one earlier.
            temperature: below 1 more predictable, above 1 more random, 0 always the most probable token.
            top_k: draw only from the k most probable tokens; 0 from all.
            top_p: draw only from the fewest tokens that reach this probability together.
            seed: for reproducible text.
            given: values of the columns that start a text, for a model that was trained with `given`.

        Returns:
            The new text, without the prompt; a list of tokens from a model of such lists.
        """
        writer, sampling = self.writer(), Sampling(length, temperature, top_k, top_p, seed)
        with torch.no_grad():
            logits, state = writer.read([writer.record(prompt, given)])
        written = [drawn.token for drawn in writer.write(logits, state, sampling)]
        before = writer.tokens(prompt)
        return writer.spell(torch.cat([before, *written]))[len(writer.spell(before)) :]

    def writer(self) -> TextWriter:
        """Return the parts of the model that read a prompt and write on."""
        return TextWriter(self._fitted(), self.text, self.codec_, self.given_, self.boundary_, self.many_, self.schema_)

    def predict(self, data: Any) -> list[str]:
        """Return the most probable next token of each text, as text; empty if the text most probably ends."""
        writer, source = self.writer(), self._source(data)
        require(source, [self.text, *(() if self.given_ is None else self.given_.columns)])
        records, best = list(source), []
        for start in range(0, len(records), ROWS):
            pause()
            with torch.no_grad():
                best += writer.read(records[start : start + ROWS])[0].argmax(1).tolist()
        spelt = {one: "" if one == self.boundary_ else writer.spell_one(one) for one in set(best)}
        return [spelt[one] for one in best]

    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Return nats per token, perplexity and bits per character, next to those of the baselines.

        An unknown token costs all of them its spelling besides: see `unrolled.tasks.language.unknown_tokens`.

        Args:
            data: what `fit` takes.
            y: not used; the next token is the target.
        """
        self._fitted()
        source = self._source(data)
        require(source, [self.text, *(() if self.given_ is None else self.given_.columns)])
        totals: dict[str, float] = {}
        steps, characters, unknown_tokens = 0, 0, UnknownTokens(self.codec_)
        for records in chunks_of(source, CHUNK_CHARACTERS, self.text):
            table = as_source(records)
            examples = self._encode(table)
            assert isinstance(examples.targets, Ragged)
            steps += examples.num_steps
            characters += sum(characters_of(record[self.text]) for record in records)
            ids = [sequence.numpy() for sequence in examples.targets]
            found = {"model": self._nats(examples)} | {one.name: one.predict(ids) for one in self.baselines_.values()}
            if self.rival_ is not None:
                found["causal convolution net of the same size"] = self.rival_._nats(examples)
            spelt = unknown_tokens.nats(records, examples.targets)
            for name, nats in found.items():
                totals[name] = totals.get(name, 0.0) + float(np.sum(nats + spelt))
        return language_scores(totals, steps=steps, characters=characters)

    def _stepping(self, top: int = 5) -> NetworkSteps:
        return NetworkSteps(self._fitted(), TextReader(TEXT, self.codec_, self.given_, self.boundary_, self.many_, top))

    def _readers(self) -> Mapping[str, Codec]:
        return {TEXT: self.codec_}

    # ---- baselines --------------------------------------------------------------------------

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        chunks = chunks_of(source, CHUNK_CHARACTERS, self.text)
        examples = self._encode(as_source(next(chunks)))
        assert isinstance(examples.targets, Ragged)
        ids = [sequence.numpy() for sequence in examples.targets]
        note = f"first {CHUNK_CHARACTERS:,} characters" if next(chunks, None) else ""
        return {key: baseline.fit(ids, ids) for key, baseline in language_baselines(self.boundary_ + 1, note).items()}

    # ---- saving -----------------------------------------------------------------------------

    def _learnt_to_json(self) -> dict[str, Any]:
        given = None if self.given_ is None else self.given_.to_json()
        return {"codec": self.codec_.to_json(), "given": given, "many": self.many_}

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.codec_ = codec_from_json(data["codec"])
        self.given_ = None if data["given"] is None else Record.from_json(data["given"])
        self.many_ = bool(data["many"])
