"""The base of all tasks: a scikit-learn interface over data, codecs, a network, the trainer and baselines.

A task's constructor only stores. `fit` learns and returns self; learnt names end in `_`:

    network_      the torch module
    history_      how training went
    baselines_    the ordinary models fitted on the same data, by name
    blend_        the weights with which network and baselines answer together, or None: the network answers alone
    scores_       scores on the held-out records next to the baselines' scores, or None
    summary_      a few facts about the training data
    report_       what the last call met that the model does not know
    bptt_steps_   number of steps that gradients flow back in training, 0 = to the start
"""

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from unrolled.baselines.base import Baseline
from unrolled.batch import Batch
from unrolled.codecs.base import Codec
from unrolled.data.batching import BatchSource, Buckets
from unrolled.data.schema import Schema
from unrolled.data.source import Source, Table
from unrolled.errors import DataError, NotFittedError, UnsupportedError, message, whole_number
from unrolled.inspection.record import Inspection
from unrolled.metrics.confusion import Confusion
from unrolled.metrics.scores import Scores
from unrolled.nn.layers import make_layers
from unrolled.pauses import pause
from unrolled.reading_report import quietly, uncounted
from unrolled.tasks.description import Described
from unrolled.tasks.shared.answering import Answering, FitRun
from unrolled.tasks.shared.batch_sizes import batch_size_for, side_by_side
from unrolled.tasks.shared.given_examples import examples_of, without_mixtures
from unrolled.tasks.shared.inspect_task import look_inside
from unrolled.tasks.shared.memory_estimate import check_memory
from unrolled.tasks.shared.model_export import Exported
from unrolled.tasks.shared.option_checks import check_flag, check_options, plain
from unrolled.tasks.shared.refit import check_refit, is_worth_refitting, refit
from unrolled.tasks.shared.reported import Reported
from unrolled.tasks.shared.saving import Saved
from unrolled.tasks.shared.task_streams import Streamed
from unrolled.training.callbacks import Callback, check_callbacks
from unrolled.training.course import Course
from unrolled.training.history import History
from unrolled.training.isolation import Apart
from unrolled.training.options import TrainingOptions
from unrolled.training.tensorboard import summary_writer
from unrolled.training.threads import threads_worth
from unrolled.training.trainer import Trainer

# scores on fewer held-out records than this mean nothing; train on everything instead
MIN_HELD_OUT = 8
MAX_HELD_OUT = 1000  # records; any beyond these are better used for training
FLAGS = ("baselines", "rival", "warm_start")
OF_FIT = (*FLAGS, "validation_data", "callbacks")  # arguments of `fit` that are no training options


