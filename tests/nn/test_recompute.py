"""Computing stretches again in the backward pass changes what is kept, and nothing else."""

import subprocess
import sys
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import unrolled.nn
from kernels.tile_checks import a_cell, a_state
from random_sequences import everything, noise, shake, some_ragged
from unrolled.cells.base import Cell
from unrolled.cells.registry import CELLS, make_cell
from unrolled.nn import recompute
from unrolled.nn.stack import Stack
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

LENGTHS = [17, 0, 30, 1, 5]


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch):
    monkeypatch.setattr(recompute, "ROOTS", 1)


def both(name: str, lengths: list[int], **options: Any) -> list[dict[str, Tensor]]:
    """Everything that a run answers, when all is kept and when stretches are computed again."""
    cell, inputs = a_cell(name, 3, 6), some_ragged(lengths, 3, dtype=torch.float32)

    def run(again: bool, cell: Cell, inputs: Ragged, state: Any) -> tuple[Ragged, Any]:
        return unroll(cell, inputs, state, recompute=again, **options)

    return [everything(partial(run, again), cell, inputs, a_state(cell, len(lengths))) for again in (False, True)]


@pytest.mark.parametrize("lengths", [LENGTHS, [50], [1]])
@pytest.mark.parametrize("kernel", ["auto", "reference"])
@pytest.mark.parametrize("name", CELLS)
def test_outputs_states_and_gradients_are_those_of_keeping_everything(name, kernel, lengths):
    kept, again = both(name, lengths, kernel=kernel)
    for part, want in kept.items():
        torch.testing.assert_close(again[part], want, rtol=1e-4, atol=1e-4 * float(want.abs().max().clamp(min=1.0)))


def test_sequences_without_steps_keep_their_state():
    cell = make_cell("lstm", 3, 6)
    outputs, state = unroll(cell, Ragged(torch.zeros(0, 3), torch.tensor([0, 0])), recompute=True)
    assert outputs.num_steps == 0
    assert torch.equal(state.hidden, cell.initial_state(2).hidden)


@pytest.mark.parametrize("reverse", [False, True])
def test_directions_and_restarts_go_with_it(reverse):
    reset = torch.zeros(sum(LENGTHS), dtype=torch.bool)
    reset[[4, 20, 21]] = True
    kept, again = both("lstm", LENGTHS, reset=reset, reverse=reverse)
    for part, want in kept.items():
        torch.testing.assert_close(again[part], want)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_stack_recomputes_every_layer_and_direction(bidirectional):
    stacks = [Stack(3, 5, "gru", 2, bidirectional, recompute=again) for again in (False, True)]
    stacks[1].load_state_dict(stacks[0].state_dict())
    found = []
    for stack in stacks:
        outputs, _ = stack(some_ragged(LENGTHS, 3, dtype=torch.float32))
        found.append(torch.autograd.grad(outputs.values.square().sum(), list(stack.parameters())))
    for want, got in zip(*found, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_module_in_torchs_manner_learns_every_weight(kind, monkeypatch):
    module, inputs = getattr(unrolled.nn, kind)(3, 5, 2), noise(200, 2, 3, dtype=torch.float32).requires_grad_()
    leaves, found = [inputs, *module.parameters()], []
    for budget in (recompute.BUDGET, 0):
        monkeypatch.setattr(recompute, "BUDGET", budget)
        found.append(torch.autograd.grad(module(inputs)[0].square().sum(), leaves))
    for want, got in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_a_graph_that_is_kept_can_be_walked_twice_and_differentiated_twice():
    cell, values = shake(make_cell("lstm", 3, 6), scale=0.1), noise(40, 3, dtype=torch.float32).requires_grad_()
    loss = unroll(cell, Ragged(values, torch.tensor([40])), recompute=True)[0].values.square().sum()
    first, second = (torch.autograd.grad(loss, values, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    (slope,) = torch.autograd.grad(loss, values, create_graph=True)
    (twice,) = torch.autograd.grad(slope.square().sum(), values)
    plain = unroll(cell, Ragged(values, torch.tensor([40])), kernel="reference")[0].values.square().sum()
    (slope,) = torch.autograd.grad(plain, values, create_graph=True)
    torch.testing.assert_close(twice, torch.autograd.grad(slope.square().sum(), values)[0], rtol=1e-3, atol=1e-4)


def a_loss(cell: Cell, again: bool) -> Tensor:
    return unroll(cell, some_ragged(LENGTHS, 3, dtype=torch.float32), recompute=again)[0].values.square().sum()


def test_hooks_on_weights_see_the_whole_gradient_once():
    cell, seen = shake(make_cell("lstm", 3, 6), scale=0.1), []
    (want,) = torch.autograd.grad(a_loss(cell, again=False), cell.weight_hh)
    cell.weight_hh.register_hook(lambda gradient: seen.append(gradient) or gradient * 2)
    a_loss(cell, again=True).backward()
    assert len(seen) == 1
    torch.testing.assert_close(cell.weight_hh.grad, want * 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("again", [False, True])
def test_weights_put_in_for_one_call_get_the_gradients(again):
    cell = shake(make_cell("lstm", 3, 6), scale=0.1)
    given = {f"cell.{name}": weight.detach().clone().requires_grad_() for name, weight in cell.named_parameters()}
    want = torch.autograd.grad(a_loss(cell, again=False), list(cell.parameters()))

    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = make_cell("lstm", 3, 6)

        def forward(self) -> Tensor:
            return a_loss(self.cell, again)

    loss = torch.func.functional_call(Loss(), given, ())
    for create_graph in (False, True):
        got = torch.autograd.grad(loss, list(given.values()), retain_graph=True, create_graph=create_graph)
        for one, other in zip(got, want, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_parameter_replaced_before_the_backward_pass_changes_no_gradient():
    cell = shake(make_cell("lstm", 3, 6), scale=0.1)
    weights = list(cell.parameters())
    want, loss = torch.autograd.grad(a_loss(cell, again=False), weights), a_loss(cell, again=True)
    cell.weight_hh = torch.nn.Parameter(torch.zeros_like(cell.weight_hh))
    for got, other in zip(torch.autograd.grad(loss, weights), want, strict=True):
        torch.testing.assert_close(got, other, rtol=1e-4, atol=1e-5)


GROWTH = """
import ctypes
import torch
from unrolled.cells.lstm import LSTMCell
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

def resident():
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)  # not what the allocator keeps for the next tensors
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

torch.manual_seed(0)
cell, inputs = LSTMCell(8, 128), Ragged(torch.randn(100_000, 8), torch.tensor([100_000]))
unroll(cell, Ragged(inputs.values[:50], torch.tensor([50])))[0].values.sum().backward()
before = resident()
outputs, _ = unroll(cell, inputs, recompute=RECOMPUTE)
print((resident() - before) * 1024 - outputs.values.numel() * 4)
outputs.values.sum().backward()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_a_hundred_thousand_steps_keep_a_twentieth_beside_the_outputs():
    kept, again = (
        int(subprocess.check_output([sys.executable, "-c", GROWTH.replace("RECOMPUTE", str(again))], text=True))
        for again in (False, True)
    )
    assert kept > 5 * 128 * 4 * 100_000 * 0.9  # four gates and a cell for each step
    assert again < kept / 20
