"""Gradient flow against autograd, against theory on controlled nets, and on every arrangement and cell."""

import json
import math
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from conformance.test_arrangements import CASES, LOOKING_AHEAD, a_batch, a_model
from random_sequences import noise, shake
from unrolled.batch import Batch, LossSum
from unrolled.cells.registry import CELLS
from unrolled.errors import OptionError, UnsupportedError
from unrolled.inspection.capture import capture
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.trace import ALL, stretches, trace
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.stack import Recurrent, Stack
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged
from unrolled.state import map_state

F, H = 3, 4


def squares(model, batch) -> LossSum:
    """A loss that reads every output, with a weight of its own for each."""
    outputs, _ = model(batch.inputs["x"], reset=batch.reset)
    return LossSum((outputs.values.square() * batch.inputs["weight"].values).sum(), 1.0)


def a_stack_and_batch(cell: str, lengths: list[int], seed: int = 0, **options) -> tuple[Stack, Batch]:
    stack = shake(Stack(F, H, cell, **options).double(), seed)
    x = Ragged(noise(sum(lengths), F, seed=seed), lengths)
    weight = x.with_values(noise(sum(lengths), stack.output_size, seed=seed + 1).abs())
    return stack, Batch({"x": x, "weight": weight})


def slopes_by_hand(stack: Stack, x: Tensor, weight: Tensor) -> list[list[Tensor]]:
    """dL/ds_t of each layer of one sequence, from the loss as a function of that layer's state at t alone."""
    layers = [layer.cell for layer in stack.layers]
    found: list[list[Tensor]] = []
    read = x  # (T, F) what the layer at hand reads
    for below, cell in enumerate(layers):
        slopes, state, outputs = [], cell.initial_state(1), []
        befores = [layer.initial_state(1) for layer in layers]
        for t in range(len(x)):
            output, state = cell.step(read[t : t + 1], state)
            outputs.append(output)
            leaves = map_state(lambda field: field.detach().requires_grad_(), state)
            hidden = torch.cat([leaves[0], run(cell, read[t + 1 :], leaves)])  # every cell here shows its first field
            for above in range(below + 1, len(layers)):
                hidden = run(layers[above], hidden, befores[above])
            loss = (hidden.square() * weight[t:]).sum()
            slopes.append(torch.cat(torch.autograd.grad(loss, list(leaves), materialize_grads=True), 1)[0])
            befores = step_all(layers, x[t : t + 1], befores)
        found.append([slope.detach() for slope in slopes])
        read = torch.cat(outputs).detach()
    return found


def run(cell, values: Tensor, state) -> Tensor:
    return unroll(cell, Ragged(values, [len(values)]), state, kernel="reference")[0].values


def step_all(layers, hidden: Tensor, states: list) -> list:
    after = []
    for cell, state in zip(layers, states, strict=True):
        hidden, state = cell.step(hidden, state)
        after.append(state)
    return after


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_in_every_state_equals_autograd(cell):
    stack, batch = a_stack_and_batch(cell, [5, 0, 3], num_layers=2)
    by_hand = [slopes_by_hand(stack, batch.inputs["x"][row], batch.inputs["weight"][row]) for row in (0, 2)]
    for index, visit in enumerate(capture(stack, batch, squares).visits):
        looked = trace(stretches(visit))
        ours = looked.gradients(torch.full((3,), ALL))[looked.layout.scatter]  # in the order of the inputs
        theirs = torch.stack([slope for row in by_hand for slope in row[index]])
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=3).filter(any), seed=st.integers(0, 9))
@settings(max_examples=10)
def test_a_backward_layer_flows_as_a_forward_one_over_reversed_sequences(lengths, seed):
    both, batch = a_stack_and_batch("gru", lengths, seed, bidirectional=True)
    ahead = Stack(F, H, "gru").double()
    ahead.layers[0].cell.load_state_dict(both.layers[0].backward_cell.state_dict())
    mirrored = {"x": batch.inputs["x"].reversed(), "weight": batch.inputs["weight"].reversed().map(lambda v: v[:, H:])}
    flow, mirror = (
        gradient_flow(model, given, loss=squares, sequences=9, detail=False)
        for model, given in ((both, batch), (ahead, Batch(mirrored)))
    )
    assert [layer.name for layer in flow.layers] == ["layer 1", "layer 1, backward"]
    back, forth = flow.layers[1], mirror.layers[0]
    assert back.decay == forth.decay
    if len(set(lengths)) == 1:
        assert back.state_gradients == pytest.approx(forth.state_gradients[::-1], rel=1e-9)


