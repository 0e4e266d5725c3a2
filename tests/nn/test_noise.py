"""Recurrent dropout and zoneout in a Stack and in unrolled.nn's modules: training draws, evaluation does not."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import unrolled.nn
from random_sequences import differ, noise, some_ragged
from torch_twins import KINDS
from unrolled.cells.registry import CELLS
from unrolled.errors import OptionError, UnsupportedError
from unrolled.kernels.choose import KERNELS
from unrolled.nn.layers import make_layers
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged
from unrolled.state import map_state

F, H = 3, 5
SHARES = ["recurrent_dropout", "zoneout"]
INPUTS = some_ragged([4, 0, 6, 6], F, dtype=torch.float32)
shares = pytest.mark.parametrize("share", SHARES)
kinds = pytest.mark.parametrize("kind", KINDS)


def a_stack(cell: str = "lstm", **options: Any) -> Stack:
    torch.manual_seed(0)
    return Stack(F, H, cell, 2, **options)


def a_module(kind: str, **options: Any) -> Any:
    torch.manual_seed(0)
    name, fixed = KINDS[kind]
    return getattr(unrolled.nn, name)(F, H, 2, **fixed, **options)


def two_runs(layer: Any) -> list[torch.Tensor]:
    """Outputs of two passes from the same seed, and of a third one that goes on from there."""
    torch.manual_seed(7)
    first = layer(INPUTS)[0].values
    torch.manual_seed(7)
    return [first, layer(INPUTS)[0].values, layer(INPUTS)[0].values]


# ---- Stack -------------------------------------------------------------------------------------------


@shares
@pytest.mark.parametrize("bidirectional", [False, True])
def test_training_draws_from_torchs_seed_and_evaluation_does_not_draw(share, bidirectional):
    stack = a_stack(bidirectional=bidirectional, **{share: 0.5})
    first, again, other = two_runs(stack)
    assert torch.equal(first, again)
    assert differ(first, other)
    plain = a_stack(bidirectional=bidirectional)
    settled = [layer.eval()(INPUTS)[0].values for layer in (stack, stack, plain)]
    assert torch.equal(settled[0], settled[1])
    assert differ(settled[0], settled[2]) == (share == "zoneout")  # in expectation units are slower


@pytest.mark.parametrize("cell", CELLS)
def test_in_evaluation_single_steps_equal_one_pass(cell):
    stack = a_stack(cell, zoneout=0.3, **({"recurrent_dropout": 0.3} if CELLS_DROP[cell] else {})).double().eval()
    inputs = some_ragged([5, 5], F)
    want, final = stack(inputs)
    state = stack.initial_state(2)
    for t in range(5):
        output, state = stack.step(inputs.padded()[:, t], state)
        torch.testing.assert_close(output, want.padded()[:, t])
    map_state(torch.testing.assert_close, state, final)


CELLS_DROP = {name: make_layers(name, F, H).layers[0].cell.can_drop for name in CELLS}


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_trains_with_noise_and_reaches_every_weight(cell):
    stack = a_stack(cell, zoneout=0.3, **({"recurrent_dropout": 0.3} if CELLS_DROP[cell] else {}))
    stack(INPUTS)[0].values.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in stack.parameters())
    assert all(weight.grad.any() for name, weight in stack.named_parameters() if "weight" in name)


def test_recomputing_draws_the_same():
    found = []
    for again in (False, True):
        stack = a_stack(recurrent_dropout=0.3, zoneout=0.3, recompute=again)
        torch.manual_seed(7)
        outputs, _ = stack(some_ragged([300], F, dtype=torch.float32))
        found.append([outputs.values, *torch.autograd.grad(outputs.values.square().sum(), list(stack.parameters()))])
    for want, got in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_they_go_with_the_options_of_layers():
    stack = make_layers("gru", F, H, recurrent_dropout=0.2, zoneout=0.1)
    assert (stack.layers[0].noise.recurrent_dropout, stack.layers[0].noise.zoneout) == (0.2, 0.1)
    with pytest.raises(OptionError, match="no further options for cell='conv'"):
        make_layers("conv", F, H, zoneout=0.1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"zoneout": 1.0}, r"zoneout: expected a number in \[0, 1\), received 1.0"),
        ({"recurrent_dropout": -0.1}, r"recurrent_dropout: expected a number in \[0, 1\)"),
        ({"cell": "min_gru", "recurrent_dropout": 0.1}, "recurrent_dropout: expected 0 for a cell without a recurrent"),
    ],
)
def test_shares_that_are_wrong_or_would_change_nothing_are_refused(options, says):
    with pytest.raises(OptionError, match=says):
        Stack(F, H, **options)


@pytest.mark.filterwarnings("ignore")  # torch's own, about its compiler
def test_a_graph_refuses_noise_in_words_and_is_broken_around_it_elsewhere():
    stack = a_stack("gru", zoneout=0.3)
    with pytest.raises(Exception, match="recurrent dropout and zoneout are not recorded in graphs"):
        torch.compile(lambda values: stack(Ragged(values, INPUTS.lengths))[0].values, backend="eager", fullgraph=True)(
            INPUTS.values
        )
    run = torch.compile(lambda values: stack(Ragged(values, INPUTS.lengths))[0].values, backend="eager")
    torch.manual_seed(7)
    got = run(INPUTS.values)
    assert torch.equal(got, two_runs(stack)[0])


# ---- unrolled.nn ---------------------------------------------------------------------------------------


@kinds
@shares
def test_a_module_of_torchs_face_draws_in_training(kind, share):
    module = a_module(kind, **{share: 0.5})
    first, again, other = two_runs(module)
    assert torch.equal(first, again)
    assert differ(first, other)
    module.eval()
    assert torch.equal(module(INPUTS)[0].values, module(INPUTS)[0].values)
    assert differ(module(INPUTS)[0].values, a_module(kind)(INPUTS)[0].values) == (share == "zoneout")


@kinds
@pytest.mark.parametrize("form", ["padded", "packed", "one", "step"])
def test_torchs_own_forward_does_not_run_in_its_place(kind, form, monkeypatch):
    module = a_module(kind, zoneout=0.5)
    given = {
        "padded": noise(4, 2, F, dtype=torch.float32),
        "packed": pack_sequence([noise(4, F, dtype=torch.float32), noise(2, F, dtype=torch.float32)]),
        "one": noise(4, F, dtype=torch.float32),
        "step": noise(1, 2, F, dtype=torch.float32),
    }[form]
    monkeypatch.setattr(getattr(torch.nn, KINDS[kind][0]), "forward", lambda *given: pytest.fail("torch's forward"))
    outputs, _ = module(given)
    assert outputs.data.isfinite().all()


def test_a_projection_goes_with_noise():
    first, again, other = two_runs(a_module("lstm", proj_size=2, recurrent_dropout=0.3, zoneout=0.3))
    assert torch.equal(first, again)
    assert differ(first, other)


def test_modules_take_their_shares_along():
    module = a_module("lstm", recurrent_dropout=0.2, zoneout=0.1)
    assert repr(module) == "LSTM(3, 5, num_layers=2, recurrent_dropout=0.2, zoneout=0.1)"
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert (other.recurrent_dropout, other.zoneout) == (0.2, 0.1)
        assert torch.equal(two_runs(other)[0], two_runs(module)[0])


def test_what_torch_alone_could_run_is_refused_with_noise():
    with pytest.raises(OptionError, match=r"zoneout: expected a number in \[0, 1\), received 2"):
        unrolled.nn.GRU(F, H, zoneout=2)
    module = a_module("gru", zoneout=0.1)
    with pytest.raises(RuntimeError, match="size"):  # torch's message
        module(noise(4, 2, F + 1, dtype=torch.float32))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(UnsupportedError, match="of the weights' dtype"):
        module(noise(4, 2, F).bfloat16())
    with pytest.raises(UnsupportedError, match="neither recurrent dropout nor zoneout"):
        a_module("gru", zoneout=0.1, kernel="native")(INPUTS)


def test_the_tiles_run_a_noisy_module(monkeypatch):
    monkeypatch.setattr(KERNELS["reference"], "refuses", lambda *_: "not today")
    monkeypatch.setattr(KERNELS["native"], "refuses", lambda *_: "not today")
    for kind in KINDS:
        assert two_runs(a_module(kind, recurrent_dropout=0.2, zoneout=0.1))
