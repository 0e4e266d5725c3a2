"""Models whose verdicts no threshold was tuned on: real tasks through the public API, trained, healthy and broken.

Nothing is read from outside: scikit-learn's digits, Python's own manual, and made-up data.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

import unrolled as ur
from inspection.held_out_data import (
    brackets,
    crossings,
    damped,
    digits,
    events,
    first_symbol,
    manual,
    seasons,
    sums,
    waves,
)
from unrolled.cells.base import Cell
from unrolled.errors import NonFiniteLossError
from unrolled.inspection.records import GradientFlow, LearningProblem
from unrolled.training.callbacks import Callback

LOOKS = 4  # at a model while it trains; one more at its first update


class Case(NamedTuple):
    """A task, what it learns from, what it is judged on, and how it is trained."""

    task: Any
    train: Any
    test: Any
    options: dict[str, Any] = {}
    fault: Callable[[nn.Module], None] | None = None


class Outcome(NamedTuple):
    """What became of a case.

    Args:
        scores: on unseen data, beside baselines; None where training broke down.
        alarms: first findings of the looks while it trained.
        findings: on unseen data, after training.
        flows: what the looks saw while it trained.
    """

    scores: ur.Scores | None
    alarms: list[LearningProblem]
    findings: tuple[LearningProblem, ...]
    flows: list[GradientFlow]

    @property
    def causes(self) -> list[str]:
        """What was said first, at each look and in the end, without repeats."""
        return list(dict.fromkeys(one.cause for one in (*self.alarms, *self.findings[:1])))

    @property
    def gain(self) -> float:
        """How much smaller the error, or the loss, is than the best baseline's, as a share of it."""
        if self.scores is None or self.scores.best_baseline is None:
            return float("nan")
        mine, best = (
            values[self.scores.leading]
            for values in (self.scores.model, self.scores.baselines[self.scores.best_baseline])
        )
        return 1 - (1 - mine) / max(1 - best, 1e-9) if self.scores.higher_is_better else 1 - mine / best

    @property
    def has_learnt(self) -> bool:
        """Better than every baseline by a fifth of its errors, or by a twentieth of its loss."""
        return self.scores is not None and self.gain >= (0.2 if self.scores.higher_is_better else 0.05)


class LearningProblem(Callback):
    """Breaks a fresh network before its first update."""

    def __init__(self, change: Callable[[nn.Module], None]) -> None:
        self.change = change

    def on_train_start(self, trainer: Any) -> None:
        with torch.no_grad():
            self.change(trainer.model)


