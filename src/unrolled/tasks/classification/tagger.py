"""Tagger: predicts a label for every step, such as a part of speech for every word."""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from torch import nn

from unrolled.arrangements.many_to_many import ManyToMany
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import tagging_baselines
from unrolled.batch import Batch
from unrolled.codecs.base import Codec
from unrolled.codecs.record import Record
from unrolled.codecs.tables.labels import Labels
from unrolled.codecs.text.word_characters import WordCharacters
from unrolled.codecs.text.words import Words
from unrolled.data.source import Source
from unrolled.errors import DataError, OptionError, message
from unrolled.metrics.label_scores import tagging_scores, unseen_notes
from unrolled.metrics.scores import IGNORED, Scores
from unrolled.nn.heads import ClassOutput
from unrolled.nn.inputs import InputLayer
from unrolled.pauses import paused
from unrolled.reading_report import uncounted
from unrolled.streaming.network_steps import NetworkSteps
from unrolled.tasks.base import Task
from unrolled.tasks.classification.numbers_as_classes import refuse_numbers
from unrolled.tasks.classification.record_stream import RecordReader
from unrolled.tasks.kinds import ReadsSteps
from unrolled.tasks.shared.column_codecs import Inputs, refuse_targets, require, resolve_inputs
from unrolled.tasks.shared.given_examples import name_of, require_lists


