"""The checks of a model catch every planted fault, and are silent on every healthy model."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from random_sequences import shake, some_ragged
from unrolled.cells.registry import CELLS, make_cell
from unrolled.errors import DataError
from unrolled.inspection.checks import (
    batch_mates_matter,
    forgets_state_between_calls,
    leaks_state_between_sequences,
    looks_into_the_future,
    padding_changes_results,
)
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.pooling import POOLINGS, make_pooling
from unrolled.nn.stack import Stack
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

F, H = 3, 4
LENGTHS = [4, 0, 2, 5]
HEALTHY: dict[str, Callable[[], nn.Module]] = {
    **{name: partial(Stack, F, H, name) for name in CELLS},
    "two layers": partial(Stack, F, H, "lstm", num_layers=2, dropout=0.5, recurrent_dropout=0.5, zoneout=0.2),
    "learnt state": partial(Stack, F, H, "gru", learn_initial_state=True),
    "convolution": partial(Convolutions, F, H, dropout=0.5),
}


def some_inputs(lengths: list[int] = LENGTHS) -> Ragged:
    return some_ragged(lengths, F, dtype=torch.float32)


def padded(model: nn.Module) -> Callable:
    """A model's face for padded tensors, by way of the real steps."""

    def face(dense, lengths):
        outputs, _ = model(Ragged.from_padded(dense, lengths))
        return outputs.padded()

    return face


# ---- silence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_model_gives_no_finding(name):
    model, inputs = shake(HEALTHY[name]()), some_inputs()
    assert looks_into_the_future(model, inputs) is None
    assert batch_mates_matter(model, inputs) is None
    assert leaks_state_between_sequences(model, inputs) is None
    assert forgets_state_between_calls(model, inputs) is None
    assert padding_changes_results(padded(model), inputs) is None


@pytest.mark.parametrize("pooling", POOLINGS)
def test_one_answer_for_each_sequence_is_checked_as_well(pooling):
    stack, pool = Stack(F, H, "gru", bidirectional=True), make_pooling(pooling, 2 * H, range(H, 2 * H))

    def model(inputs):
        return pool(stack(inputs)[0])

    inputs = some_inputs()
    assert batch_mates_matter(model, inputs) is None
    assert leaks_state_between_sequences(model, inputs) is None
    assert padding_changes_results(lambda dense, n: model(Ragged.from_padded(dense, n)), inputs) is None


@given(lengths=st.lists(st.integers(1, 12), min_size=2, max_size=5))
def test_no_lengths_make_a_healthy_model_look_broken(lengths):
    model, inputs = Stack(F, H, "lstm"), some_inputs(lengths)
    assert batch_mates_matter(model, inputs) is None
    assert leaks_state_between_sequences(model, inputs) is None


def test_noise_in_a_model_is_not_taken_for_a_fault():
    def noisy(inputs):
        return inputs.map(nn.functional.dropout)

    inputs = some_inputs()
    assert looks_into_the_future(noisy, inputs) is None
    assert leaks_state_between_sequences(noisy, inputs) is None


def test_a_check_leaves_the_model_and_the_random_numbers_as_they_were():
    model = nn.Sequential(nn.Linear(F, H), nn.Dropout(0.5))
    model[0].eval()
    before = torch.get_rng_state()
    looks_into_the_future(lambda inputs: inputs.map(model), some_inputs())
    batch_mates_matter(Stack(F, H), some_inputs())
    after_construction = torch.get_rng_state()
    torch.set_rng_state(before)
    Stack(F, H)  # draws its weights
    assert torch.equal(torch.get_rng_state(), after_construction)
    stack = Stack(F, H, num_layers=2, dropout=0.5)
    stack.layers[0].eval()
    batch_mates_matter(stack, some_inputs())
    assert [module.training for module in (stack, *stack.layers)] == [True, False, True]


# ---- planted faults ----------------------------------------------------------------------------------


@given(length=st.integers(2, 40), ahead=st.integers(1, 3))
def test_a_single_step_of_foresight_is_found(length, ahead):
    def shifted(inputs):
        rows = [torch.cat([row[ahead:], row[:1].expand(min(ahead, len(row)), -1)]) for row in inputs]
        return inputs.with_values(torch.cat(rows))

    inputs = some_inputs([length])
    finding = looks_into_the_future(shifted, inputs)
    # an output sees no later input where the sequence ends before it
    assert (finding is None) == (ahead >= length)


def test_foresight_in_symbols_is_found():
    def next_symbol(inputs):
        return inputs.with_values(inputs.values.roll(-1).float())

    finding = looks_into_the_future(next_symbol, Ragged(torch.tensor([0, 1, 0, 2, 2]), [5]))
    assert finding is not None
    assert finding.gap >= 1


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_a_bidirectional_layer_is_found_to_look_ahead_and_not_to_carry_its_state(cell):
    model, inputs = Stack(F, H, cell, bidirectional=True), some_inputs()
    assert "looks into the future" in str(looks_into_the_future(model, inputs))
    assert "in two parts" in str(forgets_state_between_calls(model, inputs))


