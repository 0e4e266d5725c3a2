"""What every task shares: scikit-learn manners around data, codecs, a network, the trainer and baselines.

A task's constructor only stores. `fit` learns and returns self; learnt names end in `_`:

    network_      the torch module
    history_      how training went
    baselines_    the ordinary models fitted on the same data, by name
    scores_       scores on the held-out share beside the baselines, or None
    summary_      what the training data looked like
    bptt_steps_   how far back training looked, 0 = to the start
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
from unrolled.data.readers import as_source
from unrolled.data.source import Source
from unrolled.errors import DataError, NotFittedError, UnsupportedError, message, whole_number
from unrolled.inspection.record import Inspection
from unrolled.metrics.confusion import Confusion
from unrolled.metrics.scores import Scores
from unrolled.nn.layers import make_layers
from unrolled.tasks.description import Described
from unrolled.tasks.shared.export import Exported
from unrolled.tasks.shared.inspect_task import look_inside
from unrolled.tasks.shared.memory_estimate import check_memory
from unrolled.tasks.shared.option_checks import check_flag, check_options, plain
from unrolled.tasks.shared.saving import Saved
from unrolled.tasks.shared.task_streams import Streamed
from unrolled.training.callbacks import Callback
from unrolled.training.history import History
from unrolled.training.isolation import Apart
from unrolled.training.options import TrainingOptions
from unrolled.training.tensorboard import summary_writer
from unrolled.training.threads import threads_worth
from unrolled.training.trainer import Trainer

# a held-out share smaller than this many records says nothing; train on everything instead
MIN_HELD_OUT = 8
MAX_HELD_OUT = 1000  # more are better learnt from
PREDICT_BATCH, PREDICT_STEPS = 256, 1 << 18  # sequences that are read at once, and their steps together
FLAGS = ("baselines", "rival")
OF_FIT = (*FLAGS, "validation_data", "callbacks")  # what is no training option


class Task(Described, Exported, Saved, Streamed, BaseEstimator, ABC):
    """The flow from data to a trained, compared, saved model; a subclass says what its network and answers are."""

    training_defaults: ClassVar[Mapping[str, Any]] = {}
    network_: Any  # an arrangement, see `unrolled.arrangements`
    rival_: Any  # a fitted task of the same kind, or None
    reading_: Mapping[str, Any] = {}  # how the command line read the training data
    config_: str = ""  # the run as TOML, where the command line made the model
    training: Mapping[str, Any] | None  # training options stored by the constructor; `fit` may override them

    # ---- what a subclass provides -----------------------------------------------------------

    @abstractmethod
    def _learn(self, source: Source) -> None:
        """Fit the codecs."""

    @abstractmethod
    def _encode(self, source: Source, targets: bool = True) -> Any:
        """Records to numbers."""

    @abstractmethod
    def _make_network(self) -> nn.Module:
        """A fresh network for the codecs that were learnt."""

    @abstractmethod
    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        """The ordinary models that stand beside this one, fitted on the records and what `_encode` made of them."""

    @abstractmethod
    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Scores beside every baseline's."""

    @abstractmethod
    def _input_codecs(self) -> Sequence[Codec]:
        """The codecs of what is read."""

    @abstractmethod
    def _learnt_to_json(self) -> dict[str, Any]:
        """Everything learnt but the weights."""

    @abstractmethod
    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        """The inverse of `_learnt_to_json`."""

    def _ask_for_scores(self) -> None:
        """Refuse where a library that counts the scores is missing; asked before anything that takes long."""

    def _make_layers(self: Any, size: int, *bidirectional: bool) -> Any:
        """The sequence layers that the constructor's options ask for, over so many features; one way if nobody says."""
        shape = {"num_layers": self.num_layers, "dropout": self.dropout}
        return make_layers(self.cell, size, self.hidden_size, *bidirectional, **shape, **(self.layers or {}))

    def _source(self, data: Any, y: Any = None) -> Source:
        """Whatever the user gave as a Source."""
        return as_source(data, y)

    def _hold_out(self, source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
        """Split off records to watch; None when there are too few."""
        share = min(share, MAX_HELD_OUT / max(len(source), 1))
        if len(source) * share < MIN_HELD_OUT:
            return source, None
        return self._split(source, share, seed)

    def _split(self, source: Source, share: float, seed: int) -> tuple[Source, Source]:
        """Split records in two, every one in exactly one part."""
        return source.split(test=share, seed=seed)

    def _batches(self, examples: Any, options: TrainingOptions, shuffle: bool) -> BatchSource:
        """How examples are dealt out."""
        rows = options.batch_size or batch_size_for(examples.batch_size)
        return Buckets(examples, rows, seed=options.seed, shuffle=shuffle)

    def _summarise(self, source: Source, examples: Any) -> dict[str, Any]:
        """The data in a few plain values."""
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
        **options: Any,
    ) -> Self:
        """Learn from data.

        Args:
            data: a Source, a polars, pandas or pyarrow table, a list of records, or a list of sequences.
            y: targets, when `data` is a list of sequences.
            validation_data: data to watch instead of a share of the training data.
            callbacks: hooks into the training loop.
            baselines: fit the baselines and score them on the held-out share.
            rival: also train a causal convolution net of the same size with the same options, to compare with.
            options: training options, see `unrolled.training.options.TrainingOptions`.

        Returns:
            self.

        Raises:
            DataError: data that cannot be learnt from.
            OptionError: an unknown or illegal option.
            UnsupportedError: what the run needs at its end is not installed; said before it begins.
        """
        settings = self._agreed({**options, "baselines": baselines, "rival": rival})
        if settings.tensorboard:
            summary_writer()
        source = self._source(data, y)
        if validation_data is None:
            train, held = self._hold_out(source, settings.validation, settings.seed)
        else:
            train, held = source, self._source(validation_data)
        if held is not None and baselines:
            self._ask_for_scores()
        self._learn(train)
        examples = self._encode(train)
        if not examples.num_steps:
            raise DataError(
                message("data", expected="at least one sequence with a step", received=f"{len(train)} empty ones")
            )
        watched = None if held is None else self._encode(held)
        self.summary_ = self._summarise(train, examples)
        self._train(examples, watched, settings, callbacks)
        # from here on it is a model that can be saved, whatever becomes of what it is compared with
        self.baselines_: dict[str, Baseline] = {}
        self.rival_ = None
        self.scores_: Scores | None = None
        if baselines:
            self.baselines_ = self._fit_baselines(train, examples)
        if rival:
            self.rival_ = self._fit_rival(train, held, options)
        if held is not None and baselines:
            try:
                self.scores_ = self.evaluate(held)
            except UnsupportedError as fault:
                warnings.warn(f"the model is fitted and can be saved, without scores: {fault}", stacklevel=2)
        return self

    def _check(self) -> None:
        check_options(self)

    def _agreed(self, options: Mapping[str, Any]) -> TrainingOptions:
        """How to train; whatever is illegal is refused here, before anything is read or forgotten.

        Args:
            options: of `fit`, beside the data.
        """
        self._check()
        self.set_params(**{name: plain(value) for name, value in self.get_params(deep=False).items()})
        for name in FLAGS:
            check_flag(name, options.get(name, False))
        given = {name: value for name, value in options.items() if name not in OF_FIT}
        return TrainingOptions.from_keywords({**(self.training or {}), **given}, dict(self.training_defaults))

    def _train(self, examples: Any, watched: Any, settings: TrainingOptions, callbacks: Sequence[Callback]) -> None:
        with Apart(settings.seed).drawing():
            with torch.device("meta"):
                outline = self._make_network()
            check_memory(outline, examples, settings)
            self.network_ = self._make_network()
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
            threads=threads_worth(self.network_, rows=settings.batch_size or 32),
        )
        self.history_: History = trainer.run()
        self.network_.to("cpu").eval()

    def _fit_rival(self, train: Source, held: Source | None, options: Mapping[str, Any]) -> "Task":
        rival: Task = copy.deepcopy(self.__class__(**self.get_params(deep=False)))
        rival.set_params(cell="conv", layers=None)  # the other options of a Stack mean nothing to it
        quiet = {name: value for name, value in options.items() if name not in ("checkpoint", "resume", "tensorboard")}
        return rival.fit(train, validation_data=held, baselines=False, **quiet)

    def _fitted(self) -> Any:
        network = getattr(self, "network_", None)
        if network is None:
            raise NotFittedError(f"this {type(self).__name__} has learnt nothing yet; call fit(data) or load a model")
        return network

    def _asked(self, data: Any) -> Any:
        """What a user asks about as numbers; refused before `fit`."""
        self._fitted()
        return self._encode(self._source(data), targets=False)

    def _answers(self, examples: Batch) -> Iterator[tuple[Tensor, Any]]:
        """Raw answers in batches of similar length: rows and what the network says about them."""
        network = self._fitted().eval()
        order = torch.argsort(examples.lengths, stable=True)
        with torch.no_grad():
            for rows in _side_by_side(order, examples.lengths):
                raw, _ = network(examples.select(rows))
                yield rows, raw

    # ---- seeing inside ------------------------------------------------------------------------

    def inspect(self, data: Any, y: Any = None, row: int = 0) -> Inspection:
        """Scores, and for one sequence: the network unfolded, what it remembers, and what its answer hangs on.

        Args:
            data: what `evaluate` takes.
            y: targets, when `data` is a list of sequences.
            row: which sequence to look at.

        Raises:
            UnsupportedError: a network without recurrent layers.
        """
        network = self._fitted()
        row = whole_number("row", row, least=0)
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
        )
        return replace(found, confusion=self._confusion(examples))

    def _confusion(self, examples: Any) -> Confusion | None:
        """Which class is taken for which, over what `_encode` made; None where an answer is not one class."""
        return None

    def _readers(self) -> Mapping[str, Codec]:
        """The codecs of the inputs that the network reads step by step, by the input's name."""
        return {}


def batch_size_for(sequences: int) -> int:
    """Sequences in a batch when nobody says: 32, fewer where that would leave less than 16 updates an epoch."""
    return min(32, max(4, sequences // 16))


def _side_by_side(order: Tensor, lengths: Tensor) -> Iterator[Tensor]:
    """Rows in their order, as many together as memory that does not grow with their number can hold; at least one."""
    start = steps = 0
    for place, length in enumerate(lengths[order].tolist()):
        if place > start and (place - start == PREDICT_BATCH or steps + length > PREDICT_STEPS):
            yield order[start:place]
            start, steps = place, 0
        steps += length
    yield order[start:]
