"""Translator: reads a text and writes another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from unrolled.arrangements.encoders import Encoder, RecurrentEncoder
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import translation_baselines
from unrolled.batch import Batch
from unrolled.codecs.base import Codec
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.pieces import Copies, PieceCodec, share_found
from unrolled.data.source import Source
from unrolled.errors import DataError, message
from unrolled.metrics.scores import Scores
from unrolled.metrics.texts.libraries import needed
from unrolled.metrics.texts.text_scores import text_scores
from unrolled.nn.decoder import NONE
from unrolled.nn.inputs import InputLayer
from unrolled.nn.layers import make_layers
from unrolled.tasks.seq2seq.target_text import AUTO, SAMPLE, text_codec
from unrolled.tasks.seq2seq.writer import READ, Writer, as_texts
from unrolled.tasks.shared.column_codecs import require

WORTH_COPYING = 0.1  # least share of the answers' words that occur in their source


class Translator(Writer):
    """A model that writes a text from a text: translations, summaries, sums, spellings; the data define the task.

    An encoder reads the source in both directions; a decoder writes, with attention to the source at every step.

    Args:
        source: the column to read, or a codec such as `Words("english")`.
        target: the column to write, or a codec.
        unit: characters, words, subwords or auto, for columns given by name.
        cell: a name in `unrolled.cells.registry.CELLS`.
        hidden_size: hidden units of each layer and direction, and width of a piece's vector.
        num_layers: layers of the encoder, and of the decoder above the layer with attention.
        dropout: share of values set to zero in training.
        attention: multiplicative, additive or none.
        decoder: input_feeding, coverage, copy (pieces of the source; auto if training answers share a tenth of
            their words with their sources, and are not spelt in characters), positions (attention reads the positions
            of pieces), tied (embedding and last layer), label_smoothing, teacher_forcing (share of true pieces read at
            the end of training).
        layers: further options of `unrolled.nn.stack.Stack`.
        training: training options kept with the model; `fit` may override them.

    Example:
        >>> import unrolled as ur
        >>> words = ["abc", "cab", "bca", "acb", "bac", "cba", "aab", "abb"] * 8
        >>> model = ur.Translator(hidden_size=32, dropout=0.0).fit(
        ...     words, [word[::-1] for word in words], epochs=25, batch_size=16, learning_rate=0.01, baselines=False
        ... )
        >>> model.predict(["abc", "aab"])
        ['cba', 'baa']
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 2e-3, "precision": "auto"}

    def __init__(
        self,
        source: str | Codec = "source",
        target: str | Codec = "target",
        unit: str = "auto",
        cell: str = "lstm",
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.2,
        attention: str = "multiplicative",
        decoder: Mapping[str, Any] | None = None,
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.source = source
        self.target = target
        self.unit = unit
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.attention = attention
        self.decoder = decoder
        self.layers = layers
        self.training = training

    # ---- reading ------------------------------------------------------------------------------

    def _convert(self, data: Any, y: Any = None) -> Source:
        if isinstance(data, str):
            raise DataError(message("data", expected="a list of texts, or a table", received="one text"))
        return super()._convert(data, y)

    def _columns_of_lists(self) -> tuple[str | None, str | None]:
        return self._column(self.source), self._column(self.target)

    def _column(self, named: str | Codec) -> str:
        return named.columns[0] if isinstance(named, Codec) else named

    def _learn_to_read(self, source: Source) -> Codec:
        require(source, [self._column(self.source)], "source")
        # the source is read in the unit that is written, unless a codec says otherwise
        unit = self.target_.codec.name if self.unit == "auto" else self.unit  # type: ignore[attr-defined]
        return text_codec(self.source, unit, ()).fit(source)

    def _records(self, source: Source) -> list[Any]:
        """Return the records; a source of nothing but white space is an empty one."""
        column = self.reader_.columns[0]
        return [
            {**one, column: ""} if isinstance(one[column], str) and one[column].isspace() else one for one in source
        ]

    def _copies(self, records: Sequence[Mapping[str, Any]]) -> Copies | None:
        if not self.copies_:
            return None
        return Copies(self.reader_.pieces(records), self.target_.index, self.target_.size)

    def _worth_copying(self, source: Source) -> bool:
        options = self._options()
        if options["copy"] != AUTO:
            return bool(options["copy"])
        spelt = isinstance(self.target_.codec, Characters)
        if self.attention == NONE or options["label_smoothing"] or spelt:
            return False
        records = list(source)[:SAMPLE]
        pairs = zip(self.reader_.pieces(records), self.target_.codec.pieces(records), strict=True)
        return share_found(pairs) >= WORTH_COPYING

    def _places(self, records: Sequence[Mapping[str, Any]]) -> tuple[list[list[str]], tuple[int, int]]:
        codec: PieceCodec = self.reader_
        return codec.pieces(records), (0, 0)

    def _shown_texts(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        return as_texts([record[self.reader_.columns[0]] for record in records])

    def _make_encoder(self) -> Encoder:
        spec = replace(self.reader_.spec, embedding_size=self.hidden_size)
        layers = make_layers(
            self.cell,
            self.hidden_size,
            self.hidden_size,
            bidirectional=True,
            num_layers=self.num_layers,
            dropout=self.dropout,
            **(self.layers or {}),
        )
        return RecurrentEncoder(InputLayer({READ: spec}, self.dropout), layers, self.dropout)

    # ---- scores -------------------------------------------------------------------------------

    def _ask_for_scores(self) -> None:
        needed("sacrebleu.metrics")
        needed("rouge_score.rouge_scorer")

    def _scores(self, truth: list[str], answers: list[str], rivals: Mapping[str, Sequence[str]]) -> Scores:
        return text_scores(truth, answers, rivals)

    def _shown(self, records: Sequence[Mapping[str, Any]], examples: Batch) -> list[Any]:
        return self._shown_texts(records)

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        records = list(source)
        read, written = self._shown(records, examples), self._truth(records)
        return {key: baseline.fit(read, written) for key, baseline in translation_baselines(read).items()}