class Tagger(ReadsSteps, Task):
    """A labeller of every step of a sequence; of each word it reads the word itself and its characters.

    Args:
        words: the column of word lists that is read by default, as words and as characters.
        inputs: codecs or columns to read instead of `words`, one value per step.
        target: the column of label lists, or `Labels("tags")`.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for a convolutional network.
        hidden_size: hidden units of each layer and direction.
        num_layers: recurrent layers.
        dropout: share of values set to zero in training, on the inputs, between layers and before the answer.
        bidirectional: also read backwards; such a model cannot answer step by step.
        layers: further options of `unrolled.nn.stack.Stack`: variational, layer_norm, residual, learn_initial_state,
            recurrent_dropout, zoneout.
        training: training options kept with the model; `fit` may override them.

    Example:
        >>> import unrolled as ur
        >>> tags = ["DET", "NOUN"]
        >>> data = [{"words": ["the", "cat"], "tags": tags}, {"words": ["a", "dog"], "tags": tags}]
        >>> model = ur.Tagger(hidden_size=8).fit(data * 16, epochs=8)
        >>> [str(tag) for tag in model.predict([{"words": ["the", "dog"]}])[0]]
        ['DET', 'NOUN']
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}

    def __init__(
        self,
        words: str = "words",
        inputs: Inputs = None,
        target: str | Labels = "tags",
        cell: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 1,
        dropout: float = 0.4,
        bidirectional: bool = True,
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.words = words
        self.inputs = inputs
        self.target = target
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.layers = layers
        self.training = training

    # ---- learning ---------------------------------------------------------------------------

    def _columns_of_lists(self) -> tuple[str | None, str | None]:
        return self.words if self.inputs is None else name_of(self.inputs), name_of(self.target) or "tags"

    def _learn(self, source: Source) -> None:
        target = Labels(self.target) if isinstance(self.target, str) else copy.deepcopy(self.target)
        if not isinstance(target, Labels):
            raise OptionError(message("target", expected="a column or Labels", received=repr(target)))
        require(source, target.columns, "target")
        refuse_targets(self.words if self.inputs is None else self.inputs, target.columns)
        require_lists(source, target.columns, "labels", "use Classifier for one label for a whole sequence")
        if self.inputs is None:
            require(source, [self.words], "words")
            require_lists(source, [self.words], "words")
            codecs: list[Codec] = [Words(self.words, lowercase=True), WordCharacters(self.words)]
        else:
            codecs = resolve_inputs(self.inputs, source)
        self.codecs_ = Record(codecs).fit(source)
        self.target_codec_ = target.fit(source)
        if not self.target_codec_.spec.per_step:
            raise DataError(
                message(
                    "target",
                    expected=f"a list of labels in {target.columns[0]!r}, one for each step",
                    received="single labels",
                    remedy="use Classifier for one label for a whole sequence",
                )
            )
        refuse_numbers(self.target_codec_, source)

    @property
    def classes_(self) -> np.ndarray:
        """The labels, in the order of probabilities."""
        return np.array(self.target_codec_.classes_, dtype=object)

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        require(source, self.codecs_.columns)
        records = list(paused(source))
        examples = self.codecs_.encode_all(records)
        if not targets:
            return examples
        require(source, self.target_codec_.columns)
        return Batch(examples.inputs, examples.statics, self.target_codec_.encode(records))

    def _make_network(self) -> nn.Module:
        inputs = InputLayer(self.codecs_.specs, self.dropout)
        layers = self._make_layers(inputs.size + inputs.static_size, self.bidirectional)
        return ManyToMany(inputs, layers, ClassOutput(len(self.classes_)), self.dropout)

    # ---- answers ----------------------------------------------------------------------------

    def predict_proba(self, data: Any) -> list[np.ndarray]:
        """Return the probabilities of every label at every step, (T, V) per sequence."""
        examples = self._asked(data)
        answers: list[np.ndarray] = [np.empty(0)] * examples.batch_size
        for rows, raw in self._answers(examples):
            for row, sequence in zip(rows.tolist(), raw, strict=True):
                answers[row] = self.network_.output.describe(sequence).numpy()
        return answers

    def predict(self, data: Any) -> list[list[Any]]:
        """Return one label per step for each sequence."""
        return [self.classes_[shares.argmax(1)].tolist() for shares in self.predict_proba(data)]

    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Return accuracy per step, macro-F1 and the share of sequences without error, next to the baselines'.

        A label that training never saw counts as answered wrong, and the notes name it; with
        `Labels(..., unseen="ignore")` its step is left out.

        Args:
            data: what `fit` takes.
            y: lists of labels, when `data` is a list of sequences.

        Raises:
            DataError: a missing label, unless it is to be ignored.
        """
        self._fitted()
        source = self._source(data, y)
        require(source, [*self.codecs_.columns, *self.target_codec_.columns])
        column = self.target_codec_.columns[0]
        records = list(source)
        indices, unseen = self.target_codec_.truth(records)
        with uncounted():  # the same records are read again
            examples = self._encode(source, targets=False)
        Batch(examples.inputs, examples.statics, indices)  # refuses another number of labels than of words
        truth = [
            [
                None if index == IGNORED else label
                for label, index in zip(record[column] or (), row.tolist(), strict=True)
            ]
            for record, row in zip(records, indices, strict=True)
        ]
        rivals = {baseline.name: baseline.predict(self._plain(records)) for baseline in self.baselines_.values()}
        if self.rival_ is not None:
            rivals["convolution net of the same size"] = self.rival_.predict(source)
        return tagging_scores(truth, self.predict(source), rivals, unseen_notes(unseen))

    def _stepping(self) -> NetworkSteps:
        reader = RecordReader(self.codecs_, self.network_.output, self.classes_, per_step=True)
        return NetworkSteps(self.network_, reader)

    def _readers(self) -> Mapping[str, Codec]:
        return dict(zip(self.codecs_.names, self.codecs_.codecs, strict=True))

    # ---- baselines --------------------------------------------------------------------------

    def _plain(self, records: list[Any]) -> list[list[str]]:
        column = self.codecs_.columns[0]
        return [[str(value) for value in record[column] or ()] for record in records]

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        records = list(source)
        tags = [list(record[self.target_codec_.columns[0]]) for record in records]
        return {key: baseline.fit(self._plain(records), tags) for key, baseline in tagging_baselines().items()}

    # ---- saving -----------------------------------------------------------------------------

    def _learnt_to_json(self) -> dict[str, Any]:
        return {"inputs": self.codecs_.to_json(), "target": self.target_codec_.to_json()}

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.codecs_ = Record.from_json(data["inputs"])
        self.target_codec_ = Labels.from_json(data["target"])