def run(case: Case, baselines: bool = True) -> Outcome:
    """Train, look on the way, and look at unseen data in the end."""
    torch.manual_seed(0)
    options = {"epochs": 10, "seed": 0, "device": "cpu", **case.options}
    every = max(1, updates_of(case, options) // LOOKS)
    monitor = ur.GradientFlowMonitor(every=every, alarm=False)
    callbacks = [*([LearningProblem(case.fault)] if case.fault else []), monitor]
    try:
        case.task.fit(case.train, callbacks=callbacks, baselines=baselines, **options)
    except NonFiniteLossError:  # the last finite weights are kept, and looked at
        case.task.baselines_, case.task.rival_ = {}, None
    flows = [flow for _, flow in monitor.flows]
    seen = case.task.inspect(case.test)
    alarms = [flow.findings[0] for flow in flows if flow.findings]
    return Outcome(seen.scores if baselines else None, alarms, seen.gradient_flow.findings, flows)


def updates_of(case: Case, options: dict[str, Any]) -> int:
    """About how many updates training takes."""
    if isinstance(case.train, str):
        return options["epochs"] * max(1, len(case.train) // (32 * 64))
    return options["epochs"] * max(1, len(case.train) // options.get("batch_size", 32))


# ---- healthy -------------------------------------------------------------------------------------------


def classifier(data: tuple[Any, Any], cell: str, pooling: str = "last", options: Any = (), **task: Any) -> Case:
    given = {"hidden_size": 32, "dropout": 0.0, "bidirectional": False} | task
    model = ur.Classifier(ur.Frames("x"), "y", cell=cell, pooling=pooling, **given)
    return Case(model, *data, {"learning_rate": 5e-3, **dict(options)})


HEALTHY: dict[str, Callable[[], Case]] = {
    "digits by rows, lstm": lambda: classifier(digits(8), "lstm", options={"epochs": 40}),
    "digits by rows, two gru layers, both ways": lambda: classifier(
        digits(8), "gru", "max", {"epochs": 25}, num_layers=2, bidirectional=True
    ),
    "digits by pairs of pixels, gru, max": lambda: classifier(digits(2), "gru", "max", {"epochs": 25}),
    "waves of 60 steps, lstm_layer_norm": lambda: classifier(waves(60, 400), "lstm_layer_norm"),
    "first of 15 symbols, gru": lambda: classifier(first_symbol(15), "gru", options={"epochs": 20}),
    "first of 10 symbols, elman": lambda: classifier(first_symbol(10), "elman", options={"epochs": 20}),
    "order of marks in 100 steps, lstm": lambda: classifier(events(100, 1000), "lstm", "max", {"epochs": 15}),
    "waves of 200 steps, elman, mean": lambda: classifier(waves(200, 400), "elman", "mean"),
    "waves of 2,000 steps, gru, max": lambda: classifier(waves(2000, 128), "gru", "max", {"epochs": 12}),
    "order of marks in 150 steps, gru": lambda: classifier(events(150, 1000), "gru", "max", {"epochs": 20}),
    "depth of brackets, gru": lambda: Case(
        ur.Tagger(cell="gru", hidden_size=24, dropout=0.0, bidirectional=False),
        *brackets(600),
        {"epochs": 8, "learning_rate": 5e-3},
    ),
    "crossings, lstm, both ways": lambda: Case(
        ur.Tagger(inputs=ur.Numbers("values"), target="tags", hidden_size=24, dropout=0.0),
        *crossings(1500),
        {"epochs": 15, "learning_rate": 5e-3},
    ),
    "seasons, gru": lambda: Case(
        ur.Forecaster(horizon=6, season=12, hidden_size=32, dropout=0.0), *seasons(), {"epochs": 60}
    ),
    "seasons, elman": lambda: Case(
        ur.Forecaster(horizon=6, season=12, cell="elman", dropout=0.0), *seasons(), {"epochs": 60}
    ),
    "manual, lstm": lambda: Case(
        ur.LanguageModel(hidden_size=256, dropout=0.0), *manual(), {"epochs": 12, "learning_rate": 5e-3}
    ),
    "sums, two gru layers": lambda: Case(
        ur.LanguageModel(cell="gru", hidden_size=64, num_layers=2, dropout=0.0), *sums(), {"epochs": 10}
    ),
    "damped waves, two lstm layers": lambda: Case(
        ur.SequenceModel(hidden_size=32, num_layers=2, dropout=0.0), *damped(400), {"epochs": 15, "learning_rate": 5e-3}
    ),
}


# ---- broken --------------------------------------------------------------------------------------------


def cells(model: nn.Module) -> list[Cell]:
    return [module for module in model.modules() if isinstance(module, Cell)]


def forget_bias(value: float) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        for cell in cells(model):
            cell.bias_ih[cell.hidden_size : 2 * cell.hidden_size] = value

    return change


def radius(value: float) -> Callable[[nn.Module], None]:
    """Recurrent weights whose largest eigenvalue is so large, block by block."""

    def change(model: nn.Module) -> None:
        for cell in cells(model):
            for block in cell.weight_hh.split(cell.hidden_size):
                block.mul_(value / float(torch.linalg.eigvals(block).abs().max()))

    return change


def all_weights(factor: float) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        for cell in cells(model):
            for weight in cell.weights:
                weight.mul_(factor)

    return change


def bias(value: float) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        for cell in cells(model):
            cell.bias_ih.fill_(value)

    return change


def growing(model: nn.Module) -> None:
    for cell in cells(model):
        cell.weight_hh.copy_(1.4 * torch.eye(cell.hidden_size))


def frozen(model: nn.Module) -> None:
    for cell in cells(model):
        cell.requires_grad_(False)


def constant(data: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same data with nothing in it."""
    return tuple([record | {"x": np.ones_like(record["x"]).tolist()} for record in part] for part in data)


BROKEN: dict[str, tuple[set[str], Callable[[], Case]]] = {
    "learning rate times 100, digits, gru": (
        {"large_update"},
        lambda: classifier(digits(8), "gru", options={"learning_rate": 0.5, "epochs": 3}),
    ),
    "learning rate times 1000, digits, lstm": (
        {"large_update"},
        lambda: classifier(digits(8), "lstm", options={"learning_rate": 5.0, "epochs": 3}),
    ),
    "learning rate times 1000, manual, gru": (
        {"large_update"},
        lambda: Case(
            ur.LanguageModel(cell="gru", hidden_size=64, dropout=0.0), *manual(), {"epochs": 2, "learning_rate": 2.0}
        ),
    ),
    "forget bias -5, first of 30, lstm": (
        {"forget_gate_shut"},
        lambda: classifier(first_symbol(30), "lstm", options={"epochs": 3})._replace(fault=forget_bias(-5.0)),
    ),
    "forget bias -5, seasons, lstm": (
        {"forget_gate_shut"},
        lambda: Case(
            ur.Forecaster(horizon=6, season=12, cell="lstm", hidden_size=16),
            *seasons(),
            {"epochs": 3},
            forget_bias(-5.0),
        ),
    ),
    "radius 0.3, first of 40, elman": (
        {"vanishing", "tiny_weights"},
        lambda: classifier(first_symbol(40), "elman", options={"epochs": 3})._replace(fault=radius(0.3)),
    ),
    "radius 3, first of 40, elman": (
        {"exploding", "saturated"},
        lambda: classifier(first_symbol(40), "elman", options={"epochs": 3})._replace(fault=radius(3.0)),
    ),
    "radius 3, waves of 200, elman, mean": (
        {"exploding", "saturated"},
        lambda: classifier(waves(200, 200), "elman", "mean", {"epochs": 3})._replace(fault=radius(3.0)),
    ),
    "weights times 0.001, first of 40, gru": (
        {"vanishing", "tiny_weights"},
        lambda: classifier(first_symbol(40), "gru", options={"epochs": 3})._replace(fault=all_weights(1e-3)),
    ),
    "weights times 0.001, first of 40, elman": (
        {"vanishing", "tiny_weights"},
        lambda: classifier(first_symbol(40), "elman", options={"epochs": 3})._replace(fault=all_weights(1e-3)),
    ),
    "inputs times 1000, waves, gru": (
        {"saturated"},
        lambda: classifier(waves(60, 300, 1000.0), "gru", options={"epochs": 3}),
    ),
    "inputs times 1000, waves, lstm, both ways": (
        {"saturated"},
        lambda: classifier(waves(60, 300, 1000.0), "lstm", "max", {"epochs": 3}, bidirectional=True),
    ),
    "bptt_steps 5, first of 40, gru": (
        {"truncated"},
        lambda: classifier(first_symbol(40), "gru", options={"epochs": 3, "bptt_steps": 5}),
    ),
    "bptt_steps 3, first of 30, linear": (
        {"truncated"},
        lambda: classifier(first_symbol(30), "linear", options={"epochs": 3, "bptt_steps": 3}),
    ),
    "dead relu units, digits": (
        {"dead_units"},
        lambda: classifier(digits(8), "elman_relu", options={"epochs": 3})._replace(fault=bias(-50.0)),
    ),
    "growth without bound, waves of 100, relu": (
        {"exploded_units"},
        lambda: classifier(waves(100, 200), "elman_relu", options={"epochs": 2})._replace(fault=growing),
    ),
    "frozen layer, digits, lstm": (
        {"frozen"},
        lambda: classifier(digits(8), "lstm", options={"epochs": 3})._replace(fault=frozen),
    ),
    "clipped to 1e-6, digits, gru, sgd": (
        {"tiny_update"},
        lambda: classifier(
            digits(8),
            "gru",
            options={"epochs": 3, "optimizer": "sgd", "learning_rate": 0.1, "max_grad_norm": 1e-6, "weight_decay": 0.0},
        ),
    ),
    "constant inputs, digits, gru": (
        {"constant_inputs"},
        lambda: classifier(constant(digits(8)), "gru", options={"epochs": 3}),
    ),
    "layer norm of nothing, digits by pixels, lstm_layer_norm": (
        {"exploding", "not_finite"},
        lambda: classifier(digits(1), "lstm_layer_norm", "last", {"epochs": 3}),
    ),
    "500 steps to the answer, elman": (
        {"vanishing", "tiny_weights"},
        lambda: classifier(first_symbol(500, 200), "elman", options={"epochs": 2}),
    ),
}
