"""Accumulation, truncated back-propagation and clipping: what gradient an update is made of."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.toy import Dealt, chunks, examples, gap, same, toy, train, weights
from unrolled.batch import Batch, LossSum
from unrolled.ragged import Ragged
from unrolled.state import map_state
from unrolled.training.bptt import detach
from unrolled.training.callbacks import Callback
from unrolled.training.clipping import clip_gradients, total_norm


class Gradients(Callback):
    """Keeps every update's gradient."""

    def __init__(self):
        self.seen = []

    def on_grad_computed(self, trainer, named_parameters):
        self.seen.append({name: parameter.grad.clone() for name, parameter in named_parameters})


def first_gradient(batches, **options):
    keep = Gradients()
    train(batches=batches, callbacks=[keep], epochs=1, **options)
    return keep.seen[0]


# ---- accumulation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5])
def test_accumulated_batches_equal_one_batch_of_their_union(size):
    data = examples(10)
    union = first_gradient(Dealt(data, 10, shuffle=False))
    added = first_gradient(Dealt(data, size, shuffle=False), accumulate=10 // size)
    assert gap(union, added) < 1e-6
    assert max(float(g.abs().max()) for g in union.values()) > 1e-3


def test_accumulation_weighs_by_real_counts_and_not_by_batches():
    data = examples(3, shortest=1, longest=9)
    assert len(set(data.lengths.tolist())) > 1
    added = first_gradient(Dealt(data, 1, shuffle=False), accumulate=3)
    parts = [first_gradient(Dealt(data.select([row]), 1)) for row in range(3)]
    mean_of_means = {name: sum(part[name] for part in parts) / 3 for name in added}
    weighted = {
        name: sum(part[name] * int(n) for part, n in zip(parts, data.lengths, strict=True)) / int(data.lengths.sum())
        for name in added
    }
    assert gap(added, weighted) < 1e-6 < gap(added, mean_of_means)


def test_batches_left_over_at_the_end_of_an_epoch_make_an_update():
    trainer, _ = train(batches=Dealt(examples(10), 2), accumulate=3, epochs=2)
    assert trainer.at.update == 4  # 3 + 2 batches, twice


# ---- truncated back-propagation ---------------------------------------------------------------------


@pytest.mark.parametrize("steps", [9, 10, 50])
def test_truncation_no_shorter_than_the_sequences_is_full_back_propagation(steps):
    data = examples(12, longest=9)
    assert same(train(batches=Dealt(data, 4))[1], train(batches=Dealt(data, 4, bptt=steps))[1])


def test_truncation_shorter_than_the_sequences_gives_another_gradient_of_the_same_loss():
    data = examples(4, shortest=8)
    full = first_gradient(Dealt(data, 4, shuffle=False))
    cut = first_gradient(Dealt(data, 4, shuffle=False, bptt=2), accumulate=5)
    assert gap(full, cut) > 1e-4  # the gradient does not look back as far,
    one, _ = train(batches=Dealt(data, 4, shuffle=False), epochs=1, accumulate=5)
    two, _ = train(batches=Dealt(data, 4, shuffle=False, bptt=2), epochs=1, accumulate=5)
    assert one.history.rows[0].train_loss == pytest.approx(two.history.rows[0].train_loss)  # but the state goes on


def test_the_carried_state_is_detached():
    received = []
    model = toy()
    inner = model.loss

    def loss(batch, state=None):
        if state is not None:
            received.append(state)
        result = inner(batch, state)
        assert result.state.hidden.requires_grad
        return result

    model.loss = loss
    train(model, Dealt(examples(4, shortest=5), 4, bptt=2))
    assert received
    assert not any(state.hidden.requires_grad for state in received)
    assert all(type(state).__name__ == "ToyState" for state in received)


def test_a_batch_that_does_not_carry_starts_from_no_state():
    got = []
    model = toy()
    inner = model.loss
    model.loss = lambda batch, state=None: (got.append((batch.carries, state is None)), inner(batch, state))[1]
    train(model, Dealt(examples(8, shortest=5), 4, bptt=2))
    assert (False, True) in got
    assert (True, False) in got
    assert set(got) == {(False, True), (True, False)}


def test_rows_reset_within_a_stream_are_trained_as_separate_sequences():
    data = examples(2, shortest=4, longest=4)
    values, targets = data.inputs["x"].values, data.targets.values
    stream = Batch(
        {"x": Ragged(values, [8])}, targets=Ragged(targets, [8]), reset=torch.arange(8) % 4 == 0, carries=False
    )
    apart = first_gradient(Dealt(data, 2, shuffle=False))
    joined = first_gradient(Dealt(stream, 1, shuffle=False))
    assert gap(apart, joined) < 1e-6


def test_detach_keeps_the_nesting_and_cuts_every_tensor():
    grown = torch.ones(2, requires_grad=True) * 2
    state = {"a": (grown, [grown, None]), "b": 3}
    cut = detach(state)
    assert cut["b"] == 3
    assert cut["a"][1][1] is None
    assert not cut["a"][0].requires_grad
    assert not cut["a"][1][0].requires_grad
    assert torch.equal(cut["a"][0], grown)
    assert map_state(lambda t: t, None) is None


def test_chunks_of_a_toy_batch_hold_every_step_once():
    data = examples(5)
    assert sum(part.num_steps for part in chunks(data, 2)) == data.num_steps


def test_a_batch_without_targets_makes_no_update():
    class Nothing(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = toy()

        def loss(self, batch, state=None):
            result = self.inner.loss(batch, state)
            return LossSum(result.total * 0, 0.0) if batch.batch_size == 2 else result

    trainer, _ = train(Nothing(), Dealt(examples(10), 4, shuffle=False), epochs=1)
    assert trainer.at.update == 2


# ---- clipping ---------------------------------------------------------------------------------------

vectors = st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=6)


@given(vectors, st.floats(0, 10), st.floats(0.01, 10))
def test_a_band_holds_the_norm_between_its_ends_and_keeps_the_direction(values, low, width):
    gradient = torch.tensor(values)
    before = gradient.clone()
    norm = clip_gradients([gradient], band=(low, low + width))
    after = total_norm([gradient])
    assert norm == pytest.approx(float(before.norm()), rel=1e-5)
    if norm == 0:
        assert torch.equal(gradient, before)
    elif norm > 1e-25:
        assert low * (1 - 1e-4) <= after <= (low + width) * (1 + 1e-4)
        assert torch.allclose(gradient * norm, before * after, rtol=1e-3, atol=1e-4 * norm * after)


@given(vectors, st.floats(0.01, 10))
def test_clipping_by_norm_only_ever_shrinks(values, limit):
    gradient = torch.tensor(values)
    norm = clip_gradients([gradient], max_norm=limit)
    assert total_norm([gradient]) == pytest.approx(min(norm, limit), rel=1e-4, abs=1e-30)


@given(vectors, st.floats(0.01, 10))
def test_clipping_by_value_limits_every_element_and_reports_the_norm_before(values, limit):
    gradient = torch.tensor(values)
    before = gradient.clone()
    assert clip_gradients([gradient], value=limit) == pytest.approx(float(before.norm()), rel=1e-5)
    assert torch.equal(gradient, before.clamp(-limit, limit))


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf, 1e-40])
def test_a_norm_without_a_direction_is_left_alone(value):
    gradient = torch.tensor([value, 0.0])
    clip_gradients([gradient], band=(1.0, 2.0))
    assert torch.equal(gradient, torch.tensor([value, 0.0])) or math.isnan(value)
    assert gradient[1] == 0


def test_no_gradient_at_all_has_norm_zero():
    assert clip_gradients([], max_norm=1.0) == 0.0


def test_the_history_reports_the_norm_before_clipping():
    trainer, clipped = train(max_grad_norm=0.01)
    free_trainer, free = train(max_grad_norm=0.0)
    assert trainer.history.rows[0].grad_norm > 0.02
    assert free_trainer.history.rows[0].grad_norm > 0.02
    assert not same(clipped, free)


def test_the_hook_between_backward_and_step_sees_the_gradient_of_the_mean_loss():
    data = examples(4)
    model = toy()
    result = model.loss(data)
    (result.total / result.count).backward()
    want = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    assert gap(first_gradient(Dealt(data, 4, shuffle=False), max_grad_norm=1e-3), want) < 1e-6


def test_a_hook_may_change_the_gradient():
    class Zero(Callback):
        def on_grad_computed(self, trainer, named_parameters):
            for _, parameter in named_parameters:
                parameter.grad = torch.zeros_like(parameter.grad)

    _, after = train(callbacks=[Zero()], optimizer="sgd", weight_decay=0)
    assert same(after, weights(toy()))
