"""The laws of sequence layers and poolings: Stack in many configurations, and the convolution rival."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from random_sequences import assert_close, differ, noise, seeds, shake, some_lengths, some_ragged, tensors_of
from unrolled.cells.registry import CELLS
from unrolled.errors import OptionError, ShapeError, UnsupportedError
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.layers import BothWays, count_weights, lstm_weights, make_layers
from unrolled.nn.pooling import POOLINGS, make_pooling
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged
from unrolled.state import map_state

F, H = 3, 4
CAUSAL: dict[str, Callable[[], Any]] = {
    **{cell: lambda cell=cell: Stack(F, H, cell) for cell in CELLS},
    "two layers": lambda: Stack(F, H, "lstm", num_layers=2),
    "two projected layers": lambda: Stack(F, H, "lstm_projected", num_layers=2, dropout=0.3, layer_norm=True),
    "everything": lambda: Stack(
        H, H, "gru", 3, dropout=0.3, variational=True, layer_norm=True, residual=True, learn_initial_state=True
    ),
    "noisy": lambda: Stack(H, H, "gru", 2, recurrent_dropout=0.3, zoneout=0.2, residual=True),
    "conv": lambda: Convolutions(F, H, num_layers=3, kernel_size=2),
    "conv, residual from the start": lambda: Convolutions(H, H, num_layers=2, dropout=0.3),
    "conv of one tap": lambda: Convolutions(F, H, num_layers=2, kernel_size=1),
    "conv by name": lambda: make_layers("conv", F, H, num_layers=2),
    "recurrent and convolutions": lambda: make_layers("gru", F, 2 * H, convolutions=True),
}
LOOKING_AHEAD: dict[str, Callable[[], Any]] = {
    "bidirectional": lambda: Stack(F, H, "lstm", bidirectional=True),
    "bidirectional everything": lambda: Stack(
        2 * H, H, "gru", 2, True, 0.3, layer_norm=True, residual=True, learn_initial_state=True
    ),
    "bidirectional noisy": lambda: Stack(F, H, "lstm", 2, True, recurrent_dropout=0.3, zoneout=0.2),
    "conv both ways": lambda: make_layers("conv", F, H, bidirectional=True),
    "conv, centred": lambda: Convolutions(F, H, num_layers=2, causal=False),
    "conv, centred, of two taps": lambda: Convolutions(H, H, 2, 2, dropout=0.3, causal=False),
    "both ways and convolutions": lambda: make_layers("gru", F, 2 * H, bidirectional=True, convolutions=True),
}
LAYERS = CAUSAL | LOOKING_AHEAD
causal = pytest.mark.parametrize("name", CAUSAL)
looking_ahead = pytest.mark.parametrize("name", LOOKING_AHEAD)
every = pytest.mark.parametrize("name", LAYERS)


def a_layer(name: str, seed: int = 0) -> Any:
    return shake(LAYERS[name]().double(), seed).eval()


def width_of(layer: Any) -> int:
    return layer.ahead.input_size if isinstance(layer, BothWays) else layer.input_size


def inputs_for(layer: Any, lengths: list[int], seed: int = 0) -> Ragged:
    return some_ragged(lengths, width_of(layer), seed)


def rows_of(state: Any, rows: Any) -> Any:
    return map_state(lambda field: field[rows], state)


# ---- the laws ---------------------------------------------------------------------------------------


@every
@given(lengths=some_lengths(), seed=seeds)
@settings(max_examples=8)
def test_outputs_have_the_lengths_of_the_inputs_and_the_width_that_is_told(name, lengths, seed):
    layer = a_layer(name)
    outputs, _ = layer(inputs_for(layer, lengths, seed))
    assert outputs.lengths.tolist() == lengths
    assert outputs.values.shape == (sum(lengths), layer.output_size)
    assert layer.causal == (name in CAUSAL)


@causal
@given(lengths=some_lengths(), cuts=st.lists(st.integers(0, 6), max_size=3), seed=seeds)
@settings(max_examples=10)
def test_chunks_that_hand_the_state_on_equal_one_pass(name, lengths, cuts, seed):
    layer = a_layer(name, seed)
    inputs = inputs_for(layer, lengths, seed)
    whole, final = layer(inputs)
    state = None
    for start, stop in pairwise([0, *sorted(cuts), 9]):
        outputs, state = layer(inputs.slice(start, stop), state)
        assert_close(outputs, whole.slice(start, stop))
    assert_close(state, final)


@causal
@given(lengths=some_lengths(min_size=1), seed=seeds)
@settings(max_examples=10)
def test_single_steps_equal_one_pass_even_in_training_mode(name, lengths, seed):
    layer = a_layer(name, seed)
    inputs = inputs_for(layer, lengths, seed)
    whole, final = layer(inputs)
    state = layer.initial_state(len(lengths))
    for t in range(inputs.max_length):
        alive = inputs.lengths > t
        outputs, after = layer.step(inputs.values[inputs.positions == t], rows_of(state, alive))
        assert_close(outputs, whole.values[inputs.positions == t])
        state = map_state(lambda old, new, alive=alive: old.index_put((alive.nonzero().squeeze(1),), new), state, after)
    assert_close(state, final)


@every
@given(lengths=some_lengths(min_size=1), seed=seeds, data=st.data())
@settings(max_examples=8)
def test_a_result_depends_neither_on_batch_mates_nor_on_their_order(name, lengths, seed, data):
    layer = a_layer(name, seed)
    inputs = inputs_for(layer, lengths, seed)
    rows = torch.tensor(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=6)))
    outputs, state = layer(inputs)
    fewer, fewer_state = layer(inputs.select(rows))
    assert_close(fewer, outputs.select(rows))
    assert_close(fewer_state, rows_of(state, rows))


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "conv both ways"])
@given(lengths=some_lengths(min_size=1), seed=seeds)
@settings(max_examples=8)
def test_sequences_joined_by_resets_equal_sequences_apart(name, lengths, seed):
    layer = a_layer(name, seed)
    apart = inputs_for(layer, lengths, seed)
    joined = Ragged(apart.values, [apart.num_steps])
    got, state = layer(joined, None, apart.positions == 0)
    want, want_state = layer(apart)
    assert_close(got.values, want.values)
    if name in CAUSAL and apart.num_steps:
        last = max(row for row, length in enumerate(lengths) if length)
        assert_close(state, rows_of(want_state, [last]))


@every
def test_gradients_reach_every_weight_and_every_step_that_is_seen(name):
    layer = a_layer(name)
    inputs = inputs_for(layer, [3, 0, 4])
    values = inputs.values.requires_grad_()
    outputs, _ = layer(inputs.with_values(values))
    first = outputs.offsets[0]
    outputs.values[first].square().sum().backward()
    reach = values.grad.abs().sum(1) > 0
    assert reach.tolist() == [True, *([name in LOOKING_AHEAD] * 2), *([False] * 4)]
    layer.zero_grad()
    outputs, _ = layer(inputs)
    outputs.values.pow(2).sum().backward()
    still = [key for key, weight in layer.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still


@looking_ahead
def test_a_layer_that_looks_ahead_refuses_to_step_and_names_the_remedy(name):
    layer = a_layer(name)
    with pytest.raises(UnsupportedError, match="cannot be stepped; train with bidirectional=False"):
        layer.step(noise(2, width_of(layer)), layer.initial_state(2))


@every
def test_inputs_of_another_width_are_refused(name):
    layer = a_layer(name)
    with pytest.raises(ShapeError, match="inputs: expected"):
        layer(some_ragged([2, 1], width_of(layer) + 1))


@every
def test_the_initial_state_is_the_state_of_no_steps(name):
    layer = a_layer(name)
    _, state = layer(inputs_for(layer, [0, 0]))
    assert_close(state, layer.initial_state(2))
    assert all(len(field) == 2 for field in tensors_of(state))


@pytest.mark.parametrize("name", [name for name in LAYERS if "conv" not in name])
def test_a_carried_state_changes_the_outputs(name):
    layer = a_layer(name)
    inputs = inputs_for(layer, [2])
    _, state = layer(inputs)
    assert differ(layer(inputs, state)[0].values, layer(inputs)[0].values)


# ---- Stack ------------------------------------------------------------------------------------------


def test_a_bidirectional_stack_equals_torchs():
    theirs = torch.nn.LSTM(F, H, num_layers=2, bidirectional=True).double()
    stack = Stack(F, H, "lstm", num_layers=2, bidirectional=True).double()
    for index, layer in enumerate(stack.layers):
        layer.forward_cell = type(layer.forward_cell).from_torch(theirs, index)
        layer.backward_cell = type(layer.backward_cell).from_torch(theirs, index, reverse=True)
    inputs = some_ragged([3, 5, 1], F)
    packed = torch.nn.utils.rnn.pack_sequence(list(inputs), enforce_sorted=False)
    want, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    assert_close(stack(inputs)[0].padded(), want)


BASE = {"num_layers": 2, "dropout": 0.5}
CHANGES = [
    ({}, {"hidden_size": H + 1}),
    ({}, {"cell": "gru"}),
    ({}, {"num_layers": 3}),
    ({}, {"bidirectional": True}),
    ({}, {"dropout": 0.1}),
    ({}, {"variational": True}),
    ({}, {"layer_norm": True}),
    ({}, {"residual": True}),
    ({}, {"recurrent_dropout": 0.5}),
    ({}, {"zoneout": 0.5}),
    ({"bidirectional": True, "input_size": 2 * H, "num_layers": 1, "dropout": 0.0}, {"residual": True}),
]


@pytest.mark.parametrize(("base", "change"), CHANGES, ids=str)
def test_every_option_of_a_stack_changes_what_it_says(base, change):
    outputs = []
    for options in (BASE | base, BASE | base | change):
        torch.manual_seed(3)
        stack = Stack(**({"input_size": F, "hidden_size": H} | options)).train()
        torch.manual_seed(4)
        outputs.append(stack(some_ragged([6, 5, 2], stack.input_size, dtype=torch.float32))[0].values)
    assert differ(*outputs)


def test_a_learnt_initial_state_is_learnt():
    for learn in (False, True):
        stack = Stack(F, H, "lstm", num_layers=2, learn_initial_state=learn)
        stack(some_ragged([2], F, dtype=torch.float32))[0].values.sum().backward()
        learnt = [weight for name, weight in stack.named_parameters() if "initial" in name]
        assert len(learnt) == 4 * learn
        assert all(weight.grad.any() for weight in learnt)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dropout": 0.5}, "dropout: expected num_layers >= 2, received 0.5; it would change nothing here"),
        ({"layer_norm": True}, "layer_norm: expected num_layers >= 2"),
        ({"variational": True}, "variational: expected dropout > 0"),
        ({"residual": True}, f"residual: expected a layer that reads {H} features"),
        ({"num_layers": 0}, "num_layers: expected an integer from 1 to 1000, received 0"),
        ({"num_layers": 2**31}, "num_layers: expected an integer from 1 to 1000, received 2147483648"),
        ({"num_layers": 2, "dropout": 1.0}, r"dropout: expected a number in \[0, 1\), received 1.0"),
        ({"cell": "lsmt"}, "did you mean 'lstm'"),
        ({"hidden_size": 0}, "hidden_size: expected an integer >= 1, received 0"),
    ],
)
def test_options_that_are_wrong_or_would_change_nothing_are_refused(options, says):
    with pytest.raises(OptionError, match=says):
        Stack(**({"input_size": F, "hidden_size": H} | options))


def test_a_state_of_another_number_of_layers_is_refused():
    stack = Stack(F, H, "gru", num_layers=2)
    with pytest.raises(ShapeError, match="state: expected 2 layers, received 3"):
        stack(some_ragged([2], F, dtype=torch.float32), Stack(F, H, "gru", num_layers=3).initial_state(1))


def masks_of(variational: bool) -> Ragged:
    """Which values between two layers a training pass dropped: (N, H) of 0 and 2."""
    stack = Stack(F, 50, "gru", num_layers=2, dropout=0.5, variational=variational).train()
    return some_ragged([4, 0, 5], 50).with_values(
        stack._between(1, Ragged(torch.ones(9, 50), torch.tensor([4, 0, 5]))).detach()
    )


def test_a_variational_mask_is_constant_over_time_and_differs_by_sequence():
    masks = masks_of(variational=True)
    assert set(masks.values.unique().tolist()) == {0.0, 2.0}
    for sequence in masks:
        assert all(torch.equal(step, sequence[0]) for step in sequence)
    assert not torch.equal(masks[0][0], masks[2][0])


def test_an_ordinary_mask_is_drawn_at_every_step():
    masks = masks_of(variational=False)
    assert set(masks.values.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(masks[0][0], masks[0][1])


@pytest.mark.parametrize("name", ["everything", "bidirectional everything", "noisy", "conv, residual from the start"])
def test_dropout_acts_in_training_only(name):
    layer = a_layer(name)
    inputs = inputs_for(layer, [3, 2])
    assert_close(layer(inputs)[0], layer(inputs)[0])
    layer.train()
    assert differ(layer(inputs)[0].values, layer(inputs)[0].values)


# ---- the convolution rival ----------------------------------------------------------------------------


@pytest.mark.parametrize(("num_layers", "kernel_size"), [(1, 3), (3, 2), (2, 1)])
def test_a_convolution_sees_as_far_back_as_it_says(num_layers, kernel_size):
    layer = shake(Convolutions(F, 16, num_layers, kernel_size).double())
    sees = (kernel_size - 1) * (2**num_layers - 1) + 1
    values = noise(20, F).requires_grad_()
    outputs, _ = layer(Ragged(values, [20]))
    outputs.values[-1].square().sum().backward()
    reach = values.grad.abs().sum(1).nonzero().squeeze(1)
    assert reach.min() == 20 - sees


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("hidden_size", [8, 40])
def test_the_rival_has_as_many_weights_as_the_lstm_it_stands_beside(hidden_size, num_layers):
    budget = count_weights(Stack(10, hidden_size, "lstm", num_layers))
    rival = make_layers("conv", 10, hidden_size, num_layers=num_layers)
    assert 0.6 * budget < count_weights(rival) <= budget


def test_layers_are_made_by_name():
    stack = make_layers("gru", F, H, num_layers=2, dropout=0.3, residual=True)
    assert (len(stack.layers), stack.dropout, stack.residual) == (2, 0.3, True)
    assert make_layers("gru", F, H, dropout=0.3).dropout == 0  # nothing lies between the layers of one
    assert make_layers("conv", F, H, dropout=0.3).dropout == 0.3
    with pytest.raises(OptionError, match="did you mean 'conv'"):
        make_layers("konv", F, H)


@pytest.mark.parametrize("options", [{"kernel_size": 0}, {"num_layers": 0}, {"dropout": 1.0}, {"hidden_size": 0}])
def test_illegal_convolutions_are_refused(options):
    with pytest.raises(OptionError, match=f"{next(iter(options))}: expected"):
        Convolutions(**({"input_size": F, "hidden_size": H} | options))


def test_a_two_way_convolution_refuses_restarts():
    layer = LAYERS["conv both ways"]()
    with pytest.raises(UnsupportedError, match="pass whole sequences"):
        layer(some_ragged([2], F, dtype=torch.float32), None, torch.tensor([True, False]))


# ---- poolings -------------------------------------------------------------------------------------------

poolings = pytest.mark.parametrize("pooling", POOLINGS)


def a_pooling(pooling: str, causal: bool = True) -> Any:
    return shake(make_pooling(pooling, H, range(0) if causal else range(H // 2, H)).double())


@poolings
@given(lengths=some_lengths(min_size=1), seed=seeds)
@settings(max_examples=15)
def test_the_running_answer_is_the_pooling_of_the_prefix(pooling, lengths, seed):
    pool, outputs = a_pooling(pooling), some_ragged(lengths, H, seed)
    for sequence in outputs:
        state = pool.initial_state(1, outputs.values)
        for t, step in enumerate(sequence):
            answer, state = pool.step(step[None], state)
            assert_close(answer, pool(Ragged(sequence[: t + 1], [t + 1])))


@poolings
@given(lengths=some_lengths(), seed=seeds)
@settings(max_examples=15)
def test_each_sequence_is_pooled_by_itself_and_an_empty_one_gives_zeros(pooling, lengths, seed):
    pool, outputs = a_pooling(pooling), some_ragged(lengths, H, seed)
    pooled = pool(outputs)
    assert pooled.shape == (len(lengths), pool.output_size)
    for row, sequence in zip(pooled, outputs, strict=True):
        want = pool(Ragged(sequence, [len(sequence)]))[0] if len(sequence) else torch.zeros_like(row)
        assert_close(row, want)


def test_poolings_are_what_their_names_say():
    outputs = some_ragged([3, 1], H)
    for name, want in {
        "last": lambda s: s[-1],
        "mean": lambda s: s.mean(0),
        "max": lambda s: s.amax(0),
    }.items():
        assert_close(a_pooling(name)(outputs), torch.stack([want(sequence) for sequence in outputs]))
    attention = a_pooling("attention")
    want = [attention.score(sequence).softmax(0).T @ sequence for sequence in outputs]
    assert_close(attention(outputs), torch.cat(want))


def test_the_last_step_of_a_layer_that_looks_ahead_is_the_last_of_each_direction():
    outputs = some_ragged([3, 0, 1], H)
    pooled = a_pooling("last", causal=False)(outputs)
    assert_close(pooled[0], torch.cat([outputs[0][-1, : H // 2], outputs[0][0, H // 2 :]]))
    assert not pooled[1].any()
    assert_close(pooled[2], outputs[2][0])


@given(lengths=some_lengths(), seed=seeds)
def test_attention_weights_sum_to_one_even_for_huge_scores(lengths, seed):
    attention, outputs = a_pooling("attention"), some_ragged(lengths, H, seed)
    attention.score[2].weight.data *= 1e4
    weights = outputs.with_values(attention.weights(outputs))
    assert all(sequence.sum().isclose(torch.tensor(1.0).double()) for sequence in weights if len(sequence))


@poolings
def test_poolings_pass_gradients_to_what_they_read(pooling):
    pool, values = a_pooling(pooling), noise(5, H).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: pool(Ragged(v, [3, 0, 2])), (values,))
    pool(Ragged(values, [3, 0, 2])).square().sum().backward()
    assert values.grad[[2, 4]].any()
    assert (not values.grad[:2].any()) == (pooling == "last")


def test_an_unknown_pooling_is_answered_with_the_nearest():
    with pytest.raises(OptionError, match=r"pooling: .* did you mean 'mean'"):
        make_pooling("meam", H)


@pytest.mark.parametrize(("features", "size", "layers"), [(1, 1, 1), (3, 5, 1), (3, 5, 4), (7, 2, 2)])
def test_weights_are_counted_without_a_net(features, size, layers):
    assert lstm_weights(features, size, layers) == count_weights(Stack(features, size, "lstm", layers))
    assert Convolutions.num_weights(features, size) == count_weights(Convolutions(features, size))
