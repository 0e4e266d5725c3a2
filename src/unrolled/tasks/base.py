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
import os
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from unrolled.artifacts import CONFIG, read_model, refuse_foreign, write_model
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import baseline_from_state
from unrolled.batch import Batch
from unrolled.codecs.base import Codec
from unrolled.confusion_matrix import Confusion
from unrolled.data.batching import BatchSource, Buckets
from unrolled.data.readers import as_source
from unrolled.data.source import Source
from unrolled.errors import ArtifactError, DataError, NotFittedError, OptionError, UnsupportedError, message
from unrolled.inspection.record import Inspection
from unrolled.metrics import Scores
from unrolled.nn.layers import make_layers
from unrolled.tasks.card import write_card
from unrolled.tasks.description import Described
from unrolled.tasks.exporting import Exported
from unrolled.tasks.inspecting import look_inside
from unrolled.tasks.memory import check_memory
from unrolled.tasks.streamed import Streamed
from unrolled.training.apart import Apart
from unrolled.training.callbacks import Callback
from unrolled.training.history import History
from unrolled.training.options import TrainingOptions
from unrolled.training.tensorboard import summary_writer
from unrolled.training.threads import threads_worth
from unrolled.training.trainer import Trainer
from unrolled.training.weights import under

# a held-out share smaller than this many records says nothing; train on everything instead
MIN_HELD_OUT = 8
MAX_HELD_OUT = 1000  # more are better learnt from
PREDICT_BATCH = 256


class Task(Described, Exported, Streamed, BaseEstimator, ABC):
    """The flow from data to a trained, compared, saved model; a subclass says what its network and answers are."""

    training_defaults: ClassVar[Mapping[str, Any]] = {}
    network_: Any  # an Arrangement that is a torch module
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
        settings = TrainingOptions.from_keywords({**(self.training or {}), **options}, dict(self.training_defaults))
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
            for rows in order.split(PREDICT_BATCH):
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
        source = self._source(data, y)
        examples = self._encode(source)
        found = look_inside(
            network,
            examples,
            row,
            self.evaluate(source),
            self._readers(),
            getattr(self, "classes_", ()),
            self.bptt_steps_,
        )
        return replace(found, confusion=self._confusion(examples))

    def _confusion(self, examples: Any) -> Confusion | None:
        """Which class is taken for which, over what `_encode` made; None where an answer is not one class."""
        return None

    def _readers(self) -> Mapping[str, Codec]:
        """The codecs of the inputs that the network reads step by step, by the input's name."""
        return {}

    # ---- saving -----------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write a model folder: JSON, safetensors and a card. An older model there is replaced as a whole.

        Raises:
            NotFittedError: nothing learnt yet.
            ArtifactError: the folder cannot be written, or holds something else.
        """
        self._fitted()
        if int(os.environ.get("RANK", "0")):
            return Path(folder)  # under torchrun every process holds the same model: the first one writes it
        refuse_foreign(folder)
        record, tensors = self._to_record()
        record |= {"saved": time.strftime("%Y-%m-%d %H:%M:%S"), "reading": self.reading_}
        texts = {CONFIG: self.config_} if self.config_ else {}
        return write_model(folder, record, tensors, write_card(self), texts)

    def _to_record(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        tensors = {f"network.{name}": value for name, value in self._fitted().state_dict().items()}
        baselines: dict[str, Any] = {}
        for key, baseline in self.baselines_.items():
            baselines[key] = {}
            for name, value in baseline.state().items():
                if isinstance(value, np.ndarray):
                    tensors[f"baselines.{key}.{name}"] = torch.from_numpy(np.ascontiguousarray(value))
                else:
                    baselines[key][name] = value
        record: dict[str, Any] = {
            "task": type(self).__name__,
            "parameters": self._parameters_to_json(),
            "learnt": self._learnt_to_json(),
            "summary": self.summary_,
            "bptt_steps": self.bptt_steps_,
            "history": self.history_.to_json(),
            "scores": None if self.scores_ is None else self.scores_.to_json(),
            "baselines": baselines,
        }
        if self.rival_ is not None:
            record["rival"], rival_tensors = self.rival_._to_record()
            tensors |= {f"rival.{name}": value for name, value in rival_tensors.items()}
        return record, tensors

    def _parameters_to_json(self) -> dict[str, Any]:
        """Constructor parameters that are plain values; codecs are part of what was learnt."""
        return {name: value for name, value in self.get_params(deep=False).items() if _is_plain(value)}

    @classmethod
    def _from_record(cls, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        known = cls._get_param_names()
        task = cls(**{name: value for name, value in record["parameters"].items() if name in known})
        task._learnt_from_json(record["learnt"])
        task.reading_ = record.get("reading", {})
        task.summary_ = record["summary"]
        task.bptt_steps_ = record.get("bptt_steps", 0)
        task.history_ = History.from_json(record["history"])
        task.scores_ = None if record["scores"] is None else Scores.from_json(record["scores"])
        with Apart(0).drawing():  # what it draws is written over, and no run beside it may miss it
            task.network_ = task._make_network().eval()
        task.network_.load_state_dict(under("network.", tensors))
        task.baselines_ = {}
        for key, values in record["baselines"].items():
            arrays = {name: tensor.numpy() for name, tensor in under(f"baselines.{key}.", tensors).items()}
            task.baselines_[key] = baseline_from_state(key, {**values, **arrays})
        rival = record.get("rival")
        task.rival_ = None if rival is None else cls._from_record(rival, under("rival.", tensors))
        return task

    @classmethod
    def load(cls, folder: str | Path, files: bool = True) -> Self:
        """Read a model folder of this task.

        Args:
            folder: that `save` wrote.
            files: whether records may name recordings, pictures and films to open, see `allow_files`.

        Raises:
            ArtifactError: not a model folder, damaged, or from a newer version.
            OptionError: a model of another task.
        """
        record, tensors = read_model(folder)
        if record.get("task") != cls.__name__:
            raise OptionError(
                message("folder", expected=f"a {cls.__name__}", received=f"a {record.get('task')}", remedy="ur.load()")
            )
        try:
            return cls._from_record(record, tensors).allow_files(files)
        except ArtifactError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as fault:
            raise ArtifactError(
                message(
                    "model",
                    expected="a whole model folder",
                    received=f"{folder} ({type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else ''})",
                    remedy="it is damaged: restore a copy or fit again",
                )
            ) from fault


def batch_size_for(sequences: int) -> int:
    """Sequences in a batch when nobody says: 32, fewer where that would leave less than 16 updates an epoch."""
    return min(32, max(4, sequences // 16))


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
