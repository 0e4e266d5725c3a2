"""A second and a third lot of models, each made after the one before had changed the verdict."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

import unrolled as ur
from inspection.held_out import Case, all_weights, bias, cells, classifier, forget_bias, radius
from inspection.held_out_data import (
    both,
    brackets,
    crossings,
    damped,
    digits,
    events,
    first_symbol,
    manual,
    sums,
    waves,
)
from unrolled.data.source import Table

# ---- data ----------------------------------------------------------------------------------------------


def additions(steps: int, count: int) -> tuple[Any, Any]:
    """Two of many random numbers are marked: do they sum to more than one?"""

    def make(rows: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        records = []
        for _ in range(rows):
            x = np.stack([rng.random(steps), np.zeros(steps)], 1)
            x[rng.choice(steps, 2, replace=False), 1] = 1
            records.append({"x": x.tolist(), "y": "more" if (x[:, 0] * x[:, 1]).sum() > 1 else "less"})
        return records

    return both(make, count)


def orbits(count: int) -> tuple[Any, Any]:
    """A point goes round at a speed of its own."""

    def make(rows: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        angles = rng.uniform(0, 6.3, (rows, 1)) + rng.uniform(0.1, 0.5, (rows, 1)) * np.arange(50)
        points = np.stack([np.cos(angles), np.sin(angles)], 2) + 0.02 * rng.normal(size=(rows, 50, 2))
        return [{"frames": one.tolist()} for one in points]

    return both(make, count)


def turned(data: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same sequences from their ends."""
    return tuple([record | {"x": record["x"][::-1]} for record in part] for part in data)


def sawtooth() -> tuple[Any, Any]:
    """One long series: teeth of 10 steps whose height changes slowly, and noise."""
    rng, time = np.random.default_rng(5), np.arange(1500)
    y = (time % 10) * (1 + 0.5 * np.sin(time / 40)) + 0.3 * rng.normal(size=1500)
    return Table(pl.DataFrame({"time": time, "y": y}), time="time").split_at(1200)


# ---- healthy -------------------------------------------------------------------------------------------

HEALTHY: dict[str, Callable[[], Case]] = {
    "sums of marked numbers in 40 steps, lstm": lambda: classifier(
        additions(40, 3000), "lstm", options={"epochs": 40, "learning_rate": 1e-2}
    ),
    "sums of marked numbers in 20 steps, gru": lambda: classifier(
        additions(20, 3000), "gru", options={"epochs": 25, "learning_rate": 1e-2}
    ),
    "first of 7 symbols, elman": lambda: classifier(first_symbol(7, 1500), "elman", options={"epochs": 25}),
    "first of 12 symbols, elman, 64 units": lambda: classifier(
        first_symbol(12, 1500), "elman", options={"epochs": 25, "learning_rate": 2e-3}, hidden_size=64
    ),
    "first of 25 symbols, lstm_peephole": lambda: classifier(
        first_symbol(25, 1500), "lstm_peephole", options={"epochs": 40, "learning_rate": 1e-2}
    ),
    "digits from below, min_lstm, two layers": lambda: classifier(
        turned(digits(8)), "min_lstm", "max", {"epochs": 30}, num_layers=2
    ),
    "digits from below, gru_layer_norm, both ways": lambda: classifier(
        turned(digits(4)), "gru_layer_norm", "max", {"epochs": 25}, bidirectional=True
    ),
    "order of marks in 60 steps, lstm_layer_norm, max": lambda: classifier(
        events(60, 1500), "lstm_layer_norm", "max", {"epochs": 15}
    ),
    "waves of 1,000 steps, lstm, mean": lambda: classifier(waves(1000, 200), "lstm", "mean", {"epochs": 15}),
    "waves of 80 steps, elman": lambda: classifier(waves(80, 800), "elman", options={"epochs": 20}),
    "crossings, elman, both ways": lambda: Case(
        ur.Tagger(inputs=ur.Numbers("values"), target="tags", cell="elman", hidden_size=32, dropout=0.0),
        *crossings(1500),
        {"epochs": 20, "learning_rate": 3e-3},
    ),
    "sawtooth, lstm": lambda: Case(
        ur.Forecaster(horizon=4, season=10, cell="lstm", dropout=0.0), *sawtooth(), {"epochs": 60}
    ),
    "sums, elman": lambda: Case(
        ur.LanguageModel(cell="elman", hidden_size=96, dropout=0.0), *sums(), {"epochs": 15, "learning_rate": 2e-3}
    ),
    "manual, gru, looking back 32 steps": lambda: Case(
        ur.LanguageModel(cell="gru", hidden_size=256, dropout=0.0),
        *manual(),
        {"epochs": 12, "learning_rate": 5e-3, "bptt_steps": 32},
    ),
    "orbits, gru": lambda: Case(
        ur.SequenceModel(cell="gru", hidden_size=32, dropout=0.0), *orbits(1000), {"epochs": 40, "learning_rate": 1e-2}
    ),
}

