"""The laws of arrangements: stepping equals the whole pass, and a loss is a sum over what a batch holds."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from random_sequences import assert_close, noise, seeds, shake, some_lengths, some_ragged
from unrolled.arrangements.direct_forecast import DirectForecast
from unrolled.arrangements.many_to_many import ManyToMany, NextStep
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.errors import OptionError, UnsupportedError
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.heads import ClassOutput, NumberOutput, QuantilesOutput, TokenOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.pooling import POOLINGS
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged
from unrolled.state import map_state

F, S, H, V, AHEAD = 3, 2, 4, 5, 3
WEIGHTS = [0.5, 1.0, 2.0, 0.25, 4.0]


def inputs(static: bool = True) -> InputLayer:
    specs = {"x": Spec("vector", F)}
    return InputLayer(specs | {"s": Spec("vector", S, per_step=False)} if static else specs)


CASES: dict[str, Callable[[], Any]] = {
    "many to many": lambda: ManyToMany(inputs(), Stack(F + S, H, "lstm", 2), ClassOutput(V, WEIGHTS)),
    "many to many, conv": lambda: ManyToMany(inputs(), Convolutions(F + S, H, 2), ClassOutput(V)),
    "next step": lambda: NextStep(inputs(static=False), Stack(F, H, "gru"), TokenOutput(V)),
    "one to many": lambda: OneToMany(inputs(), Stack(F, H, "lstm", 2), TokenOutput(V)),
    "one to many, conv": lambda: OneToMany(inputs(), Convolutions(F, H, 2), TokenOutput(V)),
    "direct forecast": lambda: DirectForecast(
        inputs(static=False), Stack(F, H, "gru"), QuantilesOutput(size=2), horizon=2, ahead_size=AHEAD, num_rivals=1
    ),
} | {
    f"many to one, {pooling}": lambda pooling=pooling: ManyToOne(
        inputs(), Stack(F, H, "lstm", 2, learn_initial_state=True), ClassOutput(V, WEIGHTS), pooling
    )
    for pooling in POOLINGS
}
LOOKING_AHEAD = {
    "many to many, bidirectional": lambda: ManyToMany(
        inputs(), Stack(F + S, H, "lstm", bidirectional=True), ClassOutput(V)
    ),
    "many to one, bidirectional": lambda: ManyToOne(
        inputs(), Stack(F, H, "gru", bidirectional=True), NumberOutput(), "attention"
    ),
}
causal = pytest.mark.parametrize("name", CASES)
every = pytest.mark.parametrize("name", CASES | LOOKING_AHEAD)


def a_model(name: str, seed: int = 0) -> Any:
    return shake((CASES | LOOKING_AHEAD)[name]().double(), seed).eval()


def a_batch(model: Any, lengths: list[int], seed: int = 0) -> Batch:
    x = some_ragged(lengths, F, seed)
    generator = torch.Generator().manual_seed(seed)
    rows = len(lengths) if isinstance(model, ManyToOne) else x.num_steps
    more = {}
    if isinstance(model, DirectForecast):
        more["ahead"] = x.with_values(noise(rows, 2, AHEAD, seed=seed + 2))
    if isinstance(model.output, ClassOutput):
        targets = torch.randint(V, (rows,), generator=generator)
    else:
        targets = noise(rows, model.output.size, seed=seed + 3)
    return Batch(
        {"x": x, **more},
        {"s": noise(len(lengths), S, seed=seed + 1)},
        targets if isinstance(model, ManyToOne) else x.with_values(targets),
    )


def start_of(model: Any, batch: Batch) -> Any:
    return model.first_state(batch) if isinstance(model, OneToMany) else model.initial_state(batch.batch_size)


# ---- law 1 --------------------------------------------------------------------------------------------


@causal
@given(lengths=some_lengths(min_size=1), seed=seeds)
@settings(max_examples=8)
def test_stepping_equals_the_whole_pass(name, lengths, seed):
    model = a_model(name, seed)
    batch = a_batch(model, lengths, seed)
    raw, _ = model(batch)
    for row, length in enumerate(lengths):
        one = batch.select([row])
        state = start_of(model, one)
        for t in range(length):
            answer, state = model.step(one.slice_time(t, t + 1), state)
            if isinstance(raw, Ragged):
                assert_close(answer[0], raw[row][t])
            else:  # the running answer is the answer to the sequence so far
                assert_close(answer, model(one.slice_time(0, t + 1))[0])


@pytest.mark.parametrize("name", [name for name in CASES if "to one" not in name])
@given(lengths=some_lengths(min_size=1), cut=st.integers(0, 6), seed=seeds)
@settings(max_examples=8)
def test_chunks_that_hand_the_state_on_cost_what_the_whole_costs(name, lengths, cut, seed):
    model = a_model(name, seed)
    batch = a_batch(model, lengths, seed)
    whole = model.loss(batch)
    first = model.loss(batch.slice_time(0, cut))
    second = model.loss(batch.slice_time(cut, 9), first.state)
    assert_close(first.total + second.total, whole.total)
    assert first.count + second.count == pytest.approx(whole.count)
    assert_close(second.state, whole.state)


@pytest.mark.parametrize("name", LOOKING_AHEAD)
def test_a_model_that_looks_ahead_refuses_to_step_in_one_sentence(name):
    model = a_model(name)
    batch = a_batch(model, [1, 1])
    with pytest.raises(UnsupportedError, match="cannot be stepped; train with bidirectional=False"):
        model.step(batch, model.initial_state(2))


# ---- law 2, and weights ---------------------------------------------------------------------------------


@every
@given(lengths=some_lengths(min_size=1), seed=seeds, data=st.data())
@settings(max_examples=8)
def test_losses_and_gradients_of_parts_add_up_to_those_of_the_batch(name, lengths, seed, data):
    model = a_model(name, seed)
    batch = a_batch(model, lengths, seed)
    rows = torch.tensor(data.draw(st.permutations(range(len(lengths)))))
    cut = data.draw(st.integers(0, len(lengths)))
    whole = model.loss(batch)
    parts = [model.loss(batch.select(part)) for part in (rows[:cut], rows[cut:])]
    assert_close(parts[0].total + parts[1].total, whole.total)
    assert parts[0].count + parts[1].count == pytest.approx(whole.count)
    weights = list(model.parameters())
    of_parts = torch.autograd.grad(parts[0].total + parts[1].total, weights, materialize_grads=True, allow_unused=True)
    of_whole = torch.autograd.grad(whole.total, weights, materialize_grads=True, allow_unused=True)
    assert_close(of_parts, of_whole, 1e-10)


@every
def test_the_count_is_what_the_targets_weigh(name):
    model = a_model(name)
    batch = a_batch(model, [3, 0, 4])
    targets = batch.targets.values if isinstance(batch.targets, Ragged) else batch.targets
    if isinstance(model.output, ClassOutput) and model.output.weights:
        want = sum(WEIGHTS[target] for target in targets.tolist())
    else:
        want = targets.numel()
    assert model.loss(batch).count == pytest.approx(want)


@every
def test_every_weight_learns(name):
    model = a_model(name)
    model.loss(a_batch(model, [3, 0, 4, 1])).total.backward()
    still = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still


@pytest.mark.parametrize("name", [name for name in CASES | LOOKING_AHEAD if name[:8] not in ("next ste", "direct f")])
def test_the_vector_of_a_sequence_matters_to_this_sequence_only(name):
    model = a_model(name)
    batch = a_batch(model, [3, 4])
    before, _ = model(batch)
    batch.statics["s"][0] += 1
    after, _ = model(batch)
    assert not torch.allclose(after[0], before[0])
    assert_close(after[1], before[1])


# not one to many: a sequence starts from its vector, which a restart inside one does not have;
# and only the pooling that reads nothing but the last step
@pytest.mark.parametrize(
    "name",
    [
        "many to many",
        "many to many, conv",
        "many to many, bidirectional",
        "next step",
        "direct forecast",
        "many to one, last",
    ],
)
def test_restarts_cut_a_sequence_into_independent_ones(name):
    model = a_model(name)
    batch = a_batch(model, [3, 4])
    joined = Batch(
        {key: Ragged(value.values, [7]) for key, value in batch.inputs.items()},
        {"s": batch.statics["s"][1:]},
        reset=batch.inputs["x"].positions == 0,
    )
    got, want = model(joined)[0], model(batch)[0]
    assert_close(got[0][3:] if isinstance(got, Ragged) else got[0], want[1])


@every
def test_no_weight_is_stored_twice(name):
    # a model folder holds each tensor under one name
    stored = [tensor.data_ptr() for tensor in a_model(name).state_dict().values()]
    assert len(stored) == len(set(stored))


# ---- each arrangement -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [NextStep, OneToMany])
def test_predicting_the_next_step_refuses_a_layer_that_looks_ahead(kind):
    with pytest.raises(UnsupportedError, match="would read the answer; use bidirectional=False"):
        kind(inputs(), Stack(F, H, bidirectional=True), TokenOutput(V))


def truncated(name: str, bptt_steps: int) -> Any:
    model = a_model(name).train()
    model.bptt_steps = bptt_steps
    return model


def gradient_of_steps(model: Any, batch: Batch) -> tuple[Tensor, Ragged]:
    """A model's answers, and how much each input step moves their sum."""
    x = batch.inputs["x"]
    values = x.values.clone().requires_grad_()
    raw, _ = model(Batch({"x": x.with_values(values)}, batch.statics, batch.targets, batch.reset))
    (gradient,) = torch.autograd.grad(raw.square().sum(), values)
    return raw, x.with_values(gradient.abs().sum(1))


