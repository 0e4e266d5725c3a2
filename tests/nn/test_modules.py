"""unrolled.nn's LSTM, GRU and RNN are torch.nn's: same weights, same answers, same gradients, whichever kernel runs."""

import copy
import inspect
import io
import pickle
from functools import partial
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import unrolled.nn
from crossing import crossed, spread
from random_sequences import noise, seeds, some_lengths, some_ragged
from torch_twins import (
    KINDS,
    TOLERANCE,
    F,
    H,
    assert_answers_alone,
    assert_same,
    dtypes,
    fields_of,
    hx_of,
    kernels,
    kinds,
    near,
    pair,
    state_for,
)
from unrolled.ragged import Ragged

# ---- the same answers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "layers", "bidirectional", "kernel"),
    spread(crossed(KINDS, product([1, 2, 3], [False, True], ["auto", "reference"]))),
)
def test_every_constructor_option_gives_torchs_answers_and_gradients(kind, layers, bidirectional, kernel):
    for batch_first, bias, dropout, dtype in product(
        [False, True], [False, True], [0.0, 0.5] if layers > 1 else [0.0], TOLERANCE
    ):
        options = {"batch_first": batch_first, "bias": bias, "dropout": dropout, "bidirectional": bidirectional}
        mine, theirs = pair(kind, F, H, layers, kernel=kernel, dtype=dtype, **options)
        mine.eval(), theirs.eval()
        mine.load_state_dict(theirs.state_dict(), strict=True)
        leaf = noise(*((2, 5) if batch_first else (5, 2)), F, dtype=dtype)
        assert_same(mine, theirs, leaf)
        assert_same(mine, theirs, leaf, state_for(mine, 2))


@kinds
@given(
    time=st.integers(1, 6), batch=st.integers(1, 4), features=st.integers(1, 9), hidden=st.integers(1, 20), seed=seeds
)
def test_any_shape_gives_torchs_answers(kind, time, batch, features, hidden, seed):
    for kernel, dtype in product(["auto", "reference"], TOLERANCE):
        mine, theirs = pair(kind, features, hidden, kernel=kernel, dtype=dtype, bidirectional=True)
        leaf = noise(time, batch, features, seed=seed, dtype=dtype)
        assert_same(mine, theirs, leaf, state_for(mine, batch, seed=seed))


@pytest.mark.parametrize("batch_first", [False, True])
@kernels
@kinds
def test_one_sequence_without_a_batch_axis(kind, kernel, batch_first):
    mine, theirs = pair(kind, F, H, 2, kernel=kernel, batch_first=batch_first, bidirectional=True)
    assert_same(mine, theirs, noise(5, F))
    assert_same(mine, theirs, noise(5, F), state_for(mine))


@kernels
@kinds
def test_outputs_lie_in_memory_as_torchs_do(kind, kernel):
    mine, _ = pair(kind, kernel=kernel, bidirectional=True)
    assert mine(noise(5, 2, F))[0].view(-1, H).shape == (20, H)


@kernels
@kinds
def test_inputs_may_lie_in_memory_in_any_order(kind, kernel):
    mine, theirs = pair(kind, kernel=kernel)
    assert_same(mine, theirs, noise(2, 5, F), form=lambda leaf: leaf.transpose(0, 1))


@pytest.mark.parametrize(("kind", "states"), [("lstm", 2), ("gru", 1), ("tanh", 1)])
def test_the_examples_of_torchs_documentation(kind, states):
    mine, theirs = pair(kind, 10, 20, 2, dtype=torch.float32)
    given_input = torch.randn(5, 3, 10)
    fields = tuple(torch.randn(2, 3, 20) for _ in range(states))
    assert_same(mine, theirs, given_input, hx_of(fields))


@kinds
def test_without_gradients(kind):
    mine, theirs = pair(kind, F, H, 2)
    with torch.no_grad():
        outputs, _ = mine(noise(5, 2, F))
        near(outputs, theirs(noise(5, 2, F))[0])
        assert not outputs.requires_grad


# ---- sequences of unequal length ---------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "kernel", "dtype"), spread(crossed(KINDS, product(["auto", "reference"], TOLERANCE))))
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), with_state=st.booleans(), seed=seeds)
def test_packed_sequences_in_any_order(kind, kernel, dtype, lengths, with_state, seed):
    mine, theirs = pair(kind, F, H, 2, kernel=kernel, dtype=dtype, bidirectional=True)
    leaf = noise(max(lengths), len(lengths), F, seed=seed, dtype=dtype)
    hx = state_for(mine, len(lengths), seed=seed) if with_state else None
    outputs = assert_same(mine, theirs, leaf, hx, lambda t: pack_padded_sequence(t, lengths, enforce_sorted=False))
    want, _ = theirs(pack_padded_sequence(leaf, lengths, enforce_sorted=False))
    for mine_part, their_part in zip(outputs[1:], want[1:], strict=True):
        assert torch.equal(mine_part, their_part)


