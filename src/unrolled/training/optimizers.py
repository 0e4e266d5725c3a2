"""Optimisers by name: any class of torch.optim, fused if torch supports it."""

import inspect
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from unrolled.errors import OptionError, message, unknown
from unrolled.training.options import TrainingOptions
from unrolled.training.sparse import Together, sparse_parameters

# these need a loop with closures that evaluate the loss again, or another form of gradient
UNFIT = {"optimizer", "lbfgs", "sparseadam"}
FOR_TABLES = {"adam", "adamw"}  # optimisers that can be combined with torch's SparseAdam, which is Adam row by row
MUON = "muon"  # for matrices only; its steps are scaled to the size of AdamW's, so that one learning rate suits both


def optimizer_names() -> dict[str, type[Optimizer]]:
    """Return every available optimiser by its name in lower case.

    >>> sorted(optimizer_names())[:3]
    ['adadelta', 'adafactor', 'adagrad']
    """
    classes = {name.lower(): value for name, value in vars(torch.optim).items() if inspect.isclass(value)}
    return {name: cls for name, cls in classes.items() if issubclass(cls, Optimizer) and name not in UNFIT}


def make_optimizer(model: nn.Module, options: TrainingOptions) -> Optimizer | Together:
    """Return the optimiser of the options, over the trainable parameters.

    Tables with sparse gradients (`nn.Embedding(sparse=True)`) are trained by Adam row by row.

    Muon trains matrices only, and AdamW everything else: biases and other vectors, embeddings, and kernels of
    convolutions. Both have one learning rate: Muon takes steps as large as AdamW (`adjust_lr_fn="match_rms_adamw"`).

    Weight decay applies to matrices only: not to biases and other vectors, whose size is no sign of overfitting, and
    not to embeddings, in which the row of a rare symbol would shrink while the symbol does not occur.

    Args:
        model: its parameters with `requires_grad` are optimised.
        options: optimizer, learning_rate, momentum and weight_decay are used.

    Raises:
        OptionError: an unknown name, or an option that this optimiser does not have or accept.

    Example:
        >>> make_optimizer(nn.Linear(2, 1), TrainingOptions(optimizer="SGD", momentum=0.9)).defaults["momentum"]
        0.9
    """
    classes = optimizer_names()
    name = options.optimizer.lower()
    if name not in classes:
        raise unknown("optimizer", options.optimizer, sorted(classes))
    cls = classes[name]
    known = inspect.signature(cls).parameters
    chosen: dict[str, Any] = {"lr": options.learning_rate} if options.learning_rate else {}
    for option in ("momentum", "weight_decay"):
        value = getattr(options, option)
        if value and option not in known:
            raise OptionError(
                message(
                    option,
                    expected=f"0 for {cls.__name__}, which has no {option}",
                    received=value,
                    remedy=f"give {option}=0 or another optimizer",
                )
            )
        if value or (option == "weight_decay" and option in known):
            chosen[option] = value
    tables = sparse_parameters(model)
    if tables and name not in FOR_TABLES:
        raise OptionError(
            message("optimizer", expected="adam or adamw for a table with sparse gradients", received=options.optimizer)
        )
    groups = _groups(model, "weight_decay" in known, tables)
    if not groups:
        raise OptionError(message("model", expected="parameters that learn", received="none with requires_grad"))
    try:
        if name == MUON:
            return _muon(groups, chosen)
        dense = _fastest(cls, groups, known, chosen)
        return Together(dense, torch.optim.SparseAdam(tables, lr=chosen.get("lr", 1e-3))) if tables else dense
    except (TypeError, ValueError) as fault:
        raise OptionError(
            message(
                "optimizer",
                expected=f"options and weights that {cls.__name__} accepts",
                received=chosen,
            )
        ) from fault


def _groups(model: nn.Module, decays: bool, apart: list[nn.Parameter]) -> list[dict[str, Any]]:
    others = {id(parameter) for parameter in apart}
    learning = [
        parameter for parameter in model.parameters() if parameter.requires_grad and id(parameter) not in others
    ]
    if not decays:
        return [{"params": learning}] if learning else []
    tables = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
        for parameter in module.parameters(recurse=False)
    }
    matrices = [p for p in learning if p.ndim >= 2 and id(p) not in tables]
    others = [p for p in learning if p.ndim < 2 or id(p) in tables]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _muon(groups: list[dict[str, Any]], chosen: dict[str, Any]) -> Optimizer | Together:
    """Return Muon for matrices that decay and AdamW for all others, or one of them if the other has no parameters."""
    matrices = [p for group in groups if "weight_decay" not in group for p in group["params"] if p.ndim == 2]
    taken = set(map(id, matrices))
    others = [{**group, "params": [p for p in group["params"] if id(p) not in taken]} for group in groups]
    others = [group for group in others if group["params"]]
    parts: list[Optimizer] = []
    if matrices:
        parts.append(torch.optim.Muon(matrices, **chosen, adjust_lr_fn="match_rms_adamw"))
    if others:
        adamw = torch.optim.AdamW
        same = {name: value for name, value in chosen.items() if name != "momentum"}
        parts.append(_fastest(adamw, others, inspect.signature(adamw).parameters, same))
    return parts[0] if len(parts) == 1 else Together(*parts)


def _fastest(cls: type[Optimizer], groups: list[dict[str, Any]], known: Any, chosen: dict[str, Any]) -> Optimizer:
    """Return the optimiser with one fused kernel if torch has it; on a CPU plain loops are faster than foreach."""
    make: Any = cls
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    if "fused" in known and devices <= {"cpu", "cuda"}:
        try:
            return make(groups, **chosen, fused=True)
        except RuntimeError:  # a parameter that the fused kernel does not accept
            pass
    plain = {"foreach": False} if "foreach" in known and devices == {"cpu"} else {}
    return make(groups, **chosen, **plain)