@pytest.mark.parametrize("name", [name for name in CASES if "to one" in name])
@pytest.mark.parametrize("reset", [False, True])
@given(lengths=some_lengths(min_size=1).filter(any), bptt_steps=st.integers(1, 6), seed=seeds)
@settings(max_examples=8)
def test_truncated_training_sees_the_same_values_and_no_gradient_further_back(name, reset, lengths, bptt_steps, seed):
    batch = a_batch(a_model(name), lengths, seed)
    if reset:
        batch = Batch(batch.inputs, batch.statics, batch.targets, noise(sum(lengths), seed=seed) > 0.8)
    torch.manual_seed(seed)
    model = a_model(name)
    want, free = gradient_of_steps(model, batch)
    model.train().bptt_steps = bptt_steps
    got, gradient = gradient_of_steps(model, batch)
    assert_close(got, want)
    for cut, whole in zip(gradient, free, strict=True):
        early = max(0, len(cut) - bptt_steps)
        assert not cut[:early].any()
        if "last" in name:  # what lies within reach moves the answer as before
            assert_close(cut[early:], whole[early:])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_truncation_of_one_sequence_leaves_the_initial_state_of_another_learnt(pooling):
    model = truncated(f"many to one, {pooling}", 3)
    batch = a_batch(model, [2, 6])
    initial = [weight for key, weight in model.named_parameters() if "initial" in key]
    both = torch.autograd.grad(model.loss(batch).total, initial)
    short = torch.autograd.grad(model.loss(batch.select([0])).total, initial)
    assert all(gradient.any() for gradient in short)
    assert_close(both, short)
    state = map_state(lambda field: field + 1, model.layers.initial_state(2))
    model.bptt_steps = 6
    assert_close(model(batch, state)[0], model.eval()(batch, state)[0])


