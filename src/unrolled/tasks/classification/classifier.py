"""Classifier: predicts one label, or a set of labels, for a whole sequence."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from torch import Tensor, nn

from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.baselines.base import Baseline, answers_in_parts
from unrolled.baselines.registry import classification_baselines, multilabel_baselines
from unrolled.batch import Batch
from unrolled.blending.blend import NETWORK
from unrolled.codecs.base import Codec
from unrolled.codecs.holding import text_as_read
from unrolled.codecs.record import Record
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.tables.labels import Labels, MultiLabels
from unrolled.data.files import find_files
from unrolled.data.source import Source
from unrolled.errors import DataError, OptionError, UnsupportedError, finite_number, listed, message, unknown
from unrolled.metrics.confusion import Confusion, confusion
from unrolled.metrics.label_scores import classification_scores, multilabel_scores, unseen_notes
from unrolled.metrics.scores import IGNORED, Scores
from unrolled.nn.heads import ClassOutput, MultiLabelOutput, Output
from unrolled.nn.inputs import InputLayer
from unrolled.nn.layers import CONV
from unrolled.pauses import paused
from unrolled.streaming.network_steps import NetworkSteps
from unrolled.streaming.stream import Stepping
from unrolled.tasks.base import Task
from unrolled.tasks.classification.blend_answers import Blended
from unrolled.tasks.classification.blend_choice import ANSWERS, is_multiple, members_of
from unrolled.tasks.classification.blend_stream import BlendedSteps, SharesReader
from unrolled.tasks.classification.numbers_as_classes import refuse_numbers
from unrolled.tasks.classification.record_stream import RecordReader
from unrolled.tasks.description import Ability
from unrolled.tasks.kinds import ReadsRecords
from unrolled.tasks.shared.column_codecs import Inputs, refuse_targets, require, resolve_inputs
from unrolled.tasks.shared.given_examples import name_of, row_labels, with_sequences


class Classifier(Blended, ReadsRecords, ClassifierMixin, Task):
    """A classifier of sequences of any kind: text, numbers, DNA, recordings, mixed columns.

    Args:
        inputs: columns to read: codecs such as `Words("review")`, column names, or None for all but the target.
        target: the label column, `Labels("stars")`, or `MultiLabels("topics")` for any number of labels at once.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for a causal convolutional network.
        hidden_size: hidden units of each layer and direction.
        num_layers: recurrent layers.
        dropout: share of values set to zero in training, on inputs other than numbers, between layers and before the
            answer.
        bidirectional: also read every sequence backwards; such a model cannot answer step by step.
        pooling: how the steps are combined into one answer: last, mean, max, attention, all of them side by side, or
            auto: all of them beside convolutions, else max.
        answer: "network", or "blend" for network and baselines together, with weights chosen on held-out predictions:
            with fewer than 5,000 records and no `minutes` four further networks are trained for that.
        class_weights: None, "balanced" for rare classes to count as much as frequent ones, or one weight per label.
        layers: further options of `unrolled.nn.stack.Stack`: variational, layer_norm, residual, learn_initial_state,
            recurrent_dropout, zoneout.
        convolutions: whether convolutions read beside the recurrent layers; None = yes for numbers, pictures and
            alphabets of up to 512 signs, no for words, and not beside the cell conv.
        training: training options kept with the model; `fit` may override them.

    Example:
        >>> import unrolled as ur
        >>> names, ends = ["anna", "bob", "carla", "dan"] * 8, [True, False] * 16
        >>> model = ur.Classifier(hidden_size=8).fit(names, ends, epochs=10, learning_rate=0.02)
        >>> [str(label) for label in model.predict(["anna", "bob"])]
        ['True', 'False']
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}
    earlier_options: ClassVar[Mapping[str, Any]] = {"convolutions": False}

    def __init__(
        self,
        inputs: Inputs = None,
        target: str | Codec = "y",
        cell: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 1,
        dropout: float = 0.2,
        bidirectional: bool = True,
        pooling: str = "auto",
        answer: str = "network",
        class_weights: str | Mapping[Any, float] | None = None,
        layers: Mapping[str, Any] | None = None,
        convolutions: bool | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.inputs = inputs
        self.target = target
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.answer = answer
        self.class_weights = class_weights
        self.layers = layers
        self.convolutions = convolutions
        self.training = training

    # ---- learning ---------------------------------------------------------------------------

    def _columns_of_lists(self) -> tuple[str | None, str | None]:
        return name_of(self.inputs), name_of(self.target) or "y"

    def _convert(self, data: Any, y: Any = None) -> Source:
        source = super()._convert(data, y)
        return find_files(with_sequences(source, name_of(self.target)) if self.inputs is None else source)

    def _check(self) -> None:
        super()._check()
        if self.answer not in ANSWERS:
            raise unknown("answer", self.answer, ANSWERS)
        if isinstance(self.class_weights, Mapping):
            for weight in self.class_weights.values():
                finite_number("class_weights", weight, least=0)

    def _learn(self, source: Source) -> None:
        target = Labels(self.target) if isinstance(self.target, str) else self.target
        if not isinstance(target, Labels | MultiLabels):
            raise OptionError(message("target", expected="a column, Labels or MultiLabels", received=repr(target)))
        require(source, target.columns, "target")
        refuse_targets(self.inputs, target.columns)
        self.codecs_ = Record(resolve_inputs(self.inputs, source, reserved=[*target.columns, *row_labels(source)])).fit(
            source
        )
        if not any(spec.per_step for spec in self.codecs_.specs.values()):
            raise DataError(
                message(
                    "inputs",
                    expected="at least one column that holds a sequence (text or a list)",
                    received=f"single values in {listed(source.columns)}",
                )
            )
        self.target_codec_ = copy.deepcopy(target).fit(source)
        if isinstance(self.target_codec_, Labels):
            refuse_numbers(self.target_codec_, source)
        self.classes_ = _array(self.target_codec_.classes_)
        self.class_weights_ = self._weights(source)

    def _weights(self, source: Source) -> list[float] | None:
        if self.class_weights is None:
            return None
        if isinstance(self.target_codec_, MultiLabels):
            raise OptionError(message("class_weights", expected="None for several labels at once", received="weights"))
        if isinstance(self.class_weights, str):
            if self.class_weights != "balanced":
                raise unknown("class_weights", self.class_weights, ["balanced"])
            targets = self._targets(source)
            counts = np.bincount(targets[targets != IGNORED].numpy(), minlength=len(self.classes_))
            return [float(w) for w in counts.sum() / (len(counts) * counts.clip(1))]
        for label in self.class_weights:
            if label not in self.target_codec_.classes_:
                raise unknown("class_weights", str(label), [str(c) for c in self.classes_])
        return [float(self.class_weights.get(label, 1.0)) for label in self.target_codec_.classes_]

    def _targets(self, source: Source) -> Tensor:
        require(source, self.target_codec_.columns)
        return self.target_codec_.encode(list(source)).values

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        require(source, self.codecs_.columns)
        examples = self.codecs_.encode_all(list(paused(source)))
        if not targets:
            return examples
        return Batch(examples.inputs, examples.statics, self._targets(source))

    def _abilities(self) -> tuple[Ability, ...]:
        several = isinstance(self.target_codec_, MultiLabels)  # sets of labels have no confusion matrix
        return tuple(one for one in self.abilities if not (several and one == "confusion"))

    def _output(self) -> Output:
        size = len(self.target_codec_.classes_)
        if isinstance(self.target_codec_, MultiLabels):
            return MultiLabelOutput(size)
        return ClassOutput(size, self.class_weights_)

    def _make_network(self) -> nn.Module:
        inputs = InputLayer(self.codecs_.specs, self.dropout, spared=("vector",))
        beside = self.convolutions
        if beside is None:
            words = any(codec.unit == "words" for codec in self.codecs_.codecs)
            beside = self.cell != CONV and not words and not inputs.reads_words
        pooling = self.pooling if self.pooling != "auto" else "all" if beside or self.cell == CONV else "max"
        layers = self._make_layers(inputs.size, self.bidirectional, convolutions=beside)
        return ManyToOne(inputs, layers, self._output(), pooling, self.dropout)

    def _split(self, source: Source, share: float, seed: int) -> tuple[Source, Source]:
        """Split the records into two parts with the same share of each class."""
        if not isinstance(self.target, str | Labels):
            return super()._split(source, share, seed)
        column = self.target if isinstance(self.target, str) else self.target.columns[0]
        require(source, [column], "target")
        refuse_numbers(Labels(column, unseen="ignore").fit(source), source)  # which could not be stratified
        return source.split(test=share, seed=seed, stratify=column)

    # ---- answers ----------------------------------------------------------------------------

    def predict_proba(self, data: Any) -> np.ndarray:
        """Return the probabilities of the classes, in the order of `classes_`, (B, V)."""
        self._fitted()
        source = self._source(data)
        return self._probabilities(source, self._encode(source, targets=False)).astype(np.float32)

    def _probabilities(self, source: Source, examples: Batch) -> np.ndarray:
        helping = members_of(self)
        return self._blended(self._members(source, examples, helping)) if helping else self._network_shares(examples)

    def _members(
        self, source: Source, examples: Batch, baselines: Mapping[str, Baseline] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the probabilities of the network and of some baselines, (B, V) each, by key; None = all of them."""
        inputs = self._plain_inputs(source, examples)
        asked = self.baselines_ if baselines is None else baselines
        answers = {key: answers_in_parts(baseline, inputs) for key, baseline in asked.items()}
        return {NETWORK: self._network_shares(examples), **answers}

    def _network_shares(self, examples: Batch) -> np.ndarray:
        self._fitted()
        answers = torch.zeros(examples.batch_size, len(self.classes_), dtype=torch.float64)
        for rows, raw in self._answers(examples):
            # a share of 1e-40 is 0 in float32, and its nats infinite
            answers[rows] = self.network_.output.describe(raw.double())
        return answers.numpy()

    def predict(self, data: Any) -> np.ndarray:
        """Return the label of each sequence, (B,); for MultiLabels one list of labels per sequence."""
        shares = self.predict_proba(data)
        if isinstance(self.target_codec_, MultiLabels):
            chosen = shares > self.network_.output.threshold
            answers = np.empty(len(shares), dtype=object)
            answers[:] = [[str(label) for label in self.classes_[row]] for row in chosen]
            return answers
        return self.classes_[shares.argmax(1)]

    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Return accuracy, macro-F1 and log loss next to those of the baselines.

        A label that training never saw counts as answered wrong, and the notes name it; log loss leaves it out. With
        `Labels(..., unseen="ignore")` its sequence is left out altogether.

        Args:
            data: what `fit` takes.
            y: labels, when `data` is a list of sequences.

        Raises:
            DataError: a missing label, unless it is to be ignored.
        """
        self._fitted()
        source = self._source(data, y)
        require(source, self.target_codec_.columns)
        examples = self._encode(source, targets=False)
        members, names, size = self._members(source, examples), self._names_of_members(), len(self.classes_)
        shares, weights = self._blended(members), self._weights_of_parts()
        rivals = {names[key]: answers for key, answers in members.items() if key != NETWORK or weights}
        if self.rival_ is not None:
            rivals["causal convolution net of the same size"] = self.rival_._network_shares(examples)
        if isinstance(self.target_codec_, MultiLabels):
            sets, unseen, missed = self.target_codec_.truth(list(source))
            notes = unseen_notes(unseen, "count as not found")
            scores = multilabel_scores(sets.values.numpy(), shares, rivals, size, missed, notes)
        else:
            truth, unseen = self.target_codec_.truth(list(source))
            scores = classification_scores(truth.values.numpy(), shares, rivals, size, unseen_notes(unseen))
        return scores.as_blend(weights) if weights else scores

    def confusion(self, data: Any, y: Any = None) -> Confusion:
        """Return the confusion matrix; it prints as a table.

        Args:
            data: what `fit` takes.
            y: labels, when `data` is a list of sequences.

        Raises:
            UnsupportedError: several labels at once.
            DataError: labels that training never saw; they are named.
        """
        self._fitted()
        source = self._source(data, y)
        found = self._confusion(source, self._encode(source))
        if found is None:
            raise UnsupportedError("confusion: a confusion matrix needs one label per sequence")
        return found

    def _confusion(self, source: Source, examples: Batch) -> Confusion | None:
        if isinstance(self.target_codec_, MultiLabels):
            return None
        assert isinstance(examples.targets, Tensor)
        guess = self._probabilities(source, examples).argmax(1)
        return confusion(examples.targets.numpy(), guess, self.classes_.tolist())

    def _stepping(self) -> Stepping:
        helping = members_of(self)
        if self.blend_ is not None and helping:
            reader = SharesReader(self.codecs_, self.network_.output, self.classes_, per_step=False)
            return BlendedSteps(NetworkSteps(self.network_, reader), reader, helping, self.blend_, is_multiple(self))
        reader = RecordReader(self.codecs_, self.network_.output, self.classes_, per_step=False)
        return NetworkSteps(self.network_, reader)

    def _readers(self) -> Mapping[str, Codec]:
        return dict(zip(self.codecs_.names, self.codecs_.codecs, strict=True))

    # ---- baselines --------------------------------------------------------------------------

    def _plain_inputs(self, source: Source, examples: Batch) -> list[dict[str, Any]]:
        """Return raw values by column, texts as the network reads them.

        Recordings, pictures and films are in encoded form, to read no file twice.
        """
        columns, known = self.codecs_.columns, {**examples.inputs, **examples.statics}
        plain = [{column: record[column] for column in columns} for record in paused(source)]
        for name, codec in self._readers().items():
            if codec.takes_text and codec.spec.per_step and not codec.media:
                for example in paused(plain):
                    example[codec.columns[0]] = text_as_read(codec, example[codec.columns[0]])
            if codec.media:
                encoded: Any = known[name]
                for example, values in zip(plain, encoded, strict=True):
                    example[codec.columns[0]] = values.numpy()
        return plain

    def _media(self) -> list[str]:
        return [codec.name for codec in self.codecs_.codecs if codec.media]

    def _fit_baselines(self, source: Source, examples: Batch) -> dict[str, Baseline]:
        if isinstance(self.target_codec_, MultiLabels):
            inputs, truth = self._plain_inputs(source, examples), list(self._targets(source).numpy())
            baselines = multilabel_baselines(inputs, len(self.classes_), self._media())
            return {key: baseline.fit(inputs, truth) for key, baseline in baselines.items()}
        known = [
            (example, label)
            for example, label in zip(self._plain_inputs(source, examples), self._targets(source).tolist(), strict=True)
            if label != IGNORED
        ]
        inputs, labels = [example for example, _ in known], [label for _, label in known]
        return {
            key: baseline.fit(inputs, labels)
            for key, baseline in classification_baselines(
                inputs, len(self.classes_), balanced=self.class_weights is not None, media=self._media()
            ).items()
        }

    # ---- saving -----------------------------------------------------------------------------

    def _learnt_to_json(self) -> dict[str, Any]:
        return {
            "inputs": self.codecs_.to_json(),
            "target": self.target_codec_.to_json(),
            "class_weights": self.class_weights_,
        }

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.codecs_ = Record.from_json(data["inputs"])
        target = codec_from_json(data["target"])
        assert isinstance(target, Labels | MultiLabels)
        self.target_codec_ = target
        self.classes_ = _array(target.classes_)
        self.class_weights_ = data["class_weights"]


def _array(labels: Sequence[Any]) -> np.ndarray:
    """Return an array of numbers where all labels are numbers, as scikit-learn's scorers need, else of objects."""
    kinds = {type(label) for label in labels}
    return np.array(labels, dtype=kinds.pop() if kinds in ({bool}, {int}, {float}) else object)