def test_normalising_over_the_batch_is_found():
    def centred(inputs):
        return inputs.map(lambda values: values - values.mean(0))

    assert "alone" in str(batch_mates_matter(centred, some_inputs()))


class Stateful(nn.Module):
    """Keeps its state in itself, as `stateful=True` has it."""

    def __init__(self):
        super().__init__()
        self.cell, self.state = make_cell("gru", F, H), None

    def forward(self, inputs):
        outputs, self.state = unroll(self.cell, inputs, self.state)
        return outputs


def test_state_kept_in_the_model_is_found():
    finding = leaks_state_between_sequences(Stateful(), some_inputs())
    assert finding is not None
    assert "state is kept in the model" in finding.sentence


@pytest.mark.parametrize("name", CELLS)
def test_sequences_laid_end_to_end_are_found_unless_each_restarts(name):
    cell = shake(make_cell(name, F, H))

    def stream(inputs, restarts):
        firsts = inputs.positions == 0
        outputs, _ = unroll(cell, Ragged(inputs.values, [inputs.num_steps]), reset=firsts if restarts else None)
        return inputs.with_values(outputs.values)

    leaky = leaks_state_between_sequences(partial(stream, restarts=False), some_inputs())
    assert "state leaks from one sequence into the next" in str(leaky)
    assert leaks_state_between_sequences(partial(stream, restarts=True), some_inputs()) is None


@pytest.mark.parametrize("name", CELLS)
def test_a_state_that_is_dropped_is_found(name):
    model = shake(Stack(F, H, name))
    finding = forgets_state_between_calls(lambda inputs, state: model(inputs), some_inputs())
    assert "cleared at every call" in str(finding)


def test_a_state_of_one_layer_out_of_two_is_found():
    model = shake(Stack(F, H, "gru", num_layers=2))

    def half(inputs, state):
        start = None if state is None else (state[0], model.initial_state(inputs.batch_size)[1])
        return model(inputs, start)

    assert "return every layer's state" in str(forgets_state_between_calls(half, some_inputs()))


def test_padding_read_as_steps_is_found_in_means_and_in_last_states():
    layer = nn.GRU(F, H, batch_first=True)
    with_lengths = padding_changes_results(lambda dense, n: layer(dense)[0], some_inputs())
    assert with_lengths is None  # real steps come before the padding
    assert "Padding changes" in str(padding_changes_results(lambda dense, n: layer(dense)[0][:, -1], some_inputs()))
    assert "Padding changes" in str(padding_changes_results(lambda dense, n: dense.mean(1), some_inputs()))


def test_padding_seen_backwards_is_found():
    layer = nn.GRU(F, H, batch_first=True, bidirectional=True)
    assert "Padding changes" in str(padding_changes_results(lambda dense, n: layer(dense)[0], some_inputs()))


def test_an_answer_that_is_not_a_number_is_a_difference():
    def spoilt(dense, lengths):
        return dense / lengths[:, None, None] if dense.shape[1] == max(LENGTHS) else dense / 0 * 0

    finding = padding_changes_results(spoilt, some_inputs())
    assert finding is not None
    assert finding.gap == torch.inf


# ---- records and refusals ----------------------------------------------------------------------------


def test_a_finding_prints_as_its_sentence_and_goes_into_json():
    finding = looks_into_the_future(Stack(F, H, bidirectional=True), some_inputs())
    assert finding is not None
    assert str(finding) == finding.sentence
    assert finding.to_json() == {"check": "looks_into_the_future", "sentence": finding.sentence, "gap": finding.gap}


@pytest.mark.parametrize(
    ("check", "inputs"),
    [
        (looks_into_the_future, some_inputs([1, 1])),
        (looks_into_the_future, Ragged(torch.tensor([3, 3, 3]), [3])),
        (batch_mates_matter, some_inputs([5, 0])),
        (leaks_state_between_sequences, some_inputs([5])),
        (forgets_state_between_calls, some_inputs([1, 0, 1])),
        (padding_changes_results, some_inputs([0])),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_inputs_on_which_nothing_could_be_seen_are_refused(check, inputs):
    with pytest.raises(DataError, match=r"inputs: expected .*; pass a larger batch"):
        check(lambda *arguments: inputs, inputs)


def test_a_model_without_an_answer_at_every_step_is_not_asked_whether_it_looks_ahead():
    with pytest.raises(DataError, match="answers at every step"):
        looks_into_the_future(lambda inputs: inputs.last(), some_inputs())
