"""One small model of every arrangement, and a batch for each: what the tests of inspection and plots look at."""

from collections.abc import Callable
from typing import Any

import torch

from random_sequences import noise, shake, some_ragged
from unrolled.arrangements.direct_forecast import DirectForecast
from unrolled.arrangements.many_to_many import ManyToMany, NextStep
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import ClassOutput, NumberOutput, QuantilesOutput, TokenOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.pooling import POOLINGS
from unrolled.nn.stack import Stack

F, S, H, V, AHEAD = 3, 2, 4, 5, 3


def inputs(static: bool = False) -> InputLayer:
    specs = {"x": Spec("vector", F)}
    return InputLayer(specs | {"s": Spec("vector", S, per_step=False)} if static else specs)


MODELS: dict[str, Callable[[], Any]] = {
    "many to many": lambda: ManyToMany(inputs(static=True), Stack(F + S, H, "lstm"), ClassOutput(V)),
    "many to many, two layers": lambda: ManyToMany(inputs(), Stack(F, H, "gru", 2), ClassOutput(V)),
    "many to many, bidirectional": lambda: ManyToMany(inputs(), Stack(F, H, bidirectional=True), ClassOutput(V)),
    "many to many, two bidirectional layers": lambda: ManyToMany(
        inputs(), Stack(F, H, "gru", 2, bidirectional=True), ClassOutput(V)
    ),
    "next step": lambda: NextStep(inputs(), Stack(F, H, "elman", learn_initial_state=True), TokenOutput(V)),
    "one to many": lambda: OneToMany(inputs(static=True), Stack(F, H, "lstm", 2), TokenOutput(V)),
    "direct forecast": lambda: DirectForecast(
        inputs(), Stack(F, H, "gru"), QuantilesOutput(size=2), horizon=2, ahead_size=AHEAD, num_rivals=1
    ),
    "many to one, last, bidirectional": lambda: ManyToOne(
        inputs(), Stack(F, H, "gru", bidirectional=True), NumberOutput(), "last"
    ),
} | {
    f"many to one, {pooling}": lambda pooling=pooling: ManyToOne(
        inputs(static=True), Stack(F, H, "lstm"), ClassOutput(V), pooling
    )
    for pooling in POOLINGS
}


def a_model(name: str, seed: int = 0) -> Any:
    return shake(MODELS[name]().double(), seed).eval()


def a_batch(model: Any, lengths: list[int], seed: int = 0) -> Batch:
    """Random inputs, vectors and targets that the model understands."""
    x = some_ragged(lengths, F, seed)
    rows = len(lengths) if isinstance(model, ManyToOne) else x.num_steps
    more = {"ahead": x.with_values(noise(rows, 2, AHEAD, seed=seed + 2))} if isinstance(model, DirectForecast) else {}
    if isinstance(model.output, ClassOutput):
        targets = torch.randint(V, (rows,), generator=torch.Generator().manual_seed(seed))
    else:
        targets = noise(rows, model.output.size, seed=seed + 3)
    return Batch(
        {"x": x, **more},
        {"s": noise(len(lengths), S, seed=seed + 1)} if model.inputs.static_size else {},
        targets if isinstance(model, ManyToOne) else x.with_values(targets),
    )
