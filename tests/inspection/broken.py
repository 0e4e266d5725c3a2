"""Models that are broken in a known way, and models that are not: small, on made-up data."""

from typing import NamedTuple

import torch
from torch import nn

from unrolled.arrangements.many_to_many import ManyToMany, NextStep
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import ClassOutput, TokenOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

F, H, V, ROWS = 3, 16, 4, 6


class Case(NamedTuple):
    model: nn.Module
    batch: Batch
    options: dict


def inputs() -> InputLayer:
    return InputLayer({"x": Spec("vector", F)})


def some_batch(steps: int, per_step: bool = False, scale: float = 1.0) -> Batch:
    lengths = torch.full((ROWS,), steps)
    lengths[1] = max(1, steps - 3)
    x = Ragged(scale * torch.randn(int(lengths.sum()), F), lengths)
    targets = torch.randint(V, (x.num_steps if per_step else ROWS,))
    return Batch({"x": x}, targets=x.with_values(targets) if per_step else targets)


def classifier(cell: str, steps: int, scale: float = 1.0, pooling: str = "last", **stack) -> tuple[ManyToOne, Batch]:
    torch.manual_seed(0)
    return ManyToOne(inputs(), Stack(F, H, cell, **stack), ClassOutput(V), pooling), some_batch(steps, scale=scale)


def cell_of(model: nn.Module) -> nn.Module:
    return model.layers.layers[0].cell


# ---- broken ------------------------------------------------------------------------------------------


def learning_rate_times_100() -> Case:
    model, batch = classifier("gru", 20)
    return Case(model, batch, {"optimizer": torch.optim.Adam(model.parameters(), lr=0.3)})


def forget_bias_of_minus_5() -> Case:
    model, batch = classifier("lstm", 20)
    with torch.no_grad():
        cell_of(model).bias_ih[H : 2 * H] = -5.0
    return Case(model, batch, {})


def scaled_recurrent_weights(scale: float, steps: int = 30) -> Case:
    model, batch = classifier("elman", steps)
    with torch.no_grad():
        cell_of(model).weight_hh.mul_(scale)
    return Case(model, batch, {})


def exploding_relu() -> Case:
    model, batch = classifier("elman_relu", 60)
    with torch.no_grad():
        cell_of(model).weight_hh.copy_(1.5 * torch.eye(H))
    return Case(model, batch, {})


def exploding_gradient() -> Case:
    model, batch = classifier("elman_relu", 30, scale=0.01)
    with torch.no_grad():
        cell_of(model).weight_hh.copy_(1.3 * torch.eye(H))
    return Case(model, batch, {})


def bptt_steps_below_the_lag() -> Case:
    model, batch = classifier("linear", 60)
    model.bptt_steps = 5
    return Case(model, batch, {})


def inputs_times_1000() -> Case:
    return Case(*classifier("elman", 20, scale=1000.0), {})


def dead_relu_units() -> Case:
    model, batch = classifier("elman_relu", 20)
    with torch.no_grad():
        cell_of(model).bias_ih.fill_(-100.0)
    return Case(model, batch, {})


class Detached(Stack):
    """Hands on its outputs without their past."""

    def forward(self, *arguments, **keywords):
        outputs, state = super().forward(*arguments, **keywords)
        return outputs.map(torch.Tensor.detach), state


def detached_outputs() -> Case:
    torch.manual_seed(0)
    return Case(ManyToOne(inputs(), Detached(F, H, "gru"), ClassOutput(V)), some_batch(20), {})


def frozen_cell() -> Case:
    model, batch = classifier("gru", 20)
    model.layers.requires_grad_(False)
    return Case(model, batch, {})


def restarts_everywhere() -> Case:
    torch.manual_seed(0)
    model, batch = ManyToMany(inputs(), Stack(F, H, "gru"), ClassOutput(V)), some_batch(20, per_step=True)
    every = torch.ones(batch.num_steps, dtype=torch.bool)
    return Case(model, Batch(batch.inputs, targets=batch.targets, reset=every), {})


def not_a_number_in_the_inputs() -> Case:
    model, batch = classifier("lstm", 20)
    batch.inputs["x"].values[7, 1] = float("nan")
    return Case(model, batch, {})


def long_sequences_for_an_elman_cell() -> Case:
    return Case(*classifier("elman", 150), {})


def clipped_away() -> Case:
    model, batch = classifier("gru", 20)
    return Case(model, batch, {"learning_rate": 1e-9})


def the_same_input_everywhere() -> Case:
    model, batch = classifier("gru", 20)
    batch.inputs["x"].values.fill_(0.3)
    return Case(model, batch, {})


BROKEN = {
    "tiny_update": clipped_away,
    "constant_inputs": the_same_input_everywhere,
    "large_update": learning_rate_times_100,
    "forget_gate_shut": forget_bias_of_minus_5,
    "tiny_weights": lambda: scaled_recurrent_weights(0.01),
    "exploding": exploding_gradient,
    "exploded_units": exploding_relu,
    "truncated": bptt_steps_below_the_lag,
    "saturated": inputs_times_1000,
    "dead_units": dead_relu_units,
    "no_gradient": detached_outputs,
    "frozen": frozen_cell,
    "state_cut": restarts_everywhere,
    "not_finite": not_a_number_in_the_inputs,
    "vanishing": long_sequences_for_an_elman_cell,
}

# ---- healthy -----------------------------------------------------------------------------------------


def next_step(cell: str, steps: int, **stack) -> tuple[NextStep, Batch]:
    torch.manual_seed(0)
    batch = some_batch(steps, per_step=True)
    return NextStep(inputs(), Stack(F, H, cell, **stack), TokenOutput(V)), batch


def with_adam(model: nn.Module, batch: Batch) -> Case:
    return Case(model, batch, {"optimizer": torch.optim.Adam(model.parameters(), lr=0.003)})


def trained(model: nn.Module, batch: Batch) -> Case:
    """After some updates, the moments of the optimiser among what is looked at."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(20):
        optimizer.zero_grad()
        result = model.loss(batch)
        (result.total / result.count).backward()
        optimizer.step()
    return Case(model, batch, {"optimizer": optimizer})


HEALTHY = {
    "lstm, class": lambda: with_adam(*classifier("lstm", 30)),
    "two gru layers, next step": lambda: with_adam(*next_step("gru", 20, num_layers=2)),
    "bidirectional lstm, class": lambda: with_adam(*classifier("lstm", 30, bidirectional=True)),
    "linear, class, 100 steps": lambda: with_adam(*classifier("linear", 100)),
    "elman, next step": lambda: with_adam(*next_step("elman", 20)),
    "elman, class of a mean over 60 steps": lambda: with_adam(*classifier("elman", 60, pooling="mean")),
    "lstm with layer norm, trained": lambda: trained(*classifier("lstm_layer_norm", 40)),
    "gru, trained": lambda: trained(*next_step("gru", 25)),
}