# ---- broken --------------------------------------------------------------------------------------------


def last_layer(change: Callable[[nn.Module], None]) -> Callable[[nn.Module], None]:
    """A fault of the uppermost layer alone."""
    return lambda model: change(model.layers.layers[-1])


def growing(model: nn.Module) -> None:
    for cell in cells(model):
        cell.weight_hh.copy_(1.2 * torch.eye(cell.hidden_size))


def frozen(model: nn.Module) -> None:
    model.requires_grad_(False)


BROKEN: dict[str, tuple[set[str], Callable[[], Case]]] = {
    "learning rate times 100, sums, elman": (
        {"large_update"},
        lambda: Case(
            ur.LanguageModel(cell="elman", hidden_size=64, dropout=0.0), *sums(), {"epochs": 2, "learning_rate": 0.2}
        ),
    ),
    "learning rate times 100, marks, lstm": (
        {"large_update"},
        lambda: classifier(events(60, 400), "lstm", "max", {"epochs": 3, "learning_rate": 0.5}),
    ),
    "learning rate times 1000, brackets, gru": (
        {"large_update"},
        lambda: Case(
            ur.Tagger(cell="gru", hidden_size=24, dropout=0.0), *brackets(400), {"epochs": 3, "learning_rate": 5.0}
        ),
    ),
    "forget bias -5, crossings, lstm, both ways": (
        {"forget_gate_shut"},
        lambda: Case(
            ur.Tagger(inputs=ur.Numbers("values"), target="tags", hidden_size=24, dropout=0.0),
            *crossings(400),
            {"epochs": 2},
            forget_bias(-5.0),
        ),
    ),
    "radius 0.3, waves of 80, elman": (
        {"vanishing", "tiny_weights"},
        lambda: classifier(waves(80, 200), "elman", options={"epochs": 2})._replace(fault=radius(0.3)),
    ),
    "radius 3, first of 25, elman": (
        {"exploding", "saturated", "not_finite"},
        lambda: classifier(first_symbol(25), "elman", options={"epochs": 2})._replace(fault=radius(3.0)),
    ),
    "radius 3, damped waves, elman": (
        {"exploding", "saturated", "not_finite"},
        lambda: Case(
            ur.SequenceModel(cell="elman", hidden_size=32, dropout=0.0), *damped(100), {"epochs": 2}, radius(3.0)
        ),
    ),
    "weights times 0.001, first of 60, lstm": (
        {"vanishing", "tiny_weights"},
        lambda: classifier(first_symbol(60), "lstm", options={"epochs": 2})._replace(fault=all_weights(1e-3)),
    ),
    "inputs times 1000, sums of marked numbers, elman": (
        {"saturated"},
        lambda: classifier(
            tuple([r | {"x": (1000 * np.array(r["x"])).tolist()} for r in part] for part in additions(30, 300)),
            "elman",
            options={"epochs": 2},
        ),
    ),
    "bptt_steps 4, first of 50, lstm": (
        {"truncated"},
        lambda: classifier(first_symbol(50), "lstm", options={"epochs": 2, "bptt_steps": 4}),
    ),
    "bptt_steps 5, sums of marked numbers in 40 steps, gru": (
        {"truncated"},
        lambda: classifier(additions(40, 500), "gru", options={"epochs": 2, "bptt_steps": 5}),
    ),
    "dead relu units in the second layer, waves": (
        {"dead_units"},
        lambda: classifier(waves(60, 200), "elman_relu", options={"epochs": 2}, num_layers=2)._replace(
            fault=last_layer(bias(-50.0))
        ),
    ),
    "second layer frozen, digits, gru": (
        {"frozen"},
        lambda: classifier(digits(8), "gru", options={"epochs": 2}, num_layers=2)._replace(fault=last_layer(frozen)),
    ),
    "growth of 1.2 a step, marks in 150 steps, relu": (
        {"exploded_units", "exploding", "not_finite"},
        lambda: classifier(events(150, 200), "elman_relu", options={"epochs": 2})._replace(fault=growing),
    ),
    "clipped to 1e-6, waves, lstm, sgd": (
        {"tiny_update"},
        lambda: classifier(
            waves(40, 200),
            "lstm",
            options={
                "epochs": 2,
                "optimizer": "sgd",
                "learning_rate": 0.1,
                "max_grad_norm": 1e-6,
                "weight_decay": 0.0,
            },
        ),
    ),
    "constant inputs, crossings, lstm, both ways": (
        {"constant_inputs"},
        lambda: Case(
            ur.Tagger(inputs=ur.Numbers("values"), target="tags", hidden_size=24, dropout=0.0),
            *([r | {"values": [1.0] * len(r["values"])} for r in part] for part in crossings(400)),
            {"epochs": 2},
        ),
    ),
}

