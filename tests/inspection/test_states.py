"""States seen from outside are the model's own: by stepping, by the layer's output, with resets and starts."""

import pytest
import torch
from hypothesis import given, settings

from random_sequences import assert_close, noise, seeds, shake, some_lengths
from small_models import MODELS, F, H, a_batch, a_model, inputs
from unrolled.arrangements.many_to_many import ManyToMany, NextStep
from unrolled.arrangements.many_to_one import ManyToOneState
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.batch import Batch
from unrolled.errors import UnsupportedError
from unrolled.inspection.states import states
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.heads import ClassOutput
from unrolled.nn.stack import Stack

CAUSAL = [name for name in MODELS if "bidirectional" not in name]
every = pytest.mark.parametrize("name", MODELS)


@pytest.mark.parametrize("name", CAUSAL)
@given(lengths=some_lengths(min_size=1), seed=seeds)
@settings(max_examples=5)
def test_states_equal_stepping_the_model(name, lengths, seed):
    model = a_model(name, seed)
    batch = a_batch(model, lengths, seed)
    seen = states(model, batch)
    for row, length in enumerate(lengths):
        one = batch.select([row])
        state = model.first_state(one) if isinstance(model, OneToMany) else model.initial_state(1)
        for t in range(length):
            _, state = model.step(one.slice_time(t, t + 1), state)
            of_layers = state.layers if isinstance(state, ManyToOneState) else state
            for layer, fields in zip(seen.layers, of_layers, strict=True):
                for field, value in fields._asdict().items():
                    assert_close(layer.fields[field][row][t], value[0].detach())


@every
def test_what_the_last_layer_shows_is_what_the_stack_puts_out(name):
    model = a_model(name)
    batch = a_batch(model, [4, 0, 6])
    outputs = []
    hook = model.layers.register_forward_hook(lambda module, given, made: outputs.append(made[0]))
    seen = states(model, batch)
    hook.remove()
    last = [layer.outputs.values for layer in seen.layers if layer.layer == seen.layers[-1].layer]
    assert_close(torch.cat(last, 1), outputs[0].values)


@every
def test_every_layer_and_direction_is_there_once_with_the_batch_s_lengths(name):
    model = a_model(name)
    batch = a_batch(model, [2, 5])
    places = [(layer.layer, layer.direction) for layer in states(model, batch).layers]
    directions = ["forward", "backward"] if "bidirectional" in name else ["forward"]
    assert places == [(number, way) for number in range(len(model.layers.layers)) for way in directions]
    for layer in states(model, batch).layers:
        assert layer.fields["hidden"].values.shape == (7, H)
        assert all(torch.equal(values.lengths, batch.lengths) for values in layer.everything.values())


def test_a_sequence_s_states_do_not_depend_on_who_shares_the_batch():
    model = a_model("many to many, two bidirectional layers")
    batch = a_batch(model, [3, 7, 1])
    together, alone = states(model, batch), states(model, batch.select([0]))
    for both, one in zip(together.layers, alone.layers, strict=True):
        assert_close(both.fields["hidden"][0], one.fields["hidden"][0])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_restart_where_the_batch_says_so(bidirectional):
    model = shake(ManyToMany(inputs(), Stack(F, H, "gru", bidirectional=bidirectional), ClassOutput(2)).double()).eval()
    batch = a_batch(model, [6])
    cut = Batch(batch.inputs, reset=torch.tensor([False, False, True, False, False, False]))
    parts = [batch.slice_time(0, 2), batch.slice_time(2, 6)]
    for number, layer in enumerate(states(model, cut).layers):
        apart = [states(model, part).layers[number].fields["hidden"].values for part in parts]
        assert_close(layer.fields["hidden"].values, torch.cat(apart))


def test_zoneout_is_seen_as_its_expectation():
    model = shake(NextStep(inputs(), Stack(F, H, "lstm", zoneout=0.3), ClassOutput(2)).double()).eval()
    batch = a_batch(model, [4])
    _, (final,) = model(batch)
    assert_close(states(model, batch).layers[0].fields["cell"].last(), final.cell.detach())


def test_looking_leaves_the_model_as_it_was():
    model = a_model("many to one, max").train()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    states(model, a_batch(model, [3]))
    assert model.training
    assert not any(layer._forward_pre_hooks for layer in model.layers.layers)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_states_become_plain_values():
    data = states(a_model("one to many"), a_batch(a_model("one to many"), [2, 0])).to_json()
    first = data["layers"][0]
    assert (first["cell"], first["direction"], list(first["gates"])) == (
        "LSTM",
        "forward",
        ["store", "forget", "output"],
    )
    assert [len(sequence) for sequence in first["fields"]["cell"]] == [2, 0]


def test_a_model_without_recurrence_is_refused_in_a_sentence():
    model = ManyToMany(inputs(), Convolutions(F, H, 1), ClassOutput(2))
    with pytest.raises(UnsupportedError, match="Convolutions; use a cell"):
        states(model, Batch({"x": a_batch(a_model("next step"), [2]).inputs["x"].with_values(noise(2, F).float())}))
