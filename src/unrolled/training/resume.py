"""Conversion of a running Trainer to plain values and tensors and back, so that a resumed run is exact.

Stored are the weights, the optimiser's state, the average, the best weights, the carried state and random numbers of
every process, the position in the data, and the history.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import ArtifactError, message
from unrolled.state import state_from_plain, state_to_plain
from unrolled.training.checkpoints import checkpoint_files, use_newest
from unrolled.training.history import History
from unrolled.training.position import LossSums, Position
from unrolled.training.run_state import RunState
from unrolled.training.weights import under, write_weights

# options about length, place and output, which do not change the result: these may differ when a run is resumed
FREE = {"epochs", "minutes", "patience", "device", "checkpoint", "checkpoint_minutes", "refit", "resume",
        "tensorboard", "progress"}  # fmt: skip


def take_up(trainer: RunState) -> str:
    """Restore the newest checkpoint of the folder if the run is to be resumed, else refuse a folder that has any.

    Returns:
        The file, or "".

    Raises:
        ArtifactError: no checkpoint can be used, or the folder has those of another run.
    """
    folder = trainer.options.checkpoint
    if trainer.options.resume:
        return str(use_newest(folder, lambda record, tensors, file: restore(trainer, record, tensors, file)) or "")
    old = checkpoint_files(folder)
    if old:
        raise ArtifactError(
            message(
                "checkpoint",
                expected="a folder without checkpoints of another run",
                received=str(old[0]),
                remedy="give resume=True to continue that run, or another folder",
            )
        )
    return ""


def capture(trainer: RunState) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Return everything a resumed run needs; None except in the first process, but all processes must call this."""
    parts: list[Tensor] = []
    mine = {
        "state": state_to_plain(trainer.state, parts),
        "parts": [part.cpu() for part in parts],
        "rng": torch.get_rng_state(),
        "rng_cuda": torch.cuda.get_rng_state(trainer.device) if trainer.device.type == "cuda" else None,
    }
    ranks = trainer.processes.gather(mine)
    if not trainer.processes.first:
        return None
    tensors = {f"model.{name}": tensor for name, tensor in trainer.weights.items()}
    if trainer.average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in trainer.average.weights.items()}
    if trainer.stopping.evaluations and trainer.stopping.best is not None:
        tensors |= {f"best.{name}": tensor for name, tensor in trainer.stopping.best.items()}
    plain: dict[str, dict[str, Any]] = {}
    for index, values in trainer.optimizer.state_dict()["state"].items():
        plain[str(index)] = {key: value for key, value in values.items() if not isinstance(value, Tensor)}
        tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
    for rank, kept in enumerate(ranks):
        tensors[f"rank.{rank}.rng"] = kept["rng"]
        if kept["rng_cuda"] is not None:
            tensors[f"rank.{rank}.rng_cuda"] = kept["rng_cuda"]
        tensors |= {f"rank.{rank}.state.{number}": part for number, part in enumerate(kept["parts"])}
    record = {
        **_identity(trainer),
        "at": asdict(trainer.at),
        "tally": asdict(trainer.tally),
        "watch": trainer.stopping.to_json() | trainer.validation.to_json(),
        "course": trainer.course.to_json(),
        "history": trainer.history.to_json(),
        "optimizer": plain,
        "states": [kept["state"] for kept in ranks],
    }
    return record, tensors


def restore(trainer: RunState, record: Mapping[str, Any], tensors: Mapping[str, Tensor], file: object) -> None:
    """Restore a trainer to the state that `capture` returned.

    Raises:
        ArtifactError: the checkpoint is of another model, other data or other options.
    """
    _check(_identity(trainer), record, file)
    write_weights(trainer.weights, under("model.", tensors))
    if trainer.average is not None:
        write_weights(trainer.average.weights, under("average.", tensors))
    states: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in record["optimizer"].items()}
    for name, tensor in under("optimizer.", tensors).items():
        index, key = name.split(".", 1)
        states[int(index)][key] = tensor
    fresh = trainer.optimizer.state_dict()
    trainer.optimizer.load_state_dict({"state": states, "param_groups": fresh["param_groups"]})
    trainer.at = Position(**record["at"])
    trainer.tally = LossSums(**record["tally"])
    best = {name: tensor.to(trainer.device) for name, tensor in under("best.", tensors).items()}
    trainer.stopping.restore(record["watch"], best)
    trainer.validation.restore(record["watch"])
    trainer.course.restore(record.get("course", {}))
    trainer.history = History.from_json(record["history"])
    rank = trainer.processes.rank
    parts = {int(number): part.to(trainer.device) for number, part in under(f"rank.{rank}.state.", tensors).items()}
    trainer.state = state_from_plain(record["states"][rank], parts)
    torch.set_rng_state(tensors[f"rank.{rank}.rng"])
    if trainer.device.type == "cuda" and f"rank.{rank}.rng_cuda" in tensors:
        torch.cuda.set_rng_state(tensors[f"rank.{rank}.rng_cuda"], trainer.device)


def _identity(trainer: RunState) -> dict[str, Any]:
    """Return what must be the same when a run is resumed."""
    options = {name: value for name, value in asdict(trainer.options).items() if name not in FREE}
    return {
        "options": json.loads(json.dumps(options)),
        "weights": {name: [*tensor.shape] for name, tensor in trainer.weights.items()},
        "batches": len(trainer.batches),
        "processes": trainer.processes.world,
    }


def _check(now: Mapping[str, Any], then: Mapping[str, Any], file: object) -> None:
    remedy = "resume with the settings of that run, or start another one in another folder"

    def refuse(expected: str, received: str) -> ArtifactError:
        return ArtifactError(message("checkpoint", expected=expected, received=f"{received} in {file}", remedy=remedy))

    for name, value in now["options"].items():
        if then["options"].get(name) != value:
            raise refuse(f"a run with {name}={value!r}", f"{name}={then['options'].get(name)!r}")
    for name in [*now["weights"], *then["weights"]]:
        mine, its = now["weights"].get(name), then["weights"].get(name)
        if mine != its:
            raise refuse(f"this model's {name} of shape {mine}", f"shape {its}")
    for name, meaning in (("batches", "batches per epoch"), ("processes", "processes")):
        if now[name] != then[name]:
            raise refuse(f"a run with {now[name]} {meaning}", f"{then[name]}")