@kernels
@kinds
def test_packed_sequences_already_in_order(kind, kernel):
    mine, theirs = pair(kind, kernel=kernel)
    outputs = assert_same(
        mine, theirs, noise(4, 3, F), state_for(mine, 3), lambda t: pack_padded_sequence(t, [4, 2, 1])
    )
    assert outputs.sorted_indices is None
    assert outputs.unsorted_indices is None


@pytest.mark.parametrize(
    ("kind", "kernel", "dtype", "bidirectional"),
    spread(crossed(KINDS, product(["auto", "reference"], TOLERANCE, [False, True]))),
)
@given(lengths=some_lengths().filter(any), seed=seeds)
def test_a_ragged_gives_what_each_sequence_gives_alone(kind, kernel, dtype, bidirectional, lengths, seed):
    mine, theirs = pair(kind, F, H, 2, kernel=kernel, dtype=dtype, bidirectional=bidirectional)
    assert_answers_alone(mine, theirs, some_ragged(lengths, F, seed, dtype), seed)


@pytest.mark.parametrize("options", [{}, {"proj_size": 2}], ids=str)
@pytest.mark.parametrize("lengths", [[], [0], [0, 0]], ids=str)
def test_a_ragged_without_steps_keeps_its_state(lengths, options):
    module = unrolled.nn.LSTM(F, H, 2, bidirectional=True, dtype=torch.float64, **options)
    hx = state_for(module, len(lengths))
    outputs, final = module(Ragged(noise(0, F), lengths), hx)
    assert outputs.values.shape == (0, 2 * (module.proj_size or H))
    assert all(map(torch.equal, final, hx))


@kinds
def test_without_a_state_a_ragged_starts_from_zeros(kind):
    mine, _ = pair(kind)
    inputs = Ragged(noise(5, F), [2, 0, 3])
    zeros = [torch.zeros_like(field) for field in fields_of(state_for(mine, 3))]
    outputs, final = mine(inputs)
    assert torch.equal(outputs.values, mine(inputs, hx_of(zeros))[0].values)
    assert all(field.shape == (1, 3, H) and not field[:, 1].any() for field in fields_of(final))


# ---- training ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "kernel", "dtype"), spread(crossed(KINDS, product(["auto", "reference"], TOLERANCE))))
def test_three_steps_of_training_with_dropout_give_torchs_weights(kind, kernel, dtype):
    mine, theirs = pair(kind, F, H, 3, kernel=kernel, dtype=dtype, dropout=0.5, bidirectional=True)
    for module in (mine, theirs):
        torch.manual_seed(5)  # the masks are drawn alike
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        for step in range(3):
            optimizer.zero_grad()
            module(noise(5, 2, F, seed=step, dtype=dtype))[0].square().sum().backward()
            optimizer.step()
    near(list(mine.parameters()), list(theirs.parameters()), slack=10)


@kernels
@kinds
def test_dropout_on_packed_sequences_is_torchs(kind, kernel):
    mine, theirs = pair(kind, F, H, 2, kernel=kernel, dropout=0.5)
    packed = pack_padded_sequence(noise(5, 3, F), [5, 2, 1])
    torch.manual_seed(5)
    got, _ = mine(packed)
    torch.manual_seed(5)
    want, _ = theirs(packed)
    near(got.data, want.data)


@kinds
def test_the_same_seed_draws_torchs_weights(kind):
    name, fixed = KINDS[kind]
    modules = []
    for home in (unrolled.nn, nn):
        torch.manual_seed(3)
        modules.append(getattr(home, name)(F, H, 2, bidirectional=True, **fixed))
    mine, theirs = modules
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert all(map(torch.equal, mine.parameters(), theirs.parameters()))
    assert repr(mine) == repr(theirs)


# ---- a module like any other -------------------------------------------------------------------------


def copied(module):
    return copy.deepcopy(module)


def pickled(module):
    return pickle.loads(pickle.dumps(module))


def saved(module):
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def loaded(module):
    fresh = unrolled.nn.LSTM(F, H, 2, dtype=torch.float64, kernel=module.kernel)
    fresh.load_state_dict(module.state_dict(), strict=True)
    return fresh