def test_a_restart_is_a_sequence_of_its_own():
    stack, batch = a_stack_and_batch("lstm", [7])
    reset = torch.tensor([False, False, False, True, False, False, False])
    restarted = gradient_flow(stack, Batch(batch.inputs, reset=reset), loss=squares, sequences=9, detail=False)
    two = {name: Ragged(value.values, [3, 4]) for name, value in batch.inputs.items()}
    apart = gradient_flow(stack, Batch(two), loss=squares, sequences=9, detail=False)
    assert restarted.layers[0].decay == apart.layers[0].decay
    first, second = restarted.layers[0].state_gradients[:3], restarted.layers[0].state_gradients[3:]
    means = [(a + b) / 2 for a, b in zip(first, second, strict=False)]
    assert list(apart.layers[0].state_gradients) == pytest.approx([*means, second[3]], rel=1e-9)
    assert restarted.layers[0].restarts == pytest.approx(1 / 6)


def test_a_mean_counts_the_sequences_that_have_the_step():
    stack, batch = a_stack_and_batch("gru", [2, 0, 5, 3])
    layer = gradient_flow(stack, batch, loss=squares, sequences=9, detail=False).layers[0]
    assert layer.counts == (3, 3, 2, 1, 1)
    assert len(layer.state_gradients) == 5


@pytest.mark.parametrize("name", [name for name in CASES | LOOKING_AHEAD if "conv" not in name])
def test_every_arrangement_is_seen_and_left_as_it_was(name):
    model = a_model(name).train()
    batch = a_batch(model, [4, 1, 6])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    flow = gradient_flow(model, batch, learning_rate=0.1)
    assert len(flow.layers) == sum(2 if hasattr(layer, "backward_cell") else 1 for layer in model.layers.layers)
    assert all(layer.decay is not None and layer.updates for layer in flow.layers)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    json.dumps(flow.to_json(), allow_nan=False)


def test_a_final_state_that_the_loss_reads_drives_the_gradient():
    stack, batch = a_stack_and_batch("lstm", [6])

    def final_cell(model, batch):
        _, (state,) = model(batch.inputs["x"])
        return LossSum(state.cell.square().sum(), 1.0)

    layer = gradient_flow(stack, batch, loss=final_cell).layers[0]
    assert layer.decay is not None
    assert layer.decay.span == 6
    (state,) = stack(batch.inputs["x"])[1]
    assert layer.state_gradients[-1] == pytest.approx(2 * float(state.cell.detach().norm()), rel=1e-9)


class StateFromOutputs(Recurrent):
    """Its final state is read off its outputs, so that a gradient in the state is one in the outputs as well."""

    def forward(self, *arguments, **keywords):
        outputs, state = super().forward(*arguments, **keywords)
        return outputs, state._replace(hidden=outputs.last())


def test_outputs_and_final_state_are_not_counted_twice():
    stack, batch = a_stack_and_batch("gru", [6])
    derived = Stack(F, H, "gru").double()
    derived.layers[0] = StateFromOutputs(stack.layers[0].cell)

    def final_hidden(model, batch):
        return LossSum(model(batch.inputs["x"])[1][0].hidden.square().sum(), 1.0)

    one, other = (gradient_flow(model, batch, loss=final_hidden).layers[0] for model in (stack, derived))
    assert one.state_gradients == pytest.approx(other.state_gradients, rel=1e-9)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden", [4, 66])
def test_every_cell_is_measured_exactly_and_by_estimate(cell, hidden):
    torch.manual_seed(0)
    stack = Stack(F, hidden, cell)
    layer = gradient_flow(stack, Batch({"x": Ragged(torch.randn(30, F), [14, 16])}), loss=last_step).layers[0]
    assert layer.factors is not None
    assert len(layer.factors.c) == 15
    assert all(0 <= c < 10 for c in layer.factors.c)
    assert layer.factors.error == pytest.approx(0.05, abs=0.02) if hidden > 64 else layer.factors.error == 0
    assert tuple(gate.name for gate in layer.gates) == stack.layers[0].cell.squashings


@pytest.mark.parametrize("options", [{"zoneout": 0.3}, {"recompute": True}, {"recurrent_dropout": 0.3}], ids=str)
def test_the_replay_computes_what_the_layer_computes_in_evaluation(options):
    stack, batch = a_stack_and_batch("lstm", [5, 0, 8], **options)
    (visit,) = capture(stack, batch, squares).visits
    looked = trace(stretches(visit))
    outputs, _ = stack.eval()(batch.inputs["x"])
    torch.testing.assert_close(looked.outputs[looked.layout.scatter], outputs.values, rtol=0, atol=1e-12)


# ---- theory ------------------------------------------------------------------------------------------