class Task(Answering, Reported, Described, Exported, Saved, Streamed, BaseEstimator, ABC):
    """The flow from data to a trained, scored and saved model; a subclass defines its network and its answers."""

    training_defaults: ClassVar[Mapping[str, Any]] = {}
    earlier_options: ClassVar[Mapping[str, Any]] = {}  # newer options: their values in models saved without them
    network_: Any  # an arrangement, see `unrolled.arrangements`
    rival_: Any  # a fitted task of the same kind, or None
    schema_: Schema = Schema()  # columns that were learnt from, and their kinds
    reading_: Mapping[str, Any] = {}  # how the command line read the training data
    config_: str = ""  # the run as TOML, where the command line made the model
    training: Mapping[str, Any] | None  # training options stored by the constructor; `fit` may override them

    # ---- what a subclass provides -----------------------------------------------------------

    @abstractmethod
    def _learn(self, source: Source) -> None:
        """Fit the codecs."""

    @abstractmethod
    def _encode(self, source: Source, targets: bool = True) -> Any:
        """Encode records as numbers."""

    @abstractmethod
    def _make_network(self) -> nn.Module:
        """Return a fresh network for the fitted codecs."""

    @abstractmethod
    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        """Fit the baselines of this task on the records and on what `_encode` made of them."""

    @abstractmethod
    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Return the model's scores next to those of every baseline."""

    @abstractmethod
    def _input_codecs(self) -> Sequence[Codec]:
        """Return the codecs of the inputs."""

    @abstractmethod
    def _learnt_to_json(self) -> dict[str, Any]:
        """Return everything learnt except the weights, as plain values."""

    @abstractmethod
    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        """Restore what `_learnt_to_json` returned."""

    def _ask_for_scores(self) -> None:
        """Refuse to start if a library that computes the scores is missing; called before anything that takes long."""

    def _make_layers(self: Any, size: int, *bidirectional: bool, convolutions: bool = False) -> Any:
        """Make the sequence layers of the options for `size` input features; unidirectional by default."""
        shape = {"num_layers": self.num_layers, "dropout": self.dropout, "convolutions": convolutions}
        return make_layers(self.cell, size, self.hidden_size, *bidirectional, **shape, **(self.layers or {}))

    def _convert(self, data: Any, y: Any = None) -> Source:
        """Convert the user's data to a Source."""
        return examples_of(data, y, *self._columns_of_lists())

    def _columns_of_lists(self) -> tuple[str | None, str | None]:
        """Return the columns that sequences and targets without names become; None where there is no such column."""
        return None, None

    def _source(self, data: Any, y: Any = None) -> Source:
        """Convert the user's data to a Source whose columns have the kinds that were learnt."""
        if isinstance(data, Table):
            data = data.as_written(self.schema_.texts())
        data = list(data) if isinstance(data, Iterator) else data
        try:
            source = self._convert(data, y)
        except DataError:
            read = without_mixtures(data, self.schema_.kinds)
            if read is None:
                raise
            source = self._convert(read, y)
        return source.cast(self.schema_)

    def _keep_schema(self) -> None:
        """Keep the kinds of the columns that are read; what is wrong in the target is said where it is read."""
        said = self.describe()
        read = {column.name for column in said.columns}
        target = {said.target} - {""}  # no column: answers belong to none
        optional = target - read | self._names_of_strangers()
        left = {column.name for column in said.columns if column.kind in ("media", "time") or column.opens_files}
        self.schema_ = self.schema_.only(read | target, optional, left, self._reading_facts())

    def _start_anew(self) -> None:
        """Forget what an earlier fit learnt, where it would decide how records are split."""

    def _hold_out(self, source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
        """Split off records for validation; None when there are too few."""
        share = min(share, MAX_HELD_OUT / max(len(source), 1))
        if len(source) * share < MIN_HELD_OUT:
            return source, None
        return self._split(source, share, seed)

    def _split(self, source: Source, share: float, seed: int) -> tuple[Source, Source]:
        """Split records into two parts; every record is in exactly one."""
        return source.split(test=share, seed=seed)

    def _batches(self, examples: Any, options: TrainingOptions, shuffle: bool) -> BatchSource:
        """Return the examples as a source of batches."""
        rows = options.batch_size or batch_size_for(examples.batch_size)
        return Buckets(examples, rows, seed=options.seed, shuffle=shuffle)

    def _summarise(self, source: Source, examples: Any) -> dict[str, Any]:
        """Summarise the data in a few plain values."""
        lengths = examples.lengths
        if not len(lengths):
            return {"records": 0}
        return {
            "records": len(source),
            "columns": list(source.columns),
            "steps": int(lengths.sum()),
            "shortest": int(lengths.min()),
            "median length": int(lengths.median()),
            "longest": int(lengths.max()),
        }

    # ---- the flow ---------------------------------------------------------------------------

    def fit(
        self,
        data: Any,
        y: Any = None,
        *,
        validation_data: Any = None,
        callbacks: Sequence[Callback] = (),
        baselines: bool = True,
        rival: bool = False,
        warm_start: bool = False,
        **options: Any,
    ) -> Self:
        """Learn from data.

        Args:
            data: a Source; a table of polars, pandas or pyarrow; a list of records; or a list of sequences.
            y: targets, when `data` is a list of sequences.
            validation_data: data for validation, instead of a share of the training data.
            callbacks: hooks into the training loop.
            baselines: fit the baselines and score them on the held-out share.
            rival: also train a causal convolutional network of this size with these options, to compare with.
            warm_start: train the fitted network further, on data with the same columns; classes it does not know are
                refused, unknown characters and words are read as unknown.
            options: training options, see `unrolled.training.options.TrainingOptions`.

        Returns:
            self.

        Raises:
            DataError: data that cannot be learnt from.
            OptionError: an unknown or invalid option.
            UnsupportedError: a library that the run needs at its end is missing; raised before training starts.
        """
        flags = {"baselines": baselines, "rival": rival, "warm_start": warm_start}
        settings = self._agreed({**options, **flags, "callbacks": callbacks})
        check_refit(settings, validation_data, warm_start)
        network = getattr(self, "network_", None) if warm_start else None
        if settings.tensorboard:
            summary_writer()
        source = self._convert(data, y) if network is None else self._source(data, y)
        notes = [*source.notes]
        if network is None:
            self.schema_ = Schema.of(source.kinds, source.marks, source.decimal)
            self._start_anew()
        if validation_data is None:
            train, held = self._hold_out(source, settings.validation, settings.seed)
        else:
            train, held = source, self._source(validation_data)
        if held is not None and baselines:
            self._ask_for_scores()
        train, aside = self._set_aside(train, settings) if baselines else (train, None)
        if network is None:
            self._learn(train)
        examples = self._encode(train)
        if not examples.num_steps:
            raise DataError(
                message("data", expected="at least one sequence with a step", received=f"{len(train)} empty ones")
            )
        watched = None if held is None else self._encode(held)
        self.summary_ = self._summarise(train, examples)
        self._train(examples, watched, settings, callbacks, network=network)
        self._keep_schema()
        # from here on the model can be saved, even if a rival or a baseline fails
        self.baselines_: dict[str, Baseline] = {}
        self.rival_ = self.blend_ = None
        self.scores_: Scores | None = None
        if baselines:
            self.baselines_ = self._fit_baselines(train, examples)
        if rival:
            self.rival_ = self._fit_rival(train, held, options)
        if baselines:
            self.blend_ = self._choose_blend(FitRun(train, aside, held, settings, options))
        if held is not None and baselines:
            try:
                with quietly():  # the scores say what is unknown
                    self.scores_ = self.evaluate(held)
            except UnsupportedError as fault:
                warnings.warn(f"the model is fitted and can be saved, without scores: {fault}", stacklevel=2)
        if held is not None and validation_data is None and is_worth_refitting(self, settings, examples.num_steps):
            refit(self, source, settings, callbacks, baselines)
        self.report_ = {**self.report_, "notes": notes}
        return self

    def _check(self) -> None:
        check_options(self)

    def _agreed(self, options: Mapping[str, Any]) -> TrainingOptions:
        """Return the training options; invalid ones are refused here, before any data are read or learnt values lost.

        Args:
            options: the arguments of `fit` other than the data.
        """
        self.set_params(**{name: plain(value) for name, value in self.get_params(deep=False).items()})
        self._check()
        for name in FLAGS:
            check_flag(name, options.get(name, False))
        check_callbacks(options.get("callbacks", ()))
        given = {name: value for name, value in options.items() if name not in OF_FIT}
        return TrainingOptions.from_keywords({**(self.training or {}), **given}, dict(self.training_defaults))

    def _train(
        self,
        examples: Any,
        watched: Any,
        settings: TrainingOptions,
        callbacks: Sequence[Callback],
        *,
        network: Any = None,
        course: Course | None = None,
    ) -> None:
        """Train a network: a fresh one, or `network` further; by a course of its own, or as the options say."""
        with Apart(settings.seed).drawing():
            with torch.device("meta"):
                outline = self._make_network()
            check_memory(outline, examples, settings)
            self.network_ = self._make_network() if network is None else network
        self.bptt_steps_ = settings.bptt_steps
        if settings.bptt_steps and hasattr(self.network_, "bptt_steps"):
            self.network_.bptt_steps = settings.bptt_steps
        validate = None if watched is None else self._batches(watched, settings, shuffle=False)
        trainer = Trainer(
            self.network_,
            self._batches(examples, settings, shuffle=True),
            settings,
            validate=validate,
            callbacks=callbacks,
            course=course,
            threads=threads_worth(self.network_, rows=settings.batch_size or 32),
        )
        self.history_: History = trainer.run()
        self.network_.to("cpu").eval()

    def _fit_rival(self, train: Source, held: Source | None, options: Mapping[str, Any]) -> "Task":
        rival: Task = copy.deepcopy(self.__class__(**self.get_params(deep=False)))
        rival.set_params(cell="conv", layers=None)  # the other options of a Stack mean nothing to it
        quiet = {name: value for name, value in options.items() if name not in ("checkpoint", "resume", "tensorboard")}
        return rival.fit(train, validation_data=held, baselines=False, **quiet)

    @property
    def _is_fitted(self) -> bool:
        return getattr(self, "network_", None) is not None

    def _fitted(self) -> Any:
        if not self._is_fitted:
            raise NotFittedError(f"this {type(self).__name__} has learnt nothing yet; call fit(data) or load a model")
        return self.network_

    def _asked(self, data: Any) -> Any:
        """Encode the data of a question; a task that is not fitted refuses."""
        self._fitted()
        return self._encode(self._source(data), targets=False)

    def _answers(self, examples: Batch) -> Iterator[tuple[Tensor, Any]]:
        """Yield the network's raw answers in batches of similar length: row indices and answers."""
        network = self._fitted().eval()
        order = torch.argsort(examples.lengths, stable=True)
        with torch.no_grad():
            for rows in side_by_side(order, examples.lengths):
                pause()
                raw, _ = network(examples.select(rows))
                yield rows, raw

    # ---- seeing inside ------------------------------------------------------------------------

    def inspect(self, data: Any, y: Any = None, row: int = 0) -> Inspection:
        """Return the scores and a report on one sequence: the unfolded network, its states and the attribution.

        Args:
            data: what `evaluate` takes.
            y: targets, when `data` is a list of sequences.
            row: which sequence to look at.

        Raises:
            UnsupportedError: a network without recurrent layers.
        """
        network = self._fitted()
        row = whole_number("row", row, least=0)
        with uncounted():  # `evaluate` reads the same records
            source = self._source(data, y)
            examples = self._encode(source)
        found = look_inside(
            network,
            examples,
            row,
            self.evaluate(source),
            self._readers(),
            self._classes() or (),
            self.bptt_steps_,
            self._logs_of_blend(source, examples),
        )
        confusion, parts = self._confusion(source, examples), self._parts_of_answer(source, examples, row)
        return replace(found, confusion=confusion, parts=parts)

    def _confusion(self, source: Source, examples: Any) -> Confusion | None:
        """Return the confusion matrix of records and what `_encode` made of them; None where an answer is no class."""
        return None

    def _readers(self) -> Mapping[str, Codec]:
        """Return the codecs of the inputs that the network reads step by step, by the input's name."""
        return {}