@kernels
@pytest.mark.parametrize("again", [copied, pickled, saved, loaded])
def test_a_copy_answers_alike_and_learns_apart(again, kernel):
    mine, _ = pair("lstm", F, H, 2, kernel=kernel)
    inputs = noise(5, 2, F)
    want, _ = mine(inputs)  # after a forward pass, so that nothing of it sticks
    other = again(mine)
    assert other.kernel == kernel
    assert torch.equal(other(inputs)[0], want)
    with torch.no_grad():
        other.weight_ih_l0.zero_()
    assert torch.equal(mine(inputs)[0], want)
    other(inputs)[0].sum().backward()
    assert other.weight_hh_l1.grad is not None
    assert mine.weight_hh_l1.grad is None


@kernels
@kinds
def test_new_weights_count_at_once(kind, kernel):
    mine, theirs = pair(kind, kernel=kernel)
    inputs = noise(5, 2, F)
    mine(inputs)
    for module in (mine, theirs):
        module.weight_hh_l0 = nn.Parameter(noise(*module.weight_hh_l0.shape))
    assert_same(mine, theirs, inputs)
    assert_same(mine.float(), theirs.float(), inputs.float())


@dtypes
@kernels
def test_weights_may_be_lent_for_one_call(kernel, dtype):
    mine, theirs = pair("gru", kernel=kernel, dtype=dtype)
    inputs, lent = noise(5, 2, F, dtype=dtype), {"weight_hh_l0": noise(3 * H, H, dtype=dtype).requires_grad_()}
    (got, _), (want, _) = (torch.func.functional_call(module, lent, (inputs,)) for module in (mine, theirs))
    near(got, want)
    got.sum().backward()
    assert lent["weight_hh_l0"].grad.any()
    assert mine.weight_hh_l0.grad is None


@dtypes
def test_gradients_by_function_transforms(dtype):
    mine, theirs = pair("lstm", dtype=dtype)
    inputs, weights = noise(5, 2, F, dtype=dtype), dict(theirs.named_parameters())

    def loss(module, lent):
        return torch.func.functional_call(module, lent, (inputs,))[0].square().sum()

    got, want = (torch.func.grad(partial(loss, module))(weights) for module in (mine, theirs))
    near(list(got.values()), list(want.values()))


@kernels
@kinds
def test_gradients_of_gradients(kind, kernel):
    mine, theirs = pair(kind, F, H, 2, kernel=kernel, bidirectional=True)
    for module in (mine, theirs):
        leaf = noise(5, 2, F).requires_grad_()
        (gradient,) = torch.autograd.grad(module(leaf)[0].square().sum(), leaf, create_graph=True)
        gradient.square().sum().backward()
    near([weight.grad for weight in mine.parameters()], [weight.grad for weight in theirs.parameters()], slack=100)


@dtypes
@kernels
def test_parametrized_weights_are_used_and_learn(kernel, dtype):
    mine, theirs = pair("lstm", kernel=kernel, dtype=dtype)
    for module in (mine, theirs):
        nn.utils.parametrizations.weight_norm(module, "weight_hh_l0")
    assert_same(mine, theirs, noise(5, 2, F, dtype=dtype))


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_the_constructor_takes_torchs_arguments_in_torchs_order(name):
    mine, theirs = getattr(unrolled.nn, name), getattr(nn, name)
    listed = theirs.__doc__.splitlines()[0].removeprefix("__init__(").removesuffix(")").split(",")
    taken = [str(parameter) for parameter in inspect.signature(mine).parameters.values()]
    assert [text.partition(":")[0] for text in taken[:-3]] == [text.partition("=")[0] for text in listed]
    assert [text.partition(":")[0] for text in taken[-3:]] == ["kernel", "recurrent_dropout", "zoneout"]
    assert issubclass(mine, theirs)


def test_a_module_can_be_made_on_the_meta_device():
    meta = unrolled.nn.LSTM(F, H, device="meta")
    assert meta(torch.empty(5, 2, F, device="meta"))[0].shape == (5, 2, H)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, about its compiler
@dtypes
@kernels
@kinds
def test_a_compiled_module_answers_and_learns_as_before(kind, kernel, dtype):
    mine, theirs = pair(kind, F, H, 2, kernel=kernel, dtype=dtype)
    compiled = torch.compile(nn.Sequential(nn.Identity(), mine), backend="eager")
    inputs = noise(5, 2, F, dtype=dtype)
    (got, _), (want, _) = compiled(inputs), theirs(inputs)
    near(got, want)
    for outputs in (got, want):
        outputs.sum().backward()
    near(mine.weight_hh_l0.grad, theirs.weight_hh_l0.grad)
