"""Writer: the common base of the tasks that read a record and write a text."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from unrolled.arrangements.encoder_decoder import COPY, TARGET, EncoderDecoder
from unrolled.arrangements.encoders import Encoder
from unrolled.batch import Batch, Nested
from unrolled.codecs.base import Codec
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.text.pieces import Copies
from unrolled.data.batching import BatchSource, Buckets
from unrolled.data.source import Source
from unrolled.decoding.options import SearchOptions
from unrolled.decoding.paths import Hypothesis
from unrolled.errors import OptionError, finite_number, message, whole_number
from unrolled.inspection.alignment import Alignment, Working
from unrolled.inspection.record import Inspection
from unrolled.metrics.scores import Scores
from unrolled.nn.decoder import NONE, AttendingDecoder
from unrolled.ragged import Ragged
from unrolled.reading_report import report_so_far, uncounted
from unrolled.tasks.base import Task
from unrolled.tasks.kinds import ReadsSources
from unrolled.tasks.seq2seq.inspect_writer import Spelling, check_row, look_inside_writer, some_rows, text_mistakes
from unrolled.tasks.seq2seq.lengths import LONGEST, answers_nothing, short_pairs
from unrolled.tasks.seq2seq.search import (
    BEAM,
    LENGTH_PENALTY,
    MOST_PIECES,
    Answer,
    empty_rows,
    prefix_tokens,
    score_targets,
    search,
    search_options,
    spelling_nats,
)
from unrolled.tasks.seq2seq.target_text import AUTO, TargetText, text_codec
from unrolled.tasks.shared.column_codecs import require
from unrolled.tasks.shared.option_checks import check_named
from unrolled.training.callbacks import Callback
from unrolled.training.options import TrainingOptions
from unrolled.training.teacher_forcing import TeacherForcing

READ = "source"  # name of the input, among a batch's sources or statics
LARGEST_BATCH, FEWEST_BATCHES = 64, 16
DECODER = {
    "input_feeding": False,
    "coverage": False,
    "copy": AUTO,
    "positions": True,
    "tied": True,
    "label_smoothing": 0.0,
    "teacher_forcing": 1.0,
}
FORMS: dict[str, type] = {name: bool for name, value in DECODER.items() if isinstance(value, bool)} | {
    "copy": object,  # may also be "auto"
    "label_smoothing": float,
    "teacher_forcing": object,  # may also be 1
}


def as_texts(values: Sequence[Any]) -> list[str]:
    """Return texts, or lists of words, as texts; a missing one is empty."""
    return ["" if value is None else value if isinstance(value, str) else " ".join(value) for value in values]


class Writer(ReadsSources, Task):
    """A task that reads a record and writes a text about it."""

    target: str | Codec
    unit: str
    cell: str
    hidden_size: int
    num_layers: int
    dropout: float
    attention: str
    decoder: Mapping[str, Any] | None
    layers: Mapping[str, Any] | None

    # ---- what a subclass provides -------------------------------------------------------------

    @abstractmethod
    def _learn_to_read(self, source: Source) -> Codec:
        """Return the fitted codec of the source."""

    @abstractmethod
    def _make_encoder(self) -> Encoder:
        """Return a fresh encoder."""

    def _copies(self, records: Sequence[Mapping[str, Any]]) -> Copies | None:
        """Return what can be copied; None if nothing can."""
        return None

    def _worth_copying(self, source: Source) -> bool:
        """Return whether it is useful to copy pieces of the source into the answer."""
        return False

    # ---- learning -----------------------------------------------------------------------------

    def _options(self) -> dict[str, Any]:
        check_named("decoder", self.decoder or {}, FORMS)
        options: dict[str, Any] = {**DECODER, **(self.decoder or {})}
        if options["copy"] not in (True, False, AUTO):
            raise OptionError(message("copy", expected=f"True, False or {AUTO!r}", received=options["copy"]))
        if "positions" in (self.decoder or {}) and self.attention == NONE:
            raise OptionError(message("positions", expected="an attention", received=f"attention={NONE!r}"))
        options["teacher_forcing"] = finite_number("teacher_forcing", options["teacher_forcing"], 0, 1)
        return options

    def _check(self) -> None:
        super()._check()
        self._options()

    def _learn(self, source: Source) -> None:
        column = self.target.columns[0] if isinstance(self.target, Codec) else self.target
        require(source, [column], "target")
        codec = text_codec(self.target, self.unit, (record[column] for record in source))
        self.target_ = TargetText.fit(codec, source)
        self.reader_: Any = self._learn_to_read(source)
        self.copies_ = self._worth_copying(source)

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        return self._prepared(source, targets)[1]

    def _prepared(self, source: Source, targets: bool) -> tuple[list[Any], Batch, Copies | None]:
        """Return the records, encoded, and what can be copied from them."""
        require(source, [*self.reader_.columns, *([self.target_.column] if targets else [])])
        records = self._records(source)
        encoded, copies = self.reader_.encode(records), self._copies(records)
        whole = not self.reader_.spec.per_step  # one vector or picture per record
        statics: dict[str, Tensor] = {READ: encoded.values} if whole else {}
        sources: dict[str, Ragged | Nested] = {} if whole else {READ: encoded}
        if copies is not None:
            sources[COPY] = copies.places
        if not targets:
            return records, Batch({}, statics, sources=sources), copies
        before, after = self.target_.encode(records, copies)
        return records, Batch({TARGET: before}, statics, after, sources=sources), copies

    def _make_network(self) -> nn.Module:
        options, encoder = self._options(), self._make_encoder()
        decoder = AttendingDecoder(
            self.target_.size,
            encoder.memory_size,
            encoder.summary_size,
            self.hidden_size,
            self.hidden_size,
            self.cell,
            self.num_layers,
            self.attention,
            self.dropout,
            options["input_feeding"],
            options["coverage"],
            self.layers,
            options["positions"] and encoder.ordered and self.attention != NONE,
        )
        return EncoderDecoder(
            encoder, decoder, options["tied"], self.copies_, options["label_smoothing"], self.target_.unknown
        )

    def _train(
        self, examples: Any, watched: Any, settings: TrainingOptions, callbacks: Sequence[Callback], **how: Any
    ) -> None:
        examples, left_out = short_pairs(examples)
        if left_out:
            self.summary_["left out"] = f"{left_out} records of more than {LONGEST} steps"
        self.answers_nothing_ = answers_nothing(examples)
        last = self._options()["teacher_forcing"]
        own = [TeacherForcing(last)] if last < 1 else []
        super()._train(examples, watched, settings, [*own, *callbacks], **how)

    def _batches(self, examples: Any, options: TrainingOptions, shuffle: bool) -> BatchSource:
        if options.bptt_steps:
            raise OptionError(
                message("bptt_steps", expected="0 for a task that reads all of its source", received=options.bptt_steps)
            )
        rows = options.batch_size or min(LARGEST_BATCH, max(4, examples.batch_size // FEWEST_BATCHES))
        return Buckets(examples, rows, seed=options.seed, shuffle=shuffle)

    # ---- answers ------------------------------------------------------------------------------

    def predict(
        self,
        data: Any,
        beam_size: int = BEAM,
        length_penalty: float = LENGTH_PENALTY,
        max_length: int = 0,
        coverage_penalty: float = 0.0,
        prefix: Any = None,
    ) -> list[Any]:
        """Return the best text of each record.

        Args:
            data: what `fit` takes; the target's column is not needed.
            beam_size: hypotheses kept at each step; 1 always takes the most probable piece.
            length_penalty: strength of the correction for length; 0 ranks answers by their log-probabilities
                alone, and makes them shorter. See `unrolled.decoding.penalties`.
            max_length: maximum number of pieces of an answer, including its end; 0 = 1.5 times the longest training
                text.
            coverage_penalty: about 0.2 if answers leave out parts of the source; needs attention, and a beam.
            prefix: the beginning of the answers: one text for all records, or a list of one per record. It should end
                where a piece ends (a word, not the middle of one), and the model must know its pieces.
        """
        found = self.n_best(data, 1, beam_size, length_penalty, max_length, coverage_penalty, prefix)
        return [answers[0].text for answers in found]

    def n_best(
        self,
        data: Any,
        count: int = BEAM,
        beam_size: int = BEAM,
        length_penalty: float = LENGTH_PENALTY,
        max_length: int = 0,
        coverage_penalty: float = 0.0,
        prefix: Any = None,
    ) -> list[list[Answer]]:
        """Return several texts per record with their scores, best first.

        Args:
            data: what `predict` takes.
            count: answers per record, at most `beam_size`.
            beam_size: hypotheses kept at each step.
            length_penalty, max_length, coverage_penalty, prefix: see `predict`.

        Raises:
            OptionError: an invalid option, or a prefix that leaves no room for more.
            DataError: a prefix of pieces that the model does not know.
        """
        self._fitted()
        options = search_options(count, beam_size, length_penalty, coverage_penalty)
        max_length = whole_number("max_length", max_length, 0, MOST_PIECES)
        records, examples, copies = self._prepared(self._source(data), targets=False)
        prefixes = None if prefix is None else prefix_tokens(self.target_, prefix, len(records), copies)
        found = self._search(examples, options, max_length, prefixes)
        return [
            [self._answer(hypothesis, row, copies) for hypothesis in hypotheses] for row, hypotheses in enumerate(found)
        ]

    def _answer(self, found: Hypothesis, row: int, copies: Copies | None) -> Answer:
        text = self.target_.decode(found.tokens, row, copies)
        return Answer(text, found.score, found.log_probability, found.finished)

    def align(self, data: Any, beam_size: int = BEAM) -> list[Alignment]:
        """Return the alignment of each record's best answer with its source.

        Raises:
            OptionError: a model without attention.
        """
        self._fitted()
        if self.network_.decoder.attention is None:
            raise OptionError(message("attention", expected="a model with attention", received=self.attention))
        return [one.alignment for one in self.workings(data, beam_size=beam_size) if one.alignment is not None]

    def workings(self, data: Any, y: Any = None, beam_size: int = BEAM) -> list[Working]:
        """Return each record's source, its best answer, the true answer if the data have one, and their alignment.

        Args:
            data: what `predict` takes; a table may also hold the true texts.
            y: true texts, when `data` is a list.
            beam_size: see `predict`.
        """
        options, source = search_options(beam_size=beam_size), self._source(data, y)
        records, examples, copies = self._prepared(source, targets=False)
        found = [hypotheses[0] for hypotheses in self._search(examples, options)]
        true = self._truth(records) if self.target_.column in source.columns else [""] * len(records)
        read, grid = self._places(records)
        texts, pictures = self._shown_texts(records), self._pictures(examples)
        workings = []
        for row, best in enumerate(found):
            pieces = self.target_.pieces(best.tokens, row, copies)
            looked = None
            if self.network_.decoder.attention is not None:
                width = len(read[row]) or grid[0] * grid[1]
                weights = best.trace[:, :width].numpy() if pieces else np.zeros((0, width))
                looked = Alignment(tuple(read[row]), tuple(pieces), weights, grid)
            (answer,) = as_texts([self.target_.codec.join(pieces)])
            workings.append(Working(row, texts[row], answer, true[row], looked, pictures[row] if pictures else None))
        return workings

    def _places(self, records: Sequence[Mapping[str, Any]]) -> tuple[list[list[str]], tuple[int, int]]:
        """Return the pieces of each source, or the grid of a picture's places."""
        return [[] for _ in records], (0, 0)

    def _shown_texts(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the sources as texts; empty if they are no texts."""
        return [""] * len(records)

    def _pictures(self, examples: Batch) -> list[np.ndarray]:
        """Return the pictures as arrays; empty if the source is no picture."""
        return []

    def _search(
        self,
        examples: Batch,
        options: SearchOptions,
        max_length: int = 0,
        prefixes: Sequence[Sequence[int]] | None = None,
    ) -> list[list[Hypothesis]]:
        empty = [] if self.answers_nothing_ else empty_rows(examples)
        return search(self._fitted().eval(), self.target_, examples, options, max_length, prefixes, empty)

    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Return the scores of the written texts next to the baselines'.

        Args:
            data: what `fit` takes.
            y: targets, when `data` is a list.
        """
        self._fitted()
        source = self._source(data, y)
        return self._scored(source, *self._prepared(source, targets=True))[0]

    def _scored(
        self, source: Source, records: list[Any], examples: Batch, copies: Copies | None
    ) -> tuple[Scores, list[str]]:
        """Return the table of scores, and the answers that it rates."""
        self._ask_for_scores()
        found = self._search(examples, search_options())
        answers = as_texts([self.target_.decode(best[0].tokens, row, copies) for row, best in enumerate(found)])
        shown = self._shown(records, examples)
        rivals = {baseline.name: baseline.predict(shown) for baseline in self.baselines_.values()}
        if self.rival_ is not None:
            rivals["convolution net of the same size"] = as_texts(self.rival_.predict(source))
        return self._scores(self._truth(records), answers, rivals), answers

    @abstractmethod
    def _scores(self, truth: list[str], answers: list[str], rivals: Mapping[str, Sequence[str]]) -> Scores:
        """Return the table of scores."""

    @abstractmethod
    def _shown(self, records: Sequence[Mapping[str, Any]], examples: Batch) -> list[Any]:
        """Return the baselines' input for each record."""

    def _truth(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        return as_texts([record[self.target_.column] for record in records])

    def score_pairs(self, data: Any) -> np.ndarray:
        """Return the log-probability of each record's target in nats, (B,); an unknown piece pays for its spelling."""
        records, examples, _ = self._prepared(self._source(data), targets=True)
        return self._score_encoded(examples) - spelling_nats(self.target_, records, examples)

    def _score_encoded(self, examples: Batch) -> np.ndarray:
        return score_targets(self._fitted().eval(), self.target_, examples)

    # ---- seeing inside ------------------------------------------------------------------------

    def inspect(self, data: Any, y: Any = None, row: int = 0) -> Inspection:
        """Return the scores, the errors, and a report on one record: the unfolded network, its states, its alignment.

        Args:
            data: what `evaluate` takes.
            y: targets, when `data` is a list.
            row: index of the record to inspect.
        """
        self._fitted()
        row = whole_number("row", row, least=0)
        source = self._source(data, y)
        records, examples, copies = self._prepared(source, targets=True)
        check_row(examples, row)
        scores, answers = self._scored(source, records, examples, copies)
        read, _ = self._places(records)
        shown = some_rows(row, len(records))
        with uncounted():  # the same records again
            workings = self.workings([records[place] for place in shown])
        return look_inside_writer(
            self.network_,
            examples,
            replace(scores, report=report_so_far()),
            Spelling(self.target_, read, copies),
            text_mistakes(self._score_encoded, examples, self._shown_texts(records), self._truth(records), answers),
            [replace(one, row=place) for one, place in zip(workings, shown, strict=True)],
        )

    # ---- saving -------------------------------------------------------------------------------

    def _parameters_to_json(self) -> dict[str, Any]:
        named = {
            name: value.columns[0]  # its codec belongs to what was learnt
            for name, value in self.get_params(deep=False).items()
            if isinstance(value, Codec)
        }
        return super()._parameters_to_json() | named

    def _learnt_to_json(self) -> dict[str, Any]:
        own = {"copies": self.copies_, "answers nothing": self.answers_nothing_}
        return {"target": self.target_.to_json(), "reader": self.reader_.to_json(), **own}

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.target_ = TargetText.from_json(data["target"])
        self.reader_ = codec_from_json(data["reader"])
        said = (self.decoder or {}).get("copy")  # where older models have it
        self.copies_ = bool(data.get("copies", said is True))
        self.answers_nothing_ = bool(data.get("answers nothing", False))  # older models lack it
