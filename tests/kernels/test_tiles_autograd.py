"""The tiles behave as an operation of torch: hooks, saved graphs, checkpoints, copies, second derivatives."""

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from random_sequences import noise, shake, some_ragged
from unrolled.cells.base import Cell
from unrolled.cells.registry import make_cell
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

LENGTHS = [4, 0, 7, 2]
cells = pytest.mark.parametrize(
    "name", ["lstm", "gru", "elman", "lstm_peephole", "lstm_layer_norm", "gru_layer_norm", "min_lstm", "linear"]
)


def a_cell(name: str = "lstm") -> Cell:
    torch.manual_seed(0)
    return shake(make_cell(name, 3, 5), scale=0.1)


def inputs() -> Ragged:
    return some_ragged(LENGTHS, 3, dtype=torch.float32)


def gradients(cell: Cell, loss: Tensor, retain: bool = False) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(cell.parameters()), retain_graph=retain))


def total(cell: Cell, given: Ragged, kernel: str = "tiles") -> Tensor:
    outputs, final = unroll(cell, given, kernel=kernel)
    return (outputs.values**2).sum() + sum((field**3).sum() for field in final)


@cells
def test_a_graph_that_is_kept_gives_the_same_gradients_twice(name):
    cell = a_cell(name)
    loss = total(cell, inputs())
    for first, second in zip(gradients(cell, loss, retain=True), gradients(cell, loss), strict=True):
        assert torch.equal(first, second)


@cells
def test_second_derivatives_equal_the_references(name):
    found = []
    for kernel in ("tiles", "reference"):
        cell, values = a_cell(name), inputs().values.requires_grad_()
        loss = total(cell, Ragged(values, LENGTHS), kernel)
        (slope,) = torch.autograd.grad(loss, values, create_graph=True)
        found.append(torch.autograd.grad((slope**2).sum(), [values, *cell.parameters()]))
    for got, want in zip(*found, strict=True):
        # dividing by a small deviation enlarges every rounding
        size = float(want.abs().max().clamp(min=1.0)) if "layer_norm" in name else 1.0
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4 * size)


def test_hooks_see_and_change_gradients():
    cell, seen = a_cell(), []
    plain = gradients(cell, total(cell, inputs()))
    handles = [weight.register_hook(lambda gradient: seen.append(gradient) or gradient * 2) for weight in cell.weights]
    total(cell, inputs()).backward()
    assert len(seen) == 4
    for weight, want in zip(cell.weights, plain, strict=True):
        torch.testing.assert_close(weight.grad, want * 2)
    for handle in handles:
        handle.remove()


def test_without_gradients_nothing_is_kept():
    with torch.no_grad():
        outputs, state = unroll(a_cell(), inputs(), kernel="tiles")
    assert not outputs.values.requires_grad
    assert not state.hidden.requires_grad
    frozen = a_cell().requires_grad_(False)
    assert not unroll(frozen, inputs(), kernel="tiles")[0].values.requires_grad


def test_only_what_asks_for_a_gradient_gets_one():
    cell = a_cell()
    cell.requires_grad_(False)
    values = inputs().values.requires_grad_()
    outputs, _ = unroll(cell, Ragged(values, LENGTHS), kernel="tiles")
    outputs.values.sum().backward()
    want = inputs().values.requires_grad_()
    unroll(cell, Ragged(want, LENGTHS), kernel="reference")[0].values.sum().backward()
    torch.testing.assert_close(values.grad, want.grad)
    assert all(weight.grad is None for weight in cell.weights)


def test_checkpointing_gives_the_same_gradients():
    cell = a_cell()
    want = gradients(cell, total(cell, inputs()))
    values = inputs().values.requires_grad_()
    loss = checkpoint(lambda given: total(cell, Ragged(given, LENGTHS)), values, use_reentrant=False)
    for got, expected in zip(gradients(cell, loss), want, strict=True):
        torch.testing.assert_close(got, expected)


def test_a_weight_changed_in_place_is_packed_again():
    cell, given = a_cell(), inputs()
    with torch.no_grad():
        first, _ = unroll(cell, given, kernel="tiles")
        cell.weight_hh.mul_(0.5)
        second, _ = unroll(cell, given, kernel="tiles")
        cell.weight_ih.data = cell.weight_ih.data * 2  # a new tensor behind the same parameter
        third, _ = unroll(cell, given, kernel="tiles")
        cell.weight_ih.data.mul_(2)  # torch does not count this change
        fourth, _ = unroll(cell, given, kernel="tiles")
        for got, halved, doubled in ((first, 1.0, 1.0), (second, 0.5, 1.0), (third, 0.5, 2.0), (fourth, 0.5, 4.0)):
            other = a_cell()
            other.weight_hh.mul_(halved)
            other.weight_ih.mul_(doubled)
            torch.testing.assert_close(got.values, unroll(other, given, kernel="reference")[0].values)


def test_an_output_changed_in_place_is_noticed():
    cell = a_cell()
    cell_16 = shake(make_cell("lstm", 3, 16), scale=0.1)  # whole vectors: the outputs are what backward reads
    for one in (cell, cell_16):
        outputs, _ = unroll(one, inputs(), kernel="tiles")
        outputs.values.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            outputs.values.sum().backward()


def test_a_copied_or_pickled_cell_computes_the_same():
    cell, given = a_cell(), inputs()
    want, _ = unroll(cell, given, kernel="tiles")
    for other in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(unroll(other, given, kernel="tiles")[0].values, want.values)


def test_gradients_of_final_states_alone_and_of_nothing_are_right():
    cell = a_cell()
    start = cell.state_type(*(noise(4, 5, seed=i, dtype=torch.float32).requires_grad_() for i in range(2)))
    found = []
    for kernel in ("tiles", "reference"):
        _, final = unroll(cell, inputs(), start, kernel=kernel)
        found.append(torch.autograd.grad(final.cell.sum(), [*start, cell.weight_hh]))
    for got, want in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)


def test_a_fused_optimizer_is_followed():
    found = []
    for kernel in ("tiles", "reference"):
        cell = a_cell()
        optimizer = torch.optim.AdamW(cell.parameters(), lr=0.1, fused=True)
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = total(cell, inputs(), kernel)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        found.append(losses)
    assert found[0] == pytest.approx(found[1], rel=1e-3)
    assert found[0][-1] < found[0][0]


def test_modules_made_in_inference_mode_run():
    with torch.inference_mode():
        cell, given = a_cell(), inputs()
        got, _ = unroll(cell, given, kernel="tiles")
        want, _ = unroll(cell, given, kernel="reference")
        torch.testing.assert_close(got.values, want.values)