def controlled(radius: float, steps: int, hidden: int = 8, cell: str = "elman") -> tuple[nn.Module, Batch]:
    """An Elman net so near to zero that it is linear: every Jacobian is W, an orthogonal matrix times the radius."""
    stack = Stack(F, hidden, cell).double()
    with torch.no_grad():
        stack.layers[0].cell.weight_hh.copy_(radius * torch.linalg.qr(noise(hidden, hidden, seed=3))[0])
    return stack, Batch({"x": Ragged(1e-9 * noise(2 * steps, F), [steps, steps])})


def last_step(model, batch) -> LossSum:
    return LossSum(model(batch.inputs["x"])[0].last().sum(), 1.0)


@pytest.mark.parametrize(("radius", "steps"), [(0.9, 60), (1.5, 30)])
@pytest.mark.parametrize("hidden", [8, 96])  # exact Jacobians, and estimated ones
def test_on_a_net_of_known_radius_everything_measured_is_the_theory(radius, steps, hidden):
    layer = gradient_flow(*controlled(radius, steps, hidden), loss=last_step, sequences=2).layers[0]
    assert layer.decay is not None
    assert layer.factors is not None
    assert layer.factors.mean == pytest.approx(radius, rel=0.05)
    assert layer.factors.product[9] == pytest.approx(radius**10, rel=0.05)
    assert layer.decay.rate == pytest.approx(radius, rel=0.05)
    theory = math.log(2) / abs(math.log(radius))
    assert (layer.decay.half_life if radius < 1 else layer.decay.doubling_time) == pytest.approx(theory, rel=0.05)
    for pair in layer.pairs:
        assert pair.norm == pytest.approx(radius ** (pair.i - pair.k), rel=0.05)
    assert {pair.error > 0 for pair in layer.pairs} == {hidden > 64}


def test_truncation_loses_what_the_terms_beyond_it_are():
    stack, batch = a_stack_and_batch("elman", [6])
    layer = gradient_flow(stack, batch, loss=squares, losses=1, bptt_steps=3).layers[0]
    cell, (x,), (weight,) = stack.layers[0].cell, batch.inputs["x"], batch.inputs["weight"]

    def gradient(steps: int) -> Tensor:
        state = cell.initial_state(1)
        for t in range(6):
            state = state if t > 6 - steps else map_state(Tensor.detach, state)
            state = cell.step(x[t : t + 1], state)[1]
        loss = (state.hidden[0].square() * weight[-1]).sum()
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, cell.weights)])

    whole = gradient(6)
    for steps in (1, 2, 3, 5):
        share = float((whole - gradient(steps)).norm() / whole.norm())
        assert layer.lost[steps] == pytest.approx(share, rel=1e-9)
    assert layer.lost[10] == 0


# ---- refusals ----------------------------------------------------------------------------------------


def test_a_model_without_recurrent_layers_is_refused_with_a_remedy():
    _, batch = a_stack_and_batch("gru", [4])
    with pytest.raises(UnsupportedError, match="a cell such as 'lstm'"):
        gradient_flow(
            Convolutions(F, H).double(), batch, loss=lambda model, b: LossSum(model(b.inputs["x"])[0].values.sum(), 1.0)
        )


def test_a_batch_without_steps_is_refused():
    stack, batch = a_stack_and_batch("gru", [0, 0])
    with pytest.raises(OptionError, match="at least one step"):
        gradient_flow(stack, batch, loss=squares)


@pytest.mark.parametrize(
    "options", [{"sequences": 0}, {"losses": 0}, {"bptt_steps": -1}, {"learning_rate": 0.1, "updates": {}}], ids=str
)
def test_an_illegal_option_is_named(options):
    stack, batch = a_stack_and_batch("gru", [4])
    with pytest.raises(OptionError, match=next(iter(options))):
        gradient_flow(stack, batch, loss=squares, **options)


# ---- cost --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_norms_cost_at_most_two_and_a_half_training_steps():
    torch.manual_seed(0)
    steps, rows = 200, 32
    stack = Stack(64, 128, "lstm")
    batch = Batch({"x": Ragged(torch.randn(steps * rows, 64), [steps] * rows)})
    optimizer = torch.optim.AdamW(stack.parameters())

    def train() -> None:
        optimizer.zero_grad()
        stack(batch.inputs["x"])[0].values.square().sum().backward()
        optimizer.step()

    def look() -> None:
        gradient_flow(
            stack,
            batch,
            loss=lambda model, b: LossSum(model(b.inputs["x"])[0].values.square().sum(), 1.0),
            detail=False,
        )

    seconds = {train: math.inf, look: math.inf}
    for _ in range(12):  # in turns, on one thread, the best of each: the rest is what else the machine is doing
        for work in seconds:
            start = time.process_time()
            work()
            seconds[work] = min(seconds[work], time.process_time() - start)
    print(f"{seconds[look] / seconds[train]:.2f} training steps")
    assert seconds[look] <= 2.5 * seconds[train]
