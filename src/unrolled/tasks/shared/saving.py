"""Saving and loading of every task: conversion of a task to a model folder and back."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.artifacts import CARD, CONFIG, read_model, refuse_foreign, write_model
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import baseline_from_state
from unrolled.blending.blend import NETWORK, Blend
from unrolled.data.schema import Schema
from unrolled.disk import damaged_model
from unrolled.errors import ArtifactError, OptionError, message, reason
from unrolled.forms import check_forms
from unrolled.metrics.scores import Scores
from unrolled.places import local_path
from unrolled.tasks.shared.card import write_card
from unrolled.tasks.shared.given_codecs import codecs_in, given_from_json, given_to_json
from unrolled.tasks.shared.network_loading import network_for
from unrolled.training.history import History
from unrolled.training.isolation import Apart
from unrolled.training.weights import under


class Saved:
    """A task that can be saved and loaded."""

    def save(self: Any, folder: str | Path) -> Path:
        """Save the model as a folder: JSON, safetensors and a card. An earlier model there is replaced in one step.

        Args:
            folder: a new folder, an empty one, or one of an earlier model. Other processes may use it meanwhile.

        Raises:
            NotFittedError: the task is not fitted.
            ArtifactError: the folder cannot be written, or holds something else.
        """
        self._fitted()
        if int(os.environ.get("RANK", "0")):
            # under torchrun every process holds the same model: the first one writes it
            return local_path(folder, "folder", ArtifactError)
        refuse_foreign(folder)
        record, tensors = self._to_record()
        record |= {"saved": time.strftime("%Y-%m-%d %H:%M:%S"), "reading": self.reading_}
        record |= {"schema": self.schema_.to_json()}
        texts = {CONFIG: self.config_} if self.config_ else {}
        return write_model(folder, record, tensors, write_card(self), texts)

    @classmethod
    def load(cls, folder: str | Path, files: bool = True) -> Self:
        """Load a model folder of this task.

        Args:
            folder: a folder that `save` wrote.
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
        return cls._restored(record, tensors, folder, files)

    @classmethod
    def _restored(
        cls: Any, record: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: str | Path, files: bool
    ) -> Any:
        """Return a task from the content of a folder; an ArtifactError if its parts do not fit together."""
        try:
            task = cls._from_record(record, tensors).allow_files(files)
            for codec in codecs_in(list(task.get_params(deep=False).values())):
                codec.allow_files(files)
            return task
        except Exception as fault:
            raise damaged_model(folder, reason(fault, "its parts do not fit together")) from fault

    def _to_record(self: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
        tensors = {f"network.{name}": value for name, value in self._fitted().state_dict().items()}
        baselines: dict[str, Any] = {}
        for key, baseline in self.baselines_.items():
            baselines[key], arrays = state_of(key, baseline)
            tensors |= arrays
        record: dict[str, Any] = {
            "task": type(self).__name__,
            "parameters": self._parameters_to_json(),
            "codecs": {
                name: given_to_json(value)
                for name, value in self.get_params(deep=False).items()
                if any(codecs_in([value]))
            },
            "learnt": self._learnt_to_json(),
            "summary": self.summary_,
            "bptt_steps": self.bptt_steps_,
            "history": self.history_.to_json(),
            "scores": None if self.scores_ is None else self.scores_.to_json(),
            "baselines": baselines,
            "blend": None if self.blend_ is None else self.blend_.to_json(),
        }
        if self.rival_ is not None:
            record["rival"], rival_tensors = self.rival_._to_record()
            tensors |= {f"rival.{name}": value for name, value in rival_tensors.items()}
        return record, tensors

    def _check(self) -> None:
        """Refuse options that make no sense; also when a model is loaded."""

    def _parameters_to_json(self: Any) -> dict[str, Any]:
        """Return the constructor parameters that are plain values; codecs belong to what was learnt."""
        return {name: value for name, value in self.get_params(deep=False).items() if _is_plain(value)}

    @classmethod
    def _from_record(cls: Any, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Any:
        known = cls._get_param_names()
        options = {**cls.earlier_options, **record["parameters"]}
        task = cls(**{name: value for name, value in options.items() if name in known})
        given = {name: given_from_json(value) for name, value in record.get("codecs", {}).items() if name in known}
        task.set_params(**given)  # older models lack them
        task._learnt_from_json(record["learnt"])
        task.reading_ = record.get("reading", {})
        task.schema_ = Schema.from_json(record["schema"]) if "schema" in record else Schema()
        task.config_ = record.get("texts", {}).get(CONFIG, "")
        task.summary_ = record["summary"]
        task.bptt_steps_ = record.get("bptt_steps", 0)
        task.history_ = History.from_json(record["history"])
        task.scores_ = None if record["scores"] is None else Scores.from_json(record["scores"])
        check_forms(task, skip=("network_", "rival_", *given))  # codecs that are given have learnt nothing
        task._check()
        with Apart(0).drawing():  # the initial weights are overwritten; they must not use up random numbers of others
            task.network_ = network_for(task._make_network, under("network.", tensors))
        task.baselines_ = {}
        for key, values in record["baselines"].items():
            arrays = {name: tensor.numpy() for name, tensor in under(f"baselines.{key}.", tensors).items()}
            task.baselines_[key] = baseline_from_state(key, {**values, **arrays})
        blend = record.get("blend")  # older folders have none
        task.blend_ = None if blend is None else Blend.from_json(blend, (NETWORK, *task.baselines_))
        check_forms(task, skip=("network_", "rival_", *given))
        rival = record.get("rival")
        task.rival_ = None if rival is None else cls._from_record(rival, under("rival.", tensors))
        return task


def state_of(key: str, baseline: Baseline) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return everything that a baseline learnt: plain values by name, and tensors by their name in a model folder.

    Args:
        key: of the baseline.
        baseline: a fitted one.
    """
    state = baseline.state()
    plain = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    return plain, {f"baselines.{key}.{name}": torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}


def card_of(folder: str | Path) -> str:
    """Return the card of a saved model, from the same moment as the model itself.

    Raises:
        ArtifactError: not a model folder, or damaged.
    """
    record, _ = read_model(folder)
    texts = record.get("texts", {})
    if CARD in texts:
        return str(texts[CARD])
    try:
        return (local_path(folder, "model", ArtifactError) / CARD).read_text(
            encoding="utf-8"
        )  # version 1 kept it in its file alone
    except (OSError, ValueError) as fault:
        raise ArtifactError(message("model", expected=f"a {CARD}", received=f"{folder} ({reason(fault)})")) from fault


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