# ---- the third lot: where the second had changed a threshold or the order of the causes -------------------

HEALTHY_AT_LAST: dict[str, Callable[[], Case]] = {
    "first of 5 symbols, elman, 16 units": lambda: classifier(
        first_symbol(5, 1500), "elman", options={"epochs": 25, "seed": 1}, hidden_size=16
    ),
    "first of 8 symbols, elman, 48 units": lambda: classifier(
        first_symbol(8, 1500), "elman", options={"epochs": 25, "seed": 2}, hidden_size=48
    ),
    "first of 9 symbols, elman, two layers": lambda: classifier(
        first_symbol(9, 1500), "elman", options={"epochs": 25, "seed": 3}, num_layers=2
    ),
    "first of 11 symbols, elman, both ways": lambda: classifier(
        first_symbol(11, 1500), "elman", options={"epochs": 25, "seed": 4}, bidirectional=True
    ),
    "sums of marked numbers in 15 steps, elman": lambda: classifier(
        additions(15, 3000), "elman", options={"epochs": 30, "learning_rate": 2e-3, "seed": 5}
    ),
    "first of 20 symbols, lstm": lambda: classifier(
        first_symbol(20, 1500), "lstm", options={"epochs": 30, "learning_rate": 1e-2, "seed": 6}
    ),
    "order of marks in 40 steps, gru": lambda: classifier(events(40, 1500), "gru", options={"epochs": 25, "seed": 7}),
    "digits from below, elman, mean": lambda: classifier(
        turned(digits(8)), "elman", "mean", {"epochs": 40, "seed": 8}, hidden_size=64
    ),
}

BROKEN_AT_LAST: dict[str, tuple[set[str], Callable[[], Case]]] = {
    "learning rate times 1000, crossings, gru": (
        {"large_update"},
        lambda: Case(
            ur.Tagger(inputs=ur.Numbers("values"), target="tags", cell="gru", hidden_size=24, dropout=0.0),
            *crossings(400),
            {"epochs": 3, "learning_rate": 5.0},
        ),
    ),
    "learning rate times 1000, orbits, lstm": (
        {"large_update"},
        lambda: Case(
            ur.SequenceModel(cell="lstm", hidden_size=32, dropout=0.0),
            *orbits(200),
            {"epochs": 3, "learning_rate": 5.0},
        ),
    ),
    "learning rate times 100, waves of 100, elman": (
        {"large_update"},
        lambda: classifier(waves(100, 300), "elman", "mean", {"epochs": 3, "learning_rate": 0.5}),
    ),
    "dead relu units in the second layer, digits, both ways": (
        {"dead_units"},
        lambda: classifier(digits(8), "elman_relu", "max", {"epochs": 2}, num_layers=2, bidirectional=True)._replace(
            fault=last_layer(bias(-50.0))
        ),
    ),
    "growth of 1.2 a step, sums of marked numbers in 100 steps, relu": (
        {"exploded_units", "exploding", "not_finite"},
        lambda: classifier(additions(100, 200), "elman_relu", options={"epochs": 2})._replace(fault=growing),
    ),
    "radius 3, sums of marked numbers in 30 steps, elman": (
        {"exploding", "saturated", "not_finite"},
        lambda: classifier(additions(30, 300), "elman", options={"epochs": 2})._replace(fault=radius(3.0)),
    ),
    "radius 3, first of 15, elman, both ways": (
        {"exploding", "saturated", "not_finite"},
        lambda: classifier(first_symbol(15), "elman", options={"epochs": 2}, bidirectional=True)._replace(
            fault=radius(3.0)
        ),
    ),
}