def test_truncation_acts_in_training_only():
    model = truncated("many to one, last", 1).eval()
    _, gradient = gradient_of_steps(model, a_batch(model, [4]))
    assert gradient.values.all()


def test_truncation_of_an_empty_batch_is_legal():
    model = truncated("many to one, mean", 2)
    assert float(model.loss(a_batch(model, [])).total.detach()) == 0


def test_truncated_training_refuses_a_layer_that_looks_ahead():
    model = truncated("many to one, bidirectional", 2)
    with pytest.raises(UnsupportedError, match="use bptt_steps=0"):
        model.loss(a_batch(model, [4]))


@pytest.mark.parametrize("name", ["one to many", "one to many, conv"])
def test_the_first_state_of_one_to_many_depends_on_the_vector_alone(name):
    model = a_model(name)
    batch = a_batch(model, [2, 3])
    one = model.first_state(batch)
    assert_close(model.first_state(a_batch(model, [0, 5])), model.first_state(Batch({}, batch.statics)))
    batch.statics["s"][0] += 1
    other = model.first_state(batch)
    changed: list[list[bool]] = []
    map_state(lambda a, b: changed.append((a != b).flatten(1).any(1).tolist()) or a, one, other)
    assert changed == [[True, False]] * len(changed)
    assert_close(model(batch)[0], model(batch, other)[0])


def test_one_to_many_needs_a_vector():
    with pytest.raises(OptionError, match="inputs: expected at least one per-sequence column"):
        OneToMany(inputs(static=False), Stack(F, H), TokenOutput(V))


def test_an_untrained_forecast_is_its_bias():
    model = DirectForecast(
        inputs(static=False),
        Stack(F, H),
        NumberOutput(2),
        horizon=2,
        ahead_size=AHEAD,
        num_rivals=1,
        bias=[[1.0], [2.0]],
    ).double()
    batch = a_batch(model, [2, 3])
    assert_close(model(batch)[0].values.detach(), torch.tensor([[1.0, 2.0]]).double().expand(5, 2))


def test_the_last_forecast_of_a_pass_is_the_forecast_after_it():
    model = a_model("direct forecast")
    batch = a_batch(model, [2, 3])
    raw, _ = model(batch)
    ahead = batch.inputs["ahead"].last()
    got, _ = model.forecast(Batch({"x": batch.inputs["x"]}, {"ahead": ahead}))
    assert_close(got, raw.last())
